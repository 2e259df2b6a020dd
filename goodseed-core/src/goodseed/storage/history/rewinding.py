"""Takes a run back to a step: what lies beyond it becomes the tail of the attempts that logged it.

The tail of attempt 1 of the metric ``loss`` is the series ``sys/attempts/1/loss``. The points up to the step stay where
they are, and what is monitored too, as that belongs to a time. Everything happens in the caller's transaction: all of
it or nothing.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.storage.history.attempts import is_experiment, kept_path, opened_seconds
from goodseed.storage.kinds import kind_of, kinds_in
from goodseed.storage.rollup.node_table import cut_nodes
from goodseed.times import now_text

if TYPE_CHECKING:
    import sqlite3

    from goodseed.storage.batch import Tables
    from goodseed.storage.kinds import Kind

__all__ = ["Rewind", "last_rewind", "rewind", "undo_rewind"]

# Between which steps points were moved from a series to another: what it takes to move them back.
_CREATE: Final = """
    CREATE TABLE IF NOT EXISTS rewound_points (
        number INTEGER NOT NULL, at TEXT NOT NULL, to_step REAL NOT NULL, kind TEXT NOT NULL,
        series_id INTEGER NOT NULL, kept_id INTEGER NOT NULL, first_step REAL NOT NULL, last_step REAL NOT NULL)"""
_IS_THERE: Final = "SELECT 1 FROM main.sqlite_master WHERE name = 'rewound_points'"
_INSERT: Final = "INSERT INTO rewound_points VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_LAST: Final = """
    SELECT number, to_step, count(*) FROM rewound_points
    WHERE number = (SELECT max(number) FROM rewound_points) GROUP BY number, to_step"""
_MOVES: Final = (
    "SELECT kind, series_id, kept_id, first_step, last_step FROM rewound_points WHERE number = ? ORDER BY rowid"
)


class Rewind(NamedTuple):
    """What a rewind has done.

    Attributes:
        step: The step to which the run was taken back.
        points: How many points lay beyond it.
        series: In how many series.
    """

    step: float
    points: int
    series: int


def rewind(connection: sqlite3.Connection, tables: Tables, step: float) -> Rewind:
    """Set the points beyond ``step`` aside, inside the caller's transaction.

    Args:
        connection: The run's, for writing; see `goodseed.storage.history.overwritten` for what must not watch it.
        tables: What the writer remembers of the file.
        step: The last step that stays.

    Raises:
        sqlite3.Error: It could not be written.
    """
    connection.execute(_CREATE)
    (number,) = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM rewound_points").fetchone()
    at, attempts = now_text(), list(pairwise([*opened_seconds(connection), math.inf]))
    points, moved_series = 0, 0
    for kind in kinds_in(connection):
        ids = tables.ids[kind.name]
        for series, path in connection.execute(f"SELECT id, path FROM {kind.series_table}").fetchall():
            if not is_experiment(path):
                continue
            before = points
            for attempt, (opened, ended) in enumerate(attempts, start=1):
                tail = f"step > {step!r} AND ts >= {_sql(opened)} AND ts < {_sql(ended)}"
                query = f"SELECT count(*), min(step), max(step) FROM {kind.point_table} WHERE series_id = ? AND {tail}"
                count, first, last = connection.execute(query, (series,)).fetchone()
                if count:
                    kept = ids[kept_path(attempt, path)]
                    _move(connection, kind, (series, kept), tail)
                    connection.execute(_INSERT, (number, at, step, kind.name, series, kept, first, last))
                    points += count
            moved_series += points > before
        ids.store(connection)
    if tables.nodes is not None:
        tables.nodes.forget()
    return Rewind(step, points, moved_series)


def undo_rewind(connection: sqlite3.Connection, tables: Tables) -> Rewind | None:
    """Take back the last rewind, inside the caller's transaction; what was logged since is set aside in its place.

    Doing it again goes back to what was logged since.

    Returns:
        What was brought back; None where there is nothing to undo.

    Raises:
        sqlite3.Error: It could not be written.
    """
    found = last_rewind(connection)
    if found is None:
        return None
    number, step = found
    rewind(connection, tables, step)
    points, series = 0, set()
    for name, series_id, kept_id, first, last in connection.execute(_MOVES, (number,)).fetchall():
        kind = kind_of(name)
        if kind is not None:
            points += _move(connection, kind, (kept_id, series_id), f"step BETWEEN {first!r} AND {last!r}")
            series.add((name, series_id))
    connection.execute("DELETE FROM rewound_points WHERE number = ?", (number,))
    return Rewind(step, points, len(series))


def last_rewind(connection: sqlite3.Connection) -> tuple[int, float] | None:
    """The number and the step of the last rewind that can be undone; None where there is none."""
    if connection.execute(_IS_THERE).fetchone() is None:
        return None
    row = connection.execute(_LAST).fetchone()
    return None if row is None else (int(row[0]), float(row[1]))


def _move(connection: sqlite3.Connection, kind: Kind, ids: tuple[int, int], condition: str) -> int:
    """Move points from one series to another, where they replace those of the same step; returns how many."""
    source, target = ids
    columns = f"step, {kind.column}, ts"
    if kind.has_buckets:
        query = f"SELECT min(step) FROM {kind.point_table} WHERE series_id = ? AND {condition}"
        (first,) = connection.execute(query, (source,)).fetchone()
        for series in ids if first is not None else ():
            cut_nodes(connection, series, first)
    connection.execute(
        f"""INSERT OR REPLACE INTO {kind.point_table} (series_id, {columns})
        SELECT ?, {columns} FROM {kind.point_table} WHERE series_id = ? AND {condition}""",
        (target, source),
    )
    return connection.execute(f"DELETE FROM {kind.point_table} WHERE series_id = ? AND {condition}", (source,)).rowcount


def _sql(number: float) -> str:
    return ("-" if number < 0 else "") + "9e999" if math.isinf(number) else repr(number)
