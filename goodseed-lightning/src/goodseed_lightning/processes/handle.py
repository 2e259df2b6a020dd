"""Holds the one run behind a logger and its copies: opens it when needed, finds it from other processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import secrets
import sys
import threading
from multiprocessing import util
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from goodseed import GoodseedError, InvalidValueError, Run, RunExistsError
from goodseed_lightning.frameworks import versions
from goodseed_lightning.processes.relay import Relay
from goodseed_lightning.processes.relayed import RelayedRun, reach

if TYPE_CHECKING:
    from collections.abc import Mapping

    from goodseed_lightning.processes.relay import Address

__all__ = ["RunHandle"]

_logger: Final = logging.getLogger("goodseed")
_handles: Final[WeakValueDictionary[str, RunHandle]] = WeakValueDictionary()
_open_runs: Final[WeakValueDictionary[tuple[object, ...], Run]] = WeakValueDictionary()
_FIRST_TIME_ONLY: Final = ("name", "experiment_name", "description", "tags", "created_at", "modified_at")
_WHERE: Final = ("project", "goodseed_home", "log_dir")


class RunHandle:
    """Which run a logger writes to, and the run itself once it is open.

    A process has one handle for a run, however often the logger is copied; a pickled handle is the same run's in
    another process.

    Args:
        arguments: What `goodseed.Run` is called with.
        run: A run that is open already; it is never closed here.

    Raises:
        GoodseedError: `goodseed.Run` would refuse the arguments. Nothing has been written.
    """

    def __init__(self, arguments: Mapping[str, Any], run: Run | None = None) -> None:
        self.is_ours = run is None
        if run is None:
            self._arguments = {key: value for key, value in arguments.items() if value is not None}
            self._settle_identity()
        else:
            self._adopt(run)
        self._token = secrets.token_hex(16)
        self._run: Run | RelayedRun | None = run
        self._pid = os.getpid()
        self._was_opened = False
        self._relay: Relay | None = None
        self._parents: Address | None = None
        self._may_have_children = False
        self._lock = threading.RLock()
        _handles[self._token] = self

    def _settle_identity(self) -> None:
        """Check the arguments, and choose the run's id, as `goodseed.Run` does, without writing."""
        if self._arguments.pop("read_only", False):
            raise InvalidValueError("A logger can't be read-only: pass read_only=True to goodseed.Run itself.")
        resumed = self._arguments.pop("resume_run_id", None)
        if resumed is not None and "run_id" in self._arguments:
            raise InvalidValueError("run_id and resume_run_id name one run each: give one of the two.")
        self._must_exist = resumed is not None
        trial = Run(**{**self._arguments, **({"run_id": resumed} if resumed else {}), "storage": "disabled"})
        given = resumed or self._arguments.get("run_id") or self._arguments.pop("run_name", None)
        # A run whose id is taken is resumed, so a drawn id must be rare: it is longer than Run's own.
        is_drawn = given is None and not os.environ.get("GOODSEED_RUN_ID")
        self.run_id: str = f"{trial.run_id}{secrets.token_hex(2)}" if is_drawn else trial.run_id
        self.project: str = trial.project
        self._arguments |= {"project": trial.project, "run_id": self.run_id}

    def _adopt(self, run: Run) -> None:
        self.run_id, self.project = run.run_id, run.project
        self._must_exist = run.path is not None
        self._arguments = {"project": run.project, "run_id": run.run_id, "storage": run.storage}
        if run.path is not None:
            self._arguments["log_dir"] = run.path.parent

    # -- the run ---------------------------------------------------------------------------------------------------

    def get(self) -> Run | RelayedRun:
        """The run, opened if need be: a new one, or an existing one resumed.

        Raises:
            GoodseedError: See `goodseed.Run`.
        """
        run = self._run
        if run is not None and self._pid == os.getpid() and (not run.is_closed or not self.is_ours):
            return run
        with self._lock:
            run = self.current()
            if run is None:
                run = self._run = self._reached() or self._opened()
                self._pid, self._was_opened = os.getpid(), True
        return run

    def current(self) -> Run | RelayedRun | None:
        """The run, if this process has it open."""
        if self._run is None or self._pid != os.getpid() or (self._run.is_closed and self.is_ours):
            return None
        return self._run

    def _reached(self) -> RelayedRun | None:
        """The run as its parent process has it open; None where no parent has."""
        inherited = self._relay if self._relay is not None and not self._relay.is_here else None
        address = self._parents if inherited is None else inherited.address
        run = None if address is None else reach(address, self.run_id, self.project)
        if run is not None:
            util.Finalize(None, run.close, exitpriority=10)
        return run

    def _opened(self) -> Run:
        open_already = _open_runs.get(self._place())
        if open_already is not None and not open_already.is_closed:  # another logger of this process writes it
            return open_already
        arguments = dict(self._arguments)
        if self._was_opened:
            for key in _FIRST_TIME_ONLY:  # a user may have edited them since
                arguments.pop(key, None)
        if not self._must_exist and not self._was_opened:
            try:
                return self._kept(Run(**arguments))
            except RunExistsError:
                _logger.debug("goodseed: run %s exists, and is resumed.", self.run_id)
        run_id = arguments.pop("run_id")
        return self._kept(Run(**arguments, resume_run_id=run_id))

    def _place(self) -> tuple[object, ...]:
        """A key that identifies this run among those that this process has open."""
        return (os.getpid(), self.run_id, *(str(self._arguments.get(name)) for name in _WHERE))

    def _kept(self, run: Run) -> Run:
        _open_runs[self._place()] = run
        run.log_configs({f"source_code/integrations/{name}": version for name, version in versions().items()})
        if _is_worker():
            util.Finalize(None, _end_with_worker, args=(run,), exitpriority=10)  # a child that is forked runs no atexit
        return run

    # -- the end ---------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """End a stage: the run goes on, or is left to the process that started this one."""
        run = self.current()
        if isinstance(run, RelayedRun):
            run.settle()
        elif run is not None and self.is_ours and _is_worker():
            self._close_relay()
            run.close()

    def fail(self) -> None:
        """Close the run as failed, with the exception that is being handled; one that was passed in stays open."""
        run = self.current()
        if run is None:
            self._fail_what_a_child_left()
        elif isinstance(run, RelayedRun):
            run.settle()
        elif self.is_ours:
            self._close_relay()
            kind, error, traceback = sys.exc_info()
            if kind is None:
                run.close("failed")
            else:
                run.__exit__(kind, error, traceback)

    def _fail_what_a_child_left(self) -> None:
        if not self._may_have_children or not self.is_ours:
            return
        where = {key: self._arguments[key] for key in _WHERE if key in self._arguments}
        try:
            with Run(**where, run_id=self.run_id, read_only=True, storage="local") as stored:
                is_left = any(row["path"] == "sys/state" and row["value"] == "running" for row in stored.get_configs())
            if is_left:  # a strategy that loses a process kills the others, which then close nothing
                self._was_opened = True
                self._opened().close("failed")
        except GoodseedError as error:
            _logger.debug("goodseed: no child process has left run %s open: %s", self.run_id, error)

    # -- other processes -------------------------------------------------------------------------------------------

    def _prepare_children(self) -> None:
        """Make sure that a child of this process finds the run."""
        self._may_have_children = True
        run = self.current()
        if not isinstance(run, Run) or run.is_closed or run.path is None:
            return
        if self._relay is not None and self._relay.serves(run):
            return
        self._close_relay()
        try:
            self._relay = Relay(run)
        except OSError as error:
            _logger.warning("goodseed: child processes can't log to run %s: %s", self.run_id, error)

    def _close_relay(self) -> None:
        if self._relay is not None:
            self._relay.close()
            self._relay = None

    def __deepcopy__(self, memo: object) -> RunHandle:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        self._prepare_children()
        address = self._relay.address if self._relay is not None else self._parents
        state = (self._token, self.run_id, self.project, self._arguments, self._must_exist, address)
        return _restored, (state,)


def _restored(state: tuple[Any, ...]) -> RunHandle:
    token = state[0]
    handle = _handles.get(token)
    if handle is not None:
        return handle
    handle = RunHandle.__new__(RunHandle)
    _, handle.run_id, handle.project, handle._arguments, handle._must_exist, handle._parents = state
    handle.is_ours = True  # the run that was passed in is in another process
    handle._token, handle._run, handle._pid = token, None, os.getpid()
    handle._was_opened, handle._relay, handle._lock = False, None, threading.RLock()
    handle._may_have_children = False
    _handles[token] = handle
    return handle


def _is_worker() -> bool:
    """Whether another Python started this process for a part of its work, as spawning and forking strategies do."""
    return multiprocessing.parent_process() is not None


def _end_with_worker(run: Run) -> None:
    run.__exit__(*sys.exc_info())  # of what ends the worker; nothing where it has done its work


def _before_fork() -> None:
    for handle in list(_handles.values()):
        handle._prepare_children()


def _after_fork_in_child() -> None:
    for handle in list(_handles.values()):
        handle._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
