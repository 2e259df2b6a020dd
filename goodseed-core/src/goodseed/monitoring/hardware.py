"""Samples the host's hardware and that of every plugin's sampler."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

from goodseed.monitoring.host import HostSampler
from goodseed.monitoring.thread import importing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from goodseed.sink import Sink

    Sampler = Callable[[], Mapping[str, float]]

__all__ = ["Hardware"]

_logger: Final = logging.getLogger("goodseed")
_MAX_FAILURES: Final = 3


class Hardware:
    """Takes samples and stores each as one point in every series, all at the same step.

    Call everything on one thread.

    Args:
        sink: Where they go.
        namespace: They become ``<namespace>/cpu`` and so on.
        is_stopping: Asked between samplers, some of which are slow.
    """

    def __init__(self, sink: Sink, namespace: str, is_stopping: Callable[[], bool]) -> None:
        self._sink: Final = sink
        self._namespace: Final = namespace
        self._is_stopping: Final = is_stopping
        self._step = 0
        self._first: frozenset[str] | None = frozenset()
        self._samplers: list[_Guarded] = []

    def take_first(self) -> None:
        """Store what can be known at once, which leaves out rates."""
        self._samplers = [_Guarded("goodseed", HostSampler())]
        self._step = self._sink.next_step(f"{self._namespace}/memory")
        self._first = frozenset(self._store(self._samplers, frozenset()))

    def complete_first(self) -> None:
        """Add, at the same step, what needs two readings, and what plugins sample."""
        host = list(self._samplers)
        self._store(host, self._first or frozenset())
        if self._is_stopping():
            return
        self._samplers += _plugin_samplers()
        self._store(self._samplers[1:], frozenset())
        self._first = None

    def sample(self) -> None:
        """Take one sample."""
        if self._first is not None:
            return
        self._step += 1
        self._store(self._samplers, frozenset())

    def _store(self, samplers: list[_Guarded], without: frozenset[str]) -> list[str]:
        numbers: dict[str, float] = {}
        for sampler in list(samplers):
            if self._is_stopping():
                break
            numbers.update(sampler.sample())
            if sampler.failures >= _MAX_FAILURES:
                self._samplers.remove(sampler)
        data = {f"{self._namespace}/{name}": number for name, number in numbers.items() if name not in without}
        if data and not self._is_stopping():
            self._sink.log_metrics(data, self._step)
        return list(numbers)


class _Guarded:
    """A sampler that never raises."""

    def __init__(self, plugin: str, sampler: Sampler) -> None:
        self.failures = 0
        self._plugin: Final = plugin
        self._sampler: Final = sampler
        self._is_reported = False

    def sample(self) -> dict[str, float]:
        try:
            numbers = {str(name): float(number) for name, number in self._sampler().items()}
        except Exception:  # a plugin's sampler may raise anything
            self.failures += 1
            if not self._is_reported:
                self._is_reported = True
                _logger.warning(
                    "goodseed: a hardware sampler of %s failed (reported once).", self._plugin, exc_info=True
                )
            return {}
        self.failures = 0
        return {name: number for name, number in numbers.items() if not math.isnan(number)}


def _plugin_samplers() -> list[_Guarded]:
    with importing():
        from goodseed.plugins import call_for_items, implementations

        implementations("goodseed_hardware_samplers")
    return [_Guarded(plugin, sampler) for plugin, sampler in call_for_items("goodseed_hardware_samplers")]
