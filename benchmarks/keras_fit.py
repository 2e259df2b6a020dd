"""What Goodseed's Keras callback costs a fit of 1,000 tiny steps, beside no callback and Keras's own CSVLogger.

Run it with ``python benchmarks/keras_fit.py [--rounds N]``, in an environment that has Keras with a backend.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from fits import report

from goodseed_keras import GoodseedCallback

_STEPS = 1_000
_EPOCHS = 10


def _fit(_: Path, callbacks: list[Any]) -> Callable[[], Any]:
    model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    count = _STEPS // _EPOCHS * 8
    x, y = np.ones((count, 8), "float32"), np.zeros((count, 1), "float32")
    model.fit(x[:8], y[:8], batch_size=8, epochs=1, verbose=0)
    options = {"batch_size": 8, "epochs": _EPOCHS, "shuffle": False, "verbose": 0, "callbacks": callbacks}
    return lambda: model.fit(x, y, **options)


def _callbacks(home: Path) -> dict[str, Callable[[], list[Any]]]:
    return {
        "no callback": list,
        "no callback again": list,
        "CSVLogger": lambda: [keras.callbacks.CSVLogger(home / f"{time.time_ns()}.csv")],
        "Goodseed, each epoch": lambda: [GoodseedCallback(storage="local", goodseed_home=home)],
        "Goodseed, each batch": lambda: [GoodseedCallback(storage="local", goodseed_home=home, log_freq="batch")],
    }


def main() -> None:
    """Take turns, and print what each costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    title = f"A fit of {_STEPS:,} steps, Keras with {keras.backend.backend()}"
    report(title, _callbacks, _fit, parser.parse_args().rounds)


if __name__ == "__main__":
    main()
