"""Defines the records that log calls put into the inbox, and reads them back.

Every record starts with one 64-bit word: its length in bytes (28 bits), its kind (4 bits), and the low 32 bits of its
segment's generation, so that what an earlier use of the segment left behind is never taken for a record.
All numbers are in the machine's own byte order, as the inbox never leaves it; steps, times (seconds since the epoch)
and values are IEEE doubles.

========  ==========================================================================================
kind      after the word
========  ==========================================================================================
POINT     shape, then time, step, value **twice**: the second copy proves that the first is whole
ROW       crc32, shape, time, step, one value for each path of the shape
SHAPE     crc32, shape, then the paths as a JSON array
VALUE     crc32, length of the path, time, step, the path in UTF-8, and a text in UTF-8 or bytes
COLUMN    crc32, shape, count, time, then so many steps, so many values, and so many times unless all are the first
CONFIGS   crc32, then a JSON array of [path, type tag, value, time of the change]
========  ==========================================================================================

The crc32 covers all that follows it. VALUE has a number for each kind of series that has such points (`Kind.record`).
Records are not packed by `goodseed.columns`: a log call has one point of each path, and affords one ``struct`` call;
columns of points are cheaper to copy than to pack.
"""

from __future__ import annotations

import json
import logging
import struct
import zlib
from collections.abc import Callable  # noqa: TC003 - a NamedTuple looks at its annotations
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from goodseed.storage.kinds import kinds
from goodseed.storage.series import row_layout

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Mapping, Sequence
    from mmap import mmap

    from goodseed.storage.kinds import Kind, StoredValue

__all__ = [
    "MAX_RECORD_BYTES",
    "POINT_WORD",
    "Shape",
    "column_records",
    "config_record",
    "first_time",
    "pack_point",
    "pack_word",
    "renumbered",
    "replay",
    "row_record",
    "shape_record",
    "starts_record",
    "unpack_word",
    "value_record",
]

_logger: Final = logging.getLogger("goodseed")
MAX_RECORD_BYTES: Final = (1 << 28) - 1
_KIND_SHIFT: Final = 28
_POINT, _ROW, _SHAPE, _CONFIGS, _COLUMN = 1, 2, 3, 5, 6

_WORD: Final = struct.Struct("=Q")
_POINT_RECORD: Final = struct.Struct("@QQ6d")
_SEALED: Final = struct.Struct("=QI")  # word, crc32
_SHAPE_HEAD: Final = struct.Struct("=Q")
_VALUE_HEAD: Final = struct.Struct("=Idd")
_COLUMN_HEAD: Final = struct.Struct("=QQd")
_POINTS_A_RECORD: Final = 8_192
_BODY: Final = _SEALED.size
_TIME: Final = struct.Struct("=d")
# Where in a record its time is.
_TIME_PLACES: Final = {_POINT: 16, _ROW: _BODY + 8, _SHAPE: None, _CONFIGS: None, _COLUMN: _BODY + 16}
_VALUE_TIME_PLACE: Final = _BODY + 4
_TIMED_BYTES: Final = 28

pack_word: Final = _WORD.pack
unpack_word: Final = _WORD.unpack_from
pack_point: Final = _POINT_RECORD.pack
pack_sealed: Final = _SEALED.pack
crc32: Final = zlib.crc32
POINT_WORD: Final = _POINT << _KIND_SHIFT | _POINT_RECORD.size


class Shape(NamedTuple):
    """The paths of a log call, written to the inbox once and named by number afterwards.

    Attributes:
        pack: Packs number, time, step and one value a path.
        number: Its number within the session.
        word: The low half of a ROW record's word.
    """

    pack: Callable[..., bytes]
    number: int
    word: int

    @classmethod
    def of(cls, number: int, width: int) -> Shape:
        """The shape of ``width`` paths."""
        layout = row_layout(width)
        return cls(layout.pack, number, _ROW << _KIND_SHIFT | (_BODY + layout.size))


