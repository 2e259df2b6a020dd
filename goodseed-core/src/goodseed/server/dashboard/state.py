"""What the dashboard's handlers share about one store: open runs, rollups, and what they know of each project."""

from __future__ import annotations

import secrets
import threading
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, final

from goodseed.errors import RunNotFoundError
from goodseed.server.dashboard.charts.memory import SeriesMemory
from goodseed.server.dashboard.projects import Project
from goodseed.server.dashboard.run.log_order import LogOrders
from goodseed.server.dashboard.run.open_run import OpenRun
from goodseed.server.routes import RequestError
from goodseed.storage.cache.file import CacheFile
from goodseed.storage.reader import rest_token
from goodseed.storage.rollup.changes import Changes
from goodseed.storage.rollup.kept import Rollups

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from goodseed.server.dashboard.projects import Entry
    from goodseed.server.routes import Request, Settings, Store
    from goodseed.storage.catalog import RunSummary

__all__ = ["Desk", "close", "desk_of"]

_MAX_READERS: Final = 128


@final
class Desk:
    """What is kept between requests; for any number of threads.

    Attributes:
        cache: What outlives the server.
        rollups: Of long series.
        changes: Where points of runs that are being written change.
        series: Short series, as they were last read.
        logs: The order of the lines of logs.
        settings: What users have set beside the runs.
        start: Another text for each start of a server.
    """

    def __init__(self, root: Path, settings: Settings) -> None:
        self.cache: Final = CacheFile(root)
        self.rollups: Final = Rollups(self.cache)
        self.changes: Final = Changes()
        self.series: Final = SeriesMemory()
        self.logs: Final = LogOrders()
        self.settings: Final = settings
        self.start: Final = secrets.token_hex(4)
        self._lock: Final = threading.Lock()
        self._readers: Final[dict[str, tuple[str, OpenRun]]] = {}
        self._projects: Final[dict[str, Project]] = {}

    def close(self) -> None:
        """Close all files; what is asked later opens them again."""
        with self._lock:
            readers = [reader for _, reader in self._readers.values()]
            self._readers.clear()
        for reader in readers:
            reader.close()
        self.cache.close()

    def project(self, store: Store, name: str) -> Project:
        """The project ``name``, as of now.

        Raises:
            RequestError: There is none.
        """
        runs = store.runs(name)
        if not runs:
            raise RequestError(f"There is no project {name!r:.200}", status=404, code="not_found")
        with self._lock:
            project = self._projects.setdefault(name, Project(name, self))
        project.refresh(store, runs)
        return project

    def entry(self, store: Store, request: Request) -> Entry:
        """The run that a request names, as of now.

        Raises:
            RequestError: There is none.
        """
        name, run_id = request.parameters["project"], request.parameters["run_id"]
        project = self.project(store, name)
        if project.entry(run_id) is None:
            with suppress(RunNotFoundError):
                store.find(name, run_id)  # it may have been made since the last listing
            project = self.project(store, name)
        return project.the_entry(run_id)

    @contextmanager
    def reading(self, run: RunSummary) -> Iterator[OpenRun]:
        """An open run. One that nobody writes stays open for later, unless its file changes.

        Raises:
            RunNotFoundError: It is gone.
            FileFormatError: It is damaged.
        """
        token = rest_token(run.files)
        reader = self._take(run.path, token) or OpenRun(run.files)
        reader.renew()
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        if token is None or rest_token(run.files) != token:
            reader.close()
        else:
            self._give_back(run.path, token, reader)

    def _take(self, path: str, token: str | None) -> OpenRun | None:
        with self._lock:
            known_token, reader = self._readers.pop(path, (None, None))
        if reader is not None and known_token != token:
            reader.close()
            return None
        return reader

    def _give_back(self, path: str, token: str, reader: OpenRun) -> None:
        with self._lock:
            old = [self._readers.pop(path, None)]
            self._readers[path] = (token, reader)
            while len(self._readers) > _MAX_READERS:
                old.append(self._readers.pop(next(iter(self._readers))))
        for entry in old:
            if entry is not None:
                entry[1].close()


_desks: Final[weakref.WeakKeyDictionary[Store, Desk]] = weakref.WeakKeyDictionary()
_desks_lock: Final = threading.Lock()


def desk_of(store: Store) -> Desk:
    """What is kept about ``store``, for as long as it is there.

    A view of a part of another store names that as its ``origin``, and shares what is kept of it.
    """
    store = store.origin
    with _desks_lock:
        desk = _desks.get(store)
        if desk is None:
            desk = _desks[store] = Desk(store.root, store.settings)
            weakref.finalize(store, desk.close)
        return desk


def close(store: Store) -> None:
    """Close the files that are open for ``store``, which may be used on."""
    with _desks_lock:
        desk = _desks.get(store)
    if desk is not None:
        desk.close()
