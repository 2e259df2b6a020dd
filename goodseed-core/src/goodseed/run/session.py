"""Holds a run from opening to end: starts and stops what runs beside it, and writes how it ended."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, NamedTuple, Protocol

from goodseed.errors import GoodseedError
from goodseed.run.backends import RunEnd
from goodseed.run.notices import closing_line, missing_key_line, notice, opening_line, overwritten_line, warn_of_loss
from goodseed.run.process_end.ending import open_runs
from goodseed.run.recorder import Recorder
from goodseed.times import now_text
from goodseed.values import as_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from goodseed.run.opening.request import Opened, Request
    from goodseed.run.process_end.exit_code import ProcessEnd

__all__ = ["RunSession"]


class _Noted(NamedTuple):
    """Why the run is about to end, seen before it is closed."""

    status: str
    reason: str


class Companions(Protocol):
    """What runs beside a run, as its session uses it; see `goodseed.run.companions`."""

    @property
    def namespace(self) -> str:
        """Where what is monitored is stored."""

    def start(self) -> None:
        """Start everything."""

    def flush(self) -> None:
        """Hand over what is buffered."""

    def record_exception(
        self, kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
    ) -> str:
        """Store an exception that leaves ``with``; returns the status that follows from it."""

    def record_traceback(self, text: str) -> None:
        """Store the traceback of an exception that was handled, and then made the process fail."""

    def closing(self, status: str, *, is_patient: bool) -> None:
        """The run is about to end, and may be written once more."""

    def stop(self) -> None:
        """Stop everything; what was seen is handed over."""

    def closed(self, status: str, *, is_patient: bool) -> None:
        """The run has ended, and its file is whole."""

    def after_fork_in_child(self) -> None:
        """Leave it all to the parent."""


class RunSession(Recorder):
    """What a `goodseed.Run` and everything that runs beside it share.

    Attributes:
        companions: What runs beside the run; None where nothing is stored, or nothing written.
    """

    def __init__(self, request: Request, opened: Opened, *, is_elsewhere: bool = False) -> None:
        """Nothing is written yet; see `start`. The arguments are those of `goodseed.run.recorder.Recorder`."""
        super().__init__(request, opened, is_elsewhere=is_elsewhere)
        self.companions: Companions | None = None
        self._is_closing = is_elsewhere
        self._is_foreign = False
        self._noted: _Noted | None = None
        self._end: RunEnd | None = None

    def start(self, fields: dict[str, object], make_companions: Callable[[RunSession], Companions]) -> None:
        """Store the run's first configs, and start what runs beside it."""
        open_runs.add(self)
        first = {"sys/state": "running", **fields, **({"sys/id": self.opened.run_id} if self.opened.is_new else {})}
        rows = self.encoder.configs(first)
        if self.opened.is_new:
            rows.append(("sys/creation_time", "datetime", self.opened.created_at, now_text()))
        self.backend.add_configs(rows)
        notice(opening_line(self.request, self.opened), is_quiet=self.request.is_quiet)
        if self.request.is_key_missing:
            notice(missing_key_line(self.request, self.opened.run_id), is_quiet=self.request.is_quiet)
        self.companions = make_companions(self)
        self.companions.start()

    # -- waiting -------------------------------------------------------------------------------------------------

    def flush(self, timeout: float | None) -> bool:
        """Wait until everything logged so far is on the disk itself."""
        self._hand_over()
        return self.backend.flush(timeout)

    def wait(self, timeout: float | None) -> bool:
        """Wait until everything logged so far is stored, and uploaded where it is to be."""
        self._hand_over()
        return self.backend.wait(timeout)

    def settle(self, timeout: float) -> bool:
        """Wait until everything logged so far is in the run file."""
        return self.backend.settle(timeout)

    def _hand_over(self) -> None:
        if self.companions is not None:
            self.companions.flush()

    # -- the end --------------------------------------------------------------------------------------------------

    def close(
        self, status: str, *, is_patient: bool, timeout: float | None = None, closed_at: str | None = None
    ) -> None:
        """Store everything, write the status, and leave one file; the second call does nothing.

        ``closed_at`` is the ISO 8601 time at which an imported run ended; None is now.
        """
        if self._is_foreign or not self.is_written:
            self.is_closed = True
            return
        with self.lock:
            is_first, self._is_closing = not self._is_closing, True
        if is_first and self.companions is not None:
            self.companions.closing(status, is_patient=is_patient)
        with self.lock:
            was_closed = self._end is not None
            if not was_closed:
                self._end = self._end_of(status, closed_at or now_text())
            self.is_closed = True
        if not was_closed:
            self._finish_close(is_patient=is_patient, timeout=timeout)

    def status_after(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> str:
        """The status that follows from how a ``with`` block was left; the exception is stored."""
        if kind is None or self.companions is None:
            return "finished"
        return self.companions.record_exception(kind, error, traceback)

    def close_at_exit(self, *, is_patient: bool) -> None:
        """The process ends: wait for a close that goes on, or close."""
        if self._end is not None:
            self._finish_close(is_patient=is_patient)
            return
        self.close("finished" if self._noted is None else self._noted.status, is_patient=is_patient)

    def note_end(self, reason: str, *, status: str = "failed", is_certain: bool = False) -> None:
        """An exception or a signal is about to end the run.

        Args:
            reason: For ``sys/end_reason``.
            status: How the run ends by it.
            is_certain: The process ends, perhaps before the run can be closed: it is written at once.
        """
        if self._noted is None:
            self._noted = _Noted(status, as_text(reason))
            if is_certain and not self.is_closed:
                with contextlib.suppress(GoodseedError):
                    self.backend.add_configs(self.encoder.configs({"sys/end_reason": self._noted.reason}))

    def note_process_end(self, end: ProcessEnd) -> None:
        """The process ends in a way that nothing else has noticed."""
        if self._noted is None and self._end is None:
            self.note_end(end.reason, status=end.status)
            if end.traceback and self.companions is not None:
                self.companions.record_traceback(end.traceback)

    def after_fork_in_child(self) -> None:
        """Leave the run to the parent."""
        self._is_foreign = True
        self.lock = threading.RLock()
        if self.companions is not None:
            self.companions.after_fork_in_child()

    def _end_of(self, status: str, closed_at: str) -> RunEnd:
        rows = [("sys/state", "str", status, closed_at), ("sys/closed_time", "datetime", closed_at, closed_at)]
        if self._noted is not None and self._noted.status == status:
            rows.append(("sys/end_reason", "str", self.encoder.text("sys/end_reason", self._noted.reason), closed_at))
        return RunEnd(status, rows, closed_at)

    def _finish_close(self, *, is_patient: bool, timeout: float | None = None) -> None:
        """Close the backend; may be called again when a signal broke it off, or to wait for one that goes on."""
        assert self._end is not None
        if self.companions is not None:
            self.companions.stop()
        report = self.backend.close(self._end, is_patient=is_patient, timeout=timeout)
        open_runs.discard(self)
        warn_of_loss(report, self.opened)
        if report.overwritten:
            notice(overwritten_line(report.overwritten), is_quiet=self.request.is_quiet)
        notice(closing_line(self.request, self.opened, self._end.status), is_quiet=self.request.is_quiet)
        if self.companions is not None:
            self.companions.closed(self._end.status, is_patient=is_patient)
