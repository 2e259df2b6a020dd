"""`Run`, the object that a training script logs to: its arguments, its properties, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.run.data import session_of
from goodseed.run.opening.arguments import check_git_ref, check_seconds, check_switches, first_fields, renamed
from goodseed.run.opening.opening import open_backend
from goodseed.run.opening.pickling import PickledRun, held_run, opened_elsewhere, pickled
from goodseed.run.opening.request import resolve
from goodseed.run.session import RunSession
from goodseed.run.writing import RunWriting
from goodseed.times import parse_time, time_argument

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from goodseed.config import Storage
    from goodseed.run.session import Companions
    from goodseed.source_code import GitRef

__all__ = ["Run"]

_STATUSES: Final = ("finished", "failed")


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
        resume_run_id: Resume this run, which no live process may be writing. Not together with ``run_id``.
        rewind_to: Take the resumed run back to this step, such as that of the checkpoint from which the training goes
            on: the points beyond it are set aside as the tail of the attempt that logged them, and are not lost.
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
        ConfigurationError: The arguments contradict one another, or an environment variable is invalid.
        InvalidValueError, InvalidTypeError: An argument is invalid.
        AuthenticationError: ``storage="cloud"`` was asked for, and there is no API key; nothing has been written.
        RunExistsError: ``run_id`` is taken.
        RunInUseError: A live process writes the run.
        RunNotFoundError: There is no run to resume or to read.
        FileFormatError: The file is not a run, or of a newer version.

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
        rewind_to: float | None = None,
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
        request = resolve(
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
            rewind_to=rewind_to,
        )
        own = RunSession(request, open_backend(request))
        super().__init__(own)
        if own.is_written:

            def companions(session: RunSession) -> Companions:
                from goodseed.run.companions import Companions  # what it needs takes as long to load as all the rest

                return Companions(
                    self,
                    session,
                    stdout=capture_stdout,
                    stderr=capture_stderr,
                    hardware=capture_hardware_metrics,
                    traceback=capture_traceback,
                    namespace=namespace,
                    git_ref=git_ref,
                    capture_fd=request.is_descriptor_captured,
                )

            own.start(first, companions)

    # -- what it is -----------------------------------------------------------------------------------------------

    @property
    def run_id(self) -> str:
        """The run's id, unique in its project."""
        return session_of(self).opened.run_id

    @property
    def project(self) -> str:
        """The run's project."""
        return session_of(self).opened.project

    @property
    def storage(self) -> str:
        """``"cloud"``, ``"local"`` or ``"disabled"``."""
        return session_of(self).request.storage.value

    @property
    def path(self) -> Path | None:
        """The run's SQLite file; None where nothing is stored."""
        return session_of(self).opened.path

    @property
    def is_closed(self) -> bool:
        """Whether the run takes no more points."""
        return session_of(self).is_closed

    @property
    def monitoring_namespace(self) -> str | None:
        """Where what is monitored is stored, ``monitoring/<hash>``; None where nothing is."""
        companions = session_of(self).companions
        return None if companions is None else companions.namespace

    def __copy__(self) -> Run:
        return self

    def __deepcopy__(self, memo: object) -> Run:
        """The run itself: what holds a run, such as an estimator's callback, can be cloned."""
        return self

    def __reduce__(self) -> tuple[object, ...]:
        """In this process the run itself; in another a handle that knows which run it is, and can't write to it."""
        session = session_of(self)
        return _unpickled, (pickled(self, session.request, session.opened),)

    def __repr__(self) -> str:
        return f"<goodseed.Run {self.run_id!r} in project {self.project!r}, {self.storage}>"

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything logged so far is in SQLite and on the disk itself (fsync).

        Without it, what was logged survives the death of the process; with it, that of the machine.

        Args:
            timeout: At most that many seconds; None waits as long as it takes.

        Returns:
            Whether all of it is on the disk. Nothing but a wrong ``timeout`` raises.
        """
        return session_of(self).flush(check_seconds("timeout", timeout))

    # -- the end --------------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Upload now what is not uploaded yet, in the background, instead of within two seconds.

        Without ``storage="cloud"`` there is nothing to upload, and this does nothing.
        """
        session_of(self).backend.sync()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything logged so far is in the run file and, with ``storage="cloud"``, uploaded.

        Args:
            timeout: At most that many seconds; None waits as long as it takes.

        Returns:
            Whether all of it is. Nothing but a wrong ``timeout`` raises.
        """
        return session_of(self).wait(check_seconds("timeout", timeout))

    def close(
        self, status: str = "finished", timeout: float | None = None, closed_at: str | datetime | None = None
    ) -> None:
        """Store everything, write the status, and leave one file. The second call does nothing.

        With ``storage="cloud"``, the rest is uploaded first. What can't be uploaded stays in the run file, and a line
        says how to upload it later.

        Args:
            status: ``"finished"`` or ``"failed"``.
            timeout: Stop the upload after that many seconds; None stops it after 20 s without progress, or 3 s if
                the run has failed.
            closed_at: When an imported run ended, as ``created_at`` of `Run` says when it began; None for now.

        Raises:
            InvalidTypeError, InvalidValueError: An argument is invalid, and the run stays open.
        """
        if status not in _STATUSES:
            raise InvalidValueError(f"status must be 'finished' or 'failed', not {status!r}.")
        seconds = check_seconds("timeout", timeout)
        ended = None if closed_at is None else time_argument("closed_at", closed_at)
        if ended is not None and parse_time(ended) < parse_time(session_of(self).opened.created_at):
            raise InvalidValueError(
                f"closed_at {ended} is before the run was created: give the time at which an imported run began as "
                "goodseed.Run(created_at=…)."
            )
        session_of(self).close(status, is_patient=True, timeout=seconds, closed_at=ended)

    def __enter__(self) -> Run:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(session_of(self).status_after(kind, error, traceback))


def _unpickled(given: PickledRun) -> Run:
    """The run that was pickled, where this process holds it; else a handle that reads it."""
    run = held_run(given)
    if isinstance(run, Run):
        return run
    handle = Run.__new__(Run)
    RunWriting.__init__(handle, RunSession(given.request, opened_elsewhere(given), is_elsewhere=True))
    return handle
