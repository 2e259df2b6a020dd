"""`Run`: what a training script holds."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.errors import GoodseedError, InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.run.arguments import check_git_ref, check_seconds, check_switches, first_fields, renamed
from goodseed.run.notices import closing_line, missing_key_line, notice, opening_line
from goodseed.run.opening import open_backend, resolve
from goodseed.run.pickling import found, pickled
from goodseed.run.process_end.ending import open_runs
from goodseed.run.run_plugins import find_redactor
from goodseed.run.writing import RunWriting
from goodseed.times import now_text
from goodseed.values import as_text

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from goodseed.config import Storage
    from goodseed.run.attachments import Attachments
    from goodseed.run.opening import Opened, Request
    from goodseed.run.process_end.exit_code import ProcessEnd
    from goodseed.run.source import Source
    from goodseed.source_code import GitRef

__all__ = ["Run"]

_logger: Final = logging.getLogger("goodseed")
_STATUSES: Final = ("finished", "failed")


class _End(NamedTuple):
    """How a run ended: what `Backend.close` writes."""

    status: str
    configs: list[tuple[str, str, str, str]]
    closed_at: str


class _Noted(NamedTuple):
    """What ends the run, seen before it is closed."""

    status: str
    reason: str


class Run(RunWriting):
    """One experiment: its configs, metrics and texts, in one SQLite file.

    Logging is thread-safe, takes microseconds, waits for no disk, and what a call has accepted survives the death of
    the process. A caller's mistake raises; trouble of the disk never does, it is warned of once.

    Args:
        name: Display name, ``sys/name``.
        description: Free text, ``sys/description``.
        tags: ``sys/tags``.
        project: ``"project"`` or ``"workspace/project"``; default: ``GOODSEED_PROJECT``, else ``"default"``.
        run_id: Unique in the project; default: ``GOODSEED_RUN_ID``, else one is made up, such as ``bold-falcon-k3x``.
        resume_run_id: Go on with this run, which no live process may be writing. Not together with ``run_id``.
        storage: ``"cloud"``, ``"local"`` or ``"disabled"``; default: ``GOODSEED_STORAGE``, else ``"cloud"`` where
            there is an API key and ``"local"`` where there is none.
        api_key: Default: ``GOODSEED_API_KEY``.
        read_only: Open an existing run to read it; what writes raises `ReadOnlyError`.
        goodseed_home: Default: ``GOODSEED_HOME``, else ``~/.goodseed``.
        log_dir: The directory of the run's file, instead of ``<home>/projects/<project>/runs``.
        capture_stdout: Store what is written to stdout.
        capture_stderr: Store what is written to stderr.
        capture_hardware_metrics: Sample CPU, memory, disk, network and accelerators every 10 s.
        capture_traceback: Store the traceback of the exception that ends the run.
        monitoring_namespace: Instead of ``monitoring/<hash of hostname, process and thread>``.
        git_ref: A `GitRef` that says where the source code is; ``False`` or `GitRef.DISABLED` stores no git facts.
        created_at: ISO 8601 time at which an imported run was made.
        modified_at: ISO 8601 time at which an imported run was last changed.
        **deprecated: ``experiment_name`` (now ``name``) and ``run_name`` (now ``run_id``).

    Raises:
        ConfigurationError: The arguments contradict one another, or an environment variable makes no sense.
        InvalidValueError, InvalidTypeError: An argument is invalid.
        AuthenticationError: ``storage="cloud"`` was asked for, and there is no API key; nothing has been written.
        RunExistsError: ``run_id`` is taken.
        RunInUseError: A live process writes the run.
        RunNotFoundError: There is no run to resume or to read.
        FileFormatError: The file is no run, or of a newer version.

    Examples:
        >>> with goodseed.Run(name="baseline", storage="local") as run:
        ...     run["parameters"] = {"lr": 0.001, "batch_size": 32}
        ...     for step in range(100):
        ...         run.log_metrics({"train/loss": 1 / (step + 1)}, step=step)
    """

    def __init__(
        self,
        name: str | None = None,
        description: str | None = None,
        tags: Iterable[str] | None = None,
        project: str | None = None,
        run_id: str | None = None,
        resume_run_id: str | None = None,
        storage: str | Storage | None = None,
        api_key: str | None = None,
        read_only: bool = False,
        goodseed_home: str | os.PathLike[str] | None = None,
        log_dir: str | os.PathLike[str] | None = None,
        capture_stdout: bool = True,
        capture_stderr: bool = True,
        capture_hardware_metrics: bool = True,
        capture_traceback: bool = True,
        monitoring_namespace: str | None = None,
        git_ref: GitRef | bool | None = None,
        created_at: str | datetime | None = None,
        modified_at: str | datetime | None = None,
        **deprecated: str | None,
    ) -> None:
        name = renamed(deprecated, "experiment_name", "name", name)
        run_id = renamed(deprecated, "run_name", "run_id", run_id)
        if deprecated:
            raise InvalidTypeError(f"Run() has no argument {min(deprecated)!r}.")
        first = first_fields(name, description, tags)
        namespace = None if monitoring_namespace is None else check_attribute_path(monitoring_namespace)
        check_switches(
            read_only=read_only,
            capture_stdout=capture_stdout,
            capture_stderr=capture_stderr,
            capture_hardware_metrics=capture_hardware_metrics,
            capture_traceback=capture_traceback,
        )
        check_git_ref(git_ref)
        self._request: Final = resolve(
            project=project,
            run_id=run_id,
            resume_run_id=resume_run_id,
            storage=storage,
            api_key=api_key,
            read_only=read_only,
            goodseed_home=goodseed_home,
            log_dir=log_dir,
            created_at=created_at,
            modified_at=modified_at,
            name=first.get("sys/name"),  # type: ignore[arg-type]
        )
        self._is_closed = False
        self._is_closing = False
        self._is_foreign = False
        self._noted: _Noted | None = None
        self._end: _End | None = None
        self._opened: Final = open_backend(self._request)
        super().__init__(self._opened.backend)
        self._attachments: Attachments | None = None
        if self._opened.path is not None and not read_only:
            from goodseed.run.attachments import Attachments  # what it needs takes as long to load as all the rest

            open_runs.add(self)
            self._redact = find_redactor()
            self._start(first)
            self._attachments = Attachments(
                self,
                stdout=capture_stdout,
                stderr=capture_stderr,
                hardware=capture_hardware_metrics,
                traceback=capture_traceback,
                namespace=namespace,
                git_ref=git_ref,
                capture_fd=self._request.is_descriptor_captured,
            )
            self._attachments.start()

    def _start(self, first: dict[str, object]) -> None:
        fields: dict[str, object] = {"sys/state": "running", **first}
        if self._opened.is_new:
            fields |= {"sys/id": self.run_id}
        rows = self._encode(fields)
        if self._opened.is_new:
            rows.append(("sys/creation_time", "datetime", self._opened.created_at, now_text()))
        self._backend.add_configs(rows)
        request = self._request
        notice(opening_line(request, self._opened), is_quiet=request.is_quiet)
        if request.is_key_missing:
            notice(missing_key_line(request, self.run_id), is_quiet=request.is_quiet)

    # -- what it is -----------------------------------------------------------------------------------------------

    @property
    def run_id(self) -> str:
        """The run's id, unique in its project."""
        return self._opened.run_id

    @property
    def project(self) -> str:
        """The run's project."""
        return self._opened.project

    @property
    def storage(self) -> str:
        """``"cloud"``, ``"local"`` or ``"disabled"``."""
        return self._request.storage.value

    @property
    def path(self) -> Path | None:
        """The run's SQLite file; None where nothing is stored."""
        return self._opened.path

    @property
    def is_closed(self) -> bool:
        """Whether the run takes no more points."""
        return self._is_closed

    @property
    def monitoring_namespace(self) -> str | None:
        """Where what is monitored is stored, ``monitoring/<hash>``; None where nothing is."""
        return None if self._attachments is None else self._attachments.namespace

    def __copy__(self) -> Run:
        return self

    def __deepcopy__(self, memo: object) -> Run:
        """The run itself: what holds a run, such as an estimator's callback, can be cloned."""
        return self

    def __reduce__(self) -> tuple[object, ...]:
        """In this process the run itself; in another a handle that knows which run it is, and can't write to it."""
        return found, (pickled(self, self._request, self._opened),)

    @classmethod
    def _elsewhere(cls, request: Request, opened: Opened) -> Run:
        """The handle that another process has of a run."""
        run = cls.__new__(cls)
        run._request, run._opened = request, opened  # type: ignore[misc]
        run._is_closed, run._is_closing, run._is_foreign = True, True, False
        run._noted = run._end = run._attachments = None
        RunWriting.__init__(run, opened.backend)
        return run

    def __repr__(self) -> str:
        return f"<goodseed.Run {self.run_id!r} in project {self.project!r}, {self.storage}>"

    def _stored_set(self, path: str) -> set[str]:
        if self._opened.path is None or self._is_closed:
            return set()
        return self._string_set(path)

    def _source(self) -> Source:
        if self._request.is_read_only:
            open_runs.settle(self._opened.path)
        return self._backend.source()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything logged so far is in SQLite and on the disk itself (fsync).

        Without it, what was logged survives the death of the process; with it, that of the machine.

        Args:
            timeout: At most that many seconds; None waits as long as it takes.

        Returns:
            Whether all of it is on the disk. Nothing but a wrong ``timeout`` raises.
        """
        if self._attachments is not None:
            self._attachments.flush()
        return self._backend.flush(check_seconds("timeout", timeout))

    # -- the end --------------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Upload now what is not uploaded yet, in the background, instead of within two seconds.

        Without ``storage="cloud"`` there is nothing to upload, and this does nothing.
        """
        self._backend.sync()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything logged so far is in the run file and, with ``storage="cloud"``, uploaded.

        Args:
            timeout: At most that many seconds; None waits as long as it takes.

        Returns:
            Whether all of it is. Nothing but a wrong ``timeout`` raises.
        """
        if self._attachments is not None:
            self._attachments.flush()
        return self._backend.wait(check_seconds("timeout", timeout))

    def close(self, status: str = "finished", timeout: float | None = None) -> None:
        """Store everything, write the status, and leave one file. The second call does nothing.

        With ``storage="cloud"``, the rest is uploaded first. What can't be uploaded stays in the run file, and a line
        says how to upload it later.

        Args:
            status: ``"finished"`` or ``"failed"``.
            timeout: Give the upload up after that many seconds; None goes on as long as there is progress, and
                gives up after 20 s without any, or 3 s when the run has failed.

        Raises:
            InvalidTypeError, InvalidValueError: ``status`` or ``timeout`` is invalid.
        """
        if status not in _STATUSES:
            raise InvalidValueError(f"status must be 'finished' or 'failed', not {status!r}.")
        self._close(status, is_patient=True, timeout=check_seconds("timeout", timeout))

    def _close(self, status: str, *, is_patient: bool, timeout: float | None = None) -> None:
        if self._is_foreign or self._opened.path is None or self._request.is_read_only:
            self._is_closed = True
            return
        with self._lock:
            is_first, self._is_closing = not self._is_closing, True
        if is_first and self._attachments is not None:
            self._attachments.closing(status, is_patient=is_patient)
        with self._lock:
            was_closed = self._end is not None
            if not was_closed:
                self._end = self._end_of(status)
            self._is_closed = True
        if was_closed:
            return
        self._finish_close(is_patient=is_patient, timeout=timeout)

    def _end_of(self, status: str) -> _End:
        closed_at = now_text()
        rows = [("sys/state", "str", status, closed_at), ("sys/closed_time", "datetime", closed_at, closed_at)]
        if self._noted is not None and self._noted.status == status:
            rows.append(("sys/end_reason", "str", self._text("sys/end_reason", self._noted.reason), closed_at))
        return _End(status, rows, closed_at)

    def _finish_close(self, *, is_patient: bool, timeout: float | None = None) -> None:
        """What a close does; may be called again when a signal broke it off, or to wait for one that goes on."""
        assert self._end is not None
        if self._attachments is not None:
            self._attachments.stop()
        report = self._backend.close(*self._end, is_patient=is_patient, timeout=timeout)
        open_runs.discard(self)
        if report.kept_in is not None:
            _logger.warning(
                "goodseed: run %s could not be stored whole, and there was no room beside it. All of the rest is kept "
                "in %s: make room, move that to %s-inbox, and whoever opens the run next stores it.",
                self.run_id,
                report.kept_in,
                self.path,
            )
        elif not report.is_stored:
            _logger.warning(
                "goodseed: run %s could not be stored whole; the rest is kept in %s-inbox, and "
                "whoever opens the run next stores it.",
                self.run_id,
                self.path,
            )
        if report.dropped:
            _logger.warning("goodseed: %d log calls of run %s found no room and are lost.", report.dropped, self.run_id)
        notice(closing_line(self._request, self._opened, self._end.status), is_quiet=self._request.is_quiet)
        if self._attachments is not None:
            self._attachments.closed(self._end.status, is_patient=is_patient)

    def __enter__(self) -> Run:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status = "finished"
        if kind is not None and self._attachments is not None:
            status = self._attachments.record_exception(kind, error, traceback)
        self.close(status)

    def _note_end(self, reason: str, *, status: str = "failed", is_certain: bool = False) -> None:
        """An exception or a signal is about to end the run.

        Args:
            reason: For ``sys/end_reason``.
            status: How the run ends by it.
            is_certain: The process ends, perhaps before the run can be closed: it is written at once.
        """
        if self._noted is None:
            self._noted = _Noted(status, as_text(reason))
            if is_certain and not self._is_closed:
                with contextlib.suppress(GoodseedError):
                    self._backend.add_configs(self._encode({"sys/end_reason": self._noted.reason}))

    def _note_process_end(self, end: ProcessEnd) -> None:
        """The process ends in a way that was seen by nobody else."""
        if self._noted is None and self._end is None:
            self._note_end(end.reason, status=end.status)
            if end.traceback and self._attachments is not None:
                self._attachments.record_traceback(end.traceback)

    def _close_at_exit(self, *, is_patient: bool) -> None:
        """The process ends: wait for a close that goes on, or close."""
        if self._end is not None:
            self._finish_close(is_patient=is_patient)
            return
        self._close("finished" if self._noted is None else self._noted.status, is_patient=is_patient)

    def _after_fork_in_child(self) -> None:
        self._is_foreign = True
        self._lock = threading.RLock()
        if self._attachments is not None:
            self._attachments.after_fork_in_child()
