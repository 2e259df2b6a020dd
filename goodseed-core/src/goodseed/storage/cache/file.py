"""The file in which a server keeps what it has worked out of the runs; it may be deleted at any time."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
import threading
import zlib
from typing import TYPE_CHECKING, Final, final

from goodseed.storage.forks import GatedConnection

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["CACHE_NAME", "CacheFile"]

CACHE_NAME: Final = ".goodseed-dashboard.sqlite"
_logger: Final = logging.getLogger("goodseed")
_VERSION: Final = 2
_APPLICATION_ID: Final = 0x67736462
_MAX_BYTES: Final = 2 << 30  # beyond that it is made anew
_BUSY_SECONDS: Final = 0.2
_TABLES: Final = (
    """CREATE TABLE rollup (
        run BLOB, path TEXT, token TEXT NOT NULL, checksum INTEGER NOT NULL, nodes BLOB NOT NULL,
        PRIMARY KEY (run, path)
    ) WITHOUT ROWID""",
    """CREATE TABLE series (
        run BLOB, path TEXT, asked TEXT, token TEXT NOT NULL, checksum INTEGER NOT NULL, content BLOB NOT NULL,
        PRIMARY KEY (run, path, asked)
    ) WITHOUT ROWID""",
    """CREATE TABLE facts (
        project BLOB, name TEXT, run BLOB, token TEXT NOT NULL, checksum INTEGER NOT NULL, content BLOB NOT NULL,
        PRIMARY KEY (project, name, run)
    ) WITHOUT ROWID""",
)


@final
class CacheFile:
    """What was worked out of the runs under a directory, each with the state of the run's file that it holds for.

    For any number of threads, and for several servers at once. No method raises because of the file: where it can't
    be used, nothing is found in it.
    """

    def __init__(self, root: Path | None) -> None:
        """Nothing is opened yet.

        Args:
            root: The directory; None to keep nothing.
        """
        self._path: Final = None if root is None else root / CACHE_NAME
        self._lock: Final = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._is_given_up = root is None

    def close(self) -> None:
        """Close the file; what is asked later opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def get_rollup(self, run: str, path: str, token: str) -> bytes | None:
        """What `put_rollup` stored, if the file of the run is still the same."""
        rows = self._read(
            "SELECT nodes, checksum FROM rollup WHERE run = ? AND path = ? AND token = ?",
            (os.fsencode(run), path, token),
        )
        return _sound(*rows[0]) if rows else None

    def put_rollup(self, run: str, path: str, token: str, nodes: bytes) -> None:
        """Keep the rollup of a series."""
        row = (os.fsencode(run), path, token, zlib.crc32(nodes), nodes)
        self._write("INSERT OR REPLACE INTO rollup VALUES (?, ?, ?, ?, ?)", [row])

    def get_series(self, run: str, path: str, asked: str, token: str) -> bytes | None:
        """What `put_series` stored, if the file of the run is still the same."""
        rows = self._read(
            "SELECT content, checksum FROM series WHERE run = ? AND path = ? AND asked = ? AND token = ?",
            (os.fsencode(run), path, asked, token),
        )
        return _sound(*rows[0]) if rows else None

    def put_series(self, series: Iterable[tuple[str, str, str, str, bytes]]) -> None:
        """Keep series as they were sent: the run's file, the path, what was asked, the file's state, and the series."""
        rows = [
            (os.fsencode(run), path, asked, token, zlib.crc32(content), content)
            for run, path, asked, token, content in series
        ]
        if rows:
            self._write("INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?, ?, ?)", rows)

    def get_facts(self, project: str, name: str) -> list[tuple[str, str, bytes]]:
        """Of each run of ``project`` its file, its state, and what was stored under ``name``."""
        rows = self._read(
            "SELECT run, token, content, checksum FROM facts WHERE project = ? AND name = ?",
            (os.fsencode(project), name),
        )
        found = []
        for run, token, content, checksum in rows:
            sound = _sound(content, checksum)
            if sound is not None and isinstance(token, str) and isinstance(run, bytes):
                found.append((os.fsdecode(run), token, sound))
        return found

    def put_facts(self, project: str, facts: Iterable[tuple[str, str, str, bytes]]) -> None:
        """Keep what was read of some runs: under which name, the run's file, its state, and what it is."""
        rows = [
            (os.fsencode(project), name, os.fsencode(run), token, zlib.crc32(content), content)
            for name, run, token, content in facts
        ]
        if rows:
            self._write("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?)", rows)

    def forget(self, project: str, runs: Iterable[str]) -> None:
        """Remove what is about these runs."""
        names = [os.fsencode(run) for run in runs]
        if names:
            self._write("DELETE FROM facts WHERE project = ? AND run = ?", [(os.fsencode(project), n) for n in names])
            self._write("DELETE FROM rollup WHERE run = ?", [(name,) for name in names])
            self._write("DELETE FROM series WHERE run = ?", [(name,) for name in names])

    def _read(self, query: str, parameters: tuple[object, ...]) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock:
            try:
                connection = self._open()
                return [] if connection is None else connection.execute(query, parameters).fetchall()
            except (sqlite3.Error, OSError, ValueError) as error:
                self._give_up(error)
        return []

    def _write(self, statement: str, rows: list[tuple]) -> None:  # type: ignore[type-arg]
        with self._lock:
            try:
                connection = self._open()
                if connection is None:
                    return
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(statement, rows)
                connection.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is not None or self._is_given_up or self._path is None:
            return self._connection
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        found = self._path.lstat()
        if not stat.S_ISREG(found.st_mode) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
            raise OSError(f"{self._path} is no regular file, or belongs to somebody else")
        if found.st_size > _MAX_BYTES:
            self._remove()
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, factory=GatedConnection
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")  # what a power failure leaves is found by its checksums
        if not self._is_current():
            self._make_tables()
        return self._connection

    def _is_current(self) -> bool:
        assert self._connection is not None
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        return (version, application) == (_VERSION, _APPLICATION_ID)

    def _make_tables(self) -> None:
        assert self._connection is not None
        self._connection.execute("BEGIN IMMEDIATE")
        if not self._is_current():  # another server may just have made them
            for name in ("rollup", "series", "facts"):
                self._connection.execute(f"DROP TABLE IF EXISTS {name}")
            for statement in _TABLES:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")
        self._connection.execute("COMMIT")

    def _give_up(self, error: Exception) -> None:
        """Do without; a damaged file is removed, and made anew at the next start."""
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return  # another server is writing: this time without
        _logger.info("goodseed: %s can't be used, and nothing is kept: %s", self._path, error)
        self._is_given_up = True
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        if type(error) is sqlite3.DatabaseError or "no such" in str(error):
            self._remove()

    def _remove(self) -> None:
        assert self._path is not None
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.unlink(f"{self._path}{suffix}")


def _sound(content: object, checksum: object) -> bytes | None:
    return content if isinstance(content, bytes) and zlib.crc32(content) == checksum else None
