"""What Lightning hands over, as a run stores it: numbers, texts and configs."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

__all__ = ["Values", "config_leaves", "sort_values"]

_MAX_DEPTH = 32
_MAX_ELEMENTS = 1000
_SMALL_BITS = 64
_PLAIN = (bool, int, float, str, type(None))


class Values(NamedTuple):
    """The values of one call.

    Attributes:
        numbers: What becomes a point of a metric, by path.
        texts: What becomes a point of a string series, by path.
        refused: Why a path has no point.
    """

    numbers: dict[str, float]
    texts: dict[str, str]
    refused: dict[str, str]


def sort_values(metrics: Mapping[Any, Any], prefix: str) -> Values:
    """Sort what a logger was given; ``metrics`` stays as it is, and nested ones get paths.

    Args:
        metrics: Numbers, 0-d tensors and arrays, those of one element, texts.
        prefix: Stands before every name, with its slash.
    """
    values = Values({}, {}, {})
    numbers = values.numbers
    for name, value in metrics.items():
        path = f"{prefix}{name}"
        if type(value) is float:  # what a Trainer hands over
            numbers[path] = value
        elif type(value) is int and value.bit_length() < _SMALL_BITS:  # its epoch
            numbers[path] = float(value)
        else:
            _sort_one(values, path, value, 0)
    return values


def _sort_one(values: Values, path: str, value: Any, depth: int) -> None:
    if isinstance(value, str):
        values.texts[path] = value
    elif isinstance(value, Mapping) and depth < _MAX_DEPTH:
        for name, part in value.items():
            _sort_one(values, f"{path}/{name}", part, depth + 1)
    else:
        try:
            values.numbers[path] = _number(value)
        except Exception as error:  # whatever a foreign __float__ or item may raise
            values.refused[path] = str(error) or type(error).__name__


def _number(value: Any) -> float:
    if isinstance(value, (int, float)):
        return float(value)
    if hasattr(value, "detach"):
        value = value.detach()  # of a tensor that takes part in a gradient, torch makes no number without a warning
    if getattr(value, "ndim", 0):
        count = value.numel() if hasattr(value, "numel") else value.size
        if count != 1:
            raise TypeError(f"it has {count} elements, and a metric takes one number")
        value = value.reshape(())
    if not hasattr(value, "__float__"):
        raise TypeError(f"a {type(value).__name__} is no number")
    return float(value)


def config_leaves(params: Any, prefix: str) -> Iterator[tuple[str, object]]:
    """The configs that hyperparameters make, each a path and a value; nothing in them is called.

    Args:
        params: A mapping, a namespace or a dataclass, nested as may be; OmegaConf's containers too.
        prefix: The path of ``params`` itself.
    """
    yield from _leaves(prefix, params, ())


def _leaves(path: str, value: Any, above: tuple[int, ...]) -> Iterator[tuple[str, object]]:
    if isinstance(value, _PLAIN):
        yield path, value
        return
    items, leaf = None, None
    try:
        parts = None if _is_too_deep(value, above) else _parts(value)
        if parts is None:
            leaf = _leaf(value, above)
        else:
            items = list(parts.items())
    except Exception as error:  # a foreign mapping or attribute may raise anything
        leaf = f"{_name_of(type(value))}, unreadable: {error}"
    if items is None:
        yield path, leaf
        return
    for key, part in items:
        yield from _leaves(f"{path}/{_key(key)}", part, (*above, id(value)))


def _is_too_deep(value: object, above: tuple[int, ...]) -> bool:
    return id(value) in above or len(above) >= _MAX_DEPTH


def _parts(value: Any) -> Mapping[Any, Any] | None:
    omegaconf = sys.modules.get("omegaconf")
    if omegaconf is not None and isinstance(value, omegaconf.Container):
        value = _plain_container(omegaconf, value)
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (argparse.Namespace, SimpleNamespace)):
        return vars(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    return None


def _plain_container(omegaconf: Any, container: Any) -> Any:
    try:
        return omegaconf.OmegaConf.to_container(container, resolve=True)
    except Exception:  # an interpolation that leads nowhere, or a resolver of the user's: it stays as it is written
        return omegaconf.OmegaConf.to_container(container, resolve=False)


def _key(key: object) -> str:
    name = key.name if hasattr(key, "name") and hasattr(key, "value") else key  # a member of an Enum
    return str(name).encode("utf-8", "backslashreplace").decode().replace("\0", "\\0") or "''"


def _leaf(value: Any, above: tuple[int, ...]) -> object:
    if isinstance(value, _PLAIN):
        return value
    if _is_too_deep(value, above):
        return "..."
    inside = (*above, id(value))
    if isinstance(value, (list, tuple)):
        return [_listed(part, inside) for part in value]
    if isinstance(value, functools.partial):
        return f"partial of {_leaf(value.func, inside)}"
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return _name_of(value)  # str() of a function has its address, new in every process
    if hasattr(value, "named_parameters") or _has_no_text(type(value)):
        return _name_of(type(value))  # str() of a torch module may take pages
    if hasattr(value, "detach"):
        value = value.detach()
        return value.item() if value.ndim == 0 else value.tolist() if value.numel() <= _MAX_ELEMENTS else str(value)
    return value


def _listed(value: Any, above: tuple[int, ...]) -> object:
    parts = None if _is_too_deep(value, above) else _parts(value)
    if parts is None:
        return _leaf(value, above)
    return {_key(key): _listed(part, (*above, id(value))) for key, part in parts.items()}


def _name_of(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _has_no_text(kind: type) -> bool:
    return all(getattr(kind, name) is getattr(object, name) for name in ("__str__", "__repr__"))
