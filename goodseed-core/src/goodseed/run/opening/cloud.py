"""Opens runs that are synced while they are written, and runs that are read from the remote."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from goodseed.errors import RunExistsError
from goodseed.paths import run_files
from goodseed.remote.destination import connect
from goodseed.remote.reader import RemoteRun
from goodseed.run.backends import ReadOnlyBackend, WriterBackend
from goodseed.sync.worker import Registration, SyncWorker
from goodseed.terminal import Progress
from goodseed.times import now_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from goodseed.remote.client import Client
    from goodseed.run.backends import RunEnd
    from goodseed.run.opening.request import Opened, Request
    from goodseed.storage.writing.writer import CloseReport, RunWriter

__all__ = ["SyncedBackend", "open_remote", "registered"]

_logger: Final = logging.getLogger("goodseed")
_VERDICT_SECONDS: Final = 2.0  # what a run waits for the remote at its start, and never again
_QUIET_SECONDS: Final = 20.0
_QUIET_AFTER_FAILURE_SECONDS: Final = 3.0  # after an interrupt or a failure, people wait for the prompt
_HURRIED_SECONDS: Final = 1.5


class SyncedBackend(WriterBackend):
    """A run that is written, and uploaded in the background."""

    def __init__(self, writer: RunWriter, close_seconds: float, worker: SyncWorker, upload_line: str) -> None:
        super().__init__(writer, close_seconds)
        self._worker: Final = worker
        self._upload_line: Final = upload_line
        worker.attach(writer)

    def sync(self) -> None:
        """Upload soon what is not uploaded yet."""
        self._worker.sync()

    def wait(self, timeout: float | None) -> bool:
        """Wait until all is stored and uploaded."""
        return self.writer.settle(timeout) and self._worker.wait(timeout)

    def close(self, end: RunEnd, *, is_patient: bool, timeout: float | None) -> CloseReport:
        """Store everything, upload it as long as there is progress, and write the run's end."""
        self.writer.end_logging(end.configs)
        if self.writer.settle(None if is_patient else _HURRIED_SECONDS):
            self._drain(end.status, is_patient=is_patient, timeout=timeout)
        else:
            self._worker.stop()
        return super().close(end, is_patient=is_patient, timeout=timeout)

    def _drain(self, status: str, *, is_patient: bool, timeout: float | None) -> None:
        progress = Progress("Uploading", self._worker.pending())
        before = self._worker.sent
        try:
            is_done = self._worker.drain(
                status,
                timeout=timeout if is_patient else _HURRIED_SECONDS,
                quiet_seconds=_QUIET_SECONDS if status == "finished" else _QUIET_AFTER_FAILURE_SECONDS,
                on_wait=lambda: progress.show(self._worker.sent - before),
            )
        finally:
            progress.end()
        if not is_done:
            error = self._worker.error
            _logger.warning(
                "goodseed: not all of the run is uploaded%s. It is kept here; this uploads the rest: %s",
                f" ({error})" if error is not None else "",
                self._upload_line,
            )


def registered(
    request: Request,
    run_id: str,
    open_file: Callable[[Request, str, str, Callable[[RunWriter, float], WriterBackend]], Opened],
) -> Opened:
    """Open a run that is synced: the remote is asked first, so that nothing is written that it would refuse.

    Raises:
        AuthenticationError, ProjectNotFoundError: The remote refuses the run.
        ConfigurationError: The remote's address is invalid.
        RunExistsError, RunInUseError, RunNotFoundError, FileFormatError: See `RunWriter`.
    """
    files = run_files(request.project, run_id, home=request.home, log_dir=request.log_dir)
    if not request.is_resumed and files.database.exists():
        raise RunExistsError(
            f"The run {run_id!r} exists: {files.database}. To resume it, give resume_run_id={run_id!r}; "
            "else choose another id."
        )
    created_at = request.created_at or now_text()
    registration = Registration(
        request.project,
        run_id,
        request.name,
        None if request.is_resumed else created_at,
        request.modified_at,
    )
    worker = SyncWorker(_client(request), registration)
    worker.start(_VERDICT_SECONDS)
    line = f"goodseed upload -p {request.project} --run-id {run_id}"
    try:
        return open_file(
            request, run_id, created_at, lambda writer, seconds: SyncedBackend(writer, seconds, worker, line)
        )
    except BaseException:
        worker.stop()
        raise


def open_remote(request: Request) -> ReadOnlyBackend:
    """A run of the remote, to be read.

    Raises:
        RunNotFoundError: There is no run of this id, and none is created.
        AuthenticationError, ProjectNotFoundError, RemoteError: The remote fails or refuses.
    """
    assert request.run_id is not None
    return ReadOnlyBackend(RemoteRun.find(_client(request), request.project, request.run_id))


def _client(request: Request) -> Client:
    assert request.api_key is not None
    return connect(request.api_url, request.api_key, is_http_allowed=request.is_http_allowed)
