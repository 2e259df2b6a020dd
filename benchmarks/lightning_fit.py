"""What the logger costs a Trainer: a fit of 1,000 tiny steps without a logger, with Lightning's CSVLogger, with ours.

Fits take turns in one process, each of a new model and Trainer, with what the loggers do by default, from the call to
its return: a run's opening is in it. Of each logger stand, against the shortest fit without one:

- ``fit``: the shortest fit with it; the difference of two kinds that log nothing is the machine's noise,
- ``processor``: the least time of the processor in all threads of the process,
- ``calls``: the least time in the logger's own methods, a share that other work on the machine hardly disturbs.

What a logger that does nothing costs is Lightning's own work. Run it with
``python benchmarks/lightning_fit.py [--rounds 15] [--every 50]``.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import torch

from goodseed_lightning import GoodseedLogger

Times: TypeAlias = tuple[float, float, float]

_METHODS = ("log_metrics", "log_hyperparams", "log_graph", "save", "finalize")
_STEPS = 1000
_BATCH = 32


def main() -> None:
    """Measure, and print a line for each logger."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--every", type=int, default=50, help="log_every_n_steps, of which 50 is the Trainer's default")
    parser.add_argument("--package", choices=["lightning.pytorch", "pytorch_lightning"], default="lightning.pytorch")
    options = parser.parse_args()
    framework = importlib.import_module(options.package)
    csv_logger = importlib.import_module(f"{options.package}.loggers").CSVLogger
    for name in (options.package, options.package.replace("pytorch_lightning", "lightning_fabric")):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    os.environ["GOODSEED_QUIET"] = "1"
    torch.set_num_threads(1)  # more would wait for whatever else the machine does
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        loggers: dict[str, Callable[[], Any]] = {
            "no logger": lambda: False,
            "no logger again": lambda: False,
            "one that does nothing": lambda: _nothing(options.package),
            "CSVLogger": lambda: csv_logger(directory),
            "GoodseedLogger": lambda: GoodseedLogger(storage="local", goodseed_home=directory),
            "GoodseedLogger, monitoring and git off": lambda: GoodseedLogger(
                storage="local",
                goodseed_home=directory,
                capture_stdout=False,
                capture_stderr=False,
                capture_hardware_metrics=False,
                capture_traceback=False,
                git_ref=False,
            ),
        }
        os.chdir(directory)
        fits = _in_turns(framework, loggers, options.rounds, options.every)
        os.chdir("/")
    shortest, processor, _ = map(min, zip(*fits["no logger"], strict=True))
    print(f"{_STEPS} steps, logged every {options.every}: {1e3 * shortest:.0f} ms without a logger")
    print(f"{'':<40} {'fit':>10} {'processor':>10} {'calls':>10}")
    for name, times in fits.items():
        fit, process, calls = map(min, zip(*times, strict=True))
        shares = (fit / shortest - 1, process / processor - 1, calls / shortest)
        print(f"{name:<40} {' '.join(f'{100 * share:+8.2f} %' for share in shares)}")


def _nothing(package: str) -> Any:
    class Nothing(importlib.import_module(f"{package}.loggers").Logger):  # type: ignore[misc]
        """Does nothing."""

        name, version = "nothing", "0"

        def log_metrics(self, metrics: Any, step: int | None = None) -> None: ...

        def log_hyperparams(self, params: Any) -> None: ...

        @property
        def experiment(self) -> None: ...

    return Nothing()


def _in_turns(framework: Any, loggers: dict[str, Callable[[], Any]], rounds: int, every: int) -> dict[str, list[Times]]:
    """The times of each logger's fits, one a round."""
    for make in loggers.values():  # the first of each loads what it needs
        _fit(framework, make(), every)
    fits: dict[str, list[Times]] = {name: [] for name in loggers}
    names = list(loggers)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:  # none is always the first
            fits[name].append(_fit(framework, loggers[name](), every))
    return fits


class _Stopwatch:
    """The time in a logger's methods, from when it is put on."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def put_on(self, logger: Any) -> None:
        """Give ``logger`` a class whose methods are timed."""
        kind = type(logger)
        timed: dict[str, Any] = {name: self._timed(getattr(kind, name)) for name in _METHODS if hasattr(kind, name)}
        timed["experiment"] = property(self._timed(kind.experiment.fget))
        logger.__class__ = type(kind.__name__, (kind,), timed)

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self._depth += 1
            started = time.perf_counter()
            try:
                return method(*arguments, **options)
            finally:
                self._depth -= 1
                if not self._depth:  # one method calls another
                    self.seconds += time.perf_counter() - started

        return call


def _fit(framework: Any, logger: Any, every: int) -> Times:
    """The times of one fit: on the clock, of the processor, in the logger."""

    class Model(framework.LightningModule):  # type: ignore[misc]
        """Two layers, whose loss and accuracy are logged at every step."""

        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))

        def training_step(self, batch: Any, index: int) -> Any:
            images, digits = batch
            scores = self.layers(images)
            loss = torch.nn.functional.cross_entropy(scores, digits)
            self.log("train/loss", loss)
            self.log("train/accuracy", (scores.argmax(1) == digits).float().mean())
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    batches = [(torch.randn(_BATCH, 64), torch.randint(10, (_BATCH,))) for _ in range(_STEPS)]
    data: Any = torch.utils.data.DataLoader(batches, batch_size=None)  # type: ignore[arg-type]
    trainer = framework.Trainer(
        logger=logger,
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        log_every_n_steps=every,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model, watch = Model(), _Stopwatch()
    if logger:
        watch.put_on(logger)
    gc.collect()
    started, processor = time.perf_counter(), time.process_time()
    trainer.fit(model, data)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    if isinstance(logger, GoodseedLogger):
        logger.experiment.close()
    return seconds, processor, watch.seconds


if __name__ == "__main__":
    main()
