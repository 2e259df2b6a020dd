"""What of a run still waits to be uploaded, and marking it as uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Final

from goodseed.storage.batch import Upsert

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

__all__ = [
    "REFUSED",
    "UPLOADED",
    "Chunk",
    "FileOutbox",
    "LiveOutbox",
    "Mark",
    "PendingConfig",
    "ensure_pending_indexes",
]

UPLOADED: Final = 1
REFUSED: Final = 2  # the remote will not have it: it is kept here alone, and not sent again

_KINDS: Final = {"metric": ("metric_points", "y"), "string": ("string_points", "value")}
_INDEXES: Final = tuple(
    f"CREATE INDEX IF NOT EXISTS {table}_pending ON {table} (series_id, step) WHERE uploaded = 0"
    for table, _ in _KINDS.values()
)
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
class Chunk:
    """Points of one series that wait, by step.

    Attributes:
        series: The id of the series.
        path: Its path.
        steps: Their steps.
        values: Numbers or texts as stored, NULL for NaN.
        times: In seconds since the epoch.
    """

    series: int
    path: str
    steps: Sequence[float]
    values: Sequence[float | str | None]
    times: Sequence[float]


@dataclass(frozen=True, slots=True)
class Mark:
    """What is to be marked, and as what; rows that were changed since they were read stay pending.

    Attributes:
        state: `UPLOADED` or `REFUSED`.
        configs: These configs.
        kind: The kind of ``chunks``: ``metric`` or ``string``.
        chunks: These points.
        is_alone: Nobody else can have written since they were read, and each chunk is all that waits between its ends.
    """

    state: int
    configs: Sequence[PendingConfig] = ()
    kind: str = "metric"
    chunks: Sequence[Chunk] = ()
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
        table, column = _KINDS[self.kind]
        if self.is_alone:
            connection.executemany(
                f"UPDATE {table} SET uploaded = ? WHERE series_id = ? AND step BETWEEN ? AND ? AND uploaded = 0",
                [(self.state, chunk.series, chunk.steps[0], chunk.steps[-1]) for chunk in self.chunks],
            )
            return
        marks = Upsert(connection, table, column, mark=self.state)
        for chunk in self.chunks:
            marks.add(repeat(chunk.series, len(chunk.steps)), chunk.steps, chunk.values, chunk.times)  # type: ignore[arg-type]
        marks.finish()


def ensure_pending_indexes(connection: sqlite3.Connection) -> None:
    """Make what finds the pending points among millions at once; a run that is never uploaded is spared it.

    Raises:
        sqlite3.Error: It could not be written.
    """
    for statement in _INDEXES:
        connection.execute(statement)


class _Outbox:
    """What both kinds of reading share."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: Final = connection

    def count(self) -> int:
        """How many configs and points wait."""
        return sum(
            int(self._connection.execute(f"SELECT count(*) FROM {table} WHERE uploaded = 0").fetchone()[0])
            for table in ("configs", "metric_points", "string_points")
        )

    def configs(self, limit: int) -> list[PendingConfig]:
        """The first configs that wait."""
        query = "SELECT path, type_tag, value, updated_at FROM configs WHERE uploaded = 0 LIMIT ?"
        return [PendingConfig(*row) for row in self._connection.execute(query, (limit,))]

    def _path(self, kind: str, series: int) -> str:
        row = self._connection.execute(f"SELECT path FROM {kind}_series WHERE id = ?", (series,)).fetchone()
        return str(row[0])


class LiveOutbox(_Outbox):
    """The first of what waits, found through the indexes of `ensure_pending_indexes`; others may write meanwhile."""

    def chunks(self, kind: str, limit: int, max_characters: int) -> list[Chunk]:
        """The first points that wait: at most ``limit``, and of texts no more characters than that, but for one."""
        table, column = _KINDS[kind]
        groups = self._connection.execute(
            f"""
            SELECT series_id, min(step), max(step), count(*) FROM (
                SELECT series_id, step FROM {table} INDEXED BY {table}_pending
                WHERE uploaded = 0 ORDER BY series_id, step LIMIT ?)
            GROUP BY series_id ORDER BY series_id""",
            (limit,),
        ).fetchall()
        found: list[Chunk] = []
        for series, first, last, count in groups:
            between = f"FROM {table} WHERE series_id = ? AND step BETWEEN ? AND ?"
            rows = self._connection.execute(
                f"SELECT step, {column}, ts {between} ORDER BY step LIMIT ?", (series, first, last, count + 1)
            ).fetchall()
            if len(rows) != count:  # others lie between them that are uploaded already
                rows = self._connection.execute(
                    f"SELECT step, {column}, ts {between.replace(table, f'{table} INDEXED BY {table}_pending')} "
                    "AND uploaded = 0 ORDER BY step",
                    (series, first, last),
                ).fetchall()
            if kind == "string":
                rows, max_characters = _within(rows, max_characters, is_first=not found)
            if not rows:
                break
            found.append(Chunk(series, self._path(kind, series), *zip(*rows, strict=True)))
        return found


class FileOutbox(_Outbox):
    """All that waits in a file that nobody else writes, read once from end to end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.pending: Final = self.count()
        if self.pending > _WORTH_THE_INDEX:  # keeping it up costs more than reading past what is uploaded
            for table, _ in _KINDS.values():
                connection.execute(f"DROP INDEX IF EXISTS {table}_pending")
        self._places: Final[dict[str, tuple[int, float]]] = {}

    def chunks(self, kind: str, limit: int, max_characters: int) -> list[Chunk]:
        """The next points that wait: at most ``limit``, and of texts no more characters than that, but for one."""
        found: list[Chunk] = []
        for series, after in self._series_from(kind):
            rows = self._read(kind, series, after, limit)
            if kind == "string":
                rows, max_characters = _within(rows, max_characters, is_first=not found)
            if rows:
                found.append(Chunk(series, self._path(kind, series), *zip(*rows, strict=True)))
                self._places[kind] = (series, rows[-1][0])
                limit -= len(rows)
            if limit <= 0 or max_characters <= 0:
                break
        return found

    def _series_from(self, kind: str) -> Iterator[tuple[int, float]]:
        series, after = self._places.get(kind, _NONE)
        query = f"SELECT id FROM {kind}_series WHERE id >= ? ORDER BY id"
        for (other,) in self._connection.execute(query, (series,)).fetchall():
            yield other, after if other == series else float("-inf")

    def _read(self, kind: str, series: int, after: float, limit: int) -> list[tuple[float, float | str | None, float]]:
        table, column = _KINDS[kind]
        return self._connection.execute(
            f"SELECT step, {column}, ts FROM {table} WHERE series_id = ? AND step > ? AND uploaded = 0 "
            "ORDER BY step LIMIT ?",
            (series, after, limit),
        ).fetchall()


def _within(
    rows: list[tuple[float, float | str | None, float]], max_characters: int, *, is_first: bool
) -> tuple[list[tuple[float, float | str | None, float]], int]:
    """As many of ``rows`` as the characters allow, one at least if it is the first, and how many are left."""
    for index, row in enumerate(rows):
        max_characters -= len(str(row[1]))
        if max_characters < 0 and not (is_first and index == 0):
            return rows[:index], 0
    return rows, max(0, max_characters)
