"""Goodseed's callback in real trainings of a tiny model with random weights."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import configs, points

import goodseed

from .training import GoodseedCallback, Rows, arguments, goodseed_hf, make_model, torch, trainer, transformers

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of is their own


def test_whole_log_history_is_in_the_run(tmp_path: Path) -> None:
    """Everything that the Trainer logs is there at its global step, the final summary too."""
    callback = GoodseedCallback()
    made = trainer(tmp_path, callback, eval_strategy="steps", eval_steps=3)
    made.train()
    expected: dict[str, dict[float, float]] = {}
    for entry in made.state.log_history:
        for name, value in entry.items():
            if name != "step":
                path = f"eval/{name[5:]}" if name.startswith("eval_") else f"train/{name}"
                expected.setdefault(path, {})[entry["step"]] = value
    assert {path: points(callback.run, path) for path in expected} == expected
    assert {"train/loss", "eval/loss", "train/train_runtime", "train/learning_rate"} <= set(
        callback.run.get_metric_paths()
    )


def test_length_of_the_training_is_known(tmp_path: Path) -> None:
    """What was asked for as epochs is a config in steps, and a second training goes on behind: the dashboard's ETA."""
    callback = GoodseedCallback()
    made = trainer(tmp_path, callback, max_steps=-1, num_train_epochs=1)
    made.train()
    assert configs(callback.run)["training/max_steps"] == "8"
    made.train()
    assert float(configs(callback.run)["training/max_steps"]) == max(points(callback.run, "train/train_runtime"))


def test_evaluate_and_predict_land_in_the_same_run(tmp_path: Path) -> None:
    """After a training, and without one."""
    callback = GoodseedCallback()
    made = trainer(tmp_path, callback)
    made.train()
    made.evaluate()
    made.predict(Rows(8))
    assert points(callback.run, "eval/loss")
    assert points(callback.run, "test/loss")
    alone = GoodseedCallback()
    trainer(tmp_path, alone).evaluate()
    assert list(points(alone.run, "eval/loss")) == [0]


def test_names_are_rewritten_as_by_transformers(tmp_path: Path) -> None:
    """Names get their prefix as Transformers' own integrations write them; what the Trainer shares is not changed."""
    callback = GoodseedCallback()
    made = trainer(tmp_path, callback)
    logs = {"rewards/chosen": 0.5, "eval_rewards/chosen": 0.25, "loss": torch.tensor(1.5), "note": "text"}
    made.log(logs)
    assert points(callback.run, "train/rewards/chosen") == {0: 0.5}
    assert points(callback.run, "eval/rewards/chosen") == {0: 0.25}
    assert points(callback.run, "train/loss") == {0: 1.5}
    assert callback.run.get_string_data("train/note")[0]["value"] == "text"


def test_nothing_is_written_at_construction(home: Path, tmp_path: Path) -> None:
    """A callback of a Trainer that does nothing makes no run."""
    trainer(tmp_path, GoodseedCallback(project="p"))
    assert not list(home.rglob("*.sqlite"))


def test_callback_class_and_report_to(tmp_path: Path, home: Path) -> None:
    """The class does as a callback, and its name as report_to."""
    trainer(tmp_path, GoodseedCallback).train()
    trainer(tmp_path, None, report_to="goodseed").train()
    transformers.Trainer(make_model(), arguments(tmp_path, report_to=["goodseed"]), train_dataset=Rows(64)).train()
    import gc

    gc.collect()
    assert len(list(home.rglob("*.sqlite"))) == 3


