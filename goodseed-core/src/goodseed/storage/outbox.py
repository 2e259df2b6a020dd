"""Reads what of a run still waits for upload, and marks it as uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Final

from goodseed.columns import Points
from goodseed.storage.batch import Upsert
from goodseed.storage.kinds import kinds_in

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from goodseed.storage.kinds import Kind, StoredValue

    _Row = tuple[float, StoredValue, float]  # step, value, time

__all__ = [
    "REFUSED",
    "UPLOADED",
    "FileOutbox",
    "LiveOutbox",
    "Mark",
    "PendingConfig",
    "ensure_pending_indexes",
]

UPLOADED: Final = 1
REFUSED: Final = 2  # the remote refuses it: it stays here, and is not sent again

_WORTH_THE_INDEX: Final = 100_000
# A config that was changed since it was read is another: it stays pending.
_MARK_CONFIG: Final = """
    UPDATE configs SET uploaded = ? WHERE path = ? AND type_tag = ? AND value IS ? AND updated_at = ?"""
_NONE: Final = (-1, float("-inf"))


@dataclass(frozen=True, slots=True)
class PendingConfig:
    """A config that waits, as it is stored."""

    path: str
    type_tag: str
    value: str | None
    updated_at: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Rows to mark, and the mark; rows that were changed since they were read stay pending.

    Attributes:
        state: `UPLOADED` or `REFUSED`.
        configs: These configs.
        points: These points.
        is_alone: No other process can have written since they were read; each series is whole between its ends.
    """

    state: int
    configs: Sequence[PendingConfig] = ()
    points: Sequence[Points] = ()
    is_alone: bool = False

    def apply(self, connection: sqlite3.Connection) -> None:
        """Do it, in a transaction.

        Raises:
            sqlite3.Error: It could not be written.
        """
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                _MARK_CONFIG, [(self.state, row.path, row.type_tag, row.value, row.updated_at) for row in self.configs]
            )
            self._mark_points(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _mark_points(self, connection: sqlite3.Connection) -> None:
        for kind in kinds_in(connection):
            waiting = [
                (_series_id(connection, kind, some.path), some) for some in self.points if some.kind == kind.name
            ]
            if self.is_alone:
                connection.executemany(
                    f"UPDATE {kind.point_table} SET uploaded = ? "
                    "WHERE series_id = ? AND step BETWEEN ? AND ? AND uploaded = 0",
                    [(self.state, series, some.steps[0], some.steps[-1]) for series, some in waiting],
                )
                continue
            marks = Upsert(connection, kind, mark=self.state)
            for series, some in waiting:
                marks.add(repeat(series, len(some.steps)), some.steps, some.values, some.times)
            marks.finish()


def _series_id(connection: sqlite3.Connection, kind: Kind, path: str) -> int:
    row = connection.execute(f"SELECT id FROM {kind.series_table} WHERE path = ?", (path,)).fetchone()
    return int(row[0]) if row else 0  # no series has the id 0


def ensure_pending_indexes(connection: sqlite3.Connection) -> None:
    """Make what finds the pending points among millions at once; a run that is never uploaded is spared it.

    Raises:
        sqlite3.Error: It could not be written.
    """
    for kind in kinds_in(connection):
        table = kind.point_table
        connection.execute(
            f"CREATE INDEX IF NOT EXISTS {table}_pending ON {table} (series_id, step) WHERE uploaded = 0"
        )


class _Outbox:
    """What both kinds of reading share."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: Final = connection

    def count(self) -> int:
        """How many configs and points wait."""
        tables = ["configs", *(kind.point_table for kind in self.kinds())]
        return sum(
            int(self._connection.execute(f"SELECT count(*) FROM {table} WHERE uploaded = 0").fetchone()[0])
            for table in tables
        )

    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of series that the run may have points of."""
        return kinds_in(self._connection)

    def configs(self, limit: int) -> list[PendingConfig]:
        """The first configs that wait."""
        query = "SELECT path, type_tag, value, updated_at FROM configs WHERE uploaded = 0 LIMIT ?"
        return [PendingConfig(*row) for row in self._connection.execute(query, (limit,))]

    def _points(self, kind: Kind, series: int, rows: list[_Row]) -> Points:
        query = f"SELECT path FROM {kind.series_table} WHERE id = ?"
        (path,) = self._connection.execute(query, (series,)).fetchone()
        return Points(str(path), kind.name, *zip(*rows, strict=True))


class LiveOutbox(_Outbox):
    """The first of what waits, found through the indexes of `ensure_pending_indexes`; others may write meanwhile."""

    def points(self, kind: Kind, limit: int, max_bytes: int) -> list[Points]:
        """The first points that wait: at most ``limit``, and about ``max_bytes`` unless they are numbers."""
        table, column, pending = kind.point_table, kind.column, self._pending_of(kind)
        groups = self._connection.execute(
            f"""
            SELECT series_id, min(step), max(step), count(*) FROM (
                SELECT series_id, step FROM {table} {pending}
                WHERE uploaded = 0 ORDER BY series_id, step LIMIT ?)
            GROUP BY series_id ORDER BY series_id""",
            (limit,),
        ).fetchall()
        found: list[Points] = []
        for series, first, last, count in groups:
            between = f"FROM {table} WHERE series_id = ? AND step BETWEEN ? AND ?"
            rows = self._connection.execute(
                f"SELECT step, {column}, ts {between} ORDER BY step LIMIT ?", (series, first, last, count + 1)
            ).fetchall()
            if len(rows) != count:  # others lie between them that are uploaded already
                rows = self._connection.execute(
                    f"SELECT step, {column}, ts {between.replace(table, f'{table} {pending}')} "
                    "AND uploaded = 0 ORDER BY step",
                    (series, first, last),
                ).fetchall()
            if kind.form is not float:
                rows, max_bytes = _within(rows, max_bytes, is_first=not found)
            if not rows:
                break
            found.append(self._points(kind, series, rows))
        return found

    def _pending_of(self, kind: Kind) -> str:
        """The index that finds what waits; a kind's first point may have come since the indexes were made."""
        name = f"{kind.point_table}_pending"
        known = (
            kind.is_basic or self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        )
        return f"INDEXED BY {name}" if known else ""


class FileOutbox(_Outbox):
    """All that waits for upload in a file that no other process writes, read once from end to end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.pending: Final = self.count()
        if self.pending > _WORTH_THE_INDEX:  # keeping it up costs more than reading past what is uploaded
            for kind in kinds_in(connection):
                connection.execute(f"DROP INDEX IF EXISTS {kind.point_table}_pending")
        self._places: Final[dict[str, tuple[int, float]]] = {}

    def points(self, kind: Kind, limit: int, max_bytes: int) -> list[Points]:
        """The next points that wait: at most ``limit``, and about ``max_bytes`` unless they are numbers."""
        found: list[Points] = []
        for series, after in self._series_from(kind):
            rows = self._read(kind, series, after, limit)
            if kind.form is not float:
                rows, max_bytes = _within(rows, max_bytes, is_first=not found)
            if rows:
                found.append(self._points(kind, series, rows))
                self._places[kind.name] = (series, rows[-1][0])
                limit -= len(rows)
            if limit <= 0 or max_bytes <= 0:
                break
        return found

    def _series_from(self, kind: Kind) -> Iterator[tuple[int, float]]:
        series, after = self._places.get(kind.name, _NONE)
        query = f"SELECT id FROM {kind.series_table} WHERE id >= ? ORDER BY id"
        for (other,) in self._connection.execute(query, (series,)).fetchall():
            yield other, after if other == series else float("-inf")

    def _read(self, kind: Kind, series: int, after: float, limit: int) -> list[_Row]:
        return self._connection.execute(
            f"SELECT step, {kind.column}, ts FROM {kind.point_table} WHERE series_id = ? AND step > ? AND uploaded = 0 "
            "ORDER BY step LIMIT ?",
            (series, after, limit),
        ).fetchall()


def _within(rows: list[_Row], max_bytes: int, *, is_first: bool) -> tuple[list[_Row], int]:
    """As many of ``rows`` as the bytes allow, one at least if it is the first, and how many are left.

    Of texts, characters are counted: it is no exact limit.
    """
    for index, (_, value, _) in enumerate(rows):
        max_bytes -= len(value) if isinstance(value, (str, bytes)) else 0
        if max_bytes < 0 and not (is_first and index == 0):
            return rows[:index], 0
    return rows, max(0, max_bytes)