def row_record(high: int, shape: Shape, time: float, step: float, values: Sequence[float]) -> bytes:
    """One point in each series of ``shape``."""
    body = shape.pack(shape.number, time, step, *values)
    return pack_sealed(high | shape.word, crc32(body)) + body


def shape_record(number: int, paths: Sequence[str]) -> bytes:
    """Which paths the shape ``number`` stands for."""
    return _sealed(_SHAPE, _SHAPE_HEAD.pack(number) + _json(list(paths)))


def value_record(kind: Kind, path: str, value: StoredValue, step: float, time: float, high: int = 0) -> bytes:
    """One point in a series of a kind whose values are texts or bytes."""
    name = path.encode()
    content = value if value.__class__ is bytes else value.encode()  # type: ignore[union-attr]
    return _sealed(kind.record, _VALUE_HEAD.pack(len(name), time, step) + name + content, high)


def column_records(
    number: int, steps: array[float], values: array[float], times: array[float] | float
) -> Iterator[bytes]:
    """Many points of the only series of a shape, in pieces; ``times`` may be one for all."""
    for start in range(0, len(steps), _POINTS_A_RECORD):
        columns = [column[start : start + _POINTS_A_RECORD] for column in (steps, values)]
        first = times
        if not isinstance(times, float):
            columns.append(times[start : start + _POINTS_A_RECORD])
            first = times[start]
        head = _COLUMN_HEAD.pack(number, len(columns[0]), first)
        yield _sealed(_COLUMN, b"".join([head, *columns]))


def config_record(rows: Sequence[tuple[str, str, str, str]]) -> bytes:
    """Configs as (path, type tag, value, time of the change)."""
    return _sealed(_CONFIGS, _json(rows))


def _sealed(kind: int, body: bytes, high: int = 0) -> bytes:
    """A record, its generation given by ``high`` or later; of one over `MAX_RECORD_BYTES` the length alone is right."""
    size = _BODY + len(body)
    if size > MAX_RECORD_BYTES:
        return b"\0" * size
    return pack_sealed(high | kind << _KIND_SHIFT | size, crc32(body)) + body


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Replayed(Protocol):
    """Receives the records that are read back: a `goodseed.storage.batch.Batch`."""

    def add_shape(self, number: int, paths: Sequence[str]) -> None:
        """The paths that ``number`` stands for from now on."""

    def add_point(self, number: int, time: float, step: float, value: float) -> bool:
        """One point in the only series of a shape; False when the shape is unknown."""

    def add_row(self, number: int, body: memoryview) -> bool:
        """One point in each series of a shape; False when the shape is unknown, or not of that width."""

    def add_column(self, number: int, steps: list[float], values: list[float], times: list[float] | float) -> bool:
        """Many points in the only series of a shape, perhaps all of one time; False when the shape is unknown."""

    def add_value(self, kind: Kind, path: str, value: StoredValue, step: float, time: float) -> None:
        """One point in a series of another kind than numbers."""

    def add_configs(self, rows: Sequence[Sequence[str]]) -> None:
        """Configs as (path, type tag, value, time of the change)."""


def replay(buffer: memoryview, start: int, generation: int, batch: Replayed, stop: int | None = None) -> int:
    """Add the records of one segment to ``batch``, up to the first that is not whole.

    Args:
        buffer: The segment.
        start: Where its first record is.
        generation: Its generation; records of another are not read.
        batch: Takes the records in the order in which they were written.
        stop: Records that start from this offset on are left for later; None for none.

    Returns:
        The offset behind the last record that was whole.
    """
    offset = start
    high = generation & 0xFFFFFFFF
    end = len(buffer)
    last = end - 7 if stop is None else min(stop, end - 7)
    unpack_point = _POINT_RECORD.unpack_from
    add_point = batch.add_point
    kind_of_record = {kind.record: kind for kind in kinds()}
    while offset < last:
        word = unpack_word(buffer, offset)[0]
        if word >> 32 != high:
            break
        size = word & MAX_RECORD_BYTES
        if size < _BODY or offset + size > end:
            break
        kind = (word & 0xFFFFFFFF) >> _KIND_SHIFT
        if kind == _POINT:
            if size != _POINT_RECORD.size:
                break
            _, shape, time, step, value, time_again, step_again, value_again = unpack_point(buffer, offset)
            if time != time_again or step != step_again or not _same(value, value_again):
                break
            if not add_point(shape, time, step, value):
                break
        elif not _replay_sealed(kind, buffer[offset : offset + size], batch, kind_of_record):
            break
        offset += size
    return offset


