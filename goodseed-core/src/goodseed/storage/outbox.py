"""What of a run still waits to be uploaded, and marking it as uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from goodseed.storage.batch import Upsert

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["REFUSED", "UPLOADED", "Mark", "Outbox", "PendingConfig", "PendingPoints", "ensure_pending_indexes"]

UPLOADED: Final = 1
REFUSED: Final = 2  # the remote will not have it: it is kept here alone, and not sent again

_KINDS: Final = {"metric": ("metric_points", "y"), "string": ("string_points", "value")}
_INDEXES: Final = tuple(
    f"CREATE INDEX IF NOT EXISTS {table}_pending ON {table} (series_id, step) WHERE uploaded = 0"
    for table, _ in _KINDS.values()
)
_COUNT: Final = """
    SELECT (SELECT count(*) FROM configs WHERE uploaded = 0)
        + (SELECT count(*) FROM metric_points INDEXED BY metric_points_pending WHERE uploaded = 0)
        + (SELECT count(*) FROM string_points INDEXED BY string_points_pending WHERE uploaded = 0)"""
# A config that was changed since it was read is another: it stays pending.
_MARK_CONFIG: Final = """
    UPDATE configs SET uploaded = ? WHERE path = ? AND type_tag = ? AND value IS ? AND updated_at = ?"""


@dataclass(frozen=True, slots=True)
class PendingConfig:
    """A config that waits, as it is stored."""

    path: str
    type_tag: str
    value: str | None
    updated_at: str


@dataclass(frozen=True, slots=True)
class PendingPoints:
    """Points of one kind that wait, in the order of series and step.

    Attributes:
        kind: ``metric`` or ``string``.
        paths: The path of every series in ``rows``, by its id.
        rows: Series id, step, value as stored (NULL for NaN), time in seconds.
    """

    kind: str
    paths: dict[int, str]
    rows: list[tuple[int, float, float | str | None, float]]


@dataclass(frozen=True, slots=True)
class Mark:
    """What is to be marked, and as what; rows that were changed since they were read stay pending.

    Attributes:
        state: `UPLOADED` or `REFUSED`.
        configs: These configs.
        kind: The kind of ``rows``.
        rows: These points.
    """

    state: int
    configs: Sequence[PendingConfig] = ()
    kind: str = "metric"
    rows: Sequence[tuple[int, float, float | str | None, float]] = ()

    def apply(self, connection: sqlite3.Connection) -> None:
        """Do it, in a transaction.

        Raises:
            sqlite3.Error: It could not be written.
        """
        table, column = _KINDS[self.kind]
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                _MARK_CONFIG, [(self.state, row.path, row.type_tag, row.value, row.updated_at) for row in self.configs]
            )
            if self.rows:
                marks = Upsert(connection, table, column, mark=self.state)
                marks.add(*zip(*self.rows, strict=True))
                marks.finish()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def ensure_pending_indexes(connection: sqlite3.Connection) -> None:
    """Make what finds the pending points among millions at once; a run that is never uploaded is spared it.

    Raises:
        sqlite3.Error: It could not be written.
    """
    for statement in _INDEXES:
        connection.execute(statement)


class Outbox:
    """Reads what waits, over any connection to a run file that has the indexes of `ensure_pending_indexes`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: Final = connection

    def count(self) -> int:
        """How many configs and points wait."""
        return int(self._connection.execute(_COUNT).fetchone()[0])

    def configs(self, limit: int) -> list[PendingConfig]:
        """The first configs that wait."""
        query = "SELECT path, type_tag, value, updated_at FROM configs WHERE uploaded = 0 LIMIT ?"
        return [PendingConfig(*row) for row in self._connection.execute(query, (limit,))]

    def points(self, kind: str, limit: int, max_characters: int) -> PendingPoints:
        """The first points that wait: at most ``limit``, and of texts no more characters than that, but for one."""
        table, column = _KINDS[kind]
        query = f"""
            SELECT series_id, step, {column}, ts FROM {table} INDEXED BY {table}_pending
            WHERE uploaded = 0 ORDER BY series_id, step LIMIT ?"""
        rows: list[tuple[int, float, float | str | None, float]] = []
        characters = 0
        for row in self._connection.execute(query, (limit,)):
            characters += len(row[2]) if isinstance(row[2], str) else 0
            if rows and characters > max_characters:
                break
            rows.append(row)
        ids = sorted({row[0] for row in rows})
        paths: dict[int, str] = {}
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            places = ",".join("?" * len(some))
            paths.update(self._connection.execute(f"SELECT id, path FROM {kind}_series WHERE id IN ({places})", some))
        return PendingPoints(kind, paths, rows)
