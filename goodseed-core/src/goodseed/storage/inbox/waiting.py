"""Waits and wakes without locks, which signal handlers could not take twice."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Done", "Wake", "wait_until"]

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


class Done:
    """Something that happens once; unlike `threading.Event`, a signal's handler may wait for it too.

    Waiting is taking the lock and giving it back. A handler that interrupts its own thread between the two looks again
    after a pause, as `wait_until` does.
    """

    __slots__ = ("_lock", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._lock: Final = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """It has happened; the second call does nothing."""
        if not self.is_set:
            self.is_set = True
            self._lock.release()

    def pause(self, seconds: float) -> None:
        """Wait for it, at most that long."""
        if self._lock.acquire(timeout=seconds):
            self._lock.release()


def wait_until(condition: Callable[[], bool], timeout_seconds: float | None, done: Done | None = None) -> bool:
    """Wait until ``condition()`` holds, at most that long; returns whether it does.

    It is looked at every 10 ms, and at once when ``done`` happens.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    sleep = time.sleep if done is None else done.pause
    pause = _FIRST_PAUSE_SECONDS
    while not condition():
        if deadline is not None and time.monotonic() >= deadline:
            return condition()
        sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
    return True
