"""Which series each run has, kept from one start of the server to the next in a file that may be deleted."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import stat
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from goodseed.storage.forks import GatedConnection

if TYPE_CHECKING:
    from pathlib import Path

    from goodseed.storage.catalog import RunSummary

__all__ = ["CACHE_NAME", "SeriesCache", "SeriesPaths"]

CACHE_NAME: Final = ".goodseed-series.sqlite"
_logger: Final = logging.getLogger("goodseed")
_MAX_KEPT_SERIES: Final = 5_000  # a list of more is read from the run each time
_COMMIT_EVERY: Final = 500
_BUSY_SECONDS: Final = 0.2
_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS series_1 (
        path BLOB PRIMARY KEY, token TEXT NOT NULL, series TEXT NOT NULL
    ) WITHOUT ROWID"""


@dataclass(frozen=True, slots=True)
class SeriesPaths:
    """The paths of a run's series that hold a point, each tuple sorted."""

    metrics: tuple[str, ...]
    texts: tuple[str, ...]


@final
class SeriesCache:
    """The series of the runs under a directory, for any number of threads.

    A run only ever gets more series, and its summary counts them: what was read holds for as long as the numbers do.
    """

    def __init__(self, root: Path) -> None:
        self._root: Final = root
        self._lock: Final = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._known: dict[str, tuple[str, SeriesPaths]] | None = None
        self._paths: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}
        self._waiting: Final[list[tuple[bytes, str, str]]] = []

    def get(self, run: RunSummary) -> SeriesPaths | None:
        """The series of ``run``; None where they have to be read."""
        with self._lock:
            if self._known is None:
                self._known = self._load()
            token, paths = self._known.get(run.path, ("", None))
        return paths if token == _token(run) else None

    def put(self, run: RunSummary, paths: SeriesPaths) -> None:
        """Keep the series of ``run``, unless one of them has no point yet, or they are very many."""
        if (len(paths.metrics), len(paths.texts)) != (run.metric_count, run.text_count):
            return
        if len(paths.metrics) + len(paths.texts) > _MAX_KEPT_SERIES:
            return
        row = (os.fsencode(run.path), _token(run), json.dumps([paths.metrics, paths.texts]))
        with self._lock:
            if self._known is not None:
                self._known[run.path] = (row[1], self._shared(paths.metrics, paths.texts))
            self._waiting.append(row)
            if len(self._waiting) >= _COMMIT_EVERY:
                self._store()

    def close(self) -> None:
        """Store what is not yet, and close the file."""
        with self._lock:
            if self._waiting:
                self._store()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _shared(self, metrics: tuple[str, ...], texts: tuple[str, ...]) -> SeriesPaths:
        """Runs of one script have the same series: one tuple of them in memory is enough."""
        return SeriesPaths(self._paths.setdefault(metrics, metrics), self._paths.setdefault(texts, texts))

    def _load(self) -> dict[str, tuple[str, SeriesPaths]]:
        known: dict[str, tuple[str, SeriesPaths]] = {}
        try:
            for path, token, series in self._open().execute("SELECT path, token, series FROM series_1"):
                metrics, texts = json.loads(series)
                known[os.fsdecode(path)] = (token, self._shared(tuple(metrics), tuple(texts)))
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:
            self._give_up(error)
        return known

    def _store(self) -> None:
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO series_1 VALUES (?, ?, ?)", self._waiting)
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        self._waiting.clear()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            path = self._root / CACHE_NAME
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            if not stat.S_ISREG(path.lstat().st_mode):
                raise OSError(f"{path} is not a regular file")
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, factory=GatedConnection
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(_TABLE)
        return self._connection

    def _give_up(self, error: Exception) -> None:
        """Go on in memory; a damaged file is removed, and made anew at the next start."""
        _logger.info("goodseed: the list of series of %s is kept in memory: %s", self._root, error)
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        if isinstance(error, (ValueError, TypeError)) or type(error) is sqlite3.DatabaseError:
            with contextlib.suppress(OSError):
                (self._root / CACHE_NAME).unlink(missing_ok=True)
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False, factory=GatedConnection
        )
        self._connection.execute(_TABLE)


def _token(run: RunSummary) -> str:
    return f"{run.created_at} {run.metric_count} {run.text_count}"
