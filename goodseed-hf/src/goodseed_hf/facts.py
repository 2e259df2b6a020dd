"""What is stored of a training before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import transformers

from goodseed_hf.values import leaves

__all__ = ["training_configs"]


def training_configs(args: Any, model: Any) -> dict[str, object]:
    """The training's arguments, the model's configuration in whatever shape it has, and its size, by path."""
    found: dict[str, object] = {"transformers/version": transformers.__version__}
    found |= leaves(args.to_dict(), "args")  # which masks its tokens
    if model is None:
        return found
    found["model/class"] = f"{type(model).__module__}.{type(model).__qualname__}"
    config = _plain(getattr(model, "config", None))
    if config is not None:
        found |= leaves(config, "model/config")
    for name, adapter in _adapters(model):
        found |= leaves(_plain(adapter) or {}, f"model/peft/{name}")
    if hasattr(model, "parameters"):
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
        found["model/parameters"] = sum(size for size, _ in sizes)
        found["model/trainable_parameters"] = sum(size for size, is_trained in sizes if is_trained)
    return found


def _adapters(model: Any) -> list[tuple[str, Any]]:
    adapters = getattr(model, "peft_config", None)
    return list(adapters.items()) if isinstance(adapters, Mapping) else []


def _plain(config: Any) -> Mapping[str, Any] | None:
    """A configuration as a mapping: it may be one, an object that makes one, a plain object, or nothing."""
    if config is None or isinstance(config, Mapping):
        return config
    if hasattr(config, "to_dict"):
        made = config.to_dict()
        return made if isinstance(made, Mapping) else None
    return vars(config) if hasattr(config, "__dict__") else {"value": str(config)}
