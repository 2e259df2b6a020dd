"""Copies a live run to the remote on a thread: registers it, uploads, and reports that it is alive."""

from __future__ import annotations

import contextlib
import logging
import random
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from goodseed.errors import AuthenticationError, GoodseedError, ProjectNotFoundError, RemoteError
from goodseed.remote.client import split_project
from goodseed.remote.messages import Capabilities, WantedRun
from goodseed.storage.forks import watch_forks
from goodseed.storage.inbox.waiting import Done, Wake, wait_until
from goodseed.storage.outbox import LiveOutbox, ensure_pending_indexes
from goodseed.storage.schema import connect_read_only
from goodseed.sync.uploader import Uploader
from goodseed.threads import signals_kept_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from goodseed.columns import Points
    from goodseed.remote.client import Client
    from goodseed.storage.kinds import Kind
    from goodseed.storage.outbox import Mark, PendingConfig
    from goodseed.storage.writing.writer import RunWriter

__all__ = ["Registration", "SyncWorker"]

_logger: Final = logging.getLogger("goodseed")
_INTERVAL_SECONDS: Final = 2.0
_HEARTBEAT_SECONDS: Final = 15.0
_FIRST_BACKOFF_SECONDS: Final = 1.0
_LONGEST_BACKOFF_SECONDS: Final = 60.0
_LONGEST_BACKOFF_AT_CLOSE_SECONDS: Final = 4.0
_REFUSED_RETRY_SECONDS: Final = 300.0
_HOPELESS: Final = (AuthenticationError, ProjectNotFoundError)


@dataclass(frozen=True, slots=True)
class Registration:
    """What the remote is to know the run as.

    Attributes:
        project: ``project`` in the key's default workspace, or ``workspace/project``.
        run_id: The run's id.
        name: Its display name; None for none.
        created_at: When it was made, ISO 8601.
        modified_at: When it was last changed, for an imported run; None for now.
    """

    project: str
    run_id: str
    name: str | None
    created_at: str | None
    modified_at: str | None = None

    def make(self, client: Client) -> str:
        """Make the run at the remote, or find it there; returns the remote's id of it."""
        workspace, project = split_project(client, self.project)
        wanted = WantedRun(workspace, project, self.run_id, self.name, self.created_at, self.modified_at)
        return client.create_run(wanted, is_written=True)


