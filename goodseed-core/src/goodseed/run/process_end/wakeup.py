"""Notices signals while the main thread is in a long call into C, when Python calls no handler."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import _thread
import functools
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Any, Final

from goodseed.threads import signals_kept_out

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SignalWatch"]

_STOP: Final = 0  # the number of no signal
_PAUSE_SECONDS: Final = 0.05  # some programs are sent a signal every millisecond, by a timer of their own


class SignalWatch:
    """Calls ``heard`` with the number of each signal that Python handles, at once, on a thread of its own.

    The interpreter writes the number to a file descriptor (`signal.set_wakeup_fd`). A process has one of these: while
    other code uses it, as an asyncio loop with signal handlers does, no signal is reported. Code that sets its own gets
    what it would get without us, -1; ours is used again once the other is removed.
    """

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._heard: Final = heard
        self._pipe: tuple[int, int] | None = None
        self._before: Callable[..., int] | None = None
        self._wrapper: Callable[..., int] | None = None

    def start(self) -> None:
        """Begin to listen, if no other code does. Call it in the main thread."""
        if self._pipe is not None or os.name != "posix":
            return
        try:
            pipe = os.pipe()
        except OSError:  # no more descriptors: signals wait for the main thread
            return
        try:
            os.set_blocking(pipe[1], False)
            if not _take_over(pipe[1]):
                raise BlockingIOError("another thread is already waiting")
            with signals_kept_out():
                _thread.start_new_thread(self._listen, pipe)
        except (OSError, RuntimeError):  # no more threads
            _let_go(pipe)
        else:
            self._pipe = pipe
            self._stand_aside()

    def _stand_aside(self) -> None:
        before = self._before = signal.set_wakeup_fd

        @functools.wraps(before)
        def wrapper(fd: int, **options: Any) -> int:
            ours = -1 if self._pipe is None else self._pipe[1]
            found = before(fd, **options)
            if fd == -1 and ours != -1:
                before(ours, warn_on_full_buffer=False)
            return -1 if found == ours else found

        signal.set_wakeup_fd = self._wrapper = wrapper

    def _come_back(self) -> None:
        if self._before is not None and signal.set_wakeup_fd is self._wrapper:
            signal.set_wakeup_fd = self._before

    def stop(self) -> None:
        """Stop listening. Call it in the main thread."""
        if self._pipe is not None:
            self._come_back()
            _give_back(self._pipe[1])
            os.write(self._pipe[1], bytes([_STOP]))
            self._pipe = None

    def after_fork_in_child(self) -> None:
        """What is heard is the parent's."""
        if self._pipe is not None:
            self._come_back()
            _let_go(self._pipe)
            self._pipe = None

    def _listen(self, reading: int, writing: int) -> None:
        waiting = select.poll()  # cooperates where gevent has replaced threads, which a read would not
        waiting.register(reading, select.POLLIN)
        while True:
            waiting.poll()
            numbers = set(os.read(reading, 65536))
            if _STOP in numbers:
                os.close(reading)
                os.close(writing)
                return
            for number in numbers:
                self._heard(number)
            time.sleep(_PAUSE_SECONDS)


def _take_over(descriptor: int) -> bool:
    before: int = _signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    if before != -1:
        _signal.set_wakeup_fd(before)
    return before == -1


def _give_back(descriptor: int) -> None:
    now = _signal.set_wakeup_fd(-1)
    if now != descriptor:  # other code has set its own since
        _signal.set_wakeup_fd(now)


def _let_go(pipe: tuple[int, int]) -> None:
    _give_back(pipe[1])
    for descriptor in pipe:
        os.close(descriptor)
