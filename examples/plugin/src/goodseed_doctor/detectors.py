"""What is wrong with a series of numbers, found point by point in constant memory."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

_WINDOW = 100
_ENOUGH = 20
_SPIKE = 10.0  # robust standard deviations
_MAD_TO_SIGMA = 1.4826  # of a normal distribution (Rousseeuw and Croux, 1993)
_PLATEAU_POINTS = 200
_IMPROVEMENT = 1e-3
_SMOOTHING = 0.05
_LOSSES = ("loss", "error", "perplexity", "nll", "mse", "rmse", "mae", "wer")


class Finding(NamedTuple):
    """Something that is wrong: ``kind`` is nan, spike, plateau or stall."""

    kind: str
    path: str
    step: float
    text: str


class Watch:
    """Looks at one metric."""

    def __init__(self, path: str) -> None:
        self.path = path
        name = path.rsplit("/", 1)[-1].lower()
        self._is_loss = any(word in name for word in _LOSSES)
        self._may_spike = self._is_loss or "norm" in name
        self._window: deque[float] = deque(maxlen=_WINDOW)
        self._count = 0
        self._smooth = math.nan
        self._best = math.inf
        self._best_at = 0
        self._quiet_until = 0
        self._said: set[str] = set()

    def see(self, step: float, value: float) -> Iterator[Finding]:
        """Take the next point; yields what it shows."""
        if not math.isfinite(value):
            if "nan" not in self._said:
                self._said.add("nan")
                yield Finding("nan", self.path, step, f"{self.path} is {value} at step {step:g}")
            return
        self._count += 1
        if self._may_spike:
            yield from self._spike(step, value)
        if self._is_loss:
            yield from self._plateau(step, value)
        self._window.append(value)

    def _spike(self, step: float, value: float) -> Iterator[Finding]:
        if len(self._window) < _ENOUGH or self._count < self._quiet_until or value <= max(self._window):
            return
        middle = statistics.median(self._window)
        spread = _MAD_TO_SIGMA * statistics.median(abs(one - middle) for one in self._window)
        spread = max(spread, abs(middle) * 0.02, 1e-12)
        if value - middle > _SPIKE * spread:
            self._quiet_until = self._count + _WINDOW
            yield Finding(
                "spike", self.path, step, f"{self.path} jumped from {middle:.4g} to {value:.4g} at step {step:g}"
            )

    def _plateau(self, step: float, value: float) -> Iterator[Finding]:
        known = self._smooth
        self._smooth = value if math.isnan(known) else known + _SMOOTHING * (value - known)
        if self._smooth < self._best - _IMPROVEMENT * abs(self._best) or math.isinf(self._best):
            self._best, self._best_at = self._smooth, self._count
            self._said.discard("plateau")
        since = self._count - self._best_at
        if since >= max(_PLATEAU_POINTS, self._count // 2) and "plateau" not in self._said:
            self._said.add("plateau")
            text = f"{self.path} has not improved for {since:,} points: about {self._best:.4g} at step {step:g}"
            yield Finding("plateau", self.path, step, text)


class Pulse:
    """Knows how often points come, and when they have stopped coming."""

    def __init__(self, least_seconds: float, factor: float = 20.0) -> None:
        self._least = least_seconds
        self._factor = factor
        self._gaps: deque[float] = deque(maxlen=_WINDOW)
        self._last = math.nan
        self._step = 0.0
        self._is_said = False

    def beat(self, at: float, step: float) -> None:
        """A point came at this time, in seconds."""
        if at <= self._last:
            return
        if not math.isnan(self._last):
            self._gaps.append(at - self._last)
        self._last, self._step, self._is_said = at, step, False

    def check(self, now: float) -> Finding | None:
        """What is to be said at this time, once a stall."""
        if math.isnan(self._last) or self._is_said:
            return None
        usual = statistics.median(self._gaps) if self._gaps else 0.0
        silent = now - self._last
        if silent < max(self._least, self._factor * usual):
            return None
        self._is_said = True
        return Finding("stall", "", self._step, f"no point for {silent:.0f} s, after one every {usual:.2g} s")
