"""The tiny model that the tests of this folder train, and how they read the run."""

from __future__ import annotations

from typing import Any

import pytest

keras = pytest.importorskip("keras", exc_type=ImportError)
goodseed_keras = pytest.importorskip("goodseed_keras")
GoodseedCallback = goodseed_keras.GoodseedCallback


class Broken(keras.callbacks.Callback):  # type: ignore[misc]
    """Raises at the end of the first epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        raise RuntimeError("boom")


def model(**compiled: Any) -> Any:
    keras.utils.set_random_seed(7)
    made = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    made.compile(**{"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | compiled)
    return made
