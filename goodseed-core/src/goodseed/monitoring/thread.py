"""Runs a run's periodic tasks on one thread."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from goodseed.threads import signals_kept_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MonitoringThread", "Task", "importing"]

_logger: Final = logging.getLogger("goodseed")
_FORK_WAIT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do again and again; an interval of None means once."""

    name: str
    call: Callable[[], None]
    first_after_seconds: float
    interval_seconds: float | None


class MonitoringThread:
    """Calls each task when it is due, in the order given where several are.

    A task that raises is reported once, and still called again. ``hurry`` and ``stop`` may be called from any
    thread and from a signal's handler.
    """

    def __init__(self, tasks: list[Task]) -> None:
        self._tasks: Final = tasks
        self._due: Final = [0.0] * len(tasks)
        self._reported: Final[set[str]] = set()
        self._is_stopping = False
        self._is_hurried = False
        self._wake: Final = threading.Lock()
        self._wake.acquire()
        self._thread: Final = threading.Thread(target=self._run, name="goodseed-monitoring", daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` has been called: a task that takes long should look at it."""
        return self._is_stopping

    @property
    def ident(self) -> int | None:
        """The thread's identifier."""
        return self._thread.ident

    def start(self) -> None:
        """Start calling.

        Raises:
            RuntimeError: No thread can be started.
        """
        now = time.monotonic()
        self._due[:] = [now + task.first_after_seconds for task in self._tasks]
        with signals_kept_out():
            self._thread.start()

    def hurry(self) -> None:
        """Call the first task now."""
        self._is_hurried = True
        self._set_wake()

    def stop(self, timeout_seconds: float) -> None:
        """Call nothing more, and wait at most that long for the current call."""
        self._is_stopping = True
        self._set_wake()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_seconds)

    def _set_wake(self) -> None:
        try:
            self._wake.release()
        except RuntimeError:  # set already
            return

    def _run(self) -> None:
        while not self._is_stopping:
            if self._is_hurried:
                self._is_hurried = False
                self._due[0] = 0.0
            for index, task in enumerate(self._tasks):
                if self._due[index] <= time.monotonic() and not self._is_stopping:
                    self._call(task)
                    interval = task.interval_seconds
                    self._due[index] = float("inf") if interval is None else time.monotonic() + interval
            pause = min(self._due) - time.monotonic()
            if pause > 0:
                self._wake.acquire(timeout=min(pause, 3600.0))

    def _call(self, task: Task) -> None:
        try:
            task.call()
        except Exception:  # the other tasks go on
            if task.name not in self._reported:
                self._reported.add(task.name)
                _logger.warning("goodseed: monitoring could not %s (reported once).", task.name, exc_info=True)


_import_gate = threading.Lock()


@contextmanager
def importing() -> Iterator[None]:
    """Hold back a fork of this process meanwhile: a child made in the middle of an import waits for it for ever."""
    gate = _import_gate
    with gate:
        yield


_gates_of_forks: Final[list[bool]] = []


def _before_fork() -> None:
    _gates_of_forks.append(_import_gate.acquire(timeout=_FORK_WAIT_SECONDS))


def _after_fork_in_parent() -> None:
    if _gates_of_forks.pop():
        _import_gate.release()


def _after_fork_in_child() -> None:
    global _import_gate
    _import_gate = threading.Lock()
    _gates_of_forks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
