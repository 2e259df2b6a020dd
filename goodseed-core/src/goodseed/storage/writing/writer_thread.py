"""Moves the inbox into the run file, on a thread."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goodseed.errors import RunExistsError, RunNotFoundError
from goodseed.paths import make_private_directory
from goodseed.storage.forks import watch_forks
from goodseed.storage.inbox.inbox import Inbox
from goodseed.storage.inbox.waiting import Done, Wake, wait_until
from goodseed.storage.lock import WriterLock
from goodseed.storage.writing.session import Session
from goodseed.threads import signals_kept_out

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from goodseed.paths import RunFiles
    from goodseed.storage.batch import Batch

__all__ = ["Ending", "Request", "WriterThread"]

_logger: Final = logging.getLogger("goodseed")
_OPEN_SECONDS: Final = 60.0  # from the last sign that it goes on
_LOOK_SECONDS: Final = 1.0
_INTERVAL_SECONDS: Final = 0.25
_HELD_SECONDS: Final = 5.0  # between two transactions, times the length of the log that a reader holds
_LONGEST_HELD_SECONDS: Final = 60.0
_LONGEST_BACKOFF_SECONDS: Final = 5.0
_DELETED_CHECK_SECONDS: Final = 2.0
_BEAT_SECONDS: Final = 1.0


@dataclass(slots=True)
class Request:
    """Something to be done in the writer's thread, after all that was logged before it is stored."""

    action: Callable[[Session], None]
    error: Exception | None = None
    done: Done = field(default_factory=Done)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the run is to end."""

    status: str
    meta: Mapping[str, str]
    configs: Sequence[tuple[str, str, str, str]]
    is_patient: bool
    timeout_seconds: float
    began_at: float

    @property
    def is_out_of_time(self) -> bool:
        """Whether the process has to end now, even if not everything is stored."""
        return not self.is_patient and time.monotonic() >= self.began_at + self.timeout_seconds


class WriterThread:
    """The thread of a `goodseed.storage.writing.writer.RunWriter`, and what only it uses: the connection.

    Attributes:
        inbox: Takes what is logged; there once the thread has started.
        on_stored: Called, in the thread, with each batch that it commits.
        ending: How the run is to end, once it is to.
        done: Set when the thread is over.
        is_stored: Everything accepted is in the file, and the run's end is written.
        overwritten: How many values were replaced with others at the same step; known when the thread is over.
    """

    def __init__(
        self,
        files: RunFiles,
        meta: Mapping[str, str],
        *,
        is_new: bool,
        modification_time: str | None,
        rewind_to: float | None,
    ) -> None:
        """Take the run's lock; the arguments are those of `goodseed.storage.writing.writer.RunWriter`.

        Raises:
            RunInUseError: A live process writes it.
            OSError: The disk refuses.
        """
        self.inbox: Inbox
        self._files: Final = files
        self._meta: Final = meta
        self._is_new: Final = is_new
        self._modification_time: Final = modification_time
        self._rewind_to: Final = rewind_to
        self.overwritten = 0
        self._wake: Final = Wake()
        self._ready: Final = threading.Event()
        self.done: Final = Done()
        self._requests: Final[deque[Request]] = deque()
        self.ending: Ending | None = None
        self._stored_at = 0.0
        self._opening_at = time.monotonic()
        self.is_stored = False
        self._warned: set[str] = set()
        self._failure: BaseException | None = None
        self.on_stored: Callable[[Batch], None] | None = None
        make_private_directory(files.database.parent)
        self._lock = WriterLock(files.lock)

    def start(self) -> None:
        """Open the run and start the thread; the lock is released where that fails.

        Raises:
            RunExistsError: The run is to be made, and is there.
            RunNotFoundError: It is not to be made, and is not there.
            FileFormatError: The file is not a run, or of a newer version.
            OSError, sqlite3.Error: The disk refuses.
        """
        try:
            self._make_file()
            thread = threading.Thread(target=self._work, name="goodseed-writer", daemon=True)
            with signals_kept_out():
                thread.start()
            self._await_opening()
        except BaseException:
            self._lock.release()
            raise
        watch_forks(self)

    def ask(self, action: Callable[[Session], None], timeout: float | None) -> bool:
        """Let the thread store all that was logged before, and do ``action``; False if that failed or takes longer."""
        request = Request(action)
        self._requests.append(request)
        self.wake()
        wait_until(lambda: request.done.is_set or self.done.is_set, timeout, request.done)
        return self.is_stored if not request.done.is_set else request.error is None

    def wake(self) -> None:
        """Let the thread look at once for what there is to do."""
        self._wake.set()

    def after_fork_in_child(self) -> None:
        """Own nothing: not the lock, not the connection, not the memory."""
        self.inbox.after_fork_in_child()
        self._lock.abandon()

    def _make_file(self) -> None:
        database = self._files.database
        if self._is_new:
            try:
                os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                raise RunExistsError(f"The run {database.stem!r} exists: {database}") from None
            self._files.inbox.unlink(missing_ok=True)  # of a run whose file was deleted
        elif not database.is_file():
            raise RunNotFoundError(f"There is no run {database.stem!r} at {database}.")

    def _await_opening(self) -> None:
        database = self._files.database
        while not self._ready.wait(_LOOK_SECONDS):
            if time.monotonic() >= self._opening_at + _OPEN_SECONDS:
                raise OSError(f"SQLite has not opened {database} within {_OPEN_SECONDS:.0f} s.")
        if self._failure is not None:
            if self._is_new:
                for suffix in ("", "-wal", "-shm", "-inbox"):
                    Path(f"{database}{suffix}").unlink(missing_ok=True)
            raise self._failure

    def _work(self) -> None:
        try:
            session = Session(
                self._files,
                self._meta,
                is_new=self._is_new,
                rewind_to=self._rewind_to,
                heard_seconds=self._lock.found_seconds,
                on_progress=self._note_opening,
            )
            session.modification_time = self._modification_time
            self.inbox = Inbox(self._files.inbox, self._wake, lambda error: self._warn("room", error))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that opens the run
            self._failure = error
            self._ready.set()
            return
        self._ready.set()
        try:
            with contextlib.suppress(sqlite3.Error):  # a flush tries again, and says so
                session.sync_tables()
            self._loop(session)
        finally:
            self._end(session)

    def _note_opening(self) -> None:
        self._opening_at = time.monotonic()

    def _loop(self, session: Session) -> None:
        backoff = 0.0
        beaten_at = 0.0
        checked_at = self._stored_at = time.monotonic()
        while True:
            self._wake.wait(backoff or _INTERVAL_SECONDS)
            ending = self.ending
            now = time.monotonic()
            if now - beaten_at >= _BEAT_SECONDS:
                beaten_at = now
                self._lock.beat()
            is_urgent = (
                ending
                or self._requests
                or self.inbox.is_large
                or now - self._stored_at >= min(_LONGEST_HELD_SECONDS, _HELD_SECONDS * session.wal_held)
            )
            try:
                if session.wal_held and not is_urgent:
                    session.checkpoint_if_long()  # most readers hold it up for some milliseconds
                    if session.wal_held:
                        self.inbox.note_progress()
                        continue  # every commit makes the log longer: fewer and larger ones make it less so
                if now - checked_at >= _DELETED_CHECK_SECONDS or ending:
                    checked_at = now
                    self._restore_if_deleted(session)
                is_all = self._store_all(session)
                if ending:
                    session.write_end(ending.status, ending.meta, ending.configs)
                    self.is_stored = is_all
                    if is_all:
                        self.inbox.dispose(remove=True)  # before the tables that say how much of it is stored
                        session.finish()
                    return
                backoff = 0.0
                self.inbox.is_stuck = False
                self.inbox.note_progress()
                self._warned.discard("storage")
            except Exception as error:  # noqa: BLE001 - the thread lives on, and what is logged waits in the inbox
                self.inbox.is_stuck = True
                self._warn("storage", error)
                self._answer(error)
                if ending:
                    self.inbox.rescue()  # at once: the process may be killed at any time
                if ending and time.monotonic() >= self.inbox.progressed_at + ending.timeout_seconds:
                    return
                backoff = min(_LONGEST_BACKOFF_SECONDS, max(_INTERVAL_SECONDS, backoff * 2))
                if ending:
                    backoff = min(backoff, _INTERVAL_SECONDS)

    def _store_all(self, session: Session) -> bool:
        """Store what the inbox holds; False when the process is to end before that is done."""
        requests = [self._requests[index] for index in range(len(self._requests))]
        is_more = True
        session.on_stored = self.on_stored
        while is_more:
            is_more = session.drain(self.inbox)
            session.checkpoint_if_long(may_wait=self.ending is None and not is_more)
            self._stored_at = time.monotonic()
            self.inbox.is_stuck = False
            self.inbox.note_progress()
            if is_more and self.ending is not None and self.ending.is_out_of_time:
                return False
        for request in requests:
            session.act(request.action)
            self._requests.remove(request)
            request.done.set()
        return True

    def _answer(self, error: Exception) -> None:
        while self._requests:
            request = self._requests.popleft()
            request.error = error
            request.done.set()

    def _restore_if_deleted(self, session: Session) -> None:
        if session.is_deleted():
            session.restore()
            _logger.warning("goodseed: %s was deleted while it was written; it is restored.", self._files.database)

    def _end(self, session: Session) -> None:
        self.overwritten = session.overwritten
        try:
            session.close()
        except sqlite3.Error as error:
            self._warn("storage", error)
        if not self.is_stored:
            self.inbox.rescue()
        self.inbox.dispose(remove=self.is_stored)
        self._lock.release()
        self._answer(OSError("The run was closed before."))
        self.done.set()

    def _warn(self, kind: str, error: Exception) -> None:
        """Warn once of each kind of trouble, not at every try."""
        if kind in self._warned:
            return
        self._warned.add(kind)
        what = "can't be written" if kind == "storage" else "has no room to grow"
        _logger.warning(
            "goodseed: %s %s (%s). Training goes on; what is logged is kept as long as there is room, and tried again.",
            self._files.database if kind == "storage" else self._files.inbox,
            what,
            error,
        )
