"""Makes the buckets that Python and the remote's protocol give: of one width over a range of steps, and exact."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.aggregate import aggregate_cells, node_between, read_points
from goodseed.storage.rollup.cells import StepCells, nodes_in_cells
from goodseed.storage.rollup.nodes import Bounds, Nodes, cells_of, mean_of, nodes_of_points

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from goodseed.storage.rollup.building import Rollup

__all__ = ["Bucket", "read_buckets"]

_FEW_POINTS: Final = 32  # of a bucket that are read faster than SQLite is asked for each bucket
_EXTENT: Final = f"""
    SELECT count(*), min(step), max(step) FROM {NUMBERS.point_table} WHERE series_id = ? AND step BETWEEN ? AND ?"""
_BETWEEN: Final = f"FROM {NUMBERS.point_table} WHERE series_id = ? AND step BETWEEN ? AND ?"
_MANY: Final = f"SELECT 1 {_BETWEEN} ORDER BY step LIMIT 1 OFFSET ?"
_FIRST: Final = f"SELECT min(step) {_BETWEEN}"
_LAST: Final = f"SELECT max(step) {_BETWEEN}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """What became of the points from ``step_first`` to ``step_last``, both of them steps of points.

    Attributes:
        step_first: The first step.
        step_last: The last step.
        count: How many points there are, finite or not.
        min: The lowest finite value; None when there is none, as with ``max`` and ``mean``.
        max: The highest finite value.
        mean: The mean of the finite values.
        last: The value at ``step_last``, finite or not.
        non_finite: How many values are NaN or infinite.
    """

    step_first: float
    step_last: float
    count: int
    min: float | None
    max: float | None
    mean: float | None
    last: float
    non_finite: int


def read_buckets(
    connection: sqlite3.Connection,
    series: int,
    max_points: int,
    low: float,
    high: float,
    rollup: Rollup | None = None,
) -> list[Bucket] | None:
    """Aggregate the points of ``series`` between two steps into at most ``max_points`` buckets.

    Args:
        connection: The run's, in a transaction.
        series: The series.
        max_points: How many buckets at most.
        low: The lowest step.
        high: The highest step.
        rollup: What is known of the series, as of this transaction; None to read the points.

    Returns:
        The buckets that hold a point, by step; None when there are no more points than buckets.

    Raises:
        FileFormatError: One of the points is not a number.
    """
    if rollup is not None and connection.execute(_MANY, (series, low, high, _FEW_POINTS * max_points)).fetchone():
        first, last = (connection.execute(query, (series, low, high)).fetchone()[0] for query in (_FIRST, _LAST))
        width = cells_of(first, last, max_points)
        inner = [first + width * cell for cell in range(1, max_points)] if width else []
        cells = StepCells([first, *inner, math.nextafter(last, math.inf)])
        return [_bucket(node) for _, node in nodes_in_cells(connection, series, rollup, cells)]
    total, first, last = connection.execute(_EXTENT, (series, low, high)).fetchone()
    if total <= max_points:
        return None
    width = cells_of(first, last, max_points)
    if not width:  # the range is too narrow for a double to divide
        return [_bucket(node_between(connection, series, first, last))]
    if total <= _FEW_POINTS * max_points:
        points = nodes_of_points(*read_points(connection, series, Bounds(first, last)))
        return list(_grouped(points, first, width, max_points))
    return list(map(_bucket, aggregate_cells(connection, series, first, last, first, width, max_cells=max_points)))


def _grouped(points: Nodes, origin: float, width: float, cells: int) -> Iterator[Bucket]:
    """The buckets of single points, which `Nodes.merged` would make, too, in twice the time."""
    steps, ys = points.first_step, points.last_y
    lows, highs, totals = points.low, points.high, points.total
    bad = points.nan, points.positive, points.negative
    has_bad = any(map(any, bad))
    start = 0
    for cell in range(1, cells + 1):
        stop = len(steps) if cell == cells else bisect_left(steps, origin + cell * width, start)
        count = stop - start
        if not count:
            continue
        part = slice(start, stop)
        non_finite = int(sum(sum(column[part]) for column in bad)) if has_bad else 0
        stats: tuple[float | None, float | None, float | None] = (None, None, None)
        if count > non_finite:
            low, high = min(lows[part]), max(highs[part])
            stats = low, high, mean_of(sum(totals[part]), count - non_finite, low, high)
        yield Bucket(steps[start], steps[stop - 1], count, *stats, ys[stop - 1], non_finite)
        start = stop


def _bucket(row: tuple[float, ...]) -> Bucket:
    node = dict(zip(Nodes.FIELDS, row, strict=True))
    count, non_finite = int(node["count"]), int(node["nan"] + node["positive"] + node["negative"])
    stats: tuple[float | None, float | None, float | None] = (None, None, None)
    if count > non_finite:
        low, high = float(node["low"]), float(node["high"])
        stats = low, high, mean_of(node["total"], count - non_finite, low, high)
    return Bucket(node["first_step"], node["last_step"], count, *stats, node["last_y"], non_finite)
