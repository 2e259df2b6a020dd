"""Collects what is stored once of a model and its optimizer."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import keras

from goodseed.config_values import config_leaves

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["learning_rate", "model_configs"]

_MAX_SUMMARY: Final = 200_000


def model_configs(
    model: Any, params: dict[str, Any] | None, refuse: Callable[[str, Exception], None]
) -> dict[str, object]:
    """The configs of a fit, by path. ``refuse`` is called with each part that raised when it was read."""
    found: dict[str, object] = {
        "keras/version": keras.__version__,
        "keras/backend": keras.backend.backend(),
        "keras/dtype_policy": keras.config.dtype_policy().name,
        "model/name": getattr(model, "name", type(model).__name__),
        "model/class": f"{type(model).__module__}.{type(model).__qualname__}",
    }
    if params:
        found |= {f"fit/{name}": value for name, value in params.items() if isinstance(value, (int, float, str))}
    found["fit/steps_per_execution"] = getattr(model, "steps_per_execution", 1)
    optimizer = getattr(model, "optimizer", None)
    parts: dict[str, Callable[[], dict[str, object]]] = {"model/loss": lambda: _loss(model, refuse)}
    if optimizer is not None:
        found["optimizer/class"] = type(optimizer).__name__
        parts["optimizer"] = lambda: {**config_leaves(optimizer.get_config(), "optimizer", on_refused=refuse)}
    if getattr(model, "built", False):
        parts["model/parameters"] = lambda: {
            "model/parameters": model.count_params(),
            "model/trainable_parameters": sum(_size(weight) for weight in model.trainable_weights),
        }
        parts["model/summary"] = lambda: {"model/summary": _summary(model)}
    for name, part in parts.items():
        try:
            found |= part()
        except Exception as error:  # noqa: BLE001 - a model of the user may raise anything; told once
            refuse(name, error)
    return found


def _loss(model: Any, refuse: Callable[[str, Exception], None]) -> dict[str, object]:
    loss = getattr(model, "loss", None)
    if loss is None:
        return {}
    named = loss if isinstance(loss, (str, dict, list)) else _name(loss)
    return {**config_leaves(named, "model/loss", on_refused=refuse)}


def _name(thing: Any) -> str:
    return str(getattr(thing, "name", None) or getattr(thing, "__name__", None) or type(thing).__name__)


def _size(weight: Any) -> int:
    size = 1
    for length in weight.shape:
        size *= int(length)
    return size


def _summary(model: Any) -> str:
    text = io.StringIO()
    model.summary(
        print_fn=lambda line, line_break=True: text.write(line + ("\n" if line_break else "")), line_length=100
    )
    return text.getvalue()[:_MAX_SUMMARY]


def learning_rate(model: Any) -> float | None:
    """The rate that the optimizer uses now, be it a number, a variable or a schedule; None where there is none."""
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or not hasattr(optimizer, "learning_rate"):
        return None
    rate = optimizer.learning_rate
    try:
        return float(rate)
    except (TypeError, ValueError):
        return float(keras.ops.convert_to_numpy(rate))
