"""Goodseed for Keras: ``model.fit(…, callbacks=[GoodseedCallback()])``."""

from __future__ import annotations

from goodseed_keras.callback import GoodseedCallback

__version__ = "0.5.0"

__all__ = ["GoodseedCallback", "__version__"]
