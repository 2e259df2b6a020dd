"""Aggregates the points of a run file into nodes: all buckets and rollups are made of these."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from goodseed.errors import FileFormatError
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.nodes import NODE_POINTS, Bounds, Nodes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

__all__ = ["Extent", "aggregate", "aggregate_cells", "extent_of_count", "node_between", "read_points", "whole_node"]


_POINTS: Final = f"""
    SELECT step, y, ts FROM {NUMBERS.point_table}
    WHERE series_id = ? AND step BETWEEN ? AND ? AND ts BETWEEN ? AND ? ORDER BY step LIMIT ?"""
_FOLLOWING: Final = f"""
    SELECT step, y, ts FROM {NUMBERS.point_table} WHERE series_id = ? AND step BETWEEN ? AND ? ORDER BY step LIMIT ?"""
_STEP_AT: Final = f"""
    SELECT step FROM {NUMBERS.point_table} WHERE series_id = ? AND step >= ? ORDER BY step LIMIT 1 OFFSET ?"""
_NODE: Final = f"""
    SELECT count(*), max(step), min(y), max(y), total(y), count(y), min(ts), max(ts), total(step)
    FROM {NUMBERS.point_table} WHERE series_id = ? AND step BETWEEN ? AND ?"""
_COUNTED: Final = f"""
    SELECT avg(step), max(step), min(y), max(y), total(y), count(y)
    FROM (SELECT step, y FROM {NUMBERS.point_table} WHERE series_id = ? AND step >= ? ORDER BY step LIMIT ?)"""
# abs(y) <= the largest double is true of finite values alone; NULL stands for NaN and makes it NULL.
_FINITE: Final = f"""
    SELECT min(finite), max(finite), total(finite), count(finite), count(CASE WHEN y > 0 AND finite IS NULL THEN 1 END)
    FROM (
        SELECT y, CASE WHEN abs(y) <= 1.7976931348623157e308 THEN y END AS finite
        FROM {NUMBERS.point_table} WHERE series_id = ? AND step BETWEEN ? AND ?
    )"""
_TEXTUAL: Final = "A metric of this run holds a value that is not a number."
_COUNT: Final = Nodes.FIELDS.index("count")


class Extent(NamedTuple):
    """What the points of one bucket of the JSON API amount to: less than a node, and so made faster.

    Attributes:
        mean_step: The mean of their steps.
        last_step: The last of them.
        low: The lowest finite value; infinity without one. `high` likewise.
        total: The sum of the finite values.
        finite: How many of them are finite.
    """

    mean_step: float
    last_step: float
    low: float
    high: float
    total: float
    finite: float


def read_points(
    connection: sqlite3.Connection, series: int, bounds: Bounds, limit: int = -1
) -> tuple[array[float], array[float], array[float]]:
    """Steps, values and times of the points within ``bounds``, by step; at most ``limit``.

    Raises:
        FileFormatError: One of them is not a number.
    """
    steps, values, times = array("d"), array("d"), array("d")
    cursor = connection.execute(_POINTS, (series, *bounds, limit))
    try:
        while rows := cursor.fetchmany(8192):
            some_steps, some_values, some_times = zip(*rows, strict=True)
            steps.extend(some_steps)
            values.extend([math.nan if y is None else y for y in some_values] if None in some_values else some_values)
            times.extend(some_times)
    except TypeError as error:
        raise FileFormatError(_TEXTUAL) from error
    finally:
        cursor.close()
    return steps, values, times


def aggregate(
    connection: sqlite3.Connection, series: int, step_low: float, step_high: float, node_points: int = NODE_POINTS
) -> Iterator[tuple[float, ...]]:
    """Nodes of about ``node_points`` points each, by step, their fields in the order of `Nodes.FIELDS`.

    Raises:
        FileFormatError: One of the points is not a number.
    """
    start = connection.execute(_FOLLOWING, (series, step_low, step_high, 1)).fetchone()
    width = 0.0
    while start is not None:
        first = start[0]
        if width <= 0.0:
            width = _width_at(connection, series, first, node_points)
        node, start = _one_node(connection, series, start, min(first + width, step_high), step_high)
        count = node[_COUNT]
        if count > 4 * node_points:
            yield from _halves(connection, series, first, node[1], node_points)
            width = 0.0
            continue
        yield node
        if count < node_points // 2:
            width *= 2.0
        elif count > 2 * node_points:
            width /= 2.0


def _width_at(connection: sqlite3.Connection, series: int, first: float, node_points: int) -> float:
    """How many steps ``node_points`` points take from here; infinite where there are fewer."""
    row = connection.execute(_STEP_AT, (series, first, node_points - 1)).fetchone()
    return math.inf if row is None else float(row[0]) - first


def _halves(
    connection: sqlite3.Connection, series: int, step_low: float, step_high: float, node_points: int
) -> Iterator[tuple[float, ...]]:
    """Nodes of ``node_points`` points, counted one by one: steps are much denser here than before."""
    start = connection.execute(_FOLLOWING, (series, step_low, step_high, 1)).fetchone()
    while start is not None:
        row = connection.execute(_STEP_AT, (series, start[0], node_points - 1)).fetchone()
        end = step_high if row is None else min(step_high, row[0])
        node, start = _one_node(connection, series, start, end, step_high)
        yield node


def aggregate_cells(
    connection: sqlite3.Connection,
    series: int,
    step_low: float,
    step_high: float,
    origin: float,
    width: float,
    *,
    max_cells: int | None = None,
) -> Iterator[tuple[float, ...]]:
    """The same, with a node for each cell of that width that holds a point.

    Args:
        connection: The run's, in a transaction.
        series: The series.
        step_low: The lowest step.
        step_high: The highest step.
        origin: Where the first cell begins.
        width: How wide each cell is.
        max_cells: How many there may be: the last one holds all that is left.

    Raises:
        FileFormatError: One of the points is not a number.
    """
    start = connection.execute(_FOLLOWING, (series, step_low, step_high, 1)).fetchone()
    count = 0
    while start is not None:
        offset = start[0] - origin
        cell = math.floor(offset / width if math.isfinite(offset) else start[0] / width - origin / width)
        count = max(count + 1, cell + 1)
        end = min(step_high, max(start[0], math.nextafter(origin + (cell + 1) * width, -math.inf)))
        if max_cells is not None and count >= max_cells:
            end = step_high
        node, start = _one_node(connection, series, start, end, step_high)
        yield node


def whole_node(
    connection: sqlite3.Connection,
    series: int,
    on_progress: Callable[[], object] | None = None,
    *,
    part_points: int = 250_000,
) -> tuple[float, ...] | None:
    """One node for all points of a series; None without a point.

    Args:
        connection: The run's, in a transaction.
        series: The series.
        on_progress: Called between two queries, so that a deadline can be one for each of them.
        part_points: How many points one query reads, which takes a tenth of a second.

    Raises:
        FileFormatError: One of the points is not a number.
    """
    nodes = Nodes()
    start = connection.execute(_FOLLOWING, (series, -math.inf, math.inf, 1)).fetchone()
    while start is not None:
        row = connection.execute(_STEP_AT, (series, start[0], part_points)).fetchone()
        if on_progress is not None:
            on_progress()
        node, start = _one_node(connection, series, start, math.inf if row is None else row[0], math.inf)
        nodes.append(node)
        if on_progress is not None:
            on_progress()
    return nodes.merged(0, len(nodes)) if len(nodes) else None


def node_between(connection: sqlite3.Connection, series: int, first_step: float, last_step: float) -> tuple[float, ...]:
    """One node for the points from one step to another; there is a point at each of the two."""
    start = connection.execute(_FOLLOWING, (series, first_step, last_step, 1)).fetchone()
    return _one_node(connection, series, start, last_step, last_step)[0]


def extent_of_count(connection: sqlite3.Connection, series: int, first_step: float, count: int) -> Extent:
    """The extent of ``count`` points from a step on, at which there is a point.

    Raises:
        FileFormatError: One of them is not a number.
    """
    mean_step, last_step, low, high, total, numbers = connection.execute(
        _COUNTED, (series, first_step, count)
    ).fetchone()
    try:
        low, high, total, finite, _ = _of_finite(connection, (series, first_step, last_step), low, high, total, numbers)
        return Extent(*array("d", (mean_step, last_step, low, high, total, finite)))
    except TypeError as error:
        raise FileFormatError(_TEXTUAL) from error


def _one_node(
    connection: sqlite3.Connection, series: int, first: tuple[Any, ...], end: float, step_high: float
) -> tuple[tuple[float, ...], tuple[Any, ...] | None]:
    """The node of the points from ``first`` to the step ``end``, and the point that follows up to ``step_high``."""
    aggregated = connection.execute(_NODE, (series, first[0], end)).fetchone()
    return _completed(connection, series, first, aggregated, step_high)


def _completed(
    connection: sqlite3.Connection,
    series: int,
    first: tuple[Any, ...],
    aggregated: tuple[Any, ...],
    step_high: float,
) -> tuple[tuple[float, ...], tuple[Any, ...] | None]:
    count, last_step, low, high, total, numbers, min_time, max_time, steps = aggregated
    inside = (series, first[0], last_step)
    following = connection.execute(_FOLLOWING, (series, last_step, step_high, 2)).fetchall()
    last = following[0]
    try:
        low, high, total, finite, positive = _of_finite(connection, inside, low, high, total, numbers)
        node = (
            *(first[0], last_step, _number(first[1]), _number(last[1]), last[2], min_time, max_time),
            *(low, high, total, count, count - numbers, positive, numbers - finite - positive, steps),
        )
        array("d", node)
    except TypeError as error:
        raise FileFormatError(_TEXTUAL) from error
    return node, following[1] if len(following) > 1 else None


def _number(y: float | None) -> float:
    return math.nan if y is None else y


def _of_finite(
    connection: sqlite3.Connection, inside: tuple[Any, ...], low: Any, high: Any, total: float, numbers: int
) -> tuple[Any, Any, float, int, int]:
    """The lowest, the highest, the sum and the count of the finite values, and how many are positive infinity.

    Args:
        connection: The run's, in a transaction.
        inside: The series, the first and the last step.
        low: The lowest value; None without one, as with ``high``.
        high: The highest value.
        total: The sum of the values.
        numbers: How many values are not NaN.
    """
    finite, positive = numbers, 0
    if numbers and (high == math.inf or low == -math.inf):
        low, high, total, finite, positive = connection.execute(_FINITE, inside).fetchone()
    return math.inf if low is None else low, -math.inf if high is None else high, total, finite, positive
