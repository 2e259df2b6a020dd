"""Starts and stops what runs beside a run: monitoring, git facts, plugins, the watch for uncaught exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from goodseed.monitoring.manager import Monitoring, MonitoringOptions
from goodseed.monitoring.traceback import PRUNED, exit_status, is_pruned, process_exception_watch
from goodseed.run.process_end.ending import open_runs
from goodseed.run.process_end.exit_code import reason_of
from goodseed.run.run_plugins import RunPlugins
from goodseed.source_code import SourceCode

if TYPE_CHECKING:
    from types import TracebackType

    from goodseed.hooktypes import Run
    from goodseed.run.session import RunSession
    from goodseed.source_code import GitRef

__all__ = ["Companions"]

_SOURCE_CODE_SECONDS: Final = 2.0
_SETTLE_SECONDS: Final = 10.0
_HURRIED_SETTLE_SECONDS: Final = 0.5


class Companions:
    """Starts and stops what runs beside one run."""

    def __init__(
        self,
        run: Run,
        session: RunSession,
        *,
        stdout: bool,
        stderr: bool,
        hardware: bool,
        traceback: bool,
        namespace: str | None,
        git_ref: GitRef | bool | None,
        capture_fd: bool,
    ) -> None:
        self._session: Final = session
        self._plugins: Final = RunPlugins(run)
        self._source_code: Final = SourceCode(session, git_ref)
        self._monitoring: Final = Monitoring(
            session,
            MonitoringOptions(
                stdout=stdout,
                stderr=stderr,
                hardware=hardware,
                traceback=traceback,
                namespace=namespace,
                capture_fd=capture_fd,
            ),
        )

    @property
    def namespace(self) -> str:
        """Where what is monitored is stored."""
        return self._monitoring.namespace

    def start(self) -> None:
        """Start everything."""
        if self._plugins.takes_points:
            self._session.backend.watch(self._plugins.stored)
        process_exception_watch().subscribe(self._on_exception)
        self._monitoring.start()
        self._source_code.start()
        self._plugins.opened(is_new=self._session.opened.is_new)

    def flush(self) -> None:
        """Hand over what is buffered."""
        self._monitoring.flush()

    def record_exception(
        self, kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
    ) -> str:
        """Store the traceback of an exception that leaves ``with``; returns the status that follows from it."""
        status = exit_status(kind, error)
        if status == "failed":
            self._note(kind, error, traceback)
        elif is_pruned(kind):
            self._session.note_end(PRUNED, status=status)
        return status

    def record_traceback(self, text: str) -> None:
        """Store the traceback of an exception that was handled, and then made the process fail."""
        self._monitoring.record_traceback(text)

    def _on_exception(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        traceback: TracebackType | None,
        thread: str | None,
    ) -> None:
        if thread is None and issubclass(kind, KeyboardInterrupt):
            open_runs.interrupt = error
        if thread is not None and not self._monitoring.is_concerned():
            return  # it has opened runs of its own, which its exception ends
        if exit_status(kind, error) == "failed":
            self._note(kind, error, traceback, is_certain=thread is None)
        elif is_pruned(kind):
            self._session.note_end(PRUNED, status="finished")

    def _note(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        traceback: TracebackType | None,
        *,
        is_certain: bool = False,
    ) -> None:
        self._session.note_end(reason_of(kind, error), is_certain=is_certain)
        self._monitoring.record_exception(kind, error, traceback)

    def closing(self, status: str, *, is_patient: bool) -> None:
        """The run is about to end: let plugins see all of it, and write to it once more."""
        if self._plugins.takes_points:
            self._monitoring.flush()
            self._session.settle(_SETTLE_SECONDS if is_patient else _HURRIED_SETTLE_SECONDS)
        self._plugins.closing(status, is_patient=is_patient)

    def closed(self, status: str, *, is_patient: bool) -> None:
        """The run has ended, and its file is whole."""
        self._plugins.closed(status, is_patient=is_patient)

    def stop(self) -> None:
        """Stop everything; what was seen is handed over."""
        process_exception_watch().unsubscribe(self._on_exception)
        self._source_code.stop(_SOURCE_CODE_SECONDS)
        self._monitoring.stop()

    def after_fork_in_child(self) -> None:
        """Leave it all to the parent."""
        self._monitoring.after_fork_in_child()
