"""Implements what the hub does with runs, on top of a registry and a store, without HTTP."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from goodseed.errors import GoodseedError, InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.times import now_text
from goodseed.values import decode_config
from goodseed_hub.errors import ApiError, HubError
from goodseed_hub.limits import Limits, RateLimiter
from goodseed_hub.registry.directory import new_record
from goodseed_hub.stores.base import Change
from goodseed_hub.wire.points import places, read_points

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from goodseed_hub.registry.access import Access
    from goodseed_hub.registry.caller import Caller
    from goodseed_hub.registry.database import Database
    from goodseed_hub.registry.directory import Directory, RunRecord, RunState
    from goodseed_hub.stores.base import RunStore

__all__ = ["Hub", "NewRun"]

_logger: Final = logging.getLogger("goodseed")
_TEND_SECONDS: Final = 2.0
_STATUSES: Final = ("running", "finished", "failed")
_TIME: Final = re.compile(r"[0-9T:.+Z -]{10,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run as its client asks for it."""

    workspace: str
    project: str
    run_id: str
    name: str | None
    created_at: str | None
    modified_at: str | None


@final
class Hub:
    """Everything that is open while the hub runs; for any number of threads.

    Attributes:
        database: The registry's database.
        access: Users and keys.
        directory: Workspaces, projects and runs.
        store: The runs' data.
        limits: What is allowed.
        rates: How often each key has asked.
    """

    def __init__(
        self,
        database: Database,
        access: Access,
        directory: Directory,
        store: RunStore,
        limits: Limits,
        *,
        makes_projects: bool = True,
    ) -> None:
        self.database: Final = database
        self.access: Final = access
        self.directory: Final = directory
        self.store: Final = store
        self.limits: Final = limits
        self._makes_projects: Final = makes_projects
        self.rates: Final = RateLimiter(limits.requests_a_second, limits.burst)
        self._stop: Final = threading.Event()
        self._thread: threading.Thread | None = None
        self._reported: Final[set[str]] = set()
        self._when_ended: Callable[[RunRecord], None] | None = None

    # -- its life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to tend the store in a thread."""
        self._thread = threading.Thread(target=self._tend, name="goodseed-hub-tending", daemon=True)
        self._thread.start()

    def when_ended(self, action: Callable[[RunRecord], None]) -> None:
        """Call ``action``, which is quick and raises nothing, with every run that is said to have ended from now on."""
        self._when_ended = action

    def close(self) -> None:
        """Stop, and close everything; calling it twice is harmless."""
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join(30)
        self._write_small_things()
        self.store.close()
        self.database.close()

    def _tend(self) -> None:
        while not self._stop.wait(_TEND_SECONDS):
            self._write_small_things()
            try:
                self.store.tend()
            except Exception as error:  # noqa: BLE001 - reported; the thread lives on
                self._report(error)

    def _write_small_things(self) -> None:
        try:
            self.directory.write_signs_of_life()
            self.access.write_last_uses()
        except Exception as error:  # noqa: BLE001 - reported; the thread lives on
            self._report(error)

    def _report(self, error: Exception) -> None:
        """Log each kind of trouble once; the thread goes on."""
        kind = f"{type(error).__name__}: {error}"[:200]
        if kind not in self._reported and len(self._reported) < 100:
            self._reported.add(kind)
            _logger.error("goodseed: the hub's housekeeping failed: %s (reported once).", kind, exc_info=error)

    # -- runs -----------------------------------------------------------------------------------------------------

    def open_run(self, caller: Caller, wanted: NewRun) -> RunState:
        """Make the run or find it, and its project where there is none; a caller that may only read finds it.

        Raises:
            ApiError: 403, or 404 where there is no such project or run for one who may not make it.
        """
        caller.require("viewer", wanted.workspace)
        known = self.directory.find(wanted.workspace, wanted.project, wanted.run_id) if wanted.run_id else None
        if known is None:
            may_make = bool(wanted.run_id) and caller.may("member", wanted.workspace)
            is_new_project = not self.directory.has_project(wanted.workspace, wanted.project)
            if is_new_project and not (may_make and self._makes_projects):
                raise ApiError.project_not_found(f"{wanted.workspace}/{wanted.project}")
            if not may_make:
                raise ApiError.run_not_found()
            return self._make_run(wanted, is_new_project=is_new_project)
        if not self.store.exists(known.record) and caller.may("member", wanted.workspace):
            self._store_first(known, wanted)  # the hub was killed between entering the run and storing it
        name = wanted.name
        is_other = name and name != known.name and caller.may("member", wanted.workspace)
        if name and is_other and name != self.store.sent(known.record, "sys/name"):  # not renamed on the page since
            self.store.write(known.record, Change(meta={"name": name}))
            self.directory.set_name(known.record.id, name)
        return known

    def _make_run(self, wanted: NewRun, *, is_new_project: bool) -> RunState:
        record = new_record(wanted.workspace, wanted.project, wanted.run_id)
        if is_new_project:
            self.make_project(wanted.workspace, wanted.project)
        created_at = wanted.created_at or now_text()
        # The registry decides whose id counts when two clients make one run at once.
        state = self.directory.add_run(record, wanted.name, created_at)
        self._store_first(state, wanted)
        self.directory.see(state.record.id)
        return state

    def _store_first(self, state: RunState, wanted: NewRun) -> None:
        meta = {"created_at": state.created_at, "name": wanted.name or state.name, "modified_at": wanted.modified_at}
        self.store.write(state.record, Change(meta={key: text for key, text in meta.items() if text}))

    def make_project(self, workspace: str, name: str) -> None:
        """Make a project, unless there is one.

        Raises:
            ApiError: The name can't be one.
        """
        try:
            self.directory.create_project(workspace, name)
        except HubError as error:
            raise ApiError.bad_request(str(error), "Project.InvalidName") from error

    def run(self, caller: Caller, id_: str, role: str) -> RunRecord:
        """The run of that id, if the caller has ``role`` in its workspace.

        Raises:
            ApiError: 404 where there is none, or the caller may not know of it; 403 where the caller may only read.
        """
        record = self.directory.record(id_)
        if record is None or not caller.may("viewer", record.workspace):
            raise ApiError.run_not_found()
        caller.require(role, record.workspace)
        return record

    def state(self, record: RunRecord) -> RunState:
        """What is known of a run."""
        state = self.directory.state(record.id)
        if state is None:
            raise ApiError.run_not_found()
        return state

    # -- writing --------------------------------------------------------------------------------------------------

    def ingest(self, record: RunRecord, body: bytes, content_type: str) -> list[tuple[int, str]]:
        """Store the points in a plain body; returns index and reason of those that were not taken.

        Raises:
            ApiError: It is no body of an ingest.
        """
        points = read_points(body, content_type, self.limits)
        if points.taken:
            outcome = self.store.write(record, Change(points=points.taken))
            if outcome.refused:
                reason = f"A run can have at most {self.limits.max_series:,} series."
                points.rejected += [
                    (index, reason)
                    for index, kind, path in places(body, content_type, self.limits)
                    if (kind, path) in outcome.refused
                ]
        self.directory.see(record.id)
        return sorted(points.rejected)

    def set_configs(self, record: RunRecord, configs: Sequence[Any]) -> None:
        """Set configs: all of them, or none.

        Raises:
            ApiError: One of them is invalid.
        """
        if len(configs) > self.limits.max_configs:
            raise ApiError.bad_request(
                f"A request must have at most {self.limits.max_configs:,} configs.", "Config.TooMany"
            )
        now = now_text()
        rows = [(*self._config(config), now) for config in configs]
        self.store.write(record, Change(configs=rows))
        self.directory.see(record.id)

    def _config(self, config: Any) -> tuple[str, str, str]:
        if not isinstance(config, dict):
            raise ApiError.bad_request("A config must be an object.", "Config.Invalid")
        tag, value = config.get("type_tag"), config.get("value")
        try:
            path = check_attribute_path(config.get("path"))
            value = "" if value is None else value
            if not isinstance(tag, str) or not isinstance(value, str):
                raise InvalidTypeError(f"The config {path[:100]!r} must have type_tag and value, both strings.")
            if len(value.encode()) > self.limits.max_text_bytes:
                raise InvalidValueError(
                    f"The config {path[:100]!r} has over {self.limits.max_text_bytes:,} bytes: too many."
                )
            decode_config(tag, value)
        except (GoodseedError, ValueError, RecursionError) as error:
            raise ApiError.bad_request(str(error)[:300], "Config.Invalid") from error
        return path, tag, value

    def set_status(self, record: RunRecord, status: str) -> None:
        """The run is ``running``, ``finished`` or ``failed``.

        Raises:
            ApiError: It is something else.
        """
        if status not in _STATUSES:
            raise ApiError.bad_request(f"status must be one of {', '.join(_STATUSES)}.", "Status.Invalid")
        closed_at = None
        if status != "running":  # a run that is uploaded later knows better when it ended
            told = self.store.config(record, "sys/closed_time") or ""
            closed_at = told if _TIME.fullmatch(told) else now_text()
        self.store.write(record, Change(meta={"status": status, "closed_at": closed_at}, is_last=status != "running"))
        self.directory.set_status(record.id, status)
        if status != "running" and self._when_ended is not None:
            self._when_ended(record)

    def heartbeat(self, record: RunRecord) -> None:
        """The run's client is alive; one that had ended goes on."""
        if self.directory.is_revived_by_heartbeat(self.state(record)):
            self.set_status(record, "running")
        self.directory.see(record.id)
