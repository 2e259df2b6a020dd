"""Keeps which series each run has."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from goodseed.storage.cache.file import CacheFile, Table

if TYPE_CHECKING:
    from goodseed.storage.summary import RunSummary

__all__ = ["SeriesCache", "SeriesPaths"]

_MAX_KEPT_SERIES: Final = 5_000  # a list of more is read from the run each time
_STORED_TOGETHER: Final = 500
_TABLE: Final = Table("series", "run BLOB PRIMARY KEY, token TEXT NOT NULL, paths TEXT NOT NULL")


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

    def __init__(self, file: CacheFile) -> None:
        """They are kept in ``file``, and in memory."""
        self._file: Final = file
        self._lock: Final = threading.Lock()
        self._known: dict[str, tuple[str, SeriesPaths]] | None = None
        self._paths: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}
        self._waiting: Final[list[tuple[bytes, str, str]]] = []
        file.add(_TABLE)

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
            if len(self._waiting) >= _STORED_TOGETHER:
                self._store()

    def close(self) -> None:
        """Store what is not yet."""
        with self._lock:
            if self._waiting:
                self._store()

    def _shared(self, metrics: tuple[str, ...], texts: tuple[str, ...]) -> SeriesPaths:
        """Runs of one script have the same series: one tuple of them in memory is enough."""
        return SeriesPaths(self._paths.setdefault(metrics, metrics), self._paths.setdefault(texts, texts))

    def _load(self) -> dict[str, tuple[str, SeriesPaths]]:
        known: dict[str, tuple[str, SeriesPaths]] = {}
        try:
            for run, token, paths in self._file.read("SELECT run, token, paths FROM series", ()):
                metrics, texts = json.loads(paths)
                known[os.fsdecode(run)] = (token, self._shared(tuple(metrics), tuple(texts)))
        except (ValueError, TypeError) as error:
            self._file.recover(error)
        return known

    def _store(self) -> None:
        self._file.write("INSERT OR REPLACE INTO series VALUES (?, ?, ?)", self._waiting)
        self._waiting.clear()


def _token(run: RunSummary) -> str:
    """Series are told by the summary, which was read under the file's own token: no file is looked at for each request.

    A live run changes all the time, and its series only with their number.
    """
    ended = "" if run.state == "running" else f"{run.modified_at} {run.closed_at} {run.config_count}"
    return f"{run.created_at} {run.metric_count} {run.text_count} {ended}"
