"""What Goodseed's Keras callback costs a fit of 1,000 tiny steps, beside no callback and Keras's own CSVLogger.

Run it with ``python benchmarks/keras_fit.py [--rounds N]``, in an environment that has Keras with a backend.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from measuring import span, table

from goodseed_keras import GoodseedCallback

_STEPS = 1_000
_EPOCHS = 10


def _fit(callbacks: list[Any]) -> float:
    model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    count = _STEPS // _EPOCHS * 8
    x, y = np.ones((count, 8), "float32"), np.zeros((count, 1), "float32")
    model.fit(x[:8], y[:8], batch_size=8, epochs=1, verbose=0)
    start = time.perf_counter()
    model.fit(x, y, batch_size=8, epochs=_EPOCHS, shuffle=False, verbose=0, callbacks=callbacks)
    return time.perf_counter() - start


def main() -> None:
    """Take turns, and print the medians of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        made = {
            "no callback": list,
            "CSVLogger": lambda: [keras.callbacks.CSVLogger(home / f"{time.time_ns()}.csv")],
            "Goodseed, each epoch": lambda: [GoodseedCallback(storage="local", goodseed_home=home)],
            "Goodseed, each batch": lambda: [GoodseedCallback(storage="local", goodseed_home=home, log_freq="batch")],
        }
        times: dict[str, list[float]] = {name: [] for name in made}
        for number in range(rounds + 1):
            for name, callbacks in made.items():
                used = callbacks()
                seconds = _fit(used)
                if number:  # the first round loads what all later ones have
                    times[name].append(seconds)
                for callback in used:
                    if isinstance(callback, GoodseedCallback):
                        callback.close()
    base = times["no callback"]
    rows = [
        [name, span(statistics.median(all_)),
         f"{(statistics.median(t / b for t, b in zip(all_, base, strict=True)) - 1) * 100:+.1f} %"]
        for name, all_ in times.items()
    ]  # fmt: skip
    table(f"A fit of {_STEPS:,} steps, Keras with {keras.backend.backend()}", ["", "time", "against none"], rows)


if __name__ == "__main__":
    main()
