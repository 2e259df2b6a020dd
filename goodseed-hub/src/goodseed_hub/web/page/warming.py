"""Reads what the dashboard will ask of a run as soon as the run has ended."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar, final

from goodseed.server.dashboard.charts.format import BINARY
from goodseed.server.dashboard.charts.series import query_series
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.routes import Request
from goodseed.server.store import StoreView

if TYPE_CHECKING:
    from collections.abc import Callable

    from goodseed.storage.catalog import RunSummary
    from goodseed_hub.registry.directory import RunRecord
    from goodseed_hub.web.page.visible import AllRuns

__all__ = ["Warming"]

_logger: Final = logging.getLogger("goodseed")
_POINTS: Final = 1_000  # what a chart of the page asks for: answers are kept by that number
_MAX_METRICS: Final = 32  # of one run: about as many as a page shows at first
_MAX_WAITING: Final = 10_000
_MAX_BATCH: Final = 200
_SETTLED_SECONDS: Final = 4.0  # what is read of a file that changed just now is not kept
_PAUSE_SECONDS: Final = 1.0
_REST_TIMES: Final = 2  # it pauses that many times as long as it worked: requests come first
_MAX_REST_SECONDS: Final = 5.0
_JOIN_SECONDS: Final = 10.0
_Subject = TypeVar("_Subject")


@final
class Warming:
    """A thread that reads the configs and the first metrics of runs that have ended."""

    def __init__(self, runs: AllRuns) -> None:
        self._runs: Final = runs
        self._store: Final = _Copied(runs)
        self._ended: Final[deque[RunRecord]] = deque(maxlen=_MAX_WAITING)
        self._copied: Final[deque[tuple[float, RunRecord]]] = deque(maxlen=_MAX_WAITING)
        self._stop: Final = threading.Event()
        self._is_reported = False
        self._thread: Final = threading.Thread(target=self._run, name="goodseed-hub-warming", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the run that is being read; calling it twice is harmless."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def note(self, run: RunRecord) -> None:
        """Read ``run``, which has ended; if very many end at once, the oldest are read when they are requested."""
        self._ended.append(run)

    def _run(self) -> None:
        pause = _PAUSE_SECONDS
        while not self._stop.wait(pause):
            began = time.monotonic()
            for run in [self._ended.popleft() for _ in range(min(_MAX_BATCH, len(self._ended)))]:
                self._try(self._copy, run)
            batch: list[RunRecord] = []
            while self._copied and self._copied[0][0] <= began and len(batch) < _MAX_BATCH:
                batch.append(self._copied.popleft()[1])
            for project in {run.full_project for run in batch}:
                self._try(self._read_configs, project)
            for run in batch:
                self._try(self._read_metrics, run)
            worked = time.monotonic() - began
            pause = max(_PAUSE_SECONDS, min(_REST_TIMES * worked, _MAX_REST_SECONDS))

    def _copy(self, run: RunRecord) -> None:
        self._runs.copy([run])
        self._copied.append((time.monotonic() + _SETTLED_SECONDS, run))

    def _read_configs(self, name: str) -> None:
        project = dashboard_of(self._store).project(self._store, name)
        with project.lock:
            project.columns.load_configs()

    def _read_metrics(self, record: RunRecord) -> None:
        for run in self._store.runs(record.full_project):
            if run.run_id == record.run_id:
                paths = [path for path in self._runs.series_paths(run).metrics if not path.startswith("monitoring/")]
                body = {"runs": [run.run_id], "paths": paths[:_MAX_METRICS], "points": _POINTS}
                request = Request({"project": record.full_project}, {}, body, {"accept": BINARY})
                for _ in query_series(self._store, request).content:  # reading fills the caches; the answer is not sent
                    pass

    def _try(self, action: Callable[[_Subject], None], subject: _Subject) -> None:
        """Log the first error, and go on: a request for the run reports it again."""
        if self._stop.is_set():
            return
        try:
            action(subject)
        except Exception as error:  # reading ahead only saves time: a request reads it then
            if not self._is_reported:
                self._is_reported = True
                _logger.warning("goodseed: a run could not be read ahead: %s (reported once).", error, exc_info=error)


@final
class _Copied(StoreView):
    """The runs that have a file already; the others are not waited for."""

    def __init__(self, origin: AllRuns) -> None:
        super().__init__(origin)
        self._all: Final = origin

    def runs(self, project: str | None = None) -> list[RunSummary]:
        return self._all.runs() if project is None else self._all.copied_runs(project)