class SyncWorker:
    """Registers a run, and uploads it in the background while it is written.

    Nothing of it is ever on the path of a log call.

    Attributes:
        is_alone: The run is written meanwhile.
        error: Why the last try failed; None when it did not.
    """

    is_alone: Final = False

    def __init__(self, client: Client, registration: Registration) -> None:
        """Nothing is sent yet."""
        self._client: Final = client
        self._writer: RunWriter | None = None
        self._registration: Final = registration
        self._thread: Final = threading.Thread(target=self._work, name="goodseed-sync", daemon=True)
        self._wake: Final = Wake()
        self._answered: Final = Done()
        self._ended: Final = Done()
        self._uploader: Uploader | None = None
        self._remote_id = ""
        self._status: str | None = None  # what the run ended as, once it has
        self._is_status_sent = False
        self._is_stopped = False
        self._is_foreign = False
        self._begun = 0  # passes
        self._finished_well = 0  # the last pass that sent all that waited when it began
        self._progress_at = 0.0
        self._beat_at = 0.0
        self._is_failing = False
        self.error: GoodseedError | None = None
        watch_forks(self)

    # -- for the run ----------------------------------------------------------------------------------------------

    def start(self, wait_seconds: float) -> None:
        """Register the run, and wait at most that long for the remote's verdict on the key and the project.

        Raises:
            AuthenticationError, ProjectNotFoundError: The remote refuses the run.
        """
        with signals_kept_out():
            self._thread.start()
        wait_until(lambda: self._answered.is_set, wait_seconds, self._answered)
        if isinstance(self.error, _HOPELESS):
            self.stop()
            raise self.error

    def attach(self, writer: RunWriter) -> None:
        """Begin to upload what ``writer`` stores."""
        writer.apply(ensure_pending_indexes)
        self._writer = writer
        self._wake.set()

    def sync(self) -> None:
        """Upload soon."""
        self._wake.set()

    def wait(self, timeout: float | None) -> bool:
        """Wait until all that is in the run file now is uploaded; False when that took longer, or is hopeless."""
        wanted = self._begun + 1
        self._wake.set()
        return wait_until(
            lambda: self._finished_well >= wanted or self._ended.is_set or isinstance(self.error, _HOPELESS),
            timeout,
        ) and (self._finished_well >= wanted)

    def pending(self) -> int:
        """How many configs and points wait; 0 if that is unknown."""
        try:
            with self._outbox() as outbox:
                return outbox.count()
        except (GoodseedError, sqlite3.Error):
            return 0

    def drain(self, status: str, *, timeout: float | None, quiet_seconds: float, on_wait: Callable[[], None]) -> bool:
        """Upload the rest and the status; the run file is complete. Returns whether all of it was.

        Args:
            status: ``finished`` or ``failed``.
            timeout: Give up after that many seconds; None never gives up while there is progress.
            quiet_seconds: Give up after that many seconds without progress.
            on_wait: Called again and again meanwhile.
        """
        if self._is_foreign:
            return True
        self._progress_at = started = time.monotonic()
        self._status = status
        self._wake.set()
        until = float("inf") if timeout is None else started + timeout

        def is_over() -> bool:
            on_wait()
            now = time.monotonic()
            return self._ended.is_set or now >= until or now >= self._progress_at + quiet_seconds

        wait_until(is_over, None, self._ended)
        is_done = self._ended.is_set and self.error is None
        self.stop()
        return is_done

    def stop(self) -> None:
        """Send nothing more; what is not sent stays pending in the run file."""
        self._is_stopped = True
        self._wake.set()
        self._client.abort()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)

    @property
    def sent(self) -> int:
        """How many configs and points the remote has taken."""
        return 0 if self._uploader is None else self._uploader.sent

    def after_fork_in_child(self) -> None:
        """The thread and the connection are the parent's."""
        self._is_foreign = True

    # -- the source of the uploader -------------------------------------------------------------------------------

    def configs(self, limit: int) -> list[PendingConfig]:
        """The first configs that wait."""
        with self._outbox() as outbox:
            return outbox.configs(limit)

    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of series that the run may have points of."""
        with self._outbox() as outbox:
            return outbox.kinds()

    def points(self, kind: Kind, limit: int, max_bytes: int) -> list[Points]:
        """The first points that wait."""
        with self._outbox() as outbox:
            return outbox.points(kind, limit, max_bytes)

    def mark(self, mark: Mark) -> None:
        """Let the writer mark them: it has the one connection that writes.

        Raises:
            RemoteError: It can't just now; they will be sent again, which is harmless.
        """
        assert self._writer is not None
        self._progress_at = time.monotonic()
        if not self._writer.apply(mark.apply):
            raise RemoteError(f"what the remote accepted can't be marked in {self._writer.files.database}")

    @contextlib.contextmanager
    def _outbox(self) -> Iterator[LiveOutbox]:
        """The run file, for a moment: no snapshot is held while something is sent."""
        assert self._writer is not None
        connection = connect_read_only(self._writer.files.database, is_at_rest=False)
        try:
            yield LiveOutbox(connection)
        finally:
            connection.close()

    # -- the thread -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        backoff = 0.0
        try:
            while not self._is_stopped:
                try:
                    self._pass()
                    backoff = 0.0
                    self._recover()
                    if self._is_status_sent:
                        return
                except Exception as error:  # noqa: BLE001 - any failure is reported once, and the upload tried again
                    backoff = self._fail(error, backoff)
                    if self._status is not None and isinstance(error, _HOPELESS):
                        return
                self._answered.set()
                if self._status is None or backoff:
                    self._wake.wait(backoff or _INTERVAL_SECONDS)
        finally:
            self._answered.set()
            self._client.close()
            self._ended.set()

    def _pass(self) -> None:
        is_last = self._status is not None
        if self._uploader is None:
            capabilities = self._register()
            self._uploader = Uploader(
                self._client, self._remote_id, self, capabilities, label=self._registration.run_id
            )
            self._answered.set()
        if self._writer is None:
            return
        self._begun += 1
        number = self._begun
        self._uploader.run(lambda: self._is_stopped)
        if self._is_stopped:
            return
        self._finished_well = number
        if is_last:
            self._client.set_status(self._remote_id, self._status or "finished")
            self._is_status_sent = True
        elif time.monotonic() >= self._beat_at:
            self._client.heartbeat(self._remote_id)
            self._beat_at = time.monotonic() + _HEARTBEAT_SECONDS

    def _register(self) -> Capabilities:
        self._remote_id = self._registration.make(self._client)
        self._progress_at = time.monotonic()
        return self._client.capabilities()

    def _recover(self) -> None:
        self.error = None
        if self._is_failing:
            self._is_failing = False
            _logger.warning(
                "goodseed: %s answers again; run %s catches up.", self._client.api_url, self._registration.run_id
            )

    def _fail(self, error: Exception, backoff: float) -> float:
        """Say what goes wrong, once until it goes right again; returns how long to wait."""
        if self._is_stopped:
            return 0.0
        known = error if isinstance(error, GoodseedError) else RemoteError(f"{type(error).__name__}: {error}")
        self.error = known
        if not self._is_failing:
            self._is_failing = True
            if not (isinstance(known, _HOPELESS) and not self._answered.is_set):  # that one is raised
                _logger.warning(
                    "goodseed: run %s is not synced for now: %s Training goes on, and nothing is lost.",
                    self._registration.run_id,
                    f"{known}".rstrip(".") + ".",
                )
        if isinstance(known, _HOPELESS):
            return _REFUSED_RETRY_SECONDS
        longest = _LONGEST_BACKOFF_SECONDS if self._status is None else _LONGEST_BACKOFF_AT_CLOSE_SECONDS
        backoff = min(longest, max(_FIRST_BACKOFF_SECONDS, backoff * 2))
        asked = known.retry_after_seconds if isinstance(known, RemoteError) else None
        return max(backoff * random.Random().uniform(0.5, 1.0), asked or 0.0)
