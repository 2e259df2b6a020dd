"""Writes the rows of the table ``metric_nodes``, and those of higher levels that stand for them."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Final, final

from goodseed.storage.rollup.aggregate import read_points
from goodseed.storage.rollup.nodes import FANOUT, Bounds
from goodseed.storage.rollup.rows import ROW_POINTS, frames_of, pack_row, packed_rows
from goodseed.storage.rollup.stored import CREATE_NODES, has_nodes, merged_nodes, read_rows, row_count

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from goodseed.storage.rollup.nodes import Nodes

__all__ = ["NodeTable", "cut_nodes"]

_ROW_POINTS_AT_MOST: Final = 4 * ROW_POINTS  # after many have come between those that it had
_PUT: Final = "INSERT OR REPLACE INTO metric_nodes (series_id, level, number, nodes) VALUES (?, ?, ?, ?)"
_DELETE: Final = "DELETE FROM metric_nodes WHERE series_id = ? AND level = ? AND number >= ?"


def cut_nodes(connection: sqlite3.Connection, series: int, step: float) -> None:
    """Remove the nodes from a step on, in the transaction in which points are changed there.

    Raises:
        sqlite3.Error: The file can't be written.
    """
    rows = row_count(connection, series, 0) if has_nodes(connection) else 0
    if rows:
        table = NodeTable(connection)
        table.truncate(series, rows, table.row_at(series, rows, step))


@final
class NodeTable:
    """The table of one file, in its writer's transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: Final = connection

    def create(self) -> None:
        """Make the table."""
        self._connection.execute(CREATE_NODES)

    def add(self, series: int, before: int, rows: Iterable[bytes]) -> int:
        """Add rows of level 0 to the ``before`` that the series has; returns how many it has then."""
        added = list(rows)
        self._connection.executemany(_PUT, [(series, 0, number, row) for number, row in zip(count(before), added)])
        after = before + len(added)
        level, first, end = 0, before, after
        while end := end // FANOUT:
            first //= FANOUT
            for number in range(first, end):
                self._put_above(series, level, number)
            level += 1
        return after

    def _put_above(self, series: int, level: int, number: int) -> None:
        """Store the row of the next level that stands for `FANOUT` rows of this one."""
        below = read_rows(self._connection, series, level, number * FANOUT, (number + 1) * FANOUT)
        content = pack_row([field for node in merged_nodes(below) for field in node])
        self._connection.execute(_PUT, (series, level + 1, number, content))

    def row_at(self, series: int, rows: int, step: float) -> int:
        """The row to which a step belongs, of so many: the last one that does not begin behind it."""
        low, high = 0, rows - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._row(series, middle).first_step[0] <= step:
                low = middle
            else:
                high = middle - 1
        return low

    def _row(self, series: int, number: int) -> Nodes:
        return read_rows(self._connection, series, 0, number, number + 1)

    def rebuild(self, series: int, rows: int, number: int, end: float) -> bool:
        """Make a row again; False if it has too many points for one.

        Args:
            series: The series.
            rows: How many rows it has.
            number: Which of them.
            end: Up to which step they go.

        Raises:
            FileFormatError: One of the points is not a number.
        """
        low = -math.inf if number == 0 else self._row(series, number).first_step[0]
        if number + 1 < rows:
            end = math.nextafter(self._row(series, number + 1).first_step[0], -math.inf)
        points = read_points(self._connection, series, Bounds(low, end), _ROW_POINTS_AT_MOST)
        if len(points[0]) == _ROW_POINTS_AT_MOST:
            return False
        steps, values, times = (column.tolist() for column in points)
        (row,) = packed_rows(frames_of(steps, times, rows=1), values)
        self._connection.execute(_PUT, (series, 0, number, row))
        level = 0
        while (number := number // FANOUT) < (rows := rows // FANOUT):
            self._put_above(series, level, number)
            level += 1
        return True

    def truncate(self, series: int, before: int, rows: int) -> float:
        """Keep the first ``rows`` of ``before`` rows, and what stands for them; returns up to which step they go."""
        level, start = 0, rows
        while before:
            self._connection.execute(_DELETE, (series, level, start))
            level += 1
            start //= FANOUT
            before //= FANOUT
        return self._row(series, rows - 1).last_step[-1] if rows else -math.inf
