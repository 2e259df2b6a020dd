"""Evaluations that share a step, trials of a search, and what TRL gives to trackers that it knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import goodseed

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("goodseed_hf")

from goodseed_hf import GoodseedCallback  # noqa: E402 - Transformers comes first, if at all

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of is their own


class Model(torch.nn.Module):  # type: ignore[misc]
    """One weight that goes to the mean of its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: Any = None, labels: Any = None) -> dict[str, Any]:
        return {"loss": (self.weight.sum() - x.mean()).pow(2), "logits": x}


def rows(value: float) -> list[dict[str, Any]]:
    return [{"x": torch.tensor([float(value)]), "labels": torch.zeros(1)} for _ in range(8)]


def trainer(directory: Path, *callbacks: Any, **more: Any) -> Any:
    defaults = {"max_steps": 4, "learning_rate": 0.1, "logging_steps": 1, "report_to": "none", "use_cpu": True, "disable_tqdm": True, "save_strategy": "no"}  # fmt: skip
    made = transformers.TrainingArguments(str(directory), **defaults | more)
    return transformers.Trainer(Model(), made, train_dataset=rows(5), eval_dataset=rows(0.1), callbacks=[*callbacks])


def points(run: goodseed.Run, path: str) -> list[tuple[float, float]]:
    run.flush()
    return [(point["step"], point["y"]) for point in run.get_metric_data(path)["raw_points"]]


def test_every_evaluation_is_kept(tmp_path: Path) -> None:
    """Evaluations after the training stand behind its last one, half a step and less; a training after them goes on."""
    callback = GoodseedCallback()
    made = trainer(tmp_path, callback, eval_strategy="steps", eval_steps=2)
    made.train()
    for value in (1.0, 2.0):
        made.evaluate(rows(value))
    logged = [entry["eval_loss"] for entry in made.state.log_history if "eval_loss" in entry]
    made.train()

    assert [2, 4, 4.5, 4 + 2 / 3] == [step for step, _ in points(callback.run, "eval/loss")[:4]]
    assert logged == [value for _, value in points(callback.run, "eval/loss")[:4]]
    assert 4 < min(step for step, _ in points(callback.run, "train/loss")[4:])


def test_evaluations_of_other_callbacks_are_kept(tmp_path: Path) -> None:
    """An evaluation that another callback makes at a step that has one is kept, too."""

    class Twice(transformers.TrainerCallback):  # type: ignore[misc]
        is_first = True

        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.is_first, is_second = not self.is_first, not self.is_first
            if not is_second:
                made.evaluate(rows(7.0))

    callback = GoodseedCallback()
    made = trainer(tmp_path, callback, Twice(), eval_strategy="steps", eval_steps=1)
    made.train()

    assert 8 == len(points(callback.run, "eval/loss"))


def test_an_evaluation_in_another_process(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Evaluations into a run that is there already replace none of its points, and nothing is warned of."""
    first = GoodseedCallback(run_id="one")
    trainer(tmp_path, first).evaluate(rows(1.0))
    first.close()
    for value in (2.0, 3.0):
        callback = GoodseedCallback(resume_run_id="one")
        trainer(tmp_path, callback).evaluate(rows(value))
        found = [value for _, value in points(callback.run, "eval/loss")]
        callback.close()

    assert [1.0, 4.0, 9.0] == pytest.approx(found)
    assert [] == [record.getMessage() for record in caplog.records if record.name == "goodseed"]


def test_a_search_of_transformers(tmp_path: Path) -> None:
    """A trial's run has its number, its parameters and a name that can be read."""
    pytest.importorskip("optuna")
    made = trainer(tmp_path, GoodseedCallback(project="p"))
    made.model_init = lambda _trial=None: Model()
    made.hyperparameter_search(
        hp_space=lambda trial: {"learning_rate": trial.suggest_float("learning_rate", 0.1, 0.2)},
        compute_objective=lambda metrics: metrics["eval_loss"], backend="optuna", n_trials=2,
    )  # fmt: skip
    del made
    import gc

    gc.collect()
    listed = goodseed.list_runs("p", storage="local")
    assert {"trial 0", "trial 1"} == {run["name"].split(": learning_rate=0.1")[0] for run in listed}
    for run in listed:
        with goodseed.Run(project="p", run_id=run["run_id"], read_only=True, storage="local") as stored:
            found = {row["path"]: row["value"] for row in stored.get_configs()}
        assert run["name"].startswith(f"trial {found['trial/number']}: ")
        assert 0.1 <= float(found["trial/learning_rate"]) <= 0.2


def test_a_pruned_trial_is_no_failure(tmp_path: Path) -> None:
    """A training that an objective of the user's prunes ends as finished, one that fails as failed."""
    optuna = pytest.importorskip("optuna")

    class Prunes(transformers.TrainerCallback):  # type: ignore[misc]
        def __init__(self, trial: Any) -> None:
            self.trial = trial

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.trial.number == 1:
                raise ValueError("on purpose")
            raise optuna.TrialPruned

    def objective(trial: Any) -> float:
        trial.suggest_float("lr", 0.1, 0.2)
        trainer(tmp_path, GoodseedCallback(project="p"), Prunes(trial)).train()
        return 0.0

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study().optimize(objective, n_trials=2, catch=(ValueError,), gc_after_trial=True)
    listed = {run["name"].split(": lr=0.")[0]: run["state"] for run in goodseed.list_runs("p", storage="local")}

    assert {"trial 0": "finished", "trial 1": "failed"} == listed


def test_completions_and_timings_of_trl(tmp_path: Path) -> None:
    """The table of completions is a string series of JSON rows, and timings are metrics, as for trackers that TRL knows."""
    profiling = pytest.importorskip("trl.extras.profiling")

    class Generates(transformers.Trainer):  # type: ignore[misc]
        log_completions = True
        _logs = {
            "prompt": ["a", "b"],
            "completion": ["c", "d"],
            "rewards": {"length": [1.0, 2.0]},
            "advantages": [0.1, 0.2],
        }

        def training_step(self, *arguments: Any, **more: Any) -> Any:
            with profiling.profiling_context(self, "step"):
                return super().training_step(*arguments, **more)

    callback = GoodseedCallback()
    made = trainer(tmp_path, callback)
    made = Generates(Model(), made.args, train_dataset=rows(5), callbacks=[callback])
    made.train()
    table = json.loads(callback.run.get_string_data("completions")[0]["value"])

    assert {"prompt": "a", "completion": "c", "length": 1.0, "advantage": 0.1} == table[0]
    assert 4 == len(points(callback.run, "profiling/Time taken: Generates.step"))
