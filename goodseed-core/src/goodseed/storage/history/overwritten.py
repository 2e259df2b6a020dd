"""Keeps the values that later ones replace at the same step, in a series of the attempt that logged them.

A trigger of the writer's own connection, which no other program sees, notes each value that an upsert changes. It costs
nothing where none is.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING, Final

from goodseed.storage.batch import Upsert
from goodseed.storage.history.attempts import is_experiment, kept_path, opened_seconds
from goodseed.storage.kinds import kinds, kinds_in

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from goodseed.storage.batch import Tables
    from goodseed.storage.kinds import Kind, StoredValue
    from goodseed.storage.series import SeriesIds

__all__ = ["Overwritten"]

_KEPT: Final = "overwritten_kept"  # run_meta: how many values are kept, and how many were only counted
_COUNTED: Final = "overwritten_counted"
_LEAST: Final = 10_000  # values that are kept however short the run is
_PART: Final = 10  # of the run's points are kept: one of so many
_POINT_BYTES: Final = 32
_AT_ONCE: Final = 10_000
_UPSERT_META: Final = "INSERT OR REPLACE INTO run_meta (key, value) VALUES (?, ?)"


class Overwritten:
    """The values that the transactions of one connection replace.

    Attributes:
        count: How many there were since it was made, of the experiment itself.
    """

    def __init__(self, connection: sqlite3.Connection, tables: Tables, count: int = 0) -> None:
        """Begin to look, outside of any transaction.

        Args:
            connection: The writer's.
            tables: What the writer remembers of the file.
            count: How many there were before, through another connection.
        """
        self._connection: Final = connection
        self._tables: Final = tables
        self._opened: Final = opened_seconds(connection)
        self._watched: list[Kind] = []
        self._is_any = ""
        meta = dict(connection.execute("SELECT key, value FROM run_meta WHERE key IN (?, ?)", (_KEPT, _COUNTED)))
        self._kept = int(meta.get(_KEPT, 0))
        self._counted = int(meta.get(_COUNTED, 0))
        self.count = count
        self._watch()

    def _watch(self) -> None:
        for kind in kinds_in(self._connection):
            if kind not in self._watched:
                table, column = _noted(kind), kind.column
                self._connection.execute(
                    f"CREATE TEMP TABLE IF NOT EXISTS {table} (series_id INTEGER, step REAL, {column}, ts INTEGER)"
                )
                self._connection.execute(
                    f"""CREATE TEMP TRIGGER IF NOT EXISTS {table}_values
                    AFTER UPDATE OF {column} ON main.{kind.point_table}
                    WHEN old.{column} IS NOT new.{column}
                    BEGIN
                        INSERT INTO {table} VALUES (old.series_id, old.step, old.{column}, old.ts);
                    END"""
                )
                self._watched.append(kind)
        self._is_any = "SELECT " + " OR ".join(f"EXISTS (SELECT 1 FROM temp.{_noted(kind)})" for kind in self._watched)

    def keep(self) -> list[tuple[Sequence[int], float, float]]:
        """Store what the caller's transaction has replaced, inside it.

        Returns:
            The metrics that are written by it: their ids, and the lowest and the highest step.

        Raises:
            sqlite3.Error: It could not be stored.
        """
        if len(self._watched) < len(kinds()):
            self._watch()  # series of a further kind may have come
        if not self._connection.execute(self._is_any).fetchone()[0]:
            return []
        touched: list[tuple[Sequence[int], float, float]] = []
        for kind in self._watched:
            kept = self._keep(kind)
            if kind.has_buckets:
                touched += [((id_,), *steps) for id_, steps in kept.items()]
        self._connection.executemany(_UPSERT_META, [(_KEPT, str(self._kept)), (_COUNTED, str(self._counted))])
        return touched

    def _keep(self, kind: Kind) -> dict[int, tuple[float, float]]:
        """Store what is noted of one kind; returns between which steps, by the series that keep it."""
        ids, table = self._tables.ids[kind.name], f"temp.{_noted(kind)}"
        counts = dict(
            self._connection.execute(f"SELECT series_id, count(*) FROM {table} GROUP BY series_id").fetchall()
        )
        own = {id_: count for id_, count in counts.items() if is_experiment(ids.path_of(id_))}
        replaced, noted = sum(own.values()), sum(counts.values())
        room = min(replaced, max(0, self._limit() - self._kept))
        written: dict[int, tuple[float, float]] = {}
        upsert = Upsert(self._connection, kind)
        query = f"SELECT * FROM {table} WHERE rowid <= {noted} ORDER BY rowid"
        with contextlib.closing(self._connection.execute(query)) as cursor:
            points = islice((row for row in cursor if row[0] in own), room)
            while some := list(islice(points, _AT_ONCE)):
                upsert.add(*zip(*(self._kept_point(ids, written, row) for row in some), strict=True))
        ids.store(self._connection)
        upsert.finish()
        # What was replaced by that was one of several values of one attempt at one step: the last one is kept.
        (again,) = self._connection.execute(f"SELECT count(*) - ? FROM {table}", (noted,)).fetchone()
        self._connection.execute(f"DELETE FROM {table}")
        self.count += replaced
        self._kept += room - again
        self._counted += replaced - room + again
        return written

    def _kept_point(
        self, ids: SeriesIds, written: dict[int, tuple[float, float]], row: tuple[int, float, StoredValue, float]
    ) -> tuple[int, float, StoredValue, float]:
        """The point in the series of the attempt that logged it."""
        id_, step, value, ts = row
        kept = ids[kept_path(bisect_right(self._opened, ts), ids.path_of(id_))]
        low, high = written.get(kept, (step, step))
        written[kept] = min(low, step), max(high, step)
        return kept, step, value, ts

    def _limit(self) -> int:
        (pages,) = self._connection.execute("PRAGMA main.page_count").fetchone()
        (page_bytes,) = self._connection.execute("PRAGMA main.page_size").fetchone()
        return max(_LEAST, int(pages) * int(page_bytes) // _POINT_BYTES // _PART)


def _noted(kind: Kind) -> str:
    return f"overwritten_{kind.name}"
