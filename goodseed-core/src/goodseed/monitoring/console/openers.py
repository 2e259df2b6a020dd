"""Records which thread opened which run, so that trials in threads get only their own lines and exceptions."""

from __future__ import annotations

import os
import threading
from typing import Final

__all__ = ["Opener"]

_openers: Final[dict[int, list[threading.Thread]]] = {}  # thread -> itself, once for each run that it has open


class Opener:
    """The thread that makes it, until `leave`."""

    def __init__(self) -> None:
        self._ident: Final = threading.get_ident()
        self._thread: Final = threading.current_thread()
        self._is_over = False
        _openers.setdefault(self._ident, []).append(self._thread)

    def is_concerned(self) -> bool:
        """Whether what the calling thread does is this run's: it has opened the run, or it has opened none."""
        ident = threading.get_ident()
        if ident == self._ident:
            return True
        threads = _openers.get(ident)
        return not threads or not threads[-1].is_alive()  # a thread that has ended leaves its number to another

    def leave(self) -> None:
        """The run is closed, from whatever thread; the second call does nothing."""
        threads = _openers.get(self._ident)
        if not self._is_over and threads is not None and self._thread in threads:
            threads.remove(self._thread)
            if not threads:
                _openers.pop(self._ident, None)
        self._is_over = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_openers.clear)
