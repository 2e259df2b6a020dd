"""Stores what is written to stdout and stderr as two string series."""

from __future__ import annotations

import codecs
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from goodseed.monitoring.console.backlog import Backlog
from goodseed.monitoring.console.screen import Screen
from goodseed.monitoring.console.taps import silenced, tap, untap

if TYPE_CHECKING:
    from collections.abc import Callable

    from goodseed.monitoring.console.openers import Opener
    from goodseed.sink import Sink

__all__ = ["Console"]

_logger: Final = logging.getLogger("goodseed")
_LOCK_SECONDS: Final = 0.3
_DESCRIPTORS: Final = {"stdout": 1, "stderr": 2}


class Console:
    """Captures the streams of this process for one run.

    Args:
        sink: Where the lines go.
        namespace: They become ``<namespace>/stdout`` and ``<namespace>/stderr``.
        names: ``"stdout"``, ``"stderr"``, both or none.
        capture_fd: Take what goes through file descriptors 1 and 2 too: from C libraries and child processes.
        opener: Says whose lines they are; None for everybody's.
        hurry: Called when so much has been written that `drain` should be called at once.
    """

    def __init__(
        self,
        sink: Sink,
        namespace: str,
        names: list[str],
        *,
        capture_fd: bool,
        hurry: Callable[[], None],
        opener: Opener | None = None,
    ) -> None:
        self._channels: Final = [_Channel(sink, f"{namespace}/{name}", name, hurry, opener) for name in names]
        self._capture_fd: Final = capture_fd
        self._lock: Final = threading.RLock()
        self._is_draining = False
        self._is_stopped = False

    def start(self) -> None:
        """Begin; what was written before is not seen."""
        seen: list[Any] = []
        for channel in self._channels:
            stream = getattr(sys, channel.name)
            is_twin = any(stream is other for other in seen)  # sys.stderr = sys.stdout: its lines are stdout's
            seen.append(stream)
            channel.open(capture_fd=self._capture_fd, is_twin=is_twin)

    def drain(self, *, is_last: bool = False) -> None:
        """Hand over what has been written up to now, the line that is not at its end included."""
        is_locked = self._lock.acquire(timeout=_LOCK_SECONDS)
        if (not is_locked or self._is_draining) and not is_last:
            if is_locked:
                self._lock.release()
            return
        # The last call proceeds without the lock: it is held by this very thread, or by one that a signal interrupted.
        before, self._is_draining = self._is_draining, True
        ident = threading.get_ident()
        was_silenced = ident in silenced
        silenced.add(ident)
        try:
            for channel in self._channels:
                channel.drain()
        finally:
            if not was_silenced:
                silenced.discard(ident)
            self._is_draining = before
            if is_locked:
                self._lock.release()

    def stop(self) -> None:
        """Hand over the last lines and leave the streams as they were; the second call does nothing."""
        if self._is_stopped:
            return
        self._is_stopped = True
        for channel in self._channels:
            channel.close()
        self.drain(is_last=True)

    def after_fork_in_child(self) -> None:
        """Forget everything: the lines are the parent's, and `taps` has left the streams as they were."""
        self._is_stopped = True
        self._channels.clear()


class _Channel:
    """One stream on its way to one series."""

    def __init__(self, sink: Sink, path: str, name: str, hurry: Callable[[], None], opener: Opener | None) -> None:
        self.name: Final = name
        self._sink: Final = sink
        self._path: Final = path
        self._backlog: Final = Backlog(hurry)
        self._opener: Final = opener
        self._decoder: Final = codecs.getincrementaldecoder("utf-8")("replace")
        self._screen: Screen | None = None
        self._undo: Final[list[Callable[[], None]]] = []

    def open(self, *, capture_fd: bool, is_twin: bool) -> None:
        descriptor = _DESCRIPTORS[self.name]
        if capture_fd and self._open_descriptor(descriptor) and _descriptor_of(self.name) == descriptor:
            return
        if is_twin:
            return
        put = self._put
        tapped = tap(self.name, put)
        if tapped is not None:
            self._undo.append(lambda: untap(self.name, tapped, put))

    def _put(self, text: str | bytes, at_seconds: float) -> None:
        if self._opener is None or self._opener.is_concerned():
            self._backlog.put(text, at_seconds)

    def _open_descriptor(self, descriptor: int) -> bool:
        if os.name != "posix":
            _logger.warning("goodseed: file descriptors are not captured on this platform; sys.%s is.", self.name)
            return False
        from goodseed.monitoring.console.descriptors import tap_descriptor, untap_descriptor

        put = self._backlog.put
        try:
            tapped = tap_descriptor(descriptor, put)
        except OSError as error:
            _logger.warning("goodseed: file descriptor %d is not captured: %s", descriptor, error)
            return False
        self._undo.append(lambda: untap_descriptor(descriptor, tapped, put))
        return True

    def close(self) -> None:
        while self._undo:
            self._undo.pop()()

    def drain(self) -> None:
        pieces, dropped = self._backlog.take()
        if not pieces and not dropped:
            return
        if self._screen is None:
            self._screen = Screen(self._sink.next_step(self._path))
        for piece, at_seconds in pieces:
            text = self._decoder.decode(piece) if isinstance(piece, bytes) else piece
            self._screen.feed(text, at_seconds)
        if dropped:
            noun = "line" if dropped == 1 else "lines"
            self._screen.note(f"[goodseed: {dropped:,} {noun} dropped]", time.time())
        self._sink.log_lines(self._path, self._screen.take_changed())


def _descriptor_of(name: str) -> int | None:
    try:
        return int(getattr(sys, name).fileno())
    except (AttributeError, OSError, ValueError):  # no stream, or one that has no descriptor
        return None
