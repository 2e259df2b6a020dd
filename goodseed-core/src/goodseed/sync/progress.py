"""Shows the progress of an upload on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Final

__all__ = ["Progress"]

_PATIENCE_SECONDS: Final = 2.0
_EVERY_SECONDS: Final = 0.1
_WIDTH: Final = 24


class Progress:
    """A bar on stderr, where that is a terminal, once something takes over two seconds."""

    def __init__(self, what: str, total: int) -> None:
        """Begin.

        Args:
            what: What is being done, such as ``Uploading``.
            total: How much there is to do.
        """
        self._what: Final = what
        self._total = total
        self._is_wanted: Final = getattr(sys.stderr, "isatty", lambda: False)()
        self._next_at = time.monotonic() + _PATIENCE_SECONDS
        self._is_shown = False
        self._done = 0

    def grow(self, more: int) -> None:
        """There is more to do."""
        self._total += more

    def advance(self, more: int) -> None:
        """So much more is done."""
        self._done += more
        self.show(self._done)

    def show(self, done: int) -> None:
        """So much is done; cheap enough to be called all the time."""
        if not self._is_wanted or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _EVERY_SECONDS
        self._total = max(self._total, done)
        share = done / self._total if self._total else 0.0
        bar = ("━" * round(share * _WIDTH)).ljust(_WIDTH, "─")
        self._write(f"\r\x1b[K{self._what} {bar} {done:,} of {self._total:,}")
        self._is_shown = True

    def end(self) -> None:
        """Take the bar away."""
        if self._is_shown:
            self._write("\r\x1b[K")
            self._is_shown = False

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(
                text.encode(sys.stderr.encoding or "ascii", "replace").decode(sys.stderr.encoding or "ascii")
            )
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):  # the terminal is gone
            return
