"""Keeps the list of open runs, and closes them as the process ends."""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from goodseed.monitoring.traceback import process_exception_watch
from goodseed.run.process_end.exit_code import ExitWatch, ProcessEnd
from goodseed.run.process_end.signals import DefaultSignals
from goodseed.run.process_end.wakeup import SignalWatch
from goodseed.storage.forks import watch_forks
from goodseed.storage.inbox.waiting import wait_until
from goodseed.threads import signals_kept_out

if TYPE_CHECKING:
    from pathlib import Path


__all__ = ["EXIT_SECONDS", "open_runs"]

EXIT_SECONDS: Final = 3.5  # a scheduler that sends SIGTERM often sends SIGKILL five seconds later
_FIRST: Final = 1_000
_HANDLER_SECONDS: Final = (
    1.0  # that the main thread has to call a signal's handler, before it is taken to be stuck in C
)


class EndingRun(Protocol):
    """What the end of a process does to a run: a `goodseed.run.session.RunSession`."""

    @property
    def path(self) -> Path | None:
        """The run's file."""

    def settle(self, timeout: float) -> bool:
        """Wait until everything logged so far is in the run file."""

    def note_process_end(self, end: ProcessEnd) -> None:
        """The process ends in a way that no hook or signal handler has seen."""

    def close_at_exit(self, *, is_patient: bool) -> None:
        """Wait for a close in progress, or close."""

    def after_fork_in_child(self) -> None:
        """Leave the run to the parent."""


class _OpenRuns:
    """The runs that this process writes. They are kept alive until they are closed, at the latest as it ends."""

    def __init__(self) -> None:
        self._runs: list[EndingRun] = []
        self._is_registered = False
        self._is_registered_in_child = False
        self._signals: Final = DefaultSignals(self._on_signal)
        self._watch: Final = SignalWatch(self._on_wakeup)
        self._exit: Final = ExitWatch(self._at_exit_at_once)
        self._end_is_begun = threading.Lock()
        self._end_is_over: list[bool] = []
        self._masks: dict[int, set[int]] = {}
        self.interrupt: BaseException | None = None  # the KeyboardInterrupt that ends this process
        watch_forks(self)

    def add(self, run: EndingRun) -> None:
        """Close ``run`` when the process ends."""
        if not self._is_registered:
            atexit.register(self._at_exit)
            self._is_registered = True
        if not self._is_registered_in_child and _is_child_of_multiprocessing():
            from multiprocessing.util import Finalize

            Finalize(None, self._at_end_of_child, exitpriority=_FIRST)  # such a child runs nothing of atexit
            self._is_registered_in_child = True
        if not self._runs:
            self._exit.start()
        self._runs.append(run)
        if threading.current_thread() is threading.main_thread():
            self._signals.take()
            self._watch.start()

    def discard(self, run: EndingRun) -> None:
        """``run`` is closed."""
        if run in self._runs:
            self._runs.remove(run)
        if not self._runs:
            self._exit.stop()
            if threading.current_thread() is threading.main_thread():
                self._watch.stop()
                self._signals.give_back()

    def settle(self, path: Path | None) -> None:
        """Let who reads the run file at ``path`` find what this process has logged to it, up to now."""
        for run in list(self._runs):
            if run.path == path:
                run.settle(EXIT_SECONDS)

    def _at_exit(self) -> None:
        self._close_each(self._exit.end() if self._runs else None)
        if self.interrupt is not None and getattr(sys, "last_value", None) is self.interrupt:
            _be_interrupted()

    def _at_end_of_child(self) -> None:
        self._close_each(self._exit.end_of_child())

    def _at_exit_at_once(self, end: ProcessEnd | None) -> None:
        process_exception_watch().look()  # a hook on top of ours may be what ends the process
        self._close_all(end)

    def _close_each(self, end: ProcessEnd | None) -> None:
        is_patient = True
        while self._runs:
            run = self._runs[-1]
            try:
                if end is not None:
                    run.note_process_end(end)
                run.close_at_exit(is_patient=is_patient)
            except KeyboardInterrupt:  # a second Ctrl-C: what is logged is still saved
                is_patient = False
                continue
            self.discard(run)

    # -- signals: only unhandled ones, which would end the process without a trace -------------------------------

    def _on_signal(self, number: int) -> None:
        if self._runs:
            self._close_all(_end_by_signal(number))
        self._signals.end(number)

    def _on_wakeup(self, number: int) -> None:
        if not self._signals.is_ours(number):
            return
        if not wait_until(self._end_is_begun.locked, _HANDLER_SECONDS):
            self._close_all(_end_by_signal(number))
            _exit_with_signal(number)

    def _close_all(self, end: ProcessEnd | None) -> None:
        # In a thread of its own: the one that was interrupted may hold any lock, and then the deadline decides.
        def close() -> None:
            try:
                for run in reversed(list(self._runs)):
                    if end is not None:
                        run.note_process_end(end)
                    run.close_at_exit(is_patient=False)
            finally:
                self._end_is_over.append(True)

        if self._end_is_begun.acquire(blocking=False):
            with signals_kept_out():
                _thread.start_new_thread(close, ())
        wait_until(lambda: bool(self._end_is_over), EXIT_SECONDS)

    # -- forks ----------------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Keep the child from getting a signal before it has given the handlers back: it would be lost."""
        numbers = self._signals.numbers
        if numbers:
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
            self._masks[threading.get_ident()] = {int(number) for number in mask}

    def after_fork(self) -> None:
        """Let signals through again, in the parent as in the child; there, behind `after_fork_in_child`."""
        mask = self._masks.pop(threading.get_ident(), None)
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def after_fork_in_child(self) -> None:
        """The runs are the parent's; the child's end does not end them."""
        self._watch.after_fork_in_child()
        for run in self._runs:
            run.after_fork_in_child()
        self._runs = []
        self._is_registered_in_child = False
        self._exit.stop()
        self._signals.give_back()
        self._end_is_begun = threading.Lock()
        self._end_is_over = []
        watch_forks(self)


def _is_child_of_multiprocessing() -> bool:
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _end_by_signal(number: int) -> ProcessEnd:
    return ProcessEnd("failed", signal.Signals(number).name)


def _exit_with_signal(number: int) -> None:
    """End this process by a signal's default action, in whatever thread; `signal.signal` works in the main one only."""
    try:
        import ctypes

        set_action = ctypes.CDLL(None).signal
        set_action.argtypes, set_action.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
        set_action(number, None)
        os.kill(os.getpid(), number)
        time.sleep(1.0)
    finally:  # a Python without ctypes, or a signal that is blocked
        os._exit(128 + number)


def _be_interrupted() -> None:
    """Let the exit code go on saying that Ctrl-C ended the process.

    Python remembers an uncaught KeyboardInterrupt until some other text is executed as code, which the import of a
    module with a dataclass does, in whatever thread.
    """
    try:
        exec("raise KeyboardInterrupt")  # noqa: S102 - a constant, and the one way to make Python remember
    except KeyboardInterrupt:
        return


open_runs: Final = _OpenRuns()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=open_runs.before_fork, after_in_parent=open_runs.after_fork, after_in_child=open_runs.after_fork
    )
