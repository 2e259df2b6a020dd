"""Calls the plugins' hooks of a run: at its start, for stored points, and at its end."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from goodseed.hooktypes import StoredPoints
from goodseed.plugins import call_each, implementations
from goodseed.storage.inbox.waiting import Done, Wake, wait_until

if TYPE_CHECKING:
    from goodseed.hooktypes import Run
    from goodseed.storage.batch import Batch

__all__ = ["RunPlugins"]

_logger: Final = logging.getLogger("goodseed")
_EVENTS: Final = (
    "goodseed_run_opened",
    "goodseed_run_resumed",
    "goodseed_run_closing",
    "goodseed_run_closed",
    "goodseed_points_stored",
)
_MAX_WAITING_POINTS: Final = 1_000_000
_SECONDS: Final = 10.0
_HURRIED_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 60.0


class RunPlugins:
    """Calls the hooks of one run, one after the other, on a thread of its own; without any there is no thread."""

    def __init__(self, run: Run) -> None:
        self._run: Final = run
        self._is_wanted: Final = any(implementations(hook) for hook in _EVENTS)
        self.takes_points: Final = bool(implementations("goodseed_points_stored"))
        self._queue: Final[deque[tuple[str, dict[str, Any], Done]]] = deque()
        self._wake: Final = Wake()
        self._waiting_points = 0
        self._awaited: Done | None = None
        self._is_behind = False
        self._is_over = False
        if self._is_wanted:
            threading.Thread(target=self._work, name="goodseed-plugins", daemon=True).start()

    def opened(self, *, is_new: bool) -> None:
        """The run may be written."""
        self._call("goodseed_run_opened" if is_new else "goodseed_run_resumed", _SECONDS)

    def stored(self, batch: Batch) -> None:
        """Points are in the file; called by the writer's thread, which waits for nothing."""
        points = [StoredPoints(*series) for series in batch.points()]
        count = sum(len(series.steps) for series in points)
        if not count:
            return
        if self._waiting_points + count > _MAX_WAITING_POINTS and self._waiting_points:
            if not self._is_behind:
                self._is_behind = True
                _logger.warning(
                    "goodseed: the plugins that watch the points of run %s are too slow and miss some (reported once).",
                    self._run.run_id,
                )
            return
        self._waiting_points += count
        self._put("goodseed_points_stored", points=points)

    def closing(self, status: str, *, is_patient: bool) -> None:
        """The run is about to end, and all that was logged was handed over."""
        self._call("goodseed_run_closing", _SECONDS if is_patient else _HURRIED_SECONDS, status=status)

    def closed(self, status: str, *, is_patient: bool) -> None:
        """The run's file is whole; nothing comes after this."""
        self._call("goodseed_run_closed", _SECONDS if is_patient else _HURRIED_SECONDS, status=status)
        self._is_over = True  # a second call, which waits for the first, calls nothing
        self._wake.set()

    def _call(self, hook: str, seconds: float, **arguments: object) -> None:
        if self._is_wanted and not self._is_over:
            is_stuck = self._awaited is not None and not self._awaited.is_set
            done = self._awaited = self._put(hook, **arguments)
            if not is_stuck and not wait_until(lambda: done.is_set, seconds, done):
                names = ", ".join(found.plugin for found in implementations(hook)) or "a plugin"
                _logger.warning("goodseed: %s takes over %.0f s for %s; it is not waited for.", names, seconds, hook)

    def _put(self, hook: str, **arguments: object) -> Done:
        done = Done()
        self._queue.append((hook, arguments, done))
        self._wake.set()
        return done

    def _work(self) -> None:
        while not (self._is_over and not self._queue):
            self._wake.wait(_IDLE_SECONDS)
            while self._queue:
                hook, arguments, done = self._queue.popleft()
                call_each(hook, run=self._run, **arguments)
                if "points" in arguments:
                    self._waiting_points -= sum(len(series.steps) for series in arguments["points"])
                done.set()
