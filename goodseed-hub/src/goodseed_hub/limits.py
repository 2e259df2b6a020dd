"""Bounds what a client may ask for: sizes, counts and rates."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, final

from goodseed.paths import MAX_PATH_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Limits", "MemoryBudget", "MemoryGate", "RateLimiter"]

_INTERNAL: Final = ("max_waiting_bytes", "max_decoding_bytes")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed.

    Attributes:
        max_body_bytes: A request's body, as it is sent.
        max_plain_bytes: A request's body, decompressed.
        max_points: Points in one request.
        max_configs: Configs in one request.
        max_path_characters: The path of a series or a config.
        max_text_bytes: One text point, and one config's value.
        max_series: Series of one run.
        max_page: Points in one page of a string series.
        max_buckets: Buckets of one metric.
        max_connections: Connections at one time.
        max_waiting_bytes: All bodies that are being read or stored at one time.
        max_decoding_bytes: All plain bodies that are being decoded at one time; what they become is some times larger.
        head_seconds: How long the head of a request may take.
        body_seconds: How long its body may take.
        stalled_seconds: How long a client may take nothing of its answer.
        requests_a_second: Requests of one key, over time.
        burst: Requests of one key at once.
    """

    max_body_bytes: int = 32 << 20
    max_plain_bytes: int = 32 << 20
    max_points: int = 2_000_000
    max_configs: int = 1_000
    max_path_characters: int = MAX_PATH_CHARACTERS
    max_text_bytes: int = 4 << 20
    max_series: int = 100_000
    max_page: int = 10_000
    max_buckets: int = 10_000
    max_connections: int = 2_000
    max_waiting_bytes: int = 512 << 20
    max_decoding_bytes: int = 96 << 20
    head_seconds: float = 15.0
    body_seconds: float = 60.0
    stalled_seconds: float = 60.0
    requests_a_second: float = 1_000.0
    burst: int = 2_000

    def announced(self) -> dict[str, float]:
        """The limits that clients see in the capabilities."""
        return {name: value for name, value in asdict(self).items() if name not in _INTERNAL}


@final
class RateLimiter:
    """Limits the requests a second of each key, and allows short bursts; for any number of threads."""

    def __init__(
        self, requests_a_second: float, burst: int, clock: Callable[[], float] = time.monotonic, max_keys: int = 10_000
    ) -> None:
        self._rate: Final = requests_a_second
        self._burst: Final = burst
        self._clock: Final = clock
        self._max_keys: Final = max_keys
        self._lock: Final = threading.Lock()
        self._left: Final[dict[str, tuple[float, float]]] = {}

    def wait_seconds(self, key: str) -> float:
        """Count one request of ``key``; returns 0 if it is allowed, else after how many seconds to try again."""
        now = self._clock()
        with self._lock:
            left, then = self._left.get(key, (float(self._burst), now))
            left = min(float(self._burst), left + (now - then) * self._rate)
            if key not in self._left and len(self._left) >= self._max_keys:
                self._left.clear()  # harmless: every key may send a burst again
            is_let_in = left >= 1.0
            self._left[key] = (left - 1.0 if is_let_in else left, now)  # a refused request takes nothing from others
        return 0.0 if is_let_in else (1.0 - left) / self._rate


@final
class MemoryBudget:
    """Counts the bytes that all requests hold together; used by the event loop alone.

    A key gets a quarter at most, so that a client that sends slowly, or stops sending, does not block the others.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes: Final = max_bytes
        self._used = 0
        self._used_by: Final[dict[str, int]] = {}

    def take(self, key: str, count: int) -> bool:
        """Count ``count`` bytes more for ``key``; False where they are too many, and none are counted."""
        own = self._used_by.get(key, 0)
        if (self._used and self._used + count > self._max_bytes) or (own and own + count > self._max_bytes // 4):
            return False
        self._used += count
        self._used_by[key] = own + count
        return True

    def give_back(self, key: str, count: int) -> None:
        """Stop counting ``count`` bytes of ``key``."""
        self._used -= count
        self._used_by[key] -= count
        if not self._used_by[key]:
            del self._used_by[key]


@final
class MemoryGate:
    """Lets threads in as long as what they hold together is not too much; the others wait."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes: Final = max_bytes
        self._changed: Final = threading.Condition()
        self._used = 0

    @contextmanager
    def holding(self, count: int) -> Iterator[Callable[[int], None]]:
        """Wait until there is room for ``count`` bytes, or no other thread holds any.

        What it gives is to be called when it turns out that fewer are needed.
        """
        held = count
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + count <= self._max_bytes)
            self._used += count

        def keep(fewer: int) -> None:
            nonlocal held
            with self._changed:
                self._used -= held - fewer
                held = fewer
                self._changed.notify_all()

        try:
            yield keep
        finally:
            keep(0)
