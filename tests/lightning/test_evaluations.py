"""Checkpoints and models that are evaluated one after the other into one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import goodseed


def points(run_id: str, path: str) -> dict[float, float]:
    with goodseed.Run(run_id=run_id, read_only=True, storage="local") as run:
        return {point["step"]: point["y"] for point in run.get_metric_data(path)["raw_points"]}


def evaluate(framework: Any, model: Any, data: Any, checkpoint: Path | None, run_id: str) -> float:
    """What a new Trainer finds, which logs to the run."""
    from goodseed_lightning import GoodseedLogger

    logger = GoodseedLogger(run_id=run_id)
    trainer = framework.Trainer(accelerator="cpu", logger=logger, enable_progress_bar=False, enable_model_summary=False)
    found = trainer.validate(model, data, ckpt_path=checkpoint, verbose=False)
    logger.experiment.close()
    return float(found[0]["held_out"])


def make(framework: Any) -> tuple[Any, Any]:
    """A small model and its data."""
    import torch

    class Model(framework.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def training_step(self, batch: Any, index: int) -> Any:
            return self.layer(batch[0]).square().mean()

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("held_out", self.layer(batch[0]).square().mean())

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(16, 2)), batch_size=4)
    return Model(), data


def test_checkpoints_keep_their_steps(lightning: Any, tmp_path: Path) -> None:
    """Each checkpoint's results stand at its global step, in a run that new Trainers log to."""
    model, data = make(lightning)
    keep = lightning.callbacks.ModelCheckpoint(tmp_path, filename="{step}", save_top_k=-1, every_n_train_steps=2)
    lightning.Trainer(
        max_steps=6, accelerator="cpu", logger=False, callbacks=[keep], limit_val_batches=0,
        enable_progress_bar=False, enable_model_summary=False,
    ).fit(model, data)  # fmt: skip
    checkpoints = {step: tmp_path / f"step={step}.ckpt" for step in (6, 2, 4)}
    found = {float(step): evaluate(lightning, model, data, path, "v") for step, path in checkpoints.items()}

    assert found == points("v", "held_out")


def test_models_without_a_checkpoint(lightning: Any, parts: Callable[[Any], Any]) -> None:
    """Models that are evaluated without a checkpoint stand one behind the other: none replaces another."""
    model, data = make(lightning)
    found = [evaluate(lightning, model, data, None, "m")]
    model.layer.weight.data += 1
    found += [evaluate(lightning, model, data, None, "m")]

    assert found == list(points("m", "held_out").values())
