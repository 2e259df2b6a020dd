"""Collects what is stored of a training before it begins."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import transformers

if TYPE_CHECKING:
    from goodseed_hf.values import Writer

__all__ = ["checkpoint_step", "training_configs"]


def training_configs(args: Any, model: Any, writer: Writer) -> dict[str, object]:
    """The training's arguments, the model's configuration in any form, and its size, by path.

    What can't be read, since a model's own code may raise, ``writer`` says by name.
    """
    found: dict[str, object] = {"transformers/version": transformers.__version__}
    parts: dict[str, Callable[[], dict[str, object]]] = {"args": lambda: writer.leaves(args.to_dict(), "args")}
    if model is not None:
        found["model/class"] = f"{type(model).__module__}.{type(model).__qualname__}"
        parts |= {
            "model/config": lambda: writer.leaves(_plain(getattr(model, "config", None)) or {}, "model/config"),
            "model/peft": lambda: _adapters(model, writer),
            "model/parameters": lambda: _sizes(model),
        }
    for name, part in parts.items():
        try:
            found |= part()
        except Exception as error:  # noqa: BLE001 - a model of the user may raise anything; told once
            writer.refuse(name, error)
    return found


def _sizes(model: Any) -> dict[str, object]:
    if not hasattr(model, "parameters"):
        return {}
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return {
        "model/parameters": sum(size for size, _ in sizes),
        "model/trainable_parameters": sum(size for size, is_trained in sizes if is_trained),
    }


def _adapters(model: Any, writer: Writer) -> dict[str, object]:
    adapters = getattr(model, "peft_config", None)
    found: dict[str, object] = {}
    for name, adapter in adapters.items() if isinstance(adapters, Mapping) else ():
        found |= writer.leaves(_plain(adapter) or {}, f"model/peft/{name}")
    return found


def _plain(config: Any) -> Mapping[str, Any] | None:
    """A configuration as a mapping: it may be one, an object that makes one, a plain object, or nothing."""
    if config is None or isinstance(config, Mapping):
        return config
    if hasattr(config, "to_dict"):
        made = config.to_dict()
        return made if isinstance(made, Mapping) else None
    return vars(config) if hasattr(config, "__dict__") else {"value": str(config)}


def checkpoint_step(model: Any) -> int:
    """The global step of the checkpoint that ``model`` was loaded from; 0 where it was loaded from none."""
    try:
        folder = Path(str(model.config._name_or_path))
        return int(json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["global_step"])
    except (AttributeError, OSError, ValueError, LookupError, TypeError):
        return 0
