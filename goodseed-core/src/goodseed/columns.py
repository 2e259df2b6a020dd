"""Packs the points of series as columns of bytes, and reads them back: the one form for requests, databases and caches.

A body starts with ``gspts``, its version and two zero bytes. Groups of series that have their steps and times in common
follow until its end. All numbers are little-endian; NaN, infinities and every double come back exactly::

    uint32 n, uint32 k    points of each series, and how many series there are
    k names               version 1: the path; version 2: the kind, then the path; each as uint32 length and UTF-8
    steps                 a column of n numbers
    times                 a column of n numbers: milliseconds since 1970; in version 2 seconds, unless they are integers
    values                a column of k * n values, series by series

A column of version 1 is so many doubles, and every series is of the kind ``metric``. In version 2 one byte says how the
column is stored:

====  ==================================================================================================
byte  then
====  ==================================================================================================
0     doubles
1     doubles, shuffled: all first bytes, then all second bytes, and so on
2     64-bit integers, each as its difference from the one before, shuffled likewise
3     texts: the length of each in bytes as uint32, then all of them in UTF-8
4     byte strings: the length of each as uint32, then all of them
====  ==================================================================================================
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from itertools import accumulate, chain, groupby
from operator import eq, sub
from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Points", "pack", "pack_columns", "pack_numbers", "unpack", "unpack_columns", "unpack_numbers"]

_MAGIC: Final = b"gspts"
_HEAD_BYTES: Final = 8
_KIND_OF_VERSION_1: Final = "metric"
_COUNTS: Final = struct.Struct("<II")
_LENGTH: Final = struct.Struct("<I")
_DOUBLE_BYTES: Final = 8
_MAX_NAME_BYTES: Final = 1 << 16
_MAX_EXACT: Final = float(2**53)
_ORDER: Final = "<" if sys.byteorder == "big" else "@"  # "<" is slower where the machine's own order is the same
_DOUBLES, _SHUFFLED, _DIFFERENCES, _TEXTS, _BYTES = range(5)


class Points(NamedTuple):
    """Points of one series.

    Attributes:
        path: The attribute path of the series.
        kind: The name of its kind, such as ``"metric"`` or ``"string"``.
        steps: The steps.
        values: As many numbers (None stands for NaN), texts, or byte strings.
        times: As many times of logging, in seconds since the epoch.
    """

    path: str
    kind: str
    steps: Sequence[float]
    values: Sequence[float | str | bytes | None]
    times: Sequence[float]


def pack(several: Iterable[Points], *, version: int = 2) -> bytes:
    """The points as one body.

    Series that were logged together, and follow one another, share their steps and times.

    Args:
        several: The series. Those without a point are left out.
        version: 1 for what every remote with packed points reads: numbers of metrics, as fast as can be. 2 for any
            kind, in fewer bytes.
    """
    parts = [_MAGIC + bytes((version, 0, 0))]
    for (steps, times, form), alike in groupby(several, key=_group_of):
        if not steps:
            continue
        together = list(alike)
        parts.append(_COUNTS.pack(len(steps), len(together)))
        for points in together:
            if version > 1:
                parts += _name(points.kind)
            parts += _name(points.path)
        if version == 1:
            parts += (pack_numbers(steps), pack_numbers([round(seconds * 1000) for seconds in times]))
            parts += [pack_numbers(points.values) for points in together]  # type: ignore[arg-type]
        else:
            parts += (_packed_numbers(steps), _packed_times(times))
            parts.append(_packed_values(chain.from_iterable(points.values for points in together), form))
    return b"".join(parts)


def unpack(body: bytes, max_points: int | None = None) -> Iterator[Points]:
    """What `pack` has packed, series by series; those of one group have the same list of steps, and of times.

    Raises:
        InvalidValueError: It is something else, ends too early, or holds more than ``max_points``.
    """
    version = body[len(_MAGIC)] if body.startswith(_MAGIC) and len(body) >= _HEAD_BYTES else 0
    if version not in (1, 2):
        raise InvalidValueError("Invalid packed points: the body does not start as one of version 1 or 2 does.")
    cursor, count = _Cursor(body, _HEAD_BYTES), 0
    while not cursor.is_at_end:
        points, series = _COUNTS.unpack(cursor.take(_COUNTS.size))
        count += max(points, 1) * series
        if not points or not series or (max_points is not None and count > max_points):
            limit = "" if max_points is None else f" and at most {max_points:,}"
            raise InvalidValueError(f"Packed points have at least one point{limit}, and no empty series.")
        if version == 1:
            paths = [cursor.name() for _ in range(series)]
            steps, times, *columns = cursor.doubles(points, 2 + series)
            seconds = [ms / 1000.0 for ms in times]
            for path, values in zip(paths, columns, strict=True):
                yield Points(path, _KIND_OF_VERSION_1, steps, values, seconds)
            continue
        names = [(cursor.name(), cursor.name()) for _ in range(series)]
        steps = cursor.numbers(points)
        are_seconds = cursor.next_byte != _DIFFERENCES
        times = cursor.numbers(points)
        if not are_seconds:
            times = [ms / 1000.0 for ms in times]
        column = cursor.column(points * series)
        for at, (kind, path) in enumerate(names):
            yield Points(path, kind, steps, column[at * points : (at + 1) * points], times)


def pack_numbers(numbers: Sequence[float | None], code: str = "d") -> bytes:
    """The numbers as little-endian doubles, or floats with the ``code`` ``"f"``; None is NaN."""
    try:
        if code == "d" and not isinstance(numbers, array):  # half the time of making an array of them
            return struct.pack(f"{_ORDER}{len(numbers)}d", *numbers)
        packed: array[float] = array(code, numbers)  # type: ignore[arg-type]
    except (TypeError, struct.error):
        packed = array(code, [math.nan if number is None else float(number) for number in numbers])
    return _little(packed)


def unpack_numbers(content: bytes, code: str = "d") -> array[float]:
    """What `pack_numbers` has packed.

    Raises:
        InvalidValueError: The content does not end with a whole number.
    """
    numbers: array[float] = array(code)
    if len(content) % numbers.itemsize:
        raise InvalidValueError(f"{len(content):,} bytes are not a whole number of {numbers.itemsize}-byte numbers.")
    numbers.frombytes(content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def pack_columns(columns: Iterable[Sequence[float | None]]) -> bytes:
    """Columns of as many numbers each, one after the other, as doubles."""
    return b"".join(map(pack_numbers, columns))


def unpack_columns(content: bytes, count: int) -> list[array[float]]:
    """The ``count`` columns that `pack_columns` has packed.

    Raises:
        InvalidValueError: The content is not of so many columns of equal length.
    """
    size, rest = divmod(len(content), count * _DOUBLE_BYTES)
    if rest:
        raise InvalidValueError(f"{len(content):,} bytes are not {count} columns of as many doubles each.")
    width = size * _DOUBLE_BYTES
    return [unpack_numbers(content[at * width : (at + 1) * width]) for at in range(count)]


def _group_of(points: Points) -> tuple[Sequence[float], Sequence[float], type]:
    value = points.values[0] if points.values else None
    return points.steps, points.times, type(value) if isinstance(value, (str, bytes)) else float


def _name(text: str) -> tuple[bytes, bytes]:
    encoded = text.encode()
    return _LENGTH.pack(len(encoded)), encoded


def _packed_times(times: Sequence[float]) -> bytes:
    """The times, as whole milliseconds if those are exact."""
    milliseconds = [round(seconds * 1000) for seconds in times]
    if all(map(eq, [ms / 1000.0 for ms in milliseconds], times)):
        packed = _packed_numbers(milliseconds)
        if packed[0] == _DIFFERENCES:
            return packed
    return bytes((_SHUFFLED,)) + _shuffled(array("d", times))


def _packed_numbers(numbers: Sequence[float]) -> bytes:
    """Integers as differences, of which most bytes are the same; other numbers as they are."""
    values = array("d", numbers)
    if all(map(float.is_integer, values)) and min(values) >= -_MAX_EXACT and max(values) <= _MAX_EXACT:
        integers = array("q", map(int, values))
        if 0 not in integers or array("d", integers).tobytes() == values.tobytes():  # -0.0 is no integer
            return bytes((_DIFFERENCES,)) + _shuffled(array("q", map(sub, integers, chain((0,), integers))))
    return bytes((_SHUFFLED,)) + _shuffled(values)


def _packed_values(values: Iterable[float | str | bytes | None], form: type) -> bytes:
    if form is float:
        numbers: array[float] = array("d", [math.nan if value is None else value for value in values])  # type: ignore[misc]
        return bytes((_SHUFFLED,)) + _shuffled(numbers)
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    lengths = _little(array("I", map(len, encoded)))  # type: ignore[arg-type]
    return b"".join([bytes((_TEXTS if form is str else _BYTES,)), lengths, *encoded])  # type: ignore[list-item]


def _shuffled(values: array[float] | array[int]) -> bytes:
    plain = _little(values)
    return b"".join([plain[place::_DOUBLE_BYTES] for place in range(_DOUBLE_BYTES)])


def _little(values: array[float] | array[int]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


class _Cursor:
    """Reads a body from one end to the other."""

    def __init__(self, body: bytes, at: int) -> None:
        self._body: Final = body
        self._at = at

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._body)

    @property
    def next_byte(self) -> int | None:
        return None if self.is_at_end else self._body[self._at]

    def take(self, size: int) -> bytes:
        start = self._at
        self._skip(size)
        return self._body[start : self._at]

    def _skip(self, size: int) -> None:
        if self._at + size > len(self._body):
            raise InvalidValueError("Invalid packed points: the body ends too early.")
        self._at += size

    def name(self) -> str:
        start = self._at + _LENGTH.size
        length = int.from_bytes(self._body[self._at : start], "little")
        if length > _MAX_NAME_BYTES:
            raise InvalidValueError(f"Invalid packed points: a path of {length:,} bytes is too long.")
        self._skip(_LENGTH.size + length)
        return _text(self._body[start : self._at])

    def doubles(self, count: int, columns: int) -> list[list[float]]:
        """So many columns of ``count`` doubles each."""
        start, size = self._at, count * _DOUBLE_BYTES
        self._skip(size * columns)
        layout = struct.Struct(f"{_ORDER}{count}d")
        return [list(layout.unpack_from(self._body, at)) for at in range(start, self._at, size)]

    def numbers(self, count: int) -> list[float]:
        numbers = self.column(count)
        if not isinstance(numbers[0], float):
            raise InvalidValueError("Invalid packed points: steps and times must be numbers.")
        return numbers

    def column(self, count: int) -> list:  # type: ignore[type-arg]
        form = self.take(1)[0]
        if form == _DOUBLES:
            return unpack_numbers(self.take(count * _DOUBLE_BYTES)).tolist()
        if form == _SHUFFLED:
            return self._unshuffled(count, "d").tolist()
        if form == _DIFFERENCES:
            return list(map(float, accumulate(self._unshuffled(count, "q"))))
        if form not in (_TEXTS, _BYTES):
            raise InvalidValueError(f"Invalid packed points: there is no form {form} of a column.")
        lengths = unpack_numbers(self.take(count * _LENGTH.size), "I")
        decode: Callable[[bytes], str | bytes] = _text if form == _TEXTS else bytes
        return [decode(self.take(length)) for length in lengths]  # type: ignore[arg-type]

    def _unshuffled(self, count: int, code: str) -> array[float]:
        shuffled = self.take(count * _DOUBLE_BYTES)
        plain = bytearray(len(shuffled))
        for place in range(_DOUBLE_BYTES):
            plain[place::_DOUBLE_BYTES] = shuffled[place * count : (place + 1) * count]
        return unpack_numbers(bytes(plain), code)


def _text(encoded: bytes) -> str:
    try:
        return encoded.decode()
    except UnicodeDecodeError as error:
        raise InvalidValueError("Invalid packed points: a text is not UTF-8.") from error
