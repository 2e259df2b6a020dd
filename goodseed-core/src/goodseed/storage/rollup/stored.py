"""Reads the nodes that the writer of a run has stored beside its points: ready for charts of any length.

The table ``metric_nodes`` has rows of `FANOUT` nodes. On level 0 the rows of a series are numbered from 0, follow one
another, and cover all its points from the first one up to some step; the points behind that are in no row. A row of a
higher level has one node for each of `FANOUT` rows below it, and is there once those are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, final

from goodseed.errors import FileFormatError
from goodseed.storage.rollup.nodes import FANOUT, Nodes
from goodseed.storage.rollup.rows import unpack_rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

__all__ = [
    "CREATE_NODES",
    "StoredLevel",
    "end_step",
    "has_nodes",
    "merged_nodes",
    "read_rows",
    "row_count",
]

CREATE_NODES: Final = """
    CREATE TABLE metric_nodes (
        series_id INTEGER NOT NULL, level INTEGER NOT NULL, number INTEGER NOT NULL, nodes BLOB NOT NULL,
        PRIMARY KEY (series_id, level, number)
    ) WITHOUT ROWID"""
_EXISTS: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'metric_nodes'"
_COUNT: Final = "SELECT max(number) FROM metric_nodes WHERE series_id = ? AND level = ?"
_ROWS: Final = """
    SELECT nodes FROM metric_nodes WHERE series_id = ? AND level = ? AND number BETWEEN ? AND ? ORDER BY number"""


def has_nodes(connection: sqlite3.Connection) -> bool:
    """Whether the file has the table."""
    return connection.execute(_EXISTS).fetchone() is not None


def row_count(connection: sqlite3.Connection, series: int, level: int) -> int:
    """How many rows a level of a series has."""
    last = connection.execute(_COUNT, (series, level)).fetchone()[0]
    return last + 1 if isinstance(last, int) else 0


def read_rows(connection: sqlite3.Connection, series: int, level: int, start: int, stop: int) -> Nodes:
    """The nodes of the rows from one number up to another.

    Raises:
        FileFormatError: They are damaged, or not all of them are there.
    """
    rows = connection.execute(_ROWS, (series, level, start, stop - 1)).fetchall()
    if len(rows) != stop - start:
        raise FileFormatError("The rollup that is stored for a metric has a gap.")
    return unpack_rows([row for (row,) in rows])


def end_step(connection: sqlite3.Connection, series: int) -> tuple[int, float]:
    """How many rows there are on level 0, and up to which step they go; minus infinity without a row."""
    rows = row_count(connection, series, 0)
    return rows, read_rows(connection, series, 0, rows - 1, rows).last_step[-1] if rows else -math.inf


def merged_nodes(nodes: Nodes) -> Iterator[tuple[float, ...]]:
    """A node for each `FANOUT` of ``nodes``."""
    for start in range(0, len(nodes), FANOUT):
        yield nodes.merged(start, min(start + FANOUT, len(nodes)))


@final
class StoredLevel:
    """One level of the nodes of a series: those in the file, which are read when they are asked for, and the rest."""

    def __init__(self, connection: sqlite3.Connection, series: int, level: int, rest: Nodes) -> None:
        """The nodes of ``rest`` follow those in the file."""
        self._connection: Final = connection
        self._series: Final = series
        self._level: Final = level
        self._rest: Final = rest
        self._stored: Final = row_count(connection, series, level) * FANOUT

    def __len__(self) -> int:
        return self._stored + len(self._rest)

    def part(self, start: int, stop: int) -> Nodes:
        """The nodes from one index up to another, as `Nodes.part`."""
        end = min(stop, self._stored)
        nodes = Nodes()
        if start < end:
            first = start // FANOUT
            rows = read_rows(self._connection, self._series, self._level, first, -(-end // FANOUT))
            nodes = rows.part(start - first * FANOUT, end - first * FANOUT)
        nodes.extend(self._rest.part(max(0, start - self._stored), max(0, stop - self._stored)))
        return nodes

    def above(self) -> StoredLevel:
        """The next level, of which a node stands for `FANOUT` of these."""
        stored = row_count(self._connection, self._series, self._level + 1) * FANOUT
        rest = Nodes()
        for node in merged_nodes(self.part(stored * FANOUT, len(self))):
            rest.append(node)
        return StoredLevel(self._connection, self._series, self._level + 1, rest)
