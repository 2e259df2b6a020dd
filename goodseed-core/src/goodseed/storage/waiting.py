"""Waking and waiting that a signal's handler may do too: `threading.Event` takes a lock that can't be taken twice."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Wake", "wait_until"]

_FIRST_PAUSE_SECONDS: Final = 0.0005
_LONGEST_PAUSE_SECONDS: Final = 0.01


class Wake:
    """Wakes one thread, from any thread or signal handler."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Let the next `wait`, or the one that goes on, return at once."""
        try:
            self._lock.release()
        except RuntimeError:  # set already
            return

    def wait(self, timeout_seconds: float) -> None:
        """Return when woken, or after that long."""
        self._lock.acquire(timeout=timeout_seconds)


def wait_until(condition: Callable[[], bool], timeout_seconds: float | None) -> bool:
    """Wait until ``condition()`` holds, at most that long; returns whether it does."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    pause = _FIRST_PAUSE_SECONDS
    while not condition():
        if deadline is not None and time.monotonic() >= deadline:
            return condition()
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
    return True
