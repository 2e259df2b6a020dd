"""Configs of other libraries, as the plugin ``goodseed-values``: through the hook that others use too.

Each is recognised without importing its library.
"""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["goodseed_config_value"]

_MAX_ELEMENTS: Final = 10_000


def goodseed_config_value(path: str, value: object) -> object:
    """The plain value of a numpy or torch scalar, an array of up to 10,000 elements, or a config of OmegaConf."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        try:
            plain = item()
        except (TypeError, ValueError, RuntimeError):  # a tensor without values
            return None
        return plain if isinstance(plain, (bool, int, float, str)) else None
    if hasattr(value, "tolist") and isinstance(size := getattr(value, "size", None), int) and size <= _MAX_ELEMENTS:
        return value.tolist()
    return _container(value)


def _container(value: object) -> object:
    omegaconf = sys.modules.get("omegaconf")
    if omegaconf is None or not omegaconf.OmegaConf.is_config(value):
        return None
    try:
        return omegaconf.OmegaConf.to_container(value, resolve=True, throw_on_missing=False)
    except omegaconf.errors.OmegaConfBaseException:  # an interpolation that leads nowhere
        return omegaconf.OmegaConf.to_container(value, resolve=False)
