"""Opens the cache file of a directory of runs; it may be deleted at any time."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from goodseed.storage.forks import GatedConnection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["CACHE_NAME", "CacheFile", "Table"]

CACHE_NAME: Final = ".goodseed-cache.sqlite"
_EARLIER_NAMES: Final = (".goodseed-index.sqlite", ".goodseed-series.sqlite", ".goodseed-dashboard.sqlite")
_logger: Final = logging.getLogger("goodseed")
_VERSION: Final = 2
_APPLICATION_ID: Final = 0x67736463
_MAX_BYTES: Final = 2 << 30  # beyond that the large tables are emptied
_BUSY_SECONDS: Final = 0.2


class Table(NamedTuple):
    """A table of the file.

    Attributes:
        name: Its name.
        columns: Its columns and its primary key, as SQL.
        is_large: It holds most of the bytes, and is emptied when the file grows too large.
    """

    name: str
    columns: str
    is_large: bool = False


@final
class CacheFile:
    """One SQLite file with a table for each kind of thing that is kept: a class in a module beside this one.

    For any number of threads of one process, which share one connection, and for several processes. A damaged file is
    made again, once; where none can be made, or it belongs to another user, the tables are in memory.
    """

    def __init__(self, root: Path) -> None:
        """Nothing is opened yet.

        Args:
            root: The directory of runs that it is about, and that it lies in.
        """
        self.root: Final = root
        self._path: Final = root / CACHE_NAME
        self._lock: Final = threading.RLock()
        self._tables: Final[list[Table]] = []
        self._connection: sqlite3.Connection | None = None
        self._busy_seconds = _BUSY_SECONDS
        self._openings = 0
        self._is_stored = True
        self._was_damaged = False

    def add(self, table: Table) -> None:
        """Have this table in the file."""
        with self._lock:
            if table not in self._tables:
                self._tables.append(table)
                if self._connection is not None:
                    self._connection.execute(_statement(table))

    def close(self) -> None:
        """Close the file; a later query opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @property
    def is_there(self) -> bool:
        """Whether it was made, now or earlier."""
        return self._connection is not None or self._path.is_file()

    @property
    def version(self) -> tuple[int, int]:
        """Another one once another process has changed the file, or it was made again.

        Raises:
            OSError, sqlite3.Error: As `connection`.
        """
        with self.connection() as connection:
            return self._openings, int(connection.execute("PRAGMA data_version").fetchone()[0])

    @contextlib.contextmanager
    def connection(self, busy_seconds: float = _BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone; a transaction that fails is rolled back.

        Args:
            busy_seconds: How long to wait for another process that writes.

        Raises:
            OSError, sqlite3.Error: The file can't be used; `recover` says what to do.
        """
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
                self._openings += 1
                self._busy_seconds = _BUSY_SECONDS
            if busy_seconds != self._busy_seconds:
                self._busy_seconds = busy_seconds
                self._connection.execute(f"PRAGMA busy_timeout = {round(busy_seconds * 1000)}")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def recover(self, error: Exception, *, is_needed: bool = False) -> bool:
        """Make the next try work after ``error``; False where there is no other way.

        Args:
            error: What `connection`, or a statement on it, has raised.
            is_needed: The caller can't do without: when others write all the time, the tables are made in memory.
        """
        with self._lock:
            is_busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            if is_busy and not is_needed:
                return True  # this time without the file
            was_stored = self._is_stored
            self.close()
            is_damaged = not isinstance(error, (OSError, sqlite3.OperationalError)) or "no such" in str(error)
            if was_stored and is_damaged and not self._was_damaged:
                self._was_damaged = True
                _logger.info("goodseed: %s is damaged, and is made again: %s", self._path, error)
                if self._remove():
                    return True
            self._is_stored = False
            if was_stored:
                _logger.info("goodseed: what belongs into %s is kept in memory: %s", self._path, error)
            return was_stored

    def read(self, query: str, parameters: tuple[object, ...]) -> list[Any]:
        """The rows of a query; none where the file can't be used."""
        try:
            with self.connection() as connection:
                return connection.execute(query, parameters).fetchall()
        except (sqlite3.Error, OSError, ValueError) as error:
            self.recover(error)
        return []

    def write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Execute a statement for each row, in one transaction; nothing where the file can't be used."""
        if not self._is_stored:  # in memory, only what is indispensable is kept
            return
        try:
            with self.connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(statement, rows)
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self.recover(error)

    def _connect(self) -> sqlite3.Connection:
        if self._is_stored:
            _make_private(self._path)
        connection = sqlite3.connect(
            self._path if self._is_stored else ":memory:",
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=GatedConnection,
        )
        try:
            connection.execute("PRAGMA synchronous = NORMAL")  # no commit waits for the disk
            if not _is_current(connection):
                _clear(connection)
                self._remove_earlier()
            for table in self._tables:
                connection.execute(_statement(table))
            if self._is_stored and self._path.stat().st_size > _MAX_BYTES:
                self._shrink(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _shrink(self, connection: sqlite3.Connection) -> None:
        _logger.info("goodseed: %s is larger than %d bytes, and the largest parts go", self._path, _MAX_BYTES)
        with contextlib.suppress(sqlite3.OperationalError):  # another server is using it: the next start does it
            for table in self._tables:
                if table.is_large:
                    connection.execute(f"DELETE FROM {table.name}")
            connection.execute("VACUUM")

    def _remove(self) -> bool:
        try:
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _remove_earlier(self) -> None:
        """Remove what earlier versions have kept in this directory."""
        if self._is_stored:
            for name in _EARLIER_NAMES:
                for suffix in ("", "-wal", "-shm"):
                    with contextlib.suppress(OSError):
                        (self.root / f"{name}{suffix}").unlink(missing_ok=True)


def _statement(table: Table) -> str:
    return f"CREATE TABLE IF NOT EXISTS {table.name} ({table.columns}) WITHOUT ROWID"


def _is_current(connection: sqlite3.Connection) -> bool:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return (version, application) == (_VERSION, _APPLICATION_ID)


def _clear(connection: sqlite3.Connection) -> None:
    """Mark the file as a cache of Goodseed, without a table."""
    connection.execute("PRAGMA journal_mode = WAL")  # a reader waits for no writer
    connection.execute("BEGIN IMMEDIATE")
    if not _is_current(connection):  # another process may just have done so
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in tables:
            connection.execute(f'DROP TABLE "{name}"')
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def _make_private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
            raise PermissionError(f"{path} is not a regular file, or belongs to another user.") from None
        if not os.access(path, os.W_OK):
            raise PermissionError(f"{path} can't be written.") from None
