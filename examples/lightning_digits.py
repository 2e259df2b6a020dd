"""Train a small network on scikit-learn's handwritten digits with PyTorch Lightning, tracked by one run.

python examples/lightning_digits.py [--home DIR] [--epochs N]
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

from goodseed_lightning import GoodseedLogger


class Digits(LightningModule):
    """One hidden layer."""

    def __init__(self, lr: float = 0.05, hidden: int = 64) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(64, hidden), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(hidden, 10)
        )

    def step(self, batch: Any, stage: str) -> torch.Tensor:
        """Log the loss and the accuracy of a batch; returns the loss."""
        images, digits = batch
        scores = self.layers(images)
        loss = torch.nn.functional.cross_entropy(scores, digits)
        self.log_dict({f"{stage}/loss": loss, f"{stage}/accuracy": (scores.argmax(1) == digits).float().mean()})
        return loss

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        """A batch of the training."""
        return self.step(batch, "train")

    def validation_step(self, batch: Any, index: int) -> None:
        """A batch that the training does not see."""
        self.step(batch, "val")

    def test_step(self, batch: Any, index: int) -> None:
        """A batch of the test."""
        self.step(batch, "test")

    def configure_optimizers(self) -> Any:
        """Gradient descent, slower by half every five epochs."""
        optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams["lr"], momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)]


def loaders() -> tuple[DataLoader[Any], DataLoader[Any], DataLoader[Any]]:
    """The digits in batches: 60 % to train, 20 % to validate, 20 % to test."""
    digits = load_digits()
    images = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    data = TensorDataset(images, torch.tensor(digits.target))
    train, rest = train_test_split(range(len(data)), test_size=0.4, random_state=0)
    val, test = train_test_split(rest, test_size=0.5, random_state=0)
    train_loader, val_loader, test_loader = (
        DataLoader(torch.utils.data.Subset(data, part), batch_size=32, shuffle=part is train)
        for part in (train, val, test)
    )
    return train_loader, val_loader, test_loader


def main() -> int:
    """Train, test, and say where to look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", default="demo-runs", help="where the run goes (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")  # so few digits need no workers to load them
    torch.manual_seed(0)

    train, val, test = loaders()
    model = Digits()
    logger = GoodseedLogger(
        name="lightning digits",
        project="digits",
        tags=["demo"],
        storage="local",
        goodseed_home=options.home,
        log_model=True,
    )
    logger.watch(model, log_freq=100)
    checkpoints = ModelCheckpoint(Path(options.home, "checkpoints", logger.version), monitor="val/loss", save_last=True)
    trainer = Trainer(
        logger=logger,
        accelerator="cpu",
        devices=1,
        max_epochs=options.epochs,
        log_every_n_steps=10,
        callbacks=[LearningRateMonitor(), checkpoints],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, train, val)
    (tested,) = trainer.test(model, test, verbose=False)

    run = logger.experiment
    paths = [
        path for path in run.get_metric_paths() if not path.startswith(("monitoring/", "gradients/", "parameters/"))
    ]
    print(f"{trainer.global_step} steps, test accuracy {tested['test/accuracy']:.3f}")
    print(f"metrics: {', '.join(paths)}")
    print(f"best checkpoint: {checkpoints.best_model_path}")
    run.close()
    print(f"run {run.run_id}: {run.path}")
    print(f"goodseed serve {options.home} --open")
    return 0


if __name__ == "__main__":
    sys.exit(main())
