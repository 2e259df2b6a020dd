"""Tells whether the nodes that a run file holds are those of its points: nothing else than their writer changed it.

The file itself says as of when they are, and has just that time of modification: whatever writes into it, or into its
write-ahead log, changes that. So a copy that does not keep the times of files has no valid nodes; they are then made
when they are needed. While a run is written, its nodes are valid if the process that holds its lock keeps them so; and
after it was killed, if its log has the time of its last transaction.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from goodseed.storage.lock import is_locked
from goodseed.storage.rollup.changes import last_numbers, note_changes
from goodseed.storage.rollup.stored import has_nodes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from goodseed.paths import RunFiles

__all__ = [
    "NODES_AS_OF",
    "Seal",
    "are_nodes_current",
    "data_version",
    "is_log_ours",
    "kept_nodes",
    "note_live",
    "stamp_log",
    "take_over_nodes",
    "vouched_transaction",
]

NODES_AS_OF: Final = "nodes_as_of"  # in `run_meta`: microseconds since the epoch, or _LIVE and where changes begin
_LIVE: Final = "live "
_SELECT: Final = "SELECT value FROM run_meta WHERE key = ?"
_UPSERT: Final = "INSERT OR REPLACE INTO run_meta (key, value) VALUES (?, ?)"
_NS: Final = 1000  # in a microsecond


def are_nodes_current(connection: sqlite3.Connection, files: RunFiles) -> bool:
    """Whether a reader may take the nodes for the points.

    Args:
        connection: The run's, in a transaction.
        files: Where it lies.
    """
    stated = _stated(connection)
    if stated.startswith(_LIVE):
        return is_locked(files.lock) and _is_of_this_writer(connection, stated)
    return _is_untouched(files.database, stated)


def take_over_nodes(connection: sqlite3.Connection, database: Path) -> None:
    """Drop the nodes unless they are those of the points, in the first transaction of a writer, before it writes."""
    if has_nodes(connection) and not _can_resume(connection, database):
        connection.execute("DROP TABLE metric_nodes")
        connection.execute("DELETE FROM run_meta WHERE key = ?", (NODES_AS_OF,))


def _can_resume(connection: sqlite3.Connection, database: Path) -> bool:
    stated = _stated(connection)
    if stated.startswith(_LIVE):
        return _is_of_this_writer(connection, stated) and is_log_ours(connection, database)
    return _is_untouched(database, stated)


def is_log_ours(connection: sqlite3.Connection, database: Path) -> bool:
    """Whether the last transaction in the write-ahead log, as of the caller's, is one that is noted and stamped."""
    numbers = last_numbers(connection)
    return numbers is not None and _changed_ns(f"{database}-wal") == numbers[1] * _NS


def _stated(connection: sqlite3.Connection) -> str:
    row = connection.execute(_SELECT, (NODES_AS_OF,)).fetchone()
    return row[0] if row is not None and isinstance(row[0], str) else ""


def _is_of_this_writer(connection: sqlite3.Connection, stated: str) -> bool:
    numbers = last_numbers(connection)
    return numbers is not None and stated == f"{_LIVE}{numbers[0]}"


def _is_untouched(database: Path, stated: str) -> bool:
    if not stated.isascii() or not stated.isdecimal() or len(stated) > 18:
        return False
    try:
        log = os.stat(f"{database}-wal")
    except OSError:
        log = None
    changed = log.st_mtime_ns if log is not None and log.st_size else _changed_ns(database)
    return changed == int(stated) * _NS


def _changed_ns(path: Path | str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def data_version(connection: sqlite3.Connection) -> int:
    """Another number once another connection has changed the file; in a transaction, as of that."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def note_live(connection: sqlite3.Connection) -> None:
    """Say that the writer keeps the nodes valid, inside its transaction and after `begin_changes`."""
    numbers = last_numbers(connection)
    if numbers is not None and has_nodes(connection):
        connection.execute(_UPSERT, (NODES_AS_OF, f"{_LIVE}{numbers[0]}"))


def stamp_log(connection: sqlite3.Connection, database: Path, number: int, version: int) -> None:
    """Give the write-ahead log the time of the last transaction, that of `note_changes`.

    Args:
        connection: The writer's, outside of any transaction.
        database: The file.
        number: What `note_changes` has returned.
        version: The `data_version` as of which the nodes are valid.
    """
    log = f"{database}-wal"
    with contextlib.suppress(OSError):
        os.utime(log, ns=(number * _NS, number * _NS))
        if data_version(connection) != version:  # another process has written just now
            os.utime(log)


@contextlib.contextmanager
def vouched_transaction(connection: sqlite3.Connection, database: Path) -> Iterator[None]:
    """A transaction that changes no point, in a file that another process of ours may be writing: its nodes stay valid.

    Raises:
        sqlite3.Error: The file can't be locked or written.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = data_version(connection)
        is_ours = is_log_ours(connection, database)
        yield
        number = note_changes(connection, ()) if is_ours else 0
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if number:
        stamp_log(connection, database, number, version)


class Seal:
    """Says as of when the nodes are, in a file that its writer is about to close.

    Between `write` and `finish`, everything is moved from the write-ahead log into the file.
    """

    def __init__(self, connection: sqlite3.Connection, database: Path, version: int) -> None:
        """The nodes are valid as of the `data_version` ``version``."""
        self._connection: Final = connection
        self._database: Final = database
        self._version: Final = version
        self._number = 0

    def write(self) -> None:
        """Inside the transaction that ends what the writer writes."""
        if data_version(self._connection) == self._version and has_nodes(self._connection):
            self._number = time.time_ns() // _NS
            self._connection.execute(_UPSERT, (NODES_AS_OF, str(self._number)))

    def finish(self) -> None:
        """Move the write-ahead log into the file, and give that its time, unless another process has changed it.

        Raises:
            sqlite3.Error: It can't be locked or written.
        """
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if not self._number:
            return
        self._connection.execute("BEGIN IMMEDIATE")  # no other process writes before it has its time
        try:
            if data_version(self._connection) == self._version:
                log = f"{self._database}-wal"
                is_logged = os.path.exists(log) and os.path.getsize(log) > 0
                os.utime(log if is_logged else self._database, ns=(self._number * _NS, self._number * _NS))
        finally:
            self._connection.execute("ROLLBACK")


@contextlib.contextmanager
def kept_nodes(connection: sqlite3.Connection, database: Path) -> Iterator[None]:
    """Keep the nodes valid while something else than points is changed in a file at rest, whose lock the caller has.

    Raises:
        sqlite3.Error: The file can't be locked or written.
    """
    connection.execute("BEGIN IMMEDIATE")
    seal = Seal(connection, database, data_version(connection))
    is_valid = has_nodes(connection) and _can_resume(connection, database)
    connection.execute("ROLLBACK")
    yield
    if is_valid:
        connection.execute("BEGIN IMMEDIATE")
        seal.write()
        connection.execute("COMMIT")
    seal.finish()
