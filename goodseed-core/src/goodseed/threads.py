"""Starts Goodseed's own threads, which take none of the script's signals."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["signals_kept_out"]

_NAMES: Final = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM")
_SIGNALS: Final = frozenset({getattr(signal, name) for name in _NAMES if hasattr(signal, name)})


@contextmanager
def signals_kept_out() -> Iterator[None]:
    """Start each thread of ours in this: no signal for the process comes to it.

    A script that blocks a signal while it writes a checkpoint, or waits for one by `signal.sigwait`, counts on every
    thread: one that lets the signal through has the handler called in the middle, or takes it from who waits. The
    thread inherits the mask, as where gevent has replaced threads it must not set one: it is the main thread.
    """
    if not hasattr(_signal, "pthread_sigmask"):
        yield
        return
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
