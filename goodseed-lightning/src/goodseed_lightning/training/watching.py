"""Logs norms and histograms of a model's gradients and parameters while it trains."""

from __future__ import annotations

import functools
import json
import logging
import weakref
from typing import TYPE_CHECKING, Any, Final, Protocol

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from goodseed import InvalidValueError
from goodseed_lightning.frameworks import is_rank_zero

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


__all__ = ["unwatch", "watch"]

_logger: Final = logging.getLogger("goodseed")
_KINDS: Final = {
    "all": ("gradients", "parameters"),
    "gradients": ("gradients",),
    "parameters": ("parameters",),
}
_BINS: Final = 32
_WRAPPED: Final = "_forward_module."  # what Fabric puts before the names of what it has set up
_watched: Final[list[_Watched]] = []


class TakesMetrics(Protocol):
    """What the norms are logged to: a `goodseed_lightning.GoodseedLogger`."""

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Store one point in each named metric series."""


def watch(logger: TakesMetrics, model: torch.nn.Module, log: str, log_freq: int) -> None:
    """See `TakesMetrics.watch`."""
    if log not in _KINDS:
        raise InvalidValueError(f"log must be one of {', '.join(map(repr, _KINDS))}, not {log!r}.")
    if type(log_freq) is not int or log_freq < 1:
        raise InvalidValueError(f"log_freq must be an integer from 1, not {log_freq!r}.")
    unwatch(logger, model)
    _register_once()
    _watched.append(_Watched(logger, model, _KINDS[log], log_freq))


def unwatch(logger: TakesMetrics, model: torch.nn.Module | None) -> None:
    """See `TakesMetrics.unwatch`."""
    for watched in tuple(_watched):
        if watched.logger() is logger and (model is None or watched.model() is model):
            _watched.remove(watched)


class _Watched:
    """One model, looked at after the steps of its optimizers: then its gradients are whole, and clipped."""

    def __init__(self, logger: TakesMetrics, model: torch.nn.Module, kinds: tuple[str, ...], every: int) -> None:
        self.model: Final = weakref.ref(model)
        self.logger: Final = weakref.ref(logger)
        self._kinds: Final = kinds
        self._every: Final = every
        self._steps = 0

    def look(self, optimizer: torch.optim.Optimizer) -> bool:
        """Log norms and histograms after a step of ``optimizer``; returns whether more steps are to be watched."""
        model, logger = self.model(), self.logger()
        if model is None or logger is None:
            return False
        if not is_rank_zero() or not _trains(optimizer, model):
            return True
        step, self._steps = _trainer_step(model, self._steps), self._steps + 1
        if step % self._every == 0:
            points = {name: value for kind in self._kinds for name, value in _summaries(kind, model)}
            logger.log_metrics(points, step)
        return True


@functools.cache
def _register_once() -> None:
    # It stays for good: taking a hook away while a step calls it would raise in that step.
    register_optimizer_step_post_hook(_after_step)


def _after_step(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    for watched in tuple(_watched):
        try:
            goes_on = watched.look(optimizer)
        except Exception as error:  # noqa: BLE001 - a training is worth more than a look at it
            goes_on = False
            _logger.warning("goodseed: a model can't be watched any more: %s: %s", type(error).__name__, error)
        if not goes_on and watched in _watched:
            _watched.remove(watched)


def _trains(optimizer: torch.optim.Optimizer, model: torch.nn.Module) -> bool:
    trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return any(id(parameter) in trained for parameter in model.parameters())


def _trainer_step(model: torch.nn.Module, default: int) -> int:
    """The step at which a Trainer logs this batch's metrics; ``default`` where there is no Trainer."""
    trainer = getattr(model, "_trainer", None)
    if trainer is None:
        return default
    step: int = getattr(trainer.fit_loop.epoch_loop, "_batches_that_stepped", trainer.global_step)
    return step


@torch.no_grad()
def _summaries(kind: str, model: torch.nn.Module) -> Iterator[tuple[str, float | str]]:
    norms = []
    for name, parameter in model.named_parameters():
        tensor = parameter.grad if kind == "gradients" else parameter
        if tensor is None or tensor.numel() == 0 or tensor.is_meta:
            continue
        values = _flat(tensor.detach())
        norm = torch.linalg.vector_norm(values)
        norms.append(norm)
        place = f"{kind}/{name.removeprefix(_WRAPPED).replace('.', '/')}"
        yield f"{place}/norm", float(norm)
        yield f"{place}/histogram", json.dumps(_histogram(values))
    if norms:
        yield f"{kind}/norm", float(torch.linalg.vector_norm(torch.stack([norm.cpu() for norm in norms])))


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    if hasattr(tensor, "to_local"):
        tensor = tensor.to_local()  # of a tensor in shards, this rank's: to ask for the others would wait for them
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    if tensor.is_complex():
        tensor = tensor.abs()
    return tensor.reshape(-1).float()


def _histogram(values: torch.Tensor) -> dict[str, object]:
    finite = values[torch.isfinite(values)]
    non_finite = values.numel() - finite.numel()
    if finite.numel() == 0:
        return {"count": 0, "non_finite": non_finite}
    low, high, mean, std = torch.stack([finite.min(), finite.max(), finite.mean(), finite.std(correction=0)]).tolist()
    return {
        "count": finite.numel(),
        "min": low,
        "max": high,
        "mean": mean,
        "std": std,
        "counts": _counts(finite, low, high),
        "non_finite": non_finite,
    }


def _counts(values: torch.Tensor, low: float, high: float) -> list[int]:
    """How many of ``values`` lie in each of the bins; one bin where all are the same."""
    scale = max(abs(low), abs(high), torch.finfo(values.dtype).tiny)  # the span of large numbers is infinite
    bottom, span = low / scale, high / scale - low / scale
    if not span:
        return [values.numel()]
    bins = ((values / scale - bottom) * (_BINS / span)).long().clamp_(0, _BINS - 1)
    # torch.histc, which does the same, refuses to where only deterministic operations are allowed.
    counts: list[int] = torch.bincount(bins, minlength=_BINS).tolist()
    return counts
