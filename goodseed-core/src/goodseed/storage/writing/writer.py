"""Opens a run for writing, waits for its thread to store, and closes it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from goodseed.storage.forks import watch_forks
from goodseed.storage.inbox.waiting import wait_until
from goodseed.storage.writing.session import Session
from goodseed.storage.writing.writer_thread import Ending, WriterThread
from goodseed.times import now_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from goodseed.paths import RunFiles
    from goodseed.storage.batch import Batch

__all__ = ["CloseReport", "RunWriter"]

_LAST_WAIT_SECONDS: Final = 1.0  # for what SQLite is in the middle of when the deadline comes
_HOPELESS: Final = 0.8  # of the time, when all is kept elsewhere: the rest is for saying so before the process ends


@dataclass(frozen=True, slots=True)
class CloseReport:
    """How a close went.

    Attributes:
        is_stored: Everything accepted is in the file, and the run's end is written.
        dropped: How many records were lost because neither disk nor memory had room.
        overwritten: How many values were replaced with others at the same step.
        kept_in: The inbox that holds the rest, where that beside the run had no room for it.
    """

    is_stored: bool
    dropped: int
    kept_in: Path | None = None
    overwritten: int = 0


class RunWriter:
    """Writes a run: owns its lock, its inbox, its connection, and the thread that uses it.

    Attributes:
        inbox: Takes what is logged.
        files: Where the run lies.
    """

    def __init__(
        self,
        files: RunFiles,
        meta: Mapping[str, str],
        *,
        is_new: bool,
        modification_time: str | None = None,
        rewind_to: float | None = None,
    ) -> None:
        """Open the run for writing.

        Args:
            files: Where it lies.
            meta: What to write into ``run_meta``.
            is_new: The run is to be made; else it must be there.
            modification_time: What ``sys/modification_time`` is to say; None for the time of the last change.
            rewind_to: Set what lies beyond this step aside; None keeps all.

        Raises:
            RunExistsError: The run is to be made, and is there.
            RunNotFoundError: It is not to be made, and is not there.
            RunInUseError: A live process writes it.
            FileFormatError: The file is not a run, or of a newer version.
            OSError, sqlite3.Error: The disk refuses.
        """
        self.files: Final = files
        self._modification_time: Final = modification_time
        self._close_lock = threading.RLock()
        self._is_foreign = False
        self._is_logging_over = False
        self._last_configs: Sequence[tuple[str, str, str, str]] = ()
        self._thread: Final = WriterThread(
            files, meta, is_new=is_new, modification_time=modification_time, rewind_to=rewind_to
        )
        self._thread.start()
        self.inbox: Final = self._thread.inbox
        watch_forks(self)

    # -- for the owner --------------------------------------------------------------------------------------------

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until all that was logged before this call is in the file; False when that failed or took longer."""
        return self._ask(_nothing, timeout)

    def watch(self, on_stored: Callable[[Batch], None]) -> None:
        """Call ``on_stored``, in the writer's thread, with each batch that it commits from now on."""
        self._thread.on_stored = on_stored

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was logged before this call is on the disk itself; False when that failed."""
        return self._ask(Session.sync, timeout)

    def apply(self, action: Callable[[sqlite3.Connection], None], timeout: float | None = None) -> bool:
        """Let the writer's thread do something with its connection, between transactions; False when that failed."""
        return self._ask(lambda session: action(session.connection), timeout)

    def _ask(self, action: Callable[[Session], None], timeout: float | None) -> bool:
        return not self._is_foreign and self._thread.ask(action, timeout)

    def end_logging(self, configs: Sequence[tuple[str, str, str, str]]) -> None:
        """Take ``configs``, the run's end, and nothing after it; the second call does nothing."""
        with self._close_lock:
            if not self._is_logging_over and not self._is_foreign:
                self._is_logging_over = True
                now = now_text()
                self._last_configs = (
                    *configs,
                    ("sys/modification_time", "datetime", self._modification_time or now, now),
                )
                # Stored twice: if there is no time to write the end, the next process that opens the run finds it here.
                self.inbox.add_configs(self._last_configs)
                self.inbox.close()

    def close(
        self,
        status: str,
        *,
        meta: Mapping[str, str],
        configs: Sequence[tuple[str, str, str, str]],
        timeout_seconds: float,
        is_patient: bool,
        on_wait: Callable[[], None] | None = None,
    ) -> CloseReport:
        """Store everything, write the run's end, and leave one file; what can't be stored stays in the inbox.

        A second call waits for the first. In a forked child it does nothing.

        Args:
            status: ``finished`` or ``failed``.
            meta: More for ``run_meta``.
            configs: The last configs.
            timeout_seconds: How long to try.
            is_patient: Count the time from the last progress only, however much there is to store.
            on_wait: Called all the time while it goes on.
        """
        if self._is_foreign:
            return CloseReport(is_stored=True, dropped=0)
        self.end_logging(configs)
        thread = self._thread
        with self._close_lock:
            now = time.monotonic()
            if thread.ending is None:
                self.inbox.progressed_at = now
                thread.ending = Ending(status, meta, self._last_configs, is_patient, timeout_seconds, now)
            elif not is_patient:  # a close goes on, and now the process is to end
                thread.ending = replace(thread.ending, is_patient=False, timeout_seconds=timeout_seconds, began_at=now)
        thread.wake()
        since = None if is_patient else now
        self._await_end(timeout_seconds / 2, since, on_wait)
        if not thread.done.is_set:
            self.inbox.rescue()  # the writer's thread hangs
        is_hopeless = not is_patient and self.inbox.kept_in is not None
        self._await_end(
            timeout_seconds * _HOPELESS if is_hopeless else timeout_seconds + _LAST_WAIT_SECONDS, since, on_wait
        )
        unkept = 0 if thread.is_stored else self.inbox.unkept
        return CloseReport(thread.is_stored, self.inbox.dropped + unkept, self.inbox.kept_in, thread.overwritten)

    def _await_end(self, seconds: float, since: float | None, on_wait: Callable[[], None] | None) -> None:
        """Wait until the writer's thread has ended, that long since then, or since it last stored anything."""

        def is_over() -> bool:
            if on_wait is not None:
                on_wait()
            began = self.inbox.progressed_at if since is None else since
            return self._thread.done.is_set or time.monotonic() >= began + seconds

        wait_until(is_over, None, self._thread.done)

    # -- forks ----------------------------------------------------------------------------------------------------

    def after_fork_in_child(self) -> None:
        """Own nothing; what the thread has is the parent's."""
        self._is_foreign = True
        self._close_lock = threading.RLock()


def _nothing(_: Session) -> None:
    """Do nothing: all that was logged before is stored when this is called."""
