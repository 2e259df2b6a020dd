"""Converts what Lightning hands over into numbers and texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from goodseed.values import as_number

__all__ = ["Values", "sort_values"]

_MAX_DEPTH = 32
_SMALL_BITS = 64


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
        prefix: Put before every name, with its slash.
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
            if path in values.numbers:
                raise ValueError("two names of one call make this path")
            values.numbers[path] = as_number(path, value if _is_scalar(value) else value.reshape(()))
        except Exception as error:  # noqa: BLE001 - a foreign __float__ or reshape may raise anything
            values.refused[path] = str(error) or type(error).__name__


def _is_scalar(value: Any) -> bool:
    """Whether it is no array of one element, which a metric takes, too."""
    if not getattr(value, "ndim", 0):
        return True
    count = value.numel() if hasattr(value, "numel") else value.size
    return bool(count != 1)
