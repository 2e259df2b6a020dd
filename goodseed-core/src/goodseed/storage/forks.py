"""What ``fork()`` means for what this process reads and writes: the child owns none of it."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ForkAware", "GatedConnection", "watch_forks"]

_FORK_WAIT_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.0002


class ForkAware(Protocol):
    """Something that a forked child must not go on with."""

    def after_fork_in_child(self) -> None:
        """Own nothing any more; take no lock."""


_watched: Final[weakref.WeakSet[ForkAware]] = weakref.WeakSet()


def watch_forks(watched: ForkAware) -> None:
    """Tell ``watched`` when it finds itself in a forked child."""
    _watched.add(watched)


class _Gate:
    """Counts who is inside SQLite: a fork waits until nobody is, as the child could never free a mutex taken there."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._inside = 0
        self._is_fork_waiting = False
        self._is_held = False

    def __enter__(self) -> None:
        while self._is_fork_waiting and not self._is_held:
            time.sleep(_PAUSE_SECONDS)
        with self._lock:
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1

    def before_fork(self) -> None:
        """Wait until nobody is inside, at most a second, and let nobody in."""
        deadline = time.monotonic() + _FORK_WAIT_SECONDS
        self._is_fork_waiting = True
        while time.monotonic() < deadline:
            self._is_held = self._lock.acquire(timeout=_FORK_WAIT_SECONDS)
            if self._is_held and not self._inside:
                return
            if self._is_held:
                self._lock.release()
                self._is_held = False
            time.sleep(_PAUSE_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Let them in again."""
        self._is_fork_waiting = False
        if self._is_held:
            self._is_held = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Nobody is inside: the other threads are the parent's."""
        self.__init__()  # type: ignore[misc]


_gate: Final = _Gate()


class GatedConnection(sqlite3.Connection):
    """A connection that no fork catches in the middle of a statement."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """As `sqlite3.Connection.execute`."""
        with _gate:
            return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """As `sqlite3.Connection.executemany`."""
        with _gate:
            return super().executemany(*arguments)

    def close(self) -> None:
        """As `sqlite3.Connection.close`."""
        with _gate:
            super().close()


def _after_in_child() -> None:
    _gate.after_fork_in_child()
    children = list(_watched)
    _watched.clear()
    for watched in children:
        watched.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_gate.before_fork, after_in_parent=_gate.after_fork_in_parent, after_in_child=_after_in_child
    )