def test_callbacks_that_share_a_run_lose_nothing(tmp_path: Path) -> None:
    """A second Trainer with the run of the first goes on behind it; so does one after an interruption."""
    with goodseed.Run() as run:
        for number in range(2):
            trainer(tmp_path / str(number), GoodseedCallback(run), max_steps=3, logging_steps=1).train()
        assert list(points(run, "train/loss")) == [1, 2, 3, 5, 6, 7]

    class Stop(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 3:
                raise KeyboardInterrupt

    callback = GoodseedCallback()
    made = trainer(tmp_path, callback, max_steps=4, logging_steps=1)
    made.add_callback(Stop)
    with pytest.raises(KeyboardInterrupt):
        made.train()
    made.remove_callback(Stop)
    before = points(callback.run, "train/loss")
    made.train()
    found = points(callback.run, "train/loss")
    assert {step: found[step] for step in before} == before
    assert len(found) == len(before) + 4


def test_one_run_a_trial(tmp_path: Path, home: Path) -> None:
    """A hyperparameter search gets a run a trial, with its name and its parameters."""
    pytest.importorskip("optuna")
    made = transformers.Trainer(
        args=arguments(tmp_path, max_steps=2, logging_steps=1, eval_strategy="steps", eval_steps=2),
        train_dataset=Rows(64), eval_dataset=Rows(16), model_init=make_model, callbacks=[GoodseedCallback(project="search")],
    )  # fmt: skip
    made.hyperparameter_search(
        hp_space=lambda trial: {"learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)},
        backend="optuna", n_trials=3, hp_name=lambda trial: f"trial-{trial.number}",
    )  # fmt: skip
    for callback in made.callback_handler.callbacks:
        if isinstance(callback, GoodseedCallback):
            callback.close()
    runs = goodseed.list_runs("search")
    assert len(runs) == 3
    found = []
    for run_id in [run["run_id"] if isinstance(run, dict) else run for run in runs]:
        with goodseed.Run(project="search", run_id=run_id, read_only=True) as run:
            own = {row["path"]: row["value"] for row in run.get_configs()}
            found.append((own["sys/name"], float(own["trial/learning_rate"]) == float(own["args/learning_rate"])))
    assert sorted(found) == [("trial-0", True), ("trial-1", True), ("trial-2", True)]


def test_trials_are_runs_of_their_own(tmp_path: Path) -> None:
    """Equal parameters make another run all the same; a trial that fails ends as failed."""
    pytest.importorskip("optuna")

    class Fails(transformers.Trainer):  # type: ignore[misc]
        trial = 0

        def training_step(self, *given: Any, **more: Any) -> Any:
            if Fails.trial == 1 and self.state.global_step == 1:
                raise RuntimeError("oh")
            return super().training_step(*given, **more)

    def space(trial: Any) -> dict[str, Any]:
        Fails.trial = trial.number
        return {"learning_rate": trial.suggest_categorical("learning_rate", [1e-3])}

    made = Fails(
        args=arguments(tmp_path, max_steps=2, logging_steps=1), train_dataset=Rows(64), eval_dataset=Rows(16),
        model_init=make_model, callbacks=[GoodseedCallback(project="equal")],
    )  # fmt: skip
    made.hyperparameter_search(hp_space=space, backend="optuna", n_trials=3, catch=(RuntimeError,))
    for callback in made.callback_handler.callbacks:
        if isinstance(callback, GoodseedCallback):
            callback.close()
    states = sorted(run["status"] if "status" in run else run["state"] for run in goodseed.list_runs("equal"))
    assert states == ["failed", "finished", "finished"]


def test_value_that_cannot_be_stored_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A training goes on without what is no number, and one warning names it."""
    callback = GoodseedCallback()
    made = trainer(tmp_path, callback)
    with caplog.at_level(logging.WARNING, logger="goodseed"):
        for _ in range(3):
            made.log({"odd": object(), "loss": 1.0})
    assert [record.message.split(" is")[0] for record in caplog.records if record.name == "goodseed"] == [
        "goodseed: train/odd"
    ]
    assert points(callback.run, "train/loss") == {0: 1.0}


def test_given_run_is_left_open(tmp_path: Path) -> None:
    """A run that was passed in belongs to whoever did."""
    with goodseed.Run() as run:
        callback = GoodseedCallback(run)
        trainer(tmp_path, callback).train()
        callback.close()
        assert not run.is_closed
    with pytest.raises(goodseed.InvalidTypeError):
        GoodseedCallback(run, project="p")


_SCRIPT = """
import sys; sys.path.insert(0, {here!r})
import training as t
from goodseed_hf import GoodseedCallback
from pathlib import Path
callback = GoodseedCallback(project="p", storage="local", goodseed_home={home!r})
trainer = t.trainer(Path({out!r}), callback)
{more}
trainer.train()
"""


def _script(tmp_path: Path, home: Path, more: str = "") -> str:
    return _SCRIPT.format(here=str(Path(__file__).parent), home=str(home), out=str(tmp_path / "out"), more=more)


def _state(database: Path) -> str:
    import sqlite3

    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return str(connection.execute("SELECT value FROM run_meta WHERE key = 'status'").fetchone()[0])


def test_failed_training_fails_its_run(tmp_path: Path, home: Path) -> None:
    """A training that ends the process with an exception leaves a failed run; there is no event for it."""
    script = _script(tmp_path, home, "trainer.train_dataset = None")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    more = "import transformers\nclass Boom(transformers.TrainerCallback):\n def on_step_end(self, *a, **k): raise RuntimeError('boom')\ntrainer.add_callback(Boom)"
    done = subprocess.run(
        [sys.executable, "-c", _script(tmp_path, home, more)], capture_output=True, text=True, timeout=120, check=False
    )
    assert "boom" in done.stderr
    (database,) = home.rglob("*.sqlite")
    assert _state(database) == "failed"


@pytest.mark.parametrize(("after", "code"), [("pass", 0), ("raise SystemExit(3)", 3)], ids=["goes on", "exits"])
def test_failure_that_the_script_catches_fails_its_run(tmp_path: Path, home: Path, after: str, code: int) -> None:
    """A training that failed is failed, too, where the script catches the exception and ends in its own way."""
    boom = f"""
import transformers
class Boom(transformers.TrainerCallback):
    def on_step_end(self, *a, **k): raise RuntimeError("boom")
trainer.add_callback(Boom)
try:
    trainer.train()
except RuntimeError:
    {after}
sys.exit(0)
"""
    script = _script(tmp_path, home, boom)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    (database,) = home.rglob("*.sqlite")
    assert _state(database) == "failed"


def test_two_processes_write_one_run(tmp_path: Path, home: Path) -> None:
    """Under gloo, only the first of two processes makes a run."""
    script = tmp_path / "train.py"
    # A process that ends while the other still talks to it aborts that one, now and then.
    together = "import torch.distributed as d; d.barrier(); d.destroy_process_group()\n"
    script.write_text(_script(tmp_path, home) + together, encoding="utf-8")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list(home.rglob("*.sqlite"))) == 1


def test_accelerate_tracker(tmp_path: Path) -> None:
    """Accelerate's own calls: configuration, values, the end."""
    accelerate = pytest.importorskip("accelerate")
    tracker = goodseed_hf.GoodseedTracker("team/tracked", tags=["x"])
    accelerator = accelerate.Accelerator(log_with=tracker, cpu=True)
    accelerator.init_trackers("ignored", config={"lr": 0.1, "nested": {"a": 1}})
    accelerator.log({"loss": torch.tensor(0.5)}, step=3)
    accelerator.log({"loss": 0.25}, step=4)
    run = accelerator.get_tracker("goodseed", unwrap=True)
    assert points(run, "loss") == {3: 0.5, 4: 0.25}
    assert configs(run)["config/nested/a"] == "1"
    accelerator.end_training()
    assert run.is_closed


def test_example_runs(tmp_path: Path) -> None:
    """The example of the documentation trains, evaluates, and leaves a finished run."""
    example = Path(__file__).parents[2] / "examples" / "hf_digits.py"
    command = [sys.executable, str(example), "--epochs", "1", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "accuracy" in done.stdout
    assert len(list(tmp_path.rglob("*.sqlite"))) == 1
