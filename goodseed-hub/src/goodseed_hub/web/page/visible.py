"""Offers the dashboard's handlers the runs that a caller may see."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, final

from goodseed.errors import RunInUseError, RunNotFoundError
from goodseed.server.routes import RequestError, SharedState
from goodseed.server.store import CatalogStore, StoreView
from goodseed.storage.catalog import ProjectSummary
from goodseed_hub.stores.base import Change
from goodseed_hub.web.page.shared_settings import SharedSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from goodseed.server.queries import ServedRun
    from goodseed.server.routes import Settings
    from goodseed.storage.catalog import RunSummary
    from goodseed.storage.edits import Edits
    from goodseed_hub.registry.directory import RunRecord
    from goodseed_hub.service import Hub

__all__ = ["AllRuns", "VisibleRuns"]

_FRESH_SECONDS: Final = 1.0


class _Copying:
    """The copies of one project's runs."""

    __slots__ = ("done_at", "lock")

    def __init__(self) -> None:
        self.lock: Final = threading.Lock()
        self.done_at = -math.inf


@final
class AllRuns(StoreView):
    """All runs of a hub, out of the run files and the registry; for any number of threads."""

    def __init__(self, hub: Hub) -> None:
        self._hub: Final = hub
        self._catalog: Final = CatalogStore(hub.store.root, is_exact=True)
        super().__init__(self._catalog)
        self._shared: Final = SharedState(self)
        self._lock: Final = threading.Lock()
        self._looked_at = 0.0
        self._copying: Final[dict[str, _Copying]] = {}
        self._records: dict[tuple[str, str], RunRecord] = {}
        self._projects: dict[str, list[RunRecord]] = {}
        self._statuses: dict[tuple[str, str], str] = {}
        self._known: dict[str, tuple[RunSummary, RunSummary]] = {}
        self._settings: Final = SharedSettings(hub) if hub.store.is_shared else self._catalog.settings

    @property
    def is_local(self) -> bool:
        """They are a remote's."""
        return False

    @property
    def shared(self) -> SharedState:
        """What handlers keep about these runs."""
        return self._shared

    @property
    def settings(self) -> Settings:
        """What users have set beside the runs."""
        return self._settings

    def close(self) -> None:
        """Close all files."""
        self._shared.close()
        self._catalog.close()

    def look(self) -> None:
        """Look at everything again."""
        with self._lock:
            self._looked_at = 0.0
        self._refresh()
        self._catalog.look()

    def projects(self, workspaces: frozenset[str] | None = None) -> list[ProjectSummary]:
        """Every project of ``workspaces``, or of all, that has runs, by name."""
        found: dict[str, list[RunSummary]] = {}
        for run in self.runs_of(workspaces):
            found.setdefault(run.project, []).append(run)
        return [ProjectSummary.of(name, runs) for name, runs in sorted(found.items())]

    def runs_of(self, workspaces: frozenset[str] | None) -> list[RunSummary]:
        """The runs of ``workspaces``, or of all."""
        self._refresh()
        self._copy(name for name in self._projects if workspaces is None or _workspace(name) in workspaces)
        runs = self._catalog.runs()
        return [self._as_known(run) for run in runs if workspaces is None or _workspace(run.project) in workspaces]

    def runs(self, project: str | None = None) -> list[RunSummary]:
        """The runs of a project, or of all."""
        if project is None:
            return self.runs_of(None)
        self._refresh()
        self._copy([project])
        return self.copied_runs(project)

    def copied_runs(self, project: str) -> list[RunSummary]:
        """Those of them that have a file already."""
        return [self._as_known(run) for run in self._catalog.runs(project)]

    def find(self, project: str, run_id: str) -> RunSummary:
        """One run."""
        self._refresh_for(project, run_id)
        return self._as_known(self._catalog.find(project, run_id))

    def open(self, project: str, run_id: str) -> ServedRun:
        """A reader of one run."""
        self._refresh_for(project, run_id)
        return self._catalog.open(project, run_id)

    def edit(self, project: str, run_id: str, edits: Edits) -> None:
        """Change a run, in the store and in the registry."""
        self._refresh()
        record = self._records.get((project, run_id))
        if record is None:
            raise RunNotFoundError(f"Run not found: {project}/{run_id}")
        if edits.is_trashed is not None and self._statuses.get((project, run_id)) == "running":
            raise RunInUseError(f"The run {run_id!r:.200} is running: close it first.")
        self._hub.store.write(record, Change(edits=edits))
        if "sys/name" in edits.texts:
            self._hub.directory.set_name(record.id, edits.texts["sys/name"])
        self._hub.store.refresh([record])

    def copy(self, records: Iterable[RunRecord]) -> None:
        """Bring the files of some runs up to date."""
        self._hub.store.refresh(records)

    def _refresh_for(self, project: str, run_id: str) -> None:
        """Be up to date with one run, which may have been made just now, by another hub on the same database."""
        self._refresh()
        workspace, _, name = project.partition("/")
        is_known = (project, run_id) in self._records
        if not is_known and self._hub.directory.find(workspace, name, run_id) is not None:
            with self._lock:
                self._looked_at = 0.0
            self._refresh()
            self._copying.pop(project, None)
        self._copy([project])

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() - self._looked_at < _FRESH_SECONDS:
                return
            directory = self._hub.directory
            states = directory.runs()
            self._records = {(state.record.full_project, state.record.run_id): state.record for state in states}
            self._statuses = {
                (state.record.full_project, state.record.run_id): directory.status(state) for state in states
            }
            projects: dict[str, list[RunRecord]] = {}
            for state in states:
                projects.setdefault(state.record.full_project, []).append(state.record)
            self._projects = projects
            if isinstance(self._settings, SharedSettings):
                self._settings.fetch()
            self._looked_at = time.monotonic()

    def _copy(self, projects: Iterable[str]) -> None:
        """Bring the copies of all runs of ``projects`` up to date; requests for other projects do not wait."""
        if not self._hub.store.is_shared:
            return
        is_new = False
        for name in list(projects):
            records = self._projects.get(name)
            if records is None:
                continue
            with self._lock:
                copying = self._copying.setdefault(name, _Copying())
            with copying.lock:
                if time.monotonic() - copying.done_at >= _FRESH_SECONDS:
                    is_new |= copying.done_at == -math.inf
                    self._hub.store.refresh(records)
                    copying.done_at = time.monotonic()
        if is_new:  # the last look at the files was before
            self._catalog.look()

    def _as_known(self, run: RunSummary) -> RunSummary:
        """The run with the state that the registry and its heartbeat tell: the file's lock is the hub's own."""
        state = self._statuses.get((run.project, run.run_id), run.state)
        if state == run.state:
            return run
        known = self._known.get(run.path)
        if known is not None and known[0] is run and known[1].state == state:
            return known[1].at(time.time())
        changed = replace(run, state=state)
        self._known[run.path] = (run, changed)
        return changed.at(time.time())


