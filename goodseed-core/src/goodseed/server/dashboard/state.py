"""Keeps what the dashboard's handlers know of one store between requests."""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

from goodseed.errors import RunNotFoundError
from goodseed.server.dashboard.project.project_state import ProjectState
from goodseed.server.routes import RequestError
from goodseed.storage.cache.kept import Kept
from goodseed.storage.rollup.kept import Rollups

if TYPE_CHECKING:
    from collections.abc import Collection

    from goodseed.server.dashboard.project.entry import Entry
    from goodseed.server.routes import Request, Settings, SharedState, Store

__all__ = ["DashboardState", "dashboard_of"]


@final
class DashboardState:
    """What is kept of one store, for all of its projects; for any number of threads.

    Attributes:
        charts: Series as they were sent, also by earlier servers: by the run's file, the path, and what else was asked.
        rollups: Of long series.
        settings: What users have set beside the runs.
        shared: What single rooms of the dashboard keep.
        reading: Opens a run, as `goodseed.server.routes.Store.reading`.
    """

    def __init__(self, store: Store) -> None:
        """Nothing is read yet."""
        self.charts: Final = Kept(store.cache, "chart", ("run", "path", "asked"))
        self.rollups: Final = Rollups(store.cache)
        self.settings: Final[Settings] = store.settings
        self.shared: Final[SharedState] = store.shared
        self._start: Final = secrets.token_hex(4)
        self._facts: Final = Kept(store.cache, "fact", ("project", "name", "run"))
        self.reading: Final = store.reading
        self._lock: Final = threading.Lock()
        self._projects: Final[dict[str, ProjectState]] = {}

    def close(self) -> None:
        """There is nothing to close: the store keeps runs open."""

    def forget(self, project: str, runs: Collection[str]) -> None:
        """Remove what is kept about the files of runs that are gone."""
        self._facts.forget(["project", "run"], [(project, run) for run in runs])
        self.rollups.forget(runs)
        self.charts.forget(["run"], [(run,) for run in runs])

    def project(self, store: Store, name: str) -> ProjectState:
        """The project ``name``, as of now.

        Args:
            store: The runs that the caller may see.
            name: The project.

        Raises:
            RequestError: There is no such run or project.
        """
        runs = store.runs(name)
        if not runs:
            raise RequestError(f"There is no project {name!r:.200}", status=404, code="not_found")
        with self._lock:
            project = self._projects.get(name)
            if project is None:
                project = ProjectState(name, self._start, self.settings, self._facts, self.reading, self.forget)
                self._projects[name] = project
        project.refresh(runs)
        return project

    def find(self, store: Store, request: Request) -> tuple[ProjectState, Entry]:
        """The run that a request names, and its project, as of now.

        Raises:
            RequestError: There is no such run or project.
        """
        name, run_id = request.parameters["project"], request.parameters["run_id"]
        project = self.project(store, name)
        if project.entry(run_id) is None:
            with suppress(RunNotFoundError):
                store.find(name, run_id)  # it may have been made since the last listing
            project = self.project(store, name)
        return project, project.the_entry(run_id)

    def entry(self, store: Store, request: Request) -> Entry:
        """The run that a request names, as `find`."""
        return self.find(store, request)[1]


def dashboard_of(store: Store) -> DashboardState:
    """What is kept about ``store``, for as long as it is there."""
    return store.shared.get(DashboardState)
