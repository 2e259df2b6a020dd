"""Implements the store of `goodseed serve` over a catalog."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Final, final

from goodseed.errors import GoodseedError, RunNotFoundError
from goodseed.paths import RUN_SUFFIX, check_project, check_run_id
from goodseed.server.queries import ServedRun
from goodseed.server.routes import SharedState
from goodseed.server.settings import SettingsFiles
from goodseed.storage.cache.series import SeriesCache, SeriesPaths
from goodseed.storage.catalog import Catalog, ProjectSummary, RunSummary
from goodseed.storage.edits import edit_run
from goodseed.storage.summary import by_run_id

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from goodseed.storage.cache.file import CacheFile
    from goodseed.storage.edits import Edits

__all__ = ["CatalogStore"]

_FRESH_SECONDS: Final = 1.0
_CLOCK_SECONDS: Final = 2.0  # a network file system has a clock of its own
_MAX_AGE_SECONDS: Final = 1.8  # until then an answer does not wait for the next look, which is taken meanwhile


@final
class _Listing:
    """What one look at the directory found."""

    __slots__ = ("by_name", "by_project", "looked_at", "looked_at_wall", "projects", "runs")

    def __init__(self, catalog: Catalog, on_progress: Callable[[int, int], None] | None) -> None:
        self.looked_at: Final = time.monotonic()
        self.looked_at_wall: Final = time.time()
        self.runs: Final = catalog.runs(on_progress=on_progress)
        self.by_project: Final[dict[str, list[RunSummary]]] = {}
        for run in self.runs:
            self.by_project.setdefault(run.project, []).append(run)
        self.by_name: Final = {
            (project, run_id): run
            for project, runs in self.by_project.items()
            for run_id, run in by_run_id(runs).items()
        }
        self.projects: Final = [ProjectSummary.of(project, runs) for project, runs in sorted(self.by_project.items())]


@final
class CatalogStore:
    """The runs under a directory, for any number of threads. A change shows within two seconds.

    Use `close` at the end.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None, *, is_exact: bool = False) -> None:
        """Nothing is read yet; the arguments are those of `goodseed.storage.catalog.Catalog`."""
        self._catalog: Final = Catalog(root, is_exact=is_exact)
        self._series: Final = SeriesCache(self._catalog.cache)
        self._settings: Final = SettingsFiles(self._catalog.root)
        self._shared: Final = SharedState(self)
        self._lock: Final = threading.Lock()
        self._is_looking = False
        self._is_closed = False
        self._listing: _Listing | None = None

    @property
    def root(self) -> Path:
        """The directory."""
        return self._catalog.root

    @property
    def cache(self) -> CacheFile:
        """The file in which what took long to find out about these runs is kept."""
        return self._catalog.cache

    @property
    def is_local(self) -> bool:
        """These are the files that training processes write."""
        return True

    @property
    def shared(self) -> SharedState:
        """What handlers keep about these runs."""
        return self._shared

    @property
    def settings(self) -> SettingsFiles:
        """One file a project, in its directory."""
        return self._settings

    def close(self) -> None:
        """Close all files."""
        self._shared.close()
        with self._lock:
            self._is_closed = True
            self._series.close()
            self._catalog.close()

    def look(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Look at the directory now, so that the first request need not wait for it.

        Args:
            on_progress: Called now and then with how many of how many changed runs have been read.
        """
        with self._lock:
            self._listing = _Listing(self._catalog, on_progress)

    def projects(self) -> list[ProjectSummary]:
        """Every project, by name."""
        return list(self._current().projects)

    def runs(self, project: str | None = None) -> list[RunSummary]:
        """The runs of one project, or all, the newest first."""
        listing = self._current()
        if project is None:
            return list(listing.runs)
        if project not in listing.by_project and self._has_since(listing, project):
            listing = self._look_now()
        return list(listing.by_project.get(project, ()))

    def find(self, project: str, run_id: str) -> RunSummary:
        """One run; of two with these names the one whose place says so.

        Raises:
            RunNotFoundError: There is no such run.
        """
        listing = self._current()
        if (project, run_id) not in listing.by_name and self._has_since(listing, project, run_id):
            listing = self._look_now()
        run = listing.by_name.get((project, run_id))
        if run is None:
            raise RunNotFoundError(f"Run not found: {project}/{run_id}")
        return run

    def open(self, project: str, run_id: str) -> ServedRun:
        """A reader of one run, for the caller to close.

        Raises:
            RunNotFoundError: There is no such run.
            FileFormatError: Its file is damaged.
        """
        return ServedRun(self.find(project, run_id).files)

    def series_paths(self, run: RunSummary) -> SeriesPaths:
        """Which series ``run`` has; none where it can't be read any more."""
        known = self._series.get(run)
        if known is not None:
            return known
        try:
            reader = ServedRun(run.files)
        except (GoodseedError, OSError):
            return SeriesPaths({})
        try:
            paths = reader.series_paths()
        finally:
            reader.close()
        self._series.put(run, paths)
        return paths

    def edit(self, project: str, run_id: str, edits: Edits) -> None:
        """Change a run; `look` shows it at once.

        Raises:
            RunNotFoundError: There is no such run.
            RunInUseError: Its writer leaves no room, or it is running and is to be moved to the trash.
            FileFormatError, OSError: It can't be written.
        """
        edit_run(self.find(project, run_id).files, edits)

    def _has_since(self, listing: _Listing, project: str, run_id: str = "") -> bool:
        """Whether the disk has a project or a run that ``listing`` does not: a run is there as soon as its file is."""
        try:
            directory = self.root.joinpath(*check_project(project).split("/"), "runs")
            place = directory / f"{check_run_id(run_id)}{RUN_SUFFIX}" if run_id else directory
            # What was there before the listing, and is not in it, is no run, and no reason to look again.
            return place.stat().st_ctime >= listing.looked_at_wall - _CLOCK_SECONDS
        except (GoodseedError, OSError, ValueError):
            return False

    def _look_now(self) -> _Listing:
        self.look()
        return self._current()

    def _current(self) -> _Listing:
        listing = self._listing
        age = math.inf if listing is None else time.monotonic() - listing.looked_at
        if listing is not None and age < _MAX_AGE_SECONDS:
            if age >= _FRESH_SECONDS and not self._is_looking:
                self._is_looking = True
                threading.Thread(target=self._look_again, name="goodseed-listing", daemon=True).start()
            return listing
        with self._lock:
            if self._listing is None or time.monotonic() - self._listing.looked_at >= _FRESH_SECONDS:
                self._listing = _Listing(self._catalog, None)
            return self._listing

    def _look_again(self) -> None:
        try:
            with self._lock:
                if not self._is_closed:
                    self._listing = _Listing(self._catalog, None)
        except (GoodseedError, OSError, sqlite3.Error):  # whoever asks next is told
            self._listing = None
        finally:
            self._is_looking = False
