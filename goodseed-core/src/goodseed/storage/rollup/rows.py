"""Makes the rows of ``metric_nodes``: of points that are in memory, as their writer stores them."""

from __future__ import annotations

import math
from itertools import pairwise
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.columns import unpack_numbers
from goodseed.errors import FileFormatError
from goodseed.storage.rollup.nodes import FANOUT, Nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ROW_POINTS", "Frame", "frames_of", "node_of_points", "pack_row", "packed_rows", "unpack_rows"]

ROW_POINTS: Final = 256 * FANOUT  # that a row of level 0 covers, or a little more
_FIELDS: Final = len(Nodes.FIELDS)
_ROW: Final = Struct(f"<{FANOUT * _FIELDS}d")


class Frame(NamedTuple):
    """What the nodes of all series have in common that were logged together.

    Attributes:
        start: The index of the first of the points; `stop` is that behind the last one.
        steps: The sum of the steps.
    """

    start: int
    stop: int
    first_step: float
    last_step: float
    last_time: float
    min_time: float
    max_time: float
    steps: float


def frames_of(steps: Sequence[float], times: Sequence[float], *, rows: int | None = None) -> list[Frame]:
    """The frames of so many rows of nodes for points that follow one another, at least `FANOUT`."""
    count = len(steps)
    nodes = (rows or max(1, count // ROW_POINTS)) * FANOUT
    has_clock = list(times) == sorted(times)
    frames = []
    for start, stop in pairwise([count * index // nodes for index in range(nodes + 1)]):
        part = times[start:stop]
        moments = (part[0], part[-1]) if has_clock else (min(part), max(part))
        frames.append(Frame(start, stop, steps[start], steps[stop - 1], part[-1], *moments, sum(steps[start:stop])))
    return frames


def packed_rows(frames: Sequence[Frame], values: Sequence[float]) -> Iterator[bytes]:
    """The rows of level 0 for the points of these frames."""
    numbers: list[float] = []
    for frame in frames:
        numbers += _node(frame, values[frame.start : frame.stop])
        if len(numbers) == FANOUT * _FIELDS:
            yield pack_row(numbers)
            numbers = []


def node_of_points(steps: Sequence[float], values: Sequence[float], times: Sequence[float]) -> tuple[float, ...]:
    """The node of one point or more that follow one another."""
    moments = times[-1], min(times), max(times)
    return _node(Frame(0, len(steps), steps[0], steps[-1], *moments, sum(steps)), values)


def _node(frame: Frame, values: Sequence[float]) -> tuple[float, ...]:
    start, stop, first_step, last_step, last_time, min_time, max_time, steps = frame
    total = sum(values)
    bad: tuple[float, ...] = (0, 0, 0)
    if total - total == 0.0:
        low, high = min(values), max(values)
    else:
        low, high, total, *rest = _of_finite(values)
        bad = tuple(rest)
    ends = first_step, last_step, values[0], values[-1], last_time, min_time, max_time
    return *ends, low, high, total, stop - start, *bad, steps


def _of_finite(values: Sequence[float]) -> tuple[float, ...]:
    """The lowest, the highest and the sum of the finite values, and how many are NaN, infinite, minus infinite."""
    finite = [y for y in values if math.isfinite(y)]
    positive, negative = (sum(y == bad for y in values) for bad in (math.inf, -math.inf))
    nan = len(values) - len(finite) - positive - negative
    return min(finite, default=math.inf), max(finite, default=-math.inf), sum(finite), nan, positive, negative


def pack_row(numbers: Sequence[float]) -> bytes:
    """The nodes of one row as they are stored: all fields of the first one, then those of the second, and so on."""
    return _ROW.pack(*numbers)


def unpack_rows(rows: Sequence[object]) -> Nodes:
    """The nodes of rows that follow one another.

    Raises:
        FileFormatError: They are damaged.
    """
    packed = [row for row in rows if isinstance(row, bytes) and len(row) == _ROW.size]
    if len(packed) < len(rows):
        raise FileFormatError("The rollup that is stored for a metric is damaged.")
    numbers = unpack_numbers(b"".join(packed))
    return Nodes(numbers[place::_FIELDS] for place in range(_FIELDS))
