"""Makes the buckets of one metric over another: points of both at the same steps, by the other's values."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import FileFormatError
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.nodes import Nodes, nodes_of_points
from goodseed.storage.rollup.window import Window, window_of_nodes

if TYPE_CHECKING:
    import sqlite3

__all__ = ["joined_extent", "read_joined"]

_EXTENT: Final = f"""
    SELECT count(*), min(b.y), max(b.y)
    FROM {NUMBERS.point_table} AS a JOIN {NUMBERS.point_table} AS b ON b.series_id = ?2 AND b.step = a.step
    WHERE a.series_id = ?1 AND a.step >= ?5 AND a.step < ?6 AND b.y BETWEEN ?3 AND ?4"""
_PAIRS: Final = f"""
    SELECT b.y, a.y, a.ts
    FROM {NUMBERS.point_table} AS a JOIN {NUMBERS.point_table} AS b ON b.series_id = ?2 AND b.step = a.step
    WHERE a.series_id = ?1 AND a.step >= ?5 AND b.y BETWEEN ?3 AND ?4 ORDER BY a.step"""
_BATCH_ROWS: Final = 4096
_LARGEST: Final = 1.7976931348623157e308


def joined_extent(
    connection: sqlite3.Connection, series: int, other: int, step_low: float, step_high: float
) -> tuple[float, float] | None:
    """The lowest and highest finite value of ``other`` at steps of ``series`` from one to another, if there is any."""
    asked = (series, other, -_LARGEST, _LARGEST, step_low, step_high)
    total, low, high = connection.execute(_EXTENT, asked).fetchone()
    return (low, high) if total else None


def read_joined(
    connection: sqlite3.Connection,
    series: int,
    other: int,
    points: int,
    x_range: tuple[float, float],
    *,
    step_low: float = -math.inf,
) -> Window:
    """``series`` over the finite values of ``other``, as at most ``points`` points or buckets of one width.

    Args:
        connection: The run's, in a transaction.
        series: What is to be on the y axis.
        other: What is to be on the x axis.
        points: How many at most.
        x_range: The lowest and highest value of ``other``.
        step_low: The first step that counts.

    Raises:
        FileFormatError: One of the points is not a number.
    """
    asked = (series, other, max(x_range[0], -_LARGEST), min(x_range[1], _LARGEST), step_low)
    total, low, high = connection.execute(_EXTENT, (*asked, math.inf)).fetchone()
    if not total:
        return Window()
    try:
        cells = points / (high - low) if math.isfinite(high - low) and high > low else 0.0
        if total <= points:
            nodes = _sorted_points(connection.execute(_PAIRS, asked).fetchall())
        else:
            nodes = _aggregated(connection.execute(_PAIRS, asked), low, cells if math.isfinite(cells) else 0.0)
    except TypeError as error:
        raise FileFormatError("A metric of this run holds a value that is not a number.") from error
    window = window_of_nodes(nodes, points, by_time=False)
    if not window.is_raw:
        _take_extremes(window, nodes)
    return window


def _sorted_points(rows: list[tuple[Any, ...]]) -> Nodes:
    rows.sort(key=lambda row: row[0])  # of two with one x, that of the later step stays the later one
    x, y, times = zip(*rows, strict=True)
    return nodes_of_points(
        array("d", x), array("d", [math.nan if value is None else value for value in y]), array("d", times)
    )


def _aggregated(cursor: sqlite3.Cursor, low: float, scale: float) -> Nodes:
    """A node for each bucket that holds a point; its last value is that with the highest step."""
    found: dict[int, list[float]] = {}
    while rows := cursor.fetchmany(_BATCH_ROWS):
        for x, y, time in rows:
            cell = int((x - low) * scale)
            node = found.get(cell)
            if node is None:
                node = found[cell] = [
                    x,
                    x,
                    _number(y),
                    0.0,
                    time,
                    time,
                    time,
                    math.inf,
                    -math.inf,
                    0.0,
                    0,
                    0,
                    0,
                    0,
                    0.0,
                ]
            if y is not None and -_LARGEST <= y <= _LARGEST:
                if y < node[7]:
                    node[7] = y
                if y > node[8]:
                    node[8] = y
                node[9] += y
            else:
                node[11 if y is None else 12 if y > 0 else 13] += 1
                y = _number(y)
            if x < node[0]:
                node[0] = x
            elif x > node[1]:
                node[1] = x
            node[3], node[4] = y, time
            node[10] += 1
    columns = zip(*(found[cell] for cell in sorted(found)), strict=True)
    nodes = Nodes(array("d", column) for column in columns)
    nodes.min_time = nodes.max_time = nodes.last_time  # not used: the axis is not time
    return nodes


def _number(y: float | None) -> float:
    return math.nan if y is None else y


def _take_extremes(window: Window, nodes: Nodes) -> None:
    lowest, highest = min(nodes.low), max(nodes.high)
    if lowest <= highest:
        window.lowest = (lowest, nodes.last_step[nodes.low.index(lowest)])
        window.highest = (highest, nodes.last_step[nodes.high.index(highest)])
