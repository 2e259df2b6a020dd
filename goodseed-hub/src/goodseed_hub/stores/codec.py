"""How points are packed into one value of the database. `docs/hub.md` describes version 1 for those who read it."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from itertools import accumulate, chain
from operator import sub
from typing import TYPE_CHECKING, Final

from goodseed.errors import FileFormatError
from goodseed_hub.stores.base import Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["FAST", "SMALL", "pack", "unpack"]

_VERSION: Final = 1
FAST: Final = 1
SMALL: Final = 6
_COUNT: Final = struct.Struct("<I")
_SERIES: Final = struct.Struct("<BHI")  # kind, bytes of the path, points
_METRIC, _TEXT = 0, 1
_DOUBLES, _INTEGERS = b"\0", b"\1"
_MAX_EXACT: Final = float(2**53)


def pack(metrics: Mapping[str, Column], texts: Mapping[str, Column], level: int) -> bytes:
    """The points of some series, compressed with zlib's ``level``."""
    header = [_COUNT.pack(len(metrics) + len(texts))]
    for kind, columns in ((_METRIC, metrics), (_TEXT, texts)):
        for path, column in columns.items():
            encoded = path.encode()
            header += (_SERIES.pack(kind, len(encoded), len(column.steps)), encoded)
    parts = header
    for columns in (metrics, texts):
        parts.append(_numbers(_joined(column.steps for column in columns.values())))
        parts.append(_numbers(_joined(column.times_ms for column in columns.values())))
    parts.append(_shuffled(_joined(column.values for column in metrics.values())))  # type: ignore[misc]
    encoded_texts = [str(value).encode() for column in texts.values() for value in column.values]
    parts += (_little(array("I", map(len, encoded_texts))), *encoded_texts)
    return bytes([_VERSION]) + zlib.compress(b"".join(parts), level)


def unpack(packed: bytes) -> tuple[dict[str, Column], dict[str, Column]]:
    """The metrics and the string series that `pack` was given.

    Raises:
        FileFormatError: It is of a newer version, or damaged.
    """
    if not packed or packed[0] != _VERSION:
        raise FileFormatError(f"A block has the version {packed[:1].hex() or 'none'}; this hub reads {_VERSION}.")
    try:
        return _unpack(zlib.decompress(memoryview(packed)[1:]))
    except (zlib.error, struct.error, ValueError, IndexError) as error:
        raise FileFormatError(f"A block is damaged: {error}.") from error


def _unpack(plain: bytes) -> tuple[dict[str, Column], dict[str, Column]]:
    at = _COUNT.size
    series: tuple[list[tuple[str, int]], list[tuple[str, int]]] = ([], [])
    for _ in range(_COUNT.unpack_from(plain)[0]):
        kind, size, count = _SERIES.unpack_from(plain, at)
        at += _SERIES.size
        series[kind].append((plain[at : at + size].decode(), count))
        at += size
    columns: list[list[float]] = []
    for group in series:
        total = sum(count for _, count in group)
        for _ in ("steps", "times"):
            numbers, at = _read_numbers(plain, at, total)
            columns.append(numbers)
    total = sum(count for _, count in series[_METRIC])
    values = _unshuffled(plain[at : at + 8 * total], "d").tolist()
    at += 8 * total
    total = sum(count for _, count in series[_TEXT])
    lengths = array("I")
    lengths.frombytes(plain[at : at + 4 * total])
    if sys.byteorder == "big":
        lengths.byteswap()
    at += 4 * total
    texts = []
    for length in lengths:
        texts.append(plain[at : at + length].decode())
        at += length
    return (
        _split(series[_METRIC], columns[0], values, columns[1]),
        _split(series[_TEXT], columns[2], texts, columns[3]),
    )


def _split(
    series: Iterable[tuple[str, int]], steps: list[float], values: Sequence[float | str], times: list[float]
) -> dict[str, Column]:
    found: dict[str, Column] = {}
    at = 0
    for path, count in series:
        end = at + count
        found[path] = Column(steps[at:end], list(values[at:end]), times[at:end])  # type: ignore[arg-type]
        at = end
    return found


def _joined(lists: Iterable[list[float]]) -> array[float]:
    values = array("d")
    for one in lists:
        values.fromlist(one)
    return values


def _numbers(values: array[float]) -> bytes:
    """Integers as differences, of which most bytes are the same; else as they are."""
    if values and all(map(float.is_integer, values)) and min(values) >= -_MAX_EXACT and max(values) <= _MAX_EXACT:
        integers = array("q", map(int, values))
        if 0 in integers and array("d", integers).tobytes() != values.tobytes():  # -0.0 is no integer
            return _DOUBLES + _shuffled(values)
        return _INTEGERS + _shuffled(array("q", map(sub, integers, chain((0,), integers))))
    return _DOUBLES + _shuffled(values)


def _read_numbers(plain: bytes, at: int, count: int) -> tuple[list[float], int]:
    mode, end = plain[at : at + 1], at + 1 + 8 * count
    if mode == _INTEGERS:
        return list(map(float, accumulate(_unshuffled(plain[at + 1 : end], "q")))), end
    if mode != _DOUBLES:
        raise ValueError("an unknown kind of column")
    return _unshuffled(plain[at + 1 : end], "d").tolist(), end


def _shuffled(values: array[float] | array[int]) -> bytes:
    """All first bytes, then all second bytes, and so on: the like stand together."""
    plain = _little(values)
    return b"".join([plain[place::8] for place in range(8)])


def _unshuffled(shuffled: bytes, kind: str) -> array[float]:
    count = len(shuffled) // 8
    plain = bytearray(8 * count)
    for place in range(8):
        plain[place::8] = shuffled[place * count : (place + 1) * count]
    values: array[float] = array(kind)
    values.frombytes(bytes(plain))
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _little(values: array[float] | array[int]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()
