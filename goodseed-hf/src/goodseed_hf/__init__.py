"""Goodseed for Hugging Face: a callback for ``Trainer``, a tracker for Accelerate.

With this package imported, ``TrainingArguments(report_to="goodseed")`` finds the callback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers.integrations import integration_utils as _integrations

from goodseed_hf.callback import GoodseedCallback

if TYPE_CHECKING:
    from goodseed_hf.tracker import GoodseedTracker

__version__ = "0.5.0"

__all__ = ["GoodseedCallback", "GoodseedTracker", "__version__"]

_integrations.INTEGRATION_TO_CALLBACK.setdefault("goodseed", GoodseedCallback)


def __getattr__(name: str) -> object:
    if name == "GoodseedTracker":  # Accelerate need not be there
        from goodseed_hf.tracker import GoodseedTracker

        return GoodseedTracker
    raise AttributeError(f"module 'goodseed_hf' has no attribute {name!r}")
