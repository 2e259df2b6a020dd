"""Implements the store of `goodseed serve` over a catalog, and stores that show others."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from operator import is_
from typing import TYPE_CHECKING, Final, final

from goodseed.errors import GoodseedError, RunNotFoundError
from goodseed.paths import RUN_SUFFIX, check_project, check_run_id
from goodseed.server.open_runs import OpenRuns
from goodseed.server.queries import ServedRun
from goodseed.server.routes import SharedState
from goodseed.server.settings import SettingsFiles
from goodseed.storage.cache.series import SeriesPaths
from goodseed.storage.catalog import Catalog, ProjectSummary, RunSummary
from goodseed.storage.edits import edit_run
from goodseed.storage.summary import by_run_id

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from goodseed.server.open_runs import OpenRun
    from goodseed.server.routes import Settings, Store
    from goodseed.storage.cache.file import CacheFile
    from goodseed.storage.edits import Edits

__all__ = ["CatalogStore", "StoreView"]

_FRESH_SECONDS: Final = 1.0
_CLOCK_SECONDS: Final = 2.0  # a network file system has a clock of its own
_MAX_AGE_SECONDS: Final = 1.8  # until then an answer does not wait for the next look, which is taken meanwhile


@final
class _Project:
    """The runs of one project as of one look."""

    __slots__ = ("by_id", "runs", "summary")

    def __init__(self, runs: list[RunSummary], by_id: dict[str, RunSummary], summary: ProjectSummary) -> None:
        self.runs: Final = runs
        self.by_id: Final = by_id
        self.summary: Final = summary

    @classmethod
    def of(cls, name: str, runs: list[RunSummary]) -> _Project:
        """The project of these runs."""
        return cls(runs, by_run_id(runs), ProjectSummary.of(name, runs))

    def updated(self, changed: Mapping[str, RunSummary]) -> _Project:
        """The same after another look, at which the runs with these files were found changed."""
        by_id, before = self.by_id.copy(), []
        runs = [changed.get(run.path, run) for run in self.runs]
        for old, new in zip(self.runs, runs, strict=True):
            if old is not new:
                before.append(old)
                if by_id[old.run_id] is old:
                    by_id[old.run_id] = new
        return _Project(
            runs, by_id, self.summary.after(before, changed.values()) or self.summary.of(self.summary.name, runs)
        )


@final
class _Listing:
    """What one look at the directory found; what has not changed is that of the look before."""

    __slots__ = ("looked_at", "looked_at_wall", "projects", "runs")

    def __init__(
        self, catalog: Catalog, before: _Listing | None, on_progress: Callable[[int, int], None] | None
    ) -> None:
        self.looked_at: Final = time.monotonic()
        self.looked_at_wall: Final = time.time()
        self.runs: Final = catalog.runs(on_progress=on_progress)
        self.projects: dict[str, _Project]
        changed = None if before is None else _changed(before.runs, self.runs)
        if before is not None and changed is not None:
            self.projects = before.projects.copy()
            for name in {run.project for run in changed.values()}:
                own = {path: run for path, run in changed.items() if run.project == name}
                self.projects[name] = before.projects[name].updated(own)
            return
        by_project: dict[str, list[RunSummary]] = {}
        for run in self.runs:
            by_project.setdefault(run.project, []).append(run)
        known = {} if before is None else before.projects
        self.projects = {
            name: known[name] if name in known and _are_same(known[name].runs, runs) else _Project.of(name, runs)
            for name, runs in sorted(by_project.items())
        }

    def run(self, project: str, run_id: str) -> RunSummary | None:
        """One run; None where there is none."""
        found = self.projects.get(project)
        return None if found is None else found.by_id.get(run_id)


def _changed(before: list[RunSummary], runs: list[RunSummary]) -> dict[str, RunSummary] | None:
    """The runs that are others than before, by their files; None where they are not the same files in the same order.

    One live run among a hundred thousand must not cost all of them, each second.
    """
    if len(before) != len(runs):
        return None
    changed = {}
    for old, new in zip(before, runs, strict=True):
        if old is not new:
            if old.path != new.path or old.project != new.project:
                return None
            changed[new.path] = new
    return changed


def _are_same(one: list[RunSummary], other: list[RunSummary]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


class StoreView:
    """A store that shows another one: what it shows in a different way is overridden."""

    def __init__(self, origin: Store) -> None:
        """Nothing is read yet."""
        self._origin: Final = origin

    @property
    def cache(self) -> CacheFile:
        """The file in which what took long to find out is kept."""
        return self._origin.cache

    @property
    def is_local(self) -> bool:
        """Whether these are the files that training processes write."""
        return self._origin.is_local

    @property
    def shared(self) -> SharedState:
        """What handlers keep, once for all who see a part of it."""
        return self._origin.shared

    @property
    def settings(self) -> Settings:
        """What users have set beside the runs."""
        return self._origin.settings

    def check_change(self, project: str | None) -> None:
        """Refuse a client that may not change what is in ``project``."""
        self._origin.check_change(project)

    def look(self) -> None:
        """Let the next answer show what is there now."""
        self._origin.look()

    def projects(self) -> list[ProjectSummary]:
        """Every project, by name."""
        return self._origin.projects()

    def runs(self, project: str | None = None) -> list[RunSummary]:
        """The runs of one project, or all, the newest first."""
        return self._origin.runs(project)

    def find(self, project: str, run_id: str) -> RunSummary:
        """One run."""
        return self._origin.find(project, run_id)

    def open(self, project: str, run_id: str) -> ServedRun:
        """A reader of one run, for the caller to close."""
        return self._origin.open(project, run_id)

    def reading(self, run: RunSummary) -> AbstractContextManager[OpenRun]:
        """One run, open to be read."""
        return self._origin.reading(run)

    def series_paths(self, run: RunSummary) -> SeriesPaths:
        """Which series ``run`` has."""
        return self._origin.series_paths(run)

    def edit(self, project: str, run_id: str, edits: Edits) -> None:
        """Change a run."""
        self._origin.edit(project, run_id, edits)


@final
class CatalogStore:
    """The runs under a directory, for any number of threads. A change shows within two seconds.

    Use `close` at the end.

    Attributes:
        cache: The file in which what took long to find out about these runs is kept.
        is_local: True: these are the files that training processes write.
        shared: What handlers keep about these runs.
        settings: What users have set beside the runs: one file a project, in its directory.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None, *, is_exact: bool = False) -> None:
        """Nothing is read yet; the arguments are those of `goodseed.storage.catalog.Catalog`."""
        self._catalog: Final = Catalog(root, is_exact=is_exact)
        self.cache: Final = self._catalog.cache
        self.is_local: Final = True
        self.shared: Final = SharedState(self)
        self.settings: Final[Settings] = SettingsFiles(self._catalog.root)
        self._open: Final = OpenRuns()
        self._lock: Final = threading.Lock()
        self._is_looking = False
        self._is_closed = False
        self._listing: _Listing | None = None

    @property
    def root(self) -> Path:
        """The directory."""
        return self._catalog.root

    def close(self) -> None:
        """Close all files."""
        self.shared.close()
        self._open.close()
        with self._lock:
            self._is_closed = True
            self._catalog.close()

    def check_change(self, project: str | None) -> None:
        """Whoever may read these files may change them."""

    def look(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Look at the directory now, so that the first request need not wait for it.

        Args:
            on_progress: Called now and then with how many of how many changed runs have been read.
        """
        with self._lock:
            self._listing = _Listing(self._catalog, self._listing, on_progress)

    def projects(self) -> list[ProjectSummary]:
        """Every project, by name."""
        return [project.summary for project in self._current().projects.values()]

    def runs(self, project: str | None = None) -> list[RunSummary]:
        """The runs of one project, or all, the newest first; the list is not to be changed."""
        listing = self._current()
        if project is None:
            return listing.runs
        if project not in listing.projects and self._has_since(listing, project):
            listing = self._look_now()
        found = listing.projects.get(project)
        return [] if found is None else found.runs

    def find(self, project: str, run_id: str) -> RunSummary:
        """One run; of two with these names the one whose place says so.

        Raises:
            RunNotFoundError: There is no such run.
        """
        listing = self._current()
        if listing.run(project, run_id) is None and self._has_since(listing, project, run_id):
            listing = self._look_now()
        run = listing.run(project, run_id)
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

    def reading(self, run: RunSummary) -> AbstractContextManager[OpenRun]:
        """One run, open to be read for some queries; a run at rest is kept open for the next.

        Raises:
            RunNotFoundError: It is gone.
            FileFormatError: It is damaged.
        """
        return self._open.reading(run)

    def series_paths(self, run: RunSummary) -> SeriesPaths:
        """Which series ``run`` has; none where it can't be read any more."""
        known = self._catalog.series.get(run)
        if known is not None:
            return known
        try:
            with self.reading(run) as reader:
                paths = reader.series_paths()
        except (GoodseedError, OSError):
            return SeriesPaths({})
        self._catalog.series.put(run, paths)
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
            # What was there before the listing, and is not in it, is not a run, and no reason to look again.
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
                self._listing = _Listing(self._catalog, self._listing, None)
            return self._listing

    def _look_again(self) -> None:
        try:
            with self._lock:
                if not self._is_closed:
                    self._listing = _Listing(self._catalog, self._listing, None)
        except (GoodseedError, OSError, sqlite3.Error):  # the next request reports it
            self._listing = None
        finally:
            self._is_looking = False
