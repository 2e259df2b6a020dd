"""Handles signals that have no other handler: closes the runs, then lets the signal end the process."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import functools
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["DefaultSignals"]

_SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class _Default(int):
    """The default action, with something done before it.

    It looks like ``signal.SIG_DFL``: `signal.signal` and `signal.getsignal` look handlers up by value among the
    members of `signal.Handlers`, and return that member. So no code calls it as "the previous handler", and a
    framework that treats the default action specially still does.
    """

    action: Callable[[int], None]

    def __call__(self, number: int, interrupted: FrameType | None) -> None:
        if not _is_called_by_a_handler(interrupted):
            self.action(number)


def _is_called_by_a_handler(interrupted: FrameType | None) -> bool:
    """Whether Python code has called us, above the frame that the signal interrupted: that code decides."""
    caller = frame = sys._getframe(1).f_back
    while interrupted is not None and frame is not None:
        if frame is interrupted:
            return caller is not interrupted
        frame = frame.f_back
    return False


class DefaultSignals:
    """Takes the place of the default action of SIGTERM and SIGHUP while runs are open.

    Args:
        action: Called, in the main thread, with the number of a signal without a handler; it ends the process.
    """

    def __init__(self, action: Callable[[int], None]) -> None:
        self._handler: Final = _Default(signal.SIG_DFL)
        self._handler.action = action
        self._before: Callable[..., Any] | None = None
        self._wrapper: Callable[..., Any] | None = None
        self._is_on = False

    @property
    def numbers(self) -> list[int]:
        """The signals whose default action is ours now."""
        return [number for number in _SIGNALS if self.is_ours(number)]

    def is_ours(self, number: int) -> bool:
        """Whether this signal has no other handler."""
        return _signal.getsignal(number) is self._handler

    def take(self) -> None:
        """Begin. Call it in the main thread."""
        self._is_on = True
        for number in _SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                _signal.signal(number, self._handler)
        self._watch_for_defaults()

    def give_back(self) -> None:
        """Leave everything as it would be without us. Call it in the main thread, or in a forked child."""
        self._is_on = False
        for number in self.numbers:
            _signal.signal(number, _signal.SIG_DFL)
        if self._wrapper is not None and signal.signal is self._wrapper:
            signal.signal = self._before  # type: ignore[assignment]
            self._wrapper = None

    def end(self, number: int) -> None:
        """Let the signal's default action end this process. Call it in the main thread."""
        _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _watch_for_defaults(self) -> None:
        """Stay installed when other code restores the previous handler, SIG_DFL: that means us."""
        if self._wrapper is not None:
            return
        before = self._before = signal.signal

        @functools.wraps(before)
        def wrapper(signalnum: Any, handler: Any) -> Any:
            result = before(signalnum, handler)
            if self._is_on and signalnum in _SIGNALS and isinstance(handler, int) and handler == signal.SIG_DFL:
                _signal.signal(signalnum, self._handler)
            return result

        signal.signal = self._wrapper = wrapper