def starts_record(buffer: bytearray | mmap, offset: int, generation: int) -> bool:
    """Whether a record of that generation begins there; it is not proved to be whole."""
    if offset + 8 > len(buffer):
        return False
    word: int = unpack_word(buffer, offset)[0]
    return word >> 32 == generation & 0xFFFFFFFF and word & MAX_RECORD_BYTES >= _BODY


def renumbered(content: bytearray, start: int, before: int, after: int) -> tuple[int, int]:
    """Renumber the records of generation ``before`` as ``after``.

    Returns:
        The offset behind the last record, and how many there are.
    """
    offset, found = start, 0
    while starts_record(content, offset, before):
        word = unpack_word(content, offset)[0]
        _WORD.pack_into(content, offset, (after & 0xFFFFFFFF) << 32 | word & 0xFFFFFFFF)
        offset += word & MAX_RECORD_BYTES
        found += 1
    return offset, found


def first_time(buffer: memoryview, start: int, generation: int) -> float | None:
    """When the first point of a segment was logged, in seconds since the epoch; None where ``buffer`` has none.

    The records are not checked to be whole.
    """
    offset, high = start, generation & 0xFFFFFFFF
    while offset + _TIMED_BYTES <= len(buffer):
        word = unpack_word(buffer, offset)[0]
        size = word & MAX_RECORD_BYTES
        if word >> 32 != high or size < _BODY:
            return None
        place = _TIME_PLACES.get((word & 0xFFFFFFFF) >> _KIND_SHIFT, _VALUE_TIME_PLACE)
        if place is not None:
            return float(_TIME.unpack_from(buffer, offset + place)[0])
        offset += size
    return None


def _same(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)


def _replay_sealed(kind: int, record: memoryview, batch: Replayed, kind_of_record: Mapping[int, Kind]) -> bool:
    body = record[_BODY:]
    if _SEALED.unpack_from(record)[1] != crc32(body):
        return False
    if kind == _ROW:
        return batch.add_row(_SHAPE_HEAD.unpack_from(body)[0], body)
    if kind == _SHAPE:
        batch.add_shape(_SHAPE_HEAD.unpack_from(body)[0], json.loads(bytes(body[_SHAPE_HEAD.size :])))
        return True
    if kind == _CONFIGS:
        batch.add_configs(json.loads(bytes(body)))
        return True
    if kind == _COLUMN:
        number, count, time = _COLUMN_HEAD.unpack_from(body)
        doubles: list[float] = body[_COLUMN_HEAD.size :].cast("d").tolist()  # type: ignore[assignment]
        return batch.add_column(number, doubles[:count], doubles[count : 2 * count], doubles[2 * count :] or time)
    length, time, step = _VALUE_HEAD.unpack_from(body)
    path, content = str(body[_VALUE_HEAD.size :][:length], "utf-8"), body[_VALUE_HEAD.size + length :]
    series = kind_of_record.get(kind)
    if series is not None:
        batch.add_value(series, path, str(content, "utf-8") if series.form is str else bytes(content), step, time)
        return True
    _logger.warning(
        "goodseed: a point of %r at step %s is of a kind that this process does not know (record %d); it is left out.",
        path,
        step,
        kind,
    )
    return True
