"""Train small networks on scikit-learn's handwritten digits, each tracked by a run, and list the runs.

python examples/digits.py [--home DIR] [--epochs N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import goodseed

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Config:
    """What a run tries."""

    lr: float
    hidden: int
    seed: int
    batch_size: int = 32


CONFIGS = (
    Config(lr=0.03, hidden=32, seed=0),
    Config(lr=0.1, hidden=32, seed=0),
    Config(lr=0.1, hidden=64, seed=1),
    Config(lr=0.3, hidden=64, seed=2),
    Config(lr=0.3, hidden=128, seed=3),
    Config(lr=1e200, hidden=64, seed=4),  # far too high: the loss becomes NaN, and the run shows it
)


class Network:
    """One hidden layer, trained by stochastic gradient descent."""

    def __init__(self, config: Config) -> None:
        self.random = np.random.default_rng(config.seed)
        self.lr = config.lr
        self.w1 = self.random.normal(0, 0.1, (64, config.hidden))
        self.w2 = self.random.normal(0, 0.1, (config.hidden, 10))

    def forward(self, x: Array) -> tuple[Array, Array]:
        """The hidden layer and the probability of each digit."""
        hidden = np.maximum(x @ self.w1, 0)
        logits = hidden @ self.w2
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return hidden, exponentials / exponentials.sum(axis=1, keepdims=True)

    def train(self, x: Array, y: NDArray[np.int64]) -> float:
        """One step of gradient descent; returns the loss before it."""
        hidden, probabilities = self.forward(x)
        loss = -np.log(probabilities[np.arange(len(y)), y] + 1e-12).mean()
        error = probabilities.copy()
        error[np.arange(len(y)), y] -= 1
        error /= len(y)
        back = (error @ self.w2.T) * (hidden > 0)
        self.w2 -= self.lr * hidden.T @ error
        self.w1 -= self.lr * x.T @ back
        return float(loss)

    def accuracy(self, x: Array, y: NDArray[np.int64]) -> float:
        """The share of digits that it gets right."""
        return float((self.forward(x)[1].argmax(axis=1) == y).mean())


def train(config: Config, epochs: int, data: list[Any], home: str | None, progress: tqdm[Any]) -> None:
    """Train one network, tracked by one run."""
    x_train, x_val, y_train, y_val = data
    name = f"lr={config.lr:g} hidden={config.hidden} seed={config.seed}"
    with goodseed.Run(name=name, project="digits", tags=["demo"], storage="local", goodseed_home=home) as run:
        run["parameters"] = config
        network, step = Network(config), 0
        for epoch in range(epochs):
            order = network.random.permutation(len(x_train))
            for batch in np.array_split(order, len(order) // config.batch_size):
                run["train/loss"].log(network.train(x_train[batch], y_train[batch]), step=step)
                step += 1
            accuracies = {
                "train/accuracy": network.accuracy(x_train, y_train),
                "val/accuracy": network.accuracy(x_val, y_val),
            }
            run.log_metrics(accuracies, step=step)
            guesses = network.forward(x_val[:10])[1].argmax(axis=1)
            run["val/guesses"].log(f"wanted {y_val[:10].tolist()}, got {guesses.tolist()}", step=epoch)
            progress.update()


def main() -> int:
    """Train every configuration, then list the runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", default="demo-runs", help="where the runs go (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    digits = load_digits()
    data = train_test_split(digits.data / 16.0, digits.target, test_size=0.3, random_state=0)
    np.seterr(all="ignore")  # one of them diverges, as it should
    with tqdm(total=len(CONFIGS) * options.epochs, desc="training", unit="epoch") as progress:
        for config in CONFIGS:
            train(config, options.epochs, data, options.home, progress)
    command = ["goodseed", "list", f"{options.home}/projects", "-p", "digits"]
    print(f"\n$ {' '.join(command)}", flush=True)
    return subprocess.run([sys.executable, "-m", *command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
