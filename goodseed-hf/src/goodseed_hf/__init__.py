"""Goodseed for Hugging Face: a callback for ``Trainer``, a tracker for Accelerate.

With this package installed, ``TrainingArguments(report_to="goodseed")`` and ``Accelerator(log_with="goodseed")`` work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import goodseed_hf_hook

if TYPE_CHECKING:
    from goodseed_hf.callback import GoodseedCallback
    from goodseed_hf.tracker import GoodseedTracker

__version__ = "0.5.0"

__all__ = ["GoodseedCallback", "GoodseedTracker", "__version__"]

_LATER = {"GoodseedCallback": "goodseed_hf.callback", "GoodseedTracker": "goodseed_hf.tracker"}
goodseed_hf_hook.install()  # where the package is not installed, but lies on the path


def __getattr__(name: str) -> object:
    if name not in _LATER:  # Transformers and Accelerate take seconds to load, and one of them may not be there
        raise AttributeError(f"module 'goodseed_hf' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
