"""Makes the buckets that the JSON API gives: of as many points each, between two indexes of the points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import FileFormatError
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.aggregate import extent_of_count
from goodseed.storage.rollup.cells import IndexCells, nodes_in_cells
from goodseed.storage.rollup.nodes import Nodes, mean_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from goodseed.storage.rollup.building import Rollup

__all__ = ["PointBucket", "count_points", "iterate_point_buckets"]

_COUNTED: Final = 8_192  # points of a bucket through which SQLite counts to that in the middle
_COUNT: Final = f"SELECT count(*) FROM {NUMBERS.point_table} WHERE series_id = ?"
_POINT_AT: Final = f"""
    SELECT step, y, ts FROM {NUMBERS.point_table} WHERE series_id = ? AND step >= ? ORDER BY step LIMIT 1 OFFSET ?"""
_POINTS_FROM: Final = (
    f"SELECT step, y, ts FROM {NUMBERS.point_table} WHERE series_id = ? AND step >= ? ORDER BY step LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class PointBucket:
    """Some points that follow one another, or a single one.

    Attributes:
        step: The mean of their steps.
        value: The mean of the finite values; NaN without one, as with ``lowest`` and ``highest``.
        lowest: The lowest finite value.
        highest: The highest finite value.
        time_seconds: When the one in the middle was logged.
        is_aggregate: False for a single point given as it is.
    """

    step: float
    value: float
    lowest: float
    highest: float
    time_seconds: float
    is_aggregate: bool


def count_points(connection: sqlite3.Connection, series: int, rollup: Rollup | None = None) -> int:
    """How many points a series has, of which ``rollup`` may be known."""
    if rollup is not None:
        coarsest = rollup.levels[-1]
        return int(sum(coarsest.part(0, len(coarsest)).count))
    return int(connection.execute(_COUNT, (series,)).fetchone()[0])


def iterate_point_buckets(
    connection: sqlite3.Connection,
    series: int,
    first: int,
    count: int,
    max_points: int,
    rollup: Rollup | None = None,
) -> Iterator[PointBucket]:
    """``count`` points from the index ``first`` on, as at most ``max_points`` buckets, in a few short queries each.

    All buckets but the last hold the same number of points, the smallest power of two that does. The first and the last
    point stand beside them as they are, where no bucket has just their step.

    Args:
        connection: The run's, in a transaction.
        series: The series.
        first: The index of the first point.
        count: How many points, at least one.
        max_points: How many buckets at most, beside those two points.
        rollup: What is known of the series, as of this transaction; None to read the points.

    Raises:
        FileFormatError: One of the points is not a number.
    """

    def point_at(start: float, index: int) -> Any:
        """The point that comes ``index`` points after the first one at or behind the step ``start``."""
        return connection.execute(_POINT_AT, (series, start, index)).fetchone()

    size = 1
    while -(-count // size) > max_points:
        size *= 2
    if rollup is not None and size > 1:
        yield from _of_rollup(connection, series, rollup, range(first, first + count), size)
        return
    begin = point_at(-math.inf, first)
    start = begin[0]
    if count <= max_points:
        for row in connection.execute(_POINTS_FROM, (series, start, count)).fetchall():
            yield _single(*row)
        return
    step = last_step = start
    for done in range(0, count, size):
        held = min(size, count - done)
        step, last_step, low, high, total, finite = extent_of_count(connection, series, start, held)
        if not done and step != begin[0]:
            yield _single(*begin)
        mean = mean_of(total, finite, low, high)
        low, high = (low, high) if finite else (math.nan, math.nan)
        yield PointBucket(step, mean, low, high, point_at(start, held // 2)[2], is_aggregate=True)
        if done + held < count:
            start = point_at(last_step, 1)[0]
    if step != last_step:
        yield _single(*point_at(last_step, 0))


def _of_rollup(
    connection: sqlite3.Connection, series: int, rollup: Rollup, indexes: range, size: int
) -> Iterator[PointBucket]:
    """The buckets of ``size`` points each, the last of which may hold less."""
    edges: list[int] = []
    ends: list[int] = []  # of each bucket, among the cells: one, or of a large bucket two that meet in its middle
    for start in range(indexes.start, indexes.stop, size):
        half = min(size, indexes.stop - start) // 2
        edges += [start, start + half] if size > _COUNTED and half else [start]
        ends.append(len(edges))
    nodes = Nodes()
    for _, node in nodes_in_cells(connection, series, rollup, IndexCells([*edges, indexes.stop])):
        nodes.append(node)
    if len(nodes) != len(edges):
        raise FileFormatError("The rollup that is stored for a metric has a gap.")

    def point(step: float, offset: int = 0) -> Any:
        return connection.execute(_POINT_AT, (series, step, offset)).fetchone()

    step = math.nan
    for begin, end in pairwise([0, *ends]):
        bucket = dict(zip(Nodes.FIELDS, nodes.merged(begin, end), strict=True))
        step = bucket["step_total"] / bucket["count"]
        if not begin and step != nodes.first_step[0]:
            yield _single(*point(nodes.first_step[0]))
        finite = bucket["count"] - bucket["nan"] - bucket["positive"] - bucket["negative"]
        low, high = (bucket["low"], bucket["high"]) if finite else (math.nan, math.nan)
        mean = mean_of(bucket["total"], finite, low, high)
        offset = int(bucket["count"]) // 2 if end - begin == 1 else 0
        yield PointBucket(step, mean, low, high, point(nodes.first_step[end - 1], offset)[2], is_aggregate=True)
    if step != nodes.last_step[-1]:
        yield _single(*point(nodes.last_step[-1]))


def _single(step: float, y: float | None, time_seconds: float) -> PointBucket:
    value = math.nan if y is None else y
    return PointBucket(step, value, value, value, time_seconds, is_aggregate=False)
