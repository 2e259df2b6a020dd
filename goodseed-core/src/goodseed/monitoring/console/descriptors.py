"""Captures file descriptors 1 and 2, and with them C libraries and child processes."""

from __future__ import annotations

import logging
import os
import selectors
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from goodseed.threads import signals_kept_out

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str | bytes, float], None]

__all__ = ["DescriptorTap", "tap_descriptor", "untap_descriptor"]

_logger: Final = logging.getLogger("goodseed")
_CHUNK_BYTES: Final = 65_536
_DRAIN_SECONDS: Final = 0.4


class DescriptorTap:
    """Puts a pipe, or for a terminal a pseudo-terminal, in place of a descriptor, and passes everything on.

    A thread reads the pipe. When the tap is taken off, the thread goes on passing through for as long as a child
    process holds the other end.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: Final = descriptor
        self._listeners: tuple[Put, ...] = ()
        self._drained: Final = threading.Event()
        self._saved: Final = os.dup(descriptor)
        self._read_end, write_end = _terminal_like(descriptor) if os.isatty(descriptor) else os.pipe()
        self._wake_read, self._wake_write = os.pipe()
        _flush_python_stream(descriptor)
        self._identity: Final = _identity(write_end)
        os.dup2(write_end, descriptor)
        os.close(write_end)
        with signals_kept_out():
            threading.Thread(target=self._pass_on, name=f"goodseed-descriptor-{descriptor}", daemon=True).start()

    @property
    def is_idle(self) -> bool:
        """Whether there is no listener."""
        return not self._listeners

    def add(self, put: Put) -> None:
        """Let ``put`` hear what is written from now on."""
        self._listeners = (*self._listeners, put)

    def remove(self, put: Put) -> None:
        """Call ``put`` with what was written up to now, then no more; the last listener restores the descriptor."""
        _flush_python_stream(self._descriptor)
        if len(self._listeners) == 1:
            self._restore()
        elif not self._drained.is_set():
            _wait_until_read(self._read_end)
        self._listeners = tuple(other for other in self._listeners if other != put)

    def _restore(self) -> None:
        # Another file that was put there since stays.
        if _identity(self._descriptor) == self._identity:
            os.dup2(self._saved, self._descriptor)
        try:
            os.write(self._wake_write, b"x")
        except BrokenPipeError:  # the thread has seen the end already
            return
        finally:
            self._drained.wait(_DRAIN_SECONDS)
            os.close(self._wake_write)

    def after_fork_in_child(self) -> None:
        """Write to the terminal itself: the reading thread is the parent's."""
        self._listeners = ()
        if _identity(self._descriptor) == self._identity:
            os.dup2(self._saved, self._descriptor)

    def _pass_on(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._read_end, selectors.EVENT_READ)
        selector.register(self._wake_read, selectors.EVENT_READ)
        try:
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._read_end not in ready:  # only the wake: what was written before it has been passed on
                    selector.unregister(self._wake_read)
                    self._drained.set()
                elif not self._pass_chunk():
                    return
        except OSError as error:
            _logger.debug("goodseed: descriptor %d is no longer passed on: %s", self._descriptor, error)
        finally:
            self._drained.set()
            selector.close()
            for descriptor in (self._read_end, self._saved, self._wake_read):
                os.close(descriptor)

    def _pass_chunk(self) -> bool:
        try:
            data = os.read(self._read_end, _CHUNK_BYTES)
        except OSError:  # how a pseudo-terminal says that its other end is closed
            return False
        if not data:
            return False
        at_seconds = time.time()
        for put in self._listeners:
            put(data, at_seconds)
        while data:
            try:
                data = data[os.write(self._saved, data) :]
            except BlockingIOError:
                time.sleep(0.001)
        return True


def _terminal_like(descriptor: int) -> tuple[int, int]:
    import fcntl
    import pty
    import termios
    import tty

    read_end, write_end = pty.openpty()
    tty.setraw(write_end)
    size = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, b"\0" * 8)
    fcntl.ioctl(write_end, termios.TIOCSWINSZ, size)
    return read_end, write_end


def _identity(descriptor: int) -> tuple[int, int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_rdev


def _wait_until_read(read_end: int) -> None:
    deadline = time.monotonic() + _DRAIN_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(read_end, selectors.EVENT_READ)
        while selector.select(0) and time.monotonic() < deadline:
            time.sleep(0.001)
    time.sleep(0.002)  # what has been read a moment ago is being handed on


def _flush_python_stream(descriptor: int) -> None:
    stream: Any = sys.stdout if descriptor == 1 else sys.stderr
    try:
        stream.flush()
    except (AttributeError, OSError, ValueError) as error:
        _logger.debug("goodseed: stream of descriptor %d is not flushed: %s", descriptor, error)


_lock = threading.Lock()
_taps: Final[dict[int, DescriptorTap]] = {}


def tap_descriptor(descriptor: int, put: Put) -> DescriptorTap:
    """Let ``put(bytes, at_seconds)`` hear what is written to the descriptor.

    Raises:
        OSError: The descriptor is closed, or there are too many.
    """
    with _lock:
        known = _taps.get(descriptor)
        if known is None:
            known = _taps[descriptor] = DescriptorTap(descriptor)
        known.add(put)
        return known


def untap_descriptor(descriptor: int, tapped: DescriptorTap, put: Put) -> None:
    """Undo `tap_descriptor`."""
    is_locked = _lock.acquire(timeout=0.2)  # a signal may have interrupted the thread that holds it
    try:
        tapped.remove(put)
        if tapped.is_idle and _taps.get(descriptor) is tapped:
            del _taps[descriptor]
    finally:
        if is_locked:
            _lock.release()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    for tapped in _taps.values():
        tapped.after_fork_in_child()
    _taps.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
