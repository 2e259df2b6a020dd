"""Watches for exceptions that end the process or a thread, and derives the run's status from them."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Literal

    OnException = Callable[[type[BaseException], BaseException | None, TracebackType | None, str | None], None]

__all__ = [
    "PRUNED",
    "ExceptionWatch",
    "exit_status",
    "formatted",
    "is_preempted",
    "is_pruned",
    "process_exception_watch",
]

_logger: Final = logging.getLogger("goodseed")
_MAX_CHARS: Final = 200_000
PRUNED: Final = "pruned"
_PRUNINGS: Final = frozenset(
    {"TrialPruned", "TrialPrunedError", "TrialPrunedException", "PrunedTrial", "PruneTrial", "PruningException"}
)


def exit_status(exc_type: type[BaseException], exc: BaseException | None) -> Literal["finished", "failed"]:
    """The status of a run that this exception leaves.

    ``sys.exit()``, ``sys.exit(0)`` and ``sys.exit(None)`` finish it, as do the closing of a generator and the pruning
    of a trial; everything else fails it, ``KeyboardInterrupt`` included, and the exception by which Lightning ends a
    training that is preempted, although the process then has the exit code 0.
    """
    if is_preempted(exc_type):
        return "failed"
    if issubclass(exc_type, SystemExit):
        return "finished" if getattr(exc, "code", None) in (None, 0) else "failed"
    return "finished" if issubclass(exc_type, GeneratorExit) or is_pruned(exc_type) else "failed"


def is_pruned(exc_type: type[BaseException]) -> bool:
    """Whether an exception says that a search has given a trial up, as ``optuna.TrialPruned`` does; by its name."""
    return any(base.__name__ in _PRUNINGS for base in exc_type.__mro__)


def is_preempted(exc_type: type[BaseException]) -> bool:
    """Whether an exception means that SIGTERM ended the process, as Lightning's does; judged by its name."""
    return any(base.__name__ == "SIGTERMException" for base in exc_type.__mro__)


def formatted(exc_type: type[BaseException], exc: BaseException | None, tb: TracebackType | None) -> str:
    """The traceback as Python prints it; of a ``KeyboardInterrupt``, which is no fault of the code, only the name."""
    if issubclass(exc_type, KeyboardInterrupt):
        return "KeyboardInterrupt"
    text = "".join(traceback.format_exception(exc_type, exc, tb)).rstrip("\n")
    if len(text) <= _MAX_CHARS:
        return text
    half = _MAX_CHARS // 2
    return f"{text[:half]}\n[goodseed: {len(text) - 2 * half:,} characters left out]\n{text[-half:]}"


class ExceptionWatch:
    """Reports every uncaught exception to its subscribers, then calls the hooks that were installed before.

    It is installed in ``sys.excepthook`` and ``threading.excepthook`` while there are subscribers. If other code has
    replaced ``sys.excepthook`` without calling it, it finds out at the end of the process. An exception at an
    interactive prompt, which the process survives, does not count; nor does the end of a thread by ``SystemExit``.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._subscribers: tuple[OnException, ...] = ()
        self._sys_hook: _Chained | None = None
        self._thread_hook: _Chained | None = None
        self._is_registered = False
        self._last_seen: BaseException | None = None

    def subscribe(self, callback: OnException) -> None:
        """Call ``callback(type, exception, traceback, thread name or None for the main thread)``."""
        with self._lock:
            if not self._is_registered:
                atexit.register(self.look)
                self._is_registered = True
            if not self._subscribers:
                self._last_seen = _last_uncaught()
            self._subscribers = (*self._subscribers, callback)
            if self._sys_hook is None or not self._sys_hook.is_on_top:
                self._sys_hook = _Chained(sys, self._on_uncaught)
            if self._thread_hook is None or not self._thread_hook.is_on_top:
                self._thread_hook = _Chained(threading, self._on_uncaught_in_thread)

    def unsubscribe(self, callback: OnException) -> None:
        """Stop calling ``callback``; after the last one, remove the hooks unless other code has chained onto them."""
        with self._lock:
            self._subscribers = tuple(other for other in self._subscribers if other != callback)
            if not self._subscribers:
                self._take_out()
                self._last_seen = None

    def after_fork_in_child(self) -> None:
        """Forget the parent's subscribers."""
        self._lock = threading.RLock()
        self._subscribers = ()
        self._last_seen = None
        self._take_out()

    def _take_out(self) -> None:
        if self._sys_hook is not None and self._sys_hook.remove():
            self._sys_hook = None
        if self._thread_hook is not None and self._thread_hook.remove():
            self._thread_hook = None

    def _on_uncaught(self, _: _Chained, arguments: tuple[Any, ...]) -> None:
        exc_type, exc, tb = arguments
        if exc is not self._last_seen and not _is_interactive():
            self._last_seen = exc
            self._tell(exc_type, exc, tb, None)

    def _on_uncaught_in_thread(self, hook: _Chained, arguments: tuple[Any, ...]) -> None:
        (details,) = arguments
        if hook is self._thread_hook and not issubclass(details.exc_type, SystemExit):
            name = details.thread.name if details.thread is not None else "unknown"
            self._tell(details.exc_type, details.exc_value, details.exc_traceback, name)

    def _tell(
        self, exc_type: type[BaseException], exc: BaseException | None, tb: TracebackType | None, thread: str | None
    ) -> None:
        for callback in self._subscribers:
            try:
                callback(exc_type, exc, tb, thread)
            except Exception:  # the process ends as it would without us
                _logger.warning("goodseed: an exception could not be recorded.", exc_info=True)

    def look(self) -> None:
        """Report the exception that ends the process, if no hook of ours has seen it."""
        exc = _last_uncaught()
        if exc is None or exc is self._last_seen or not self._subscribers or _is_interactive():
            return
        tb = exc.__traceback__
        # Test runners set sys.last_value for exceptions that they have caught; an uncaught one begins at the program.
        if tb is not None and tb.tb_frame.f_globals.get("__name__") in ("__main__", "runpy"):
            self._last_seen = exc
            self._tell(type(exc), exc, tb, None)


class _Chained:
    """Our place in one ``excepthook``: tells us, then calls the hook that was there before."""

    def __init__(self, module: Any, on_exception: Callable[[_Chained, tuple[Any, ...]], None]) -> None:
        self._module: Final = module
        self._before: Final = module.excepthook
        self._on_exception: Final = on_exception
        self._hook: Final = self._call
        module.excepthook = self._hook

    @property
    def is_on_top(self) -> bool:
        return self._module.excepthook is self._hook

    def remove(self) -> bool:
        """Remove the hook; False if other code has installed one on top of it."""
        if not self.is_on_top:
            return False
        self._module.excepthook = self._before
        return True

    def _call(self, *arguments: Any) -> None:
        self._on_exception(self, arguments)
        self._before(*arguments)


def _last_uncaught() -> BaseException | None:
    exc = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    return exc if isinstance(exc, BaseException) else None


def _is_interactive() -> bool:
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


_watch: Final = ExceptionWatch()


def process_exception_watch() -> ExceptionWatch:
    """The watch of this process."""
    return _watch


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watch.after_fork_in_child)
