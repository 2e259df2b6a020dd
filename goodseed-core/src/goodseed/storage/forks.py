"""Keeps ``fork()`` from catching a thread inside SQLite, and child processes from using their parent's connections."""

from __future__ import annotations

import functools
import logging
import os
import sqlite3
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

__all__ = ["ForkAware", "GatedConnection", "GatedCursor", "watch_forks"]

_logger: Final = logging.getLogger("goodseed")
_FORK_WAIT_SECONDS: Final = 3.0
_PAUSE_SECONDS: Final = 0.0002
_STEPS_BETWEEN_LOOKS: Final = 500_000  # of SQLite's virtual machine: some 20 ms
_FIRST_ROWS: Final = 16
_MOST_ROWS: Final = 256  # read ahead of the caller: rows may be large


class ForkAware(Protocol):
    """Something that a forked child must not use any more."""

    def after_fork_in_child(self) -> None:
        """Own nothing any more; take no lock."""


_watched: Final[weakref.WeakSet[ForkAware]] = weakref.WeakSet()


def watch_forks(watched: ForkAware) -> None:
    """Call ``watched.after_fork_in_child`` in each forked child."""
    _watched.add(watched)


class _Gate:
    """Knows which threads are inside SQLite: a fork waits for them, as the child could never free a mutex taken there.

    It takes no lock. A thread registers before it looks for a fork, and a fork registers before it looks for threads
    inside: one of the two sees the other.
    """

    def __init__(self) -> None:
        self._inside: Final[dict[int, int]] = {}  # thread -> how deep
        self._forking: Final[dict[int, None]] = {}  # the threads that fork
        self._waiting: Final[list[None]] = []  # one element for each of them
        self.look: Final = functools.partial(max, self._waiting, key=self._park, default=None)
        """Waits during a fork. Without one it runs no Python code: a Ctrl-C raised here would be lost."""

    def enter(self) -> None:
        """Wait during a fork, then enter."""
        ident = threading.get_ident()
        inside = self._inside
        if ident in inside:
            inside[ident] += 1
            return
        inside[ident] = 1
        if self._waiting:
            self._park()

    def leave(self) -> None:
        """Be outside again, as often as inside."""
        ident = threading.get_ident()
        depth = self._inside.get(ident, 0)
        if depth > 1:
            self._inside[ident] = depth - 1
        else:
            self._inside.pop(ident, None)

    def __enter__(self) -> None:
        self.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    def _park(self, _: None = None) -> int:
        """Leave until the fork is over: this thread holds only its own connection."""
        ident = threading.get_ident()
        if ident in self._forking:
            return 0
        while self._waiting:
            depth = self._inside.pop(ident, 1)
            while self._waiting:
                time.sleep(_PAUSE_SECONDS)
            self._inside[ident] = depth
        return 0

    def before_fork(self) -> None:
        """Stop threads from entering, and wait some seconds until all have left."""
        ident = threading.get_ident()
        self._forking[ident] = None
        self._waiting.append(None)
        deadline = time.monotonic() + _FORK_WAIT_SECONDS
        while any(other != ident for other in tuple(self._inside)):
            if time.monotonic() >= deadline:
                _logger.warning(
                    "goodseed: a process is forked while SQLite has been busy for %.0f s; a run that the child opens "
                    "may hang. Start the child by spawn, or fork before the run is opened.",
                    _FORK_WAIT_SECONDS,
                )
                return
            time.sleep(_PAUSE_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Let threads enter again."""
        if self._forking.pop(threading.get_ident(), self) is None:
            self._waiting.pop()

    def after_fork_in_child(self) -> None:
        """Forget the parent's threads, which this process does not have."""
        self._inside.clear()
        self._forking.clear()
        self._waiting.clear()


_gate: Final = _Gate()


_enter: Final = _gate.enter
_leave: Final = _gate.leave


class GatedCursor(sqlite3.Cursor):
    """A cursor that no fork catches in the middle of a statement."""

    _is_read = False  # to the end: nothing is to be given up

    def execute(self, *arguments: Any) -> GatedCursor:
        """As `sqlite3.Cursor.execute`."""
        self._is_read = False
        _enter()
        try:
            super().execute(*arguments)
        finally:
            _leave()
        return self

    def executemany(self, *arguments: Any) -> GatedCursor:
        """As `sqlite3.Cursor.executemany`."""
        with _gate:
            super().executemany(*arguments)
        return self

    def executescript(self, script: str) -> GatedCursor:
        """As `sqlite3.Cursor.executescript`."""
        with _gate:
            super().executescript(script)
        return self

    def fetchone(self) -> Any:
        """As `sqlite3.Cursor.fetchone`."""
        _enter()
        try:
            return super().fetchone()
        finally:
            _leave()

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """As `sqlite3.Cursor.fetchmany`."""
        _enter()
        try:
            return super().fetchmany(self.arraysize if size is None else size)
        finally:
            _leave()

    def fetchall(self) -> list[Any]:
        """As `sqlite3.Cursor.fetchall`."""
        _enter()
        try:
            rows = super().fetchall()
        finally:
            _leave()
        self._is_read = True
        return rows

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """The rows, of which some are read ahead: a gate for every row would take longer than the row."""
        count = _FIRST_ROWS
        while rows := self.fetchmany(count):
            yield from rows
            count = min(count * 2, _MOST_ROWS)

    def __next__(self) -> Any:
        with _gate:
            return super().__next__()

    def close(self) -> None:
        """As `sqlite3.Cursor.close`."""
        with _gate:
            super().close()

    def __del__(self) -> None:
        if not self._is_read:  # the rest is given up, which is a call into SQLite too
            _enter()
            try:
                super().close()
            except sqlite3.Error:  # of a connection that is closed, or another thread's
                return
            finally:
                _leave()


class GatedConnection(sqlite3.Connection):
    """A connection that no fork catches in the middle of a statement.

    Every ``sqlite3.connect`` of Goodseed gets it as its ``factory``.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        with _gate:
            super().__init__(*arguments, **options)
            super().set_progress_handler(_gate.look, _STEPS_BETWEEN_LOOKS)

    def cursor(self, factory: Any = GatedCursor) -> Any:
        """As `sqlite3.Connection.cursor`."""
        return super().cursor(factory)

    def execute(self, *arguments: Any) -> GatedCursor:
        """As `sqlite3.Connection.execute`."""
        return GatedCursor(self).execute(*arguments)

    def executemany(self, *arguments: Any) -> GatedCursor:
        """As `sqlite3.Connection.executemany`."""
        return GatedCursor(self).executemany(*arguments)

    def executescript(self, script: str) -> GatedCursor:
        """As `sqlite3.Connection.executescript`."""
        return GatedCursor(self).executescript(script)

    def commit(self) -> None:
        """As `sqlite3.Connection.commit`."""
        with _gate:
            super().commit()

    def rollback(self) -> None:
        """As `sqlite3.Connection.rollback`."""
        with _gate:
            super().rollback()

    def backup(self, target: sqlite3.Connection, *, progress: Any = None, **options: Any) -> None:
        """As `sqlite3.Connection.backup`; with ``pages=…`` a fork need wait for these pages only."""

        def look(*state: int) -> None:
            _gate.look()
            if progress is not None:
                progress(*state)

        with _gate:
            super().backup(target, progress=look, **options)

    def set_progress_handler(self, handler: Callable[[], Any] | None, n: int) -> None:
        """As `sqlite3.Connection.set_progress_handler`; forks are looked for before ``handler`` is called."""

        def look() -> Any:
            _gate.look()
            return handler() if handler is not None else 0

        with _gate:
            super().set_progress_handler(*((_gate.look, _STEPS_BETWEEN_LOOKS) if handler is None else (look, n)))

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
