"""Listens to `sys.stdout` and `sys.stderr` without replacing them.

A tap replaces the ``write`` attribute of the stream *object*. It sees all users of the stream, earlier and later ones
(logging handlers, progress bars, ``print`` in C), and everything else about the stream stays as it is.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str | bytes, float], None]

__all__ = ["StreamTap", "silenced", "tap", "untap"]

_logger: Final = logging.getLogger("goodseed")

silenced: Final[set[int]] = set()
"""The threads that are storing lines just now: what they write meanwhile is shown, but not taken for output."""


class StreamTap:
    """Passes everything that is written to one stream to several listeners.

    A tap is removed from the stream after its last listener, unless other code has patched the stream on top of it:
    then it stays and only passes writes through.
    """

    def __init__(self, stream: Any) -> None:
        self._stream: Final = stream
        self._listeners: tuple[Put, ...] = ()
        self._in_text_layer: Final[dict[int, str | None]] = {}  # thread -> what it is writing
        self._patches: list[tuple[Any, str, Any, Any]] = []

    @property
    def is_on_top(self) -> bool:
        """Whether what is written to the stream now comes here first."""
        return bool(self._patches) and _is_patched(self._patches[0])

    @property
    def is_idle(self) -> bool:
        """Whether there is no listener."""
        return not self._listeners

    def install(self) -> None:
        """Put the tap on the stream.

        Raises:
            AttributeError, TypeError: The stream lets none of its attributes be set.
        """
        buffer = getattr(self._stream, "buffer", None) if isinstance(self._stream, io.TextIOWrapper) else None
        self._patch(self._stream, "write", self._text_write(self._stream.write))
        if buffer is None:
            return
        try:
            self._patch(self._stream, "flush", self._text_flush(self._stream.flush))
            self._patch(buffer, "write", self._byte_write(buffer.write))
        except (AttributeError, TypeError) as error:
            _logger.debug("goodseed: bytes written to %r are not captured: %s", self._stream, error)

    def refresh(self) -> None:
        """Install the tap again if other code has removed it, as IPython does after the cell that installs it."""
        if self._listeners and not self.is_on_top:
            self._patches = [patch for patch in self._patches if _is_patched(patch)]
            self._patch(self._stream, "write", self._text_write(self._stream.write))
            self._patches.insert(0, self._patches.pop())

    def add(self, put: Put) -> None:
        """Call ``put`` with what is written from now on."""
        self._listeners = (*self._listeners, put)

    def remove(self, put: Put) -> None:
        """Stop calling ``put``, and remove the tap after the last listener."""
        self._listeners = tuple(other for other in self._listeners if other != put)
        if not self._listeners:
            self.release()

    def release(self) -> None:
        """Drop all listeners, and leave the stream as it was."""
        self._listeners = ()
        while self._patches and _is_patched(self._patches[-1]):
            target, name, _, before = self._patches.pop()
            if before is None:
                delattr(target, name)
            else:
                setattr(target, name, before)

    def _patch(self, target: Any, name: str, hook: Any) -> None:
        before = getattr(target, "__dict__", {}).get(name)
        setattr(target, name, hook)
        self._patches.append((target, name, hook, before))

    def _text_write(self, original: Callable[[str], int]) -> Callable[[str], int]:
        get_ident, now, inside = threading.get_ident, time.time, self._in_text_layer

        def write(text: str, /) -> int:
            ident = get_ident()
            if ident in inside:
                result = original(text)
                if inside[ident] is text:  # the tap lies below itself, see `refresh`
                    return result
                # Otherwise a signal's handler writes while the thread is writing.
            else:
                inside[ident] = text
                try:
                    result = original(text)
                finally:
                    inside.pop(ident, None)
            if ident not in silenced:
                at_seconds = now()
                for put in self._listeners:
                    put(text, at_seconds)
            return result

        return write

    def _text_flush(self, original: Callable[[], None]) -> Callable[[], None]:
        def flush() -> None:
            ident = threading.get_ident()
            if ident in self._in_text_layer:
                return original()
            self._in_text_layer[ident] = None
            try:
                return original()
            finally:
                self._in_text_layer.pop(ident, None)

        return flush

    def _byte_write(self, original: Callable[[Any], int | None]) -> Callable[[Any], int | None]:
        def write(data: Any, /) -> int | None:
            written = original(data)
            ident = threading.get_ident()
            if ident not in self._in_text_layer and ident not in silenced and self._listeners:
                at_seconds = time.time()
                taken = bytes(memoryview(data).cast("B")[: written or 0])
                for put in self._listeners:
                    put(taken, at_seconds)
            return written

        return write


def _is_patched(patch: tuple[Any, str, Any, Any]) -> bool:
    target, name, hook, _ = patch
    return getattr(target, name, None) is hook


class _Proxy:
    """Stands for a stream that lets none of its attributes be set."""

    def __init__(self, stream: Any) -> None:
        self.__dict__["_stream"] = stream

    @property  # type: ignore[misc]  # so that isinstance says what it says of the stream
    def __class__(self) -> Any:
        return type(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_lock = threading.Lock()
_taps: Final[list[StreamTap]] = []
_watched: Final[list[Any]] = []  # the shells whose cells are watched


def tap(name: str, put: Put) -> StreamTap | None:
    """Let ``put(text, at_seconds)`` hear what is written to ``sys.<name>``; None where there is no such stream."""
    _watch_cells()
    with _lock:
        stream = getattr(sys, name)
        if stream is None:
            return None
        for known in _taps:
            if known._stream is stream and known.is_on_top:
                known.add(put)
                return known
        new = StreamTap(stream)
        try:
            new.install()
        except (AttributeError, TypeError):
            new = StreamTap(_Proxy(stream))
            new.install()
            setattr(sys, name, new._stream)
        new.add(put)
        _taps.append(new)
        return new


def untap(name: str, tapped: StreamTap, put: Put) -> None:
    """Undo `tap`; ``sys.<name>`` is left alone if other code has replaced it meanwhile."""
    is_locked = _lock.acquire(timeout=0.2)  # a signal may have interrupted the thread that holds it
    try:
        tapped.remove(put)
        if tapped.is_idle and tapped in _taps:
            _taps.remove(tapped)
            if type(tapped._stream) is _Proxy and getattr(sys, name) is tapped._stream:
                setattr(sys, name, tapped._stream.__dict__["_stream"])
    finally:
        if is_locked:
            _lock.release()


def _watch_cells() -> None:
    """In a notebook, and wherever IPython runs: it sets ``write`` for the time of a cell, and back to what it was."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or shell in _watched:
        return
    _watched.append(shell)
    try:
        shell.events.register("pre_run_cell", _before_cell)
    except (AttributeError, TypeError, ValueError) as error:
        _logger.debug("goodseed: cells can't be watched: %s", error)


def _before_cell(*_: object) -> None:
    for tapped in tuple(_taps):
        tapped.refresh()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    silenced.clear()
    for tapped in _taps:
        tapped.release()
    _taps.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
