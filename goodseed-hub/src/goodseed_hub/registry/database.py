"""Runs the registry's statements on SQLite or PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from goodseed.storage.forks import GatedConnection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Database", "SqliteDatabase"]

_BUSY_SECONDS: Final = 30.0


class Database(Protocol):
    """Runs statements whose parameters are written ``?``; for any number of threads."""

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    def execute(self, statement: str, *parameters: object) -> int:
        """Do something, durably unless in a transaction; returns how many rows it changed."""

    def execute_many(self, statement: str, parameters: Sequence[Sequence[object]]) -> None:
        """Do the same for many."""

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """What this thread does inside of it happens together, or not at all."""

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """As `transaction`, while no other process is in such a block."""

    def close(self) -> None:
        """Close all connections."""


class SqliteDatabase:
    """A file of its own, which other processes may use too."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it.

        Raises:
            sqlite3.Error: It can't be opened.
        """
        self._lock: Final = threading.RLock()
        self._depth = 0
        self._connection: Final = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, factory=GatedConnection
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def execute(self, statement: str, *parameters: object) -> int:
        """Do something."""
        with self._lock:
            return self._connection.execute(statement, parameters).rowcount

    def execute_many(self, statement: str, parameters: Sequence[Sequence[object]]) -> None:
        """Do the same for many."""
        with self._lock:
            self._connection.executemany(statement, parameters)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything or nothing."""
        with self._lock:
            if self._depth:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth = 0

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """The same: SQLite has one writer at a time."""
        return self.transaction()

    def backup(self, path: Path) -> None:
        """Write a copy of the current state to ``path``, where there is no file yet."""
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with self._lock, contextlib.closing(sqlite3.connect(path, factory=GatedConnection)) as copy:
            self._connection.backup(copy)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