@final
class VisibleRuns(StoreView):
    """Those of some workspaces; what the handlers keep between requests is kept once, for all."""

    def __init__(self, origin: AllRuns, workspaces: frozenset[str], writable: frozenset[str]) -> None:
        super().__init__(origin)
        self._all: Final = origin
        self._workspaces: Final = workspaces
        self._writable: Final = writable

    def projects(self) -> list[ProjectSummary]:
        """Every project, by name."""
        return self._all.projects(self._workspaces)

    def runs(self, project: str | None = None) -> list[RunSummary]:
        """The runs of one project, or all, the newest first."""
        if project is not None:
            return self._all.runs(project) if self._is_visible(project) else []
        return self._all.runs_of(self._workspaces)

    def find(self, project: str, run_id: str) -> RunSummary:
        """One run; of another workspace there is none."""
        self._check(project, run_id)
        return self._all.find(project, run_id)

    def open(self, project: str, run_id: str) -> ServedRun:
        """A reader of one run."""
        self._check(project, run_id)
        return self._all.open(project, run_id)

    def edit(self, project: str, run_id: str, edits: Edits) -> None:
        """Change a run."""
        self._check(project, run_id)
        self._all.edit(project, run_id, edits)

    def check_change(self, project: str | None) -> None:
        """Refuse a caller who may only read.

        Raises:
            RequestError: 403, or 404 where the project is none of theirs.
        """
        if project is None:
            raise RequestError("A change must be about a project", status=403, code="no_access")
        if not self._is_visible(project):
            raise RequestError(f"There is no project {project!r:.200}", status=404, code="not_found")
        if _workspace(project) not in self._writable:
            raise RequestError("A viewer can't change anything", status=403, code="no_access")

    def _is_visible(self, project: str) -> bool:
        return _workspace(project) in self._workspaces

    def _check(self, project: str, run_id: str) -> None:
        if not self._is_visible(project):
            raise RunNotFoundError(f"Run not found: {project}/{run_id}")


def _workspace(project: str) -> str:
    return project.partition("/")[0]
