"""Goodseed for PyTorch Lightning: ``Trainer(logger=GoodseedLogger())``."""

from __future__ import annotations

from goodseed_lightning.logger import GoodseedLogger
from goodseed_lightning.neptune import NeptuneLogger

__version__ = "0.5.0"

__all__ = ["GoodseedLogger", "NeptuneLogger", "__version__"]
