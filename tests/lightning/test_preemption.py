"""A job that is preempted: Lightning's own way of saving comes to its end while a run is open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import goodseed

pytest.importorskip("torch")

SCRIPT = """
import os, signal, sys, time
import torch
import {lightning} as pl
from {lightning}.callbacks import OnExceptionCheckpoint
from goodseed_lightning import GoodseedLogger
from torch.utils.data import DataLoader, TensorDataset

class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def training_step(self, batch, index):
        if self.global_step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
        loss = self.layer(batch[0]).sum()
        self.log("loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)

logger = GoodseedLogger(run_id="r", project="p", git_ref=False, capture_hardware_metrics=False)
trainer = pl.Trainer(max_steps=20, accelerator="cpu", logger=logger, callbacks=[OnExceptionCheckpoint(".", "emergency")],
                     enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1)
trainer.fit(Net(), DataLoader(TensorDataset(torch.randn(64, 2)), batch_size=2))
"""


@pytest.mark.parametrize("lightning", ["pytorch_lightning", "lightning.pytorch"])
def test_the_emergency_checkpoint_is_written(home: Path, tmp_path: Path, lightning: str) -> None:
    """SIGTERM ends the batch, Lightning saves, and the process ends as without a run; the run tells of it."""
    pytest.importorskip(lightning)
    environment = os.environ | {"GOODSEED_STORAGE": "local", "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT.format(lightning=lightning)]
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    (run,) = goodseed.list_runs("p", storage="local")

    assert (tmp_path / "emergency.ckpt").is_file(), process.stderr
    assert 0 == process.returncode, process.stderr
    assert "failed" == run["state"]
    assert "SIGTERM" in run["end_reason"]
