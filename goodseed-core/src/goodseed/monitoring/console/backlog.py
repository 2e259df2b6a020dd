"""Buffers what was written to one stream and is not stored yet."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backlog", "Piece"]

Piece = tuple["str | bytes", float]

MAX_BYTES: Final = 32 * 1024 * 1024
HURRY_BYTES: Final = 4 * 1024 * 1024
_PIECE_BYTES: Final = 120  # a tuple, a float and the header of a string


class Backlog:
    """A bounded queue of writes: many threads and signal handlers put, one at a time takes.

    ``put`` takes no lock as long as there is room. Beyond about 32 MiB it only counts the lines it turns away.

    Args:
        hurry: Called once when an eighth of the queue is used, so that it is emptied before it is full.
    """

    def __init__(self, hurry: Callable[[], None], max_bytes: int = MAX_BYTES) -> None:
        self._hurry: Final = hurry
        self._max_bytes: Final = max_bytes
        self._pieces: Final[deque[Piece]] = deque()
        self._weight = 0
        self._is_hurrying = False
        self._drop_lock = threading.RLock()
        self._dropped = 0
        self._dropped_told = 0

    def put(self, text: str | bytes, at_seconds: float) -> None:
        """Add what was written at that time, or count its lines if there is no room."""
        weight = self._weight
        if weight > self._max_bytes:
            with self._drop_lock:
                self._dropped += text.count("\n") if isinstance(text, str) else text.count(b"\n")
            return
        self._pieces.append((text, at_seconds))
        # Two threads at once may lose one of the two additions: the bound is then late, and take() sets it right.
        self._weight += len(text) + _PIECE_BYTES
        if weight > HURRY_BYTES and not self._is_hurrying:
            self._is_hurrying = True
            self._hurry()

    def take(self) -> tuple[list[Piece], int]:
        """Remove and return all lines, and the number of lines dropped since the last call."""
        pieces: list[Piece] = []
        taken = 0
        while self._pieces and taken <= self._max_bytes:
            piece = self._pieces.popleft()
            taken += len(piece[0]) + _PIECE_BYTES
            pieces.append(piece)
        self._weight = 0 if not self._pieces else max(0, self._weight - taken)
        self._is_hurrying = False
        dropped = self._dropped - self._dropped_told
        self._dropped_told += dropped
        return pieces, dropped
