"""Logs completions and timings of TRL's trainers."""

from __future__ import annotations

import logging
import sys
import weakref
from typing import Any, Final, Protocol

from transformers import Trainer

from goodseed.config_values import config_value

__all__ = ["Completions", "watch"]

_logger: Final = logging.getLogger("goodseed")
_training: Final[list[weakref.ref[TakesTimings]]] = []  # the last is the callback of the training that goes on
_MAX_FRAMES: Final = 12
_MARK: Final = "_goodseed_log_metrics"


class TakesTimings(Protocol):
    """Where timings go: a `goodseed_hf.GoodseedCallback`."""

    def profiled(self, name: str, seconds: float) -> None:
        """Log how long the part of this name took."""


def watch(callback: TakesTimings) -> None:
    """Log the timings of the training that begins to ``callback``, if TRL is what trains."""
    kind: Any = getattr(sys.modules.get("trl.extras.profiling"), "ProfilingContext", None)
    original = getattr(kind, "_log_metrics", None)
    if original is None:
        return
    _training[:] = [weakref.ref(callback)]
    if hasattr(kind, _MARK):
        return

    def log_metrics(self: Any, duration: float) -> None:
        original(self, duration)
        try:
            current = _training[-1]()
            if current is not None and self.is_main_process:
                current.profiled(f"{self.metric_prefix}: {self.name}", duration)
        except Exception as error:  # noqa: BLE001 - a training is worth more than its timings
            _logger.debug("goodseed: a timing of TRL can't be stored: %r", error)

    setattr(kind, _MARK, original)
    kind._log_metrics = log_metrics


class Completions:
    """The completions that are logged with ``log_completions=True``, or by ``LogCompletionsCallback``."""

    def __init__(self) -> None:
        self._seen: Final[weakref.WeakKeyDictionary[Any, int]] = weakref.WeakKeyDictionary()

    def rows(self) -> dict[str, str]:
        """The rows of the log call that is going on, as JSON text by the name that TRL gives them."""
        try:
            return self._rows()
        except Exception as error:  # noqa: BLE001 - another version of TRL may be built differently
            _logger.debug("goodseed: the completions of TRL can't be read: %r", error)
            return {}

    def _rows(self) -> dict[str, str]:
        trainer = _calling_trainer() if "trl" in sys.modules else None
        if trainer is None:
            return {}
        rows = _columns(trainer) if getattr(trainer, "log_completions", False) else []
        for callback in trainer.callback_handler.callbacks:
            table = getattr(callback, "table", None)
            if type(callback).__name__ == "LogCompletionsCallback" and isinstance(table, list):
                new = table[self._seen.get(callback, 0) :]
                self._seen[callback] = len(table)
                rows += [dict(zip(("step", "prompt", "completion"), row, strict=False)) for row in new]
        return {"completions": str(config_value(rows, "completions"))} if rows else {}


def _calling_trainer() -> Any:
    """The trainer whose log call is running; TRL does not pass it to callbacks."""
    frame = sys._getframe(1)
    for _ in range(_MAX_FRAMES):
        if isinstance(found := frame.f_locals.get("self"), Trainer):
            return found
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def _columns(trainer: Any) -> list[dict[str, Any]]:
    logs = trainer._logs
    columns = {"prompt": logs["prompt"], "completion": logs["completion"], **logs.get("rewards", {})}
    columns |= {"advantage": logs["advantages"]} if "advantages" in logs else {}
    columns |= logs.get("extra", {})
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=False)]
