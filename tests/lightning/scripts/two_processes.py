"""Train in two processes, once a case: FRAMEWORK STRATEGY CASE…; the test beside it reads what became of it."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import torch

import goodseed
from goodseed_lightning import GoodseedLogger

framework = importlib.import_module(sys.argv[1])


class Model(framework.LightningModule):  # type: ignore[misc,name-defined]
    """Logs its loss, and from inside the training."""

    def __init__(self, failing_rank: int | None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)
        self.failing_rank = failing_rank

    def training_step(self, batch: Any, index: int) -> Any:
        loss = self.layer(batch[0]).square().mean()
        self.log("loss", loss, sync_dist=True)
        run = self.logger.experiment
        run["inside"].log(f"step {index}", step=index)
        run[f"ranks/{self.global_rank}"] = 1
        if index == 3 and self.global_rank == self.failing_rank:
            raise ValueError("on purpose")
        return loss

    def test_step(self, batch: Any, index: int) -> None:
        self.log("test_loss", self.layer(batch[0]).square().mean(), sync_dist=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.1)


def train(strategy: str, case: str) -> None:
    """Train as the case says, in a run of its name."""
    passed = goodseed.Run(run_id=case) if case == "passed" else None
    logger = GoodseedLogger(run=passed) if passed else GoodseedLogger(run_id=case)
    if "open" in case:
        logger.log_metrics({"before": 1.0}, step=0)
    trainer = framework.Trainer(
        logger=logger,
        accelerator="cpu",
        devices=2,
        strategy=strategy,
        max_epochs=1,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(48, 4)), 4)
    model = Model({"first fails": 0, "second fails": 1}.get(case))
    try:
        trainer.fit(model, data)
    except Exception as error:
        if model.failing_rank is None:
            raise
        print(f"{case}: {type(error).__name__}")
        return
    if "only fit" not in case:
        trainer.test(model, data, verbose=False)
    logger.log_metrics({"after": 1.0}, step=0)
    if passed:
        passed["closed by"] = "its owner"
        passed.close()


def with_fabric(fabric: Any) -> None:
    """What each of Fabric's processes does."""
    for step in range(5):
        fabric.log("loss", 1.0 / (step + 1), step=step)
        fabric.log_dict({"a": step, "b": -step})
    fabric.logger.log_hyperparams({"lr": 0.1})


if __name__ == "__main__":
    for one in sys.argv[3:]:
        if one == "fabric":
            fabric = importlib.import_module(f"{sys.argv[1].partition('.')[0]}.fabric").Fabric
            logger = GoodseedLogger(run_id="fabric")
            fabric(accelerator="cpu", devices=2, strategy=sys.argv[2], loggers=logger).launch(with_fabric)
        else:
            train(sys.argv[2], one)
