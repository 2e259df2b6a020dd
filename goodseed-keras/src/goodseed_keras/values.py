"""Converts what Keras hands over into points of metrics."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Numbers"]

_logger: Final = logging.getLogger("goodseed")
_MAX_ELEMENTS: Final = 1_000


class Numbers:
    """Turns logs into points, and warns once of each name that can't be one."""

    def __init__(self) -> None:
        self._refused: Final[set[str]] = set()

    def of(self, logs: Mapping[str, Any], prefix: str) -> dict[str, float]:
        """The numbers of ``logs``, by path: an array gives a path for each of its elements.

        ``logs`` stays as it is: Keras hands the same dictionary to every callback.
        """
        found: dict[str, float] = {}
        for name, value in logs.items():
            path = _path(str(name), prefix)
            try:
                _add(found, path, value)
            except Exception as error:  # noqa: BLE001 - a foreign array may raise anything
                self.refuse(path, error)
        return found

    def refuse(self, path: str, error: Exception) -> None:
        """Warn once that ``path`` is left out."""
        if path not in self._refused:
            self._refused.add(path)
            _logger.warning("goodseed: %s is not stored: %s", path, error)


def _path(name: str, prefix: str) -> str:
    """``val_loss`` is ``val/loss``; what Keras calls ``loss`` belongs to the training."""
    if prefix == "train/" and name.startswith("val_") and len(name) > 4:
        return f"val/{name[4:]}"
    return f"{prefix}{name or 'unnamed'}"


def _add(found: dict[str, float], path: str, value: Any) -> None:
    if isinstance(value, (int, float)):
        found[path] = float(value)
        return
    if isinstance(value, Mapping):
        for name, part in value.items():
            _add(found, f"{path}/{name}", part)
        return
    if hasattr(value, "detach"):  # torch, whose tensors on a device numpy can't read
        value = value.detach().cpu()
        if value.ndim == 0:
            found[path] = float(value)
            return
    array = _as_array(value)
    if array.ndim == 0 or array.size == 1:
        found[path] = float(array.reshape(()))
    elif array.size > _MAX_ELEMENTS:
        raise ValueError(f"it has {array.size} elements, and at most {_MAX_ELEMENTS} are taken")
    else:
        for place, element in enumerate(array.reshape(-1).tolist()):
            found[f"{path}/{place}"] = float(element)


def _as_array(value: Any) -> Any:
    import numpy as np
    from keras import ops

    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError, RuntimeError):
        return np.asarray(ops.convert_to_numpy(value), dtype=float)
