"""Keeps which series each run has."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, final

from goodseed.storage.cache.kept import Kept, KeptRow
from goodseed.storage.kinds import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from goodseed.storage.cache.file import CacheFile
    from goodseed.storage.kinds import Kind
    from goodseed.storage.summary import RunSummary

__all__ = ["SeriesCache", "SeriesPaths"]

_MAX_KEPT_SERIES: Final = 5_000  # a list of more is read from the run each time
_STORED_TOGETHER: Final = 500


@dataclass(frozen=True, slots=True)
class SeriesPaths:
    """The paths of a run's series that hold a point.

    Attributes:
        by_kind: Those of each kind, sorted, by the kind's name.
    """

    by_kind: Mapping[str, tuple[str, ...]]

    def of(self, kind: Kind) -> tuple[str, ...]:
        """Those of one kind."""
        return self.by_kind.get(kind.name, ())

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those of the metrics."""
        return self.of(NUMBERS)


class _Known(NamedTuple):
    run: RunSummary | None
    token: str
    paths: SeriesPaths


@final
class SeriesCache:
    """The series of the runs under a directory, for any number of threads.

    What was read of a run at rest holds as long as its file is unchanged. A running run only ever gets more series, and
    its summary counts them: what was read of it holds for as long as the numbers do.
    """

    def __init__(self, file: CacheFile) -> None:
        """They are kept in ``file``, and in memory."""
        self._stored: Final = Kept(file, "series", ("run",), is_large=False)
        self._lock: Final = threading.Lock()
        self._known: dict[str, _Known] | None = None
        self._paths: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}
        self._waiting: Final[list[KeptRow]] = []

    def get(self, run: RunSummary) -> SeriesPaths | None:
        """The series of ``run``; None where they have to be read."""
        with self._lock:
            if self._known is None:
                self._known = self._load()
            known = self._known.get(run.path)
            if known is None:
                return None
            if known.run is not run:
                if known.token != _token(run):
                    return None
                self._known[run.path] = known._replace(run=run)
        return known.paths

    def put(self, run: RunSummary, paths: SeriesPaths) -> None:
        """Keep the series of ``run``, unless one of them has no point yet, or they are very many."""
        counts = {name: len(found) for name, found in paths.by_kind.items()}
        if counts != run.series_counts or sum(counts.values()) > _MAX_KEPT_SERIES:
            return
        row = KeptRow((run.path,), _token(run), json.dumps(paths.by_kind).encode())
        with self._lock:
            if self._known is not None:
                self._known[run.path] = _Known(run, row.token, self._shared(paths.by_kind))
            self._waiting.append(row)
            if len(self._waiting) >= _STORED_TOGETHER:
                self._store()

    def forget(self, paths: Iterable[str]) -> None:
        """Remove what is kept of the runs with these files, which are gone."""
        gone = list(paths)
        with self._lock:
            for path in gone:
                if self._known is not None:
                    self._known.pop(path, None)
            self._waiting[:] = [row for row in self._waiting if row.keys[0] not in gone]
            self._stored.forget(["run"], [(path,) for path in gone])

    def close(self) -> None:
        """Store what is not stored yet."""
        with self._lock:
            if self._waiting:
                self._store()

    def _shared(self, by_kind: Mapping[str, tuple[str, ...]]) -> SeriesPaths:
        """Runs of one script have the same series: one tuple of them in memory is enough."""
        return SeriesPaths({name: self._paths.setdefault(paths, paths) for name, paths in by_kind.items()})

    def _load(self) -> dict[str, _Known]:
        return {
            run: _Known(None, token, self._shared({name: tuple(paths) for name, paths in json.loads(content).items()}))
            for (run,), token, content in self._stored.rows()
        }

    def _store(self) -> None:
        self._stored.put(self._waiting)
        self._waiting.clear()


def _token(run: RunSummary) -> str:
    """The token of the run's file, as of its summary, so that no file has to be looked at for each request.

    A running run changes all the time, and its series only with their number.
    """
    return f"{run.created_at} {json.dumps(run.series_counts)}" if run.state == "running" else run.token
