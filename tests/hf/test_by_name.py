"""``report_to="goodseed"`` and ``log_with="goodseed"`` in scripts that import nothing of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import goodseed

pytest.importorskip("transformers")
pytest.importorskip("goodseed_hf")

TRAINER = """\
import sys, torch
from transformers import Trainer, TrainerCallback, TrainingArguments
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
    def forward(self, x=None, labels=None):
        return {"loss": (self.weight.sum() - x.mean()).pow(2), "logits": x}
def train(report_to, callbacks=()):
    arguments = TrainingArguments(sys.argv[1], max_steps=2, logging_steps=1, report_to=report_to, use_cpu=True, disable_tqdm=True)
    rows = [{"x": torch.ones(1), "labels": torch.zeros(1)}] * 4
    Trainer(Model(), arguments, train_dataset=rows, callbacks=[*callbacks]).train()
"""
TRACKER = """\
from accelerate import Accelerator
def track(log_with):
    accelerator = Accelerator(cpu=True, log_with=log_with, project_dir="out")
    accelerator.init_trackers("named", config={"lr": 0.1})
    accelerator.log({"loss": 0.5}, step=3)
    accelerator.end_training()
"""


def runs_of(script: str, directory: Path, project: str, **environment: str) -> list[str]:
    """Runs a script on its own, and lists the runs that it made."""
    variables = {**os.environ, "GOODSEED_QUIET": "1", "TRANSFORMERS_VERBOSITY": "error", **environment}
    command = [sys.executable, "-W", "ignore", "-c", script, str(directory / "out")]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=directory)
    assert 0 == done.returncode, done.stderr
    return [run["run_id"] for run in goodseed.list_runs(project, storage="local")]


@pytest.mark.parametrize(
    "call",
    ['train("goodseed")', 'train("all")', 'import goodseed_hf; train("all", [goodseed_hf.GoodseedCallback()])'],
)
def test_report_to(tmp_path: Path, home: Path, call: str) -> None:
    """The Trainer finds the callback by its name and among all; one with arguments of its own is the only one."""
    (run_id,) = runs_of(TRAINER + call, tmp_path, "default")
    with goodseed.Run(run_id=run_id, read_only=True, storage="local") as run:
        assert 2 == len(run.get_metric_data("train/loss")["raw_points"])


@pytest.mark.parametrize("call", ['track("goodseed")', 'track("all")', 'import goodseed_hf; track("goodseed")'])
def test_log_with(tmp_path: Path, home: Path, call: str) -> None:
    """Accelerate finds the tracker by its name and among all, with the project that init_trackers names."""
    pytest.importorskip("accelerate.tracking").__dict__.get("register_tracker_class") or pytest.skip(
        "an old Accelerate"
    )
    (run_id,) = runs_of(TRACKER + call, tmp_path, "named")
    with goodseed.Run(project="named", run_id=run_id, read_only=True, storage="local") as run:
        assert [{"step": 3.0, "y": 0.5}] == run.get_metric_data("loss")["raw_points"]


def test_nothing_is_loaded_for_others(tmp_path: Path) -> None:
    """A script that uses neither library loads nothing of ours, and one that does not ask for us no more than the hook."""
    script = "import {}, sys; print(sorted(name for name in sys.modules if name.startswith('goodseed')))"
    for module, loaded in (("json", "[]\n"), ("transformers.trainer", "['goodseed_hf_hook']\n")):
        done = subprocess.run([sys.executable, "-c", script.format(module)], capture_output=True, text=True, check=True)
        assert loaded == done.stdout


def test_the_hook_can_be_switched_off(tmp_path: Path) -> None:
    """GOODSEED_HF_HOOK=0 leaves both libraries as they are."""
    script = "from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK as known; print('goodseed' in known)"
    variables = {**os.environ, "GOODSEED_HF_HOOK": "0"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=variables)
    assert "False\n" == done.stdout
