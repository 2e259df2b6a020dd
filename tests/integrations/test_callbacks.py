"""The callbacks for libraries without a plugin, each with the real library on data that it ships or that is made up."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import goodseed

pytestmark = pytest.mark.filterwarnings("default")  # what the libraries warn of is theirs

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(120, 4)).astype("float32")
Y = (X[:, 0] + 0.1 * RANDOM.normal(size=120) > 0).astype("int64")


@pytest.fixture
def run(home: Path) -> Any:
    """A run of the test's project, which is closed afterwards."""
    with goodseed.Run(project="p", run_id="r", storage="local") as opened:
        yield opened


def points(run: goodseed.Run, path: str) -> list[tuple[float, float]]:
    """The points of a metric."""
    return [(point["step"], point["y"]) for point in run.get_metric_data(path)["raw_points"]]


def configs(run: goodseed.Run) -> dict[str, str]:
    """The configs as they are stored."""
    return {row["path"]: row["value"] for row in run.get_configs()}


def test_xgboost(run: goodseed.Run) -> None:
    """Every evaluation of `train` is stored, as the library returns it, with the parameters and the best round."""
    xgboost = pytest.importorskip("xgboost")
    from goodseed.integrations.xgboost import GoodseedCallback

    data, held_out = xgboost.DMatrix(X[:80], Y[:80]), xgboost.DMatrix(X[80:], Y[80:])
    results: dict[str, Any] = {}
    xgboost.train(
        {"objective": "binary:logistic", "max_depth": 2},
        data,
        num_boost_round=8,
        evals=[(data, "train"), (held_out, "val")],
        evals_result=results,
        early_stopping_rounds=3,
        verbose_eval=False,
        callbacks=[GoodseedCallback(run)],
    )

    assert list(enumerate(results["val"]["logloss"])) == points(run, "val/logloss")
    assert list(enumerate(results["train"]["logloss"])) == points(run, "train/logloss")
    tree = "booster/gradient_booster/tree_train_param"
    stored = {row["path"]: (row["type_tag"], row["value"]) for row in run.get_configs()}
    assert [("int", "2"), ("float", "0.3")] == [stored[f"{tree}/{name}"] for name in ("max_depth", "eta")]
    assert "best_iteration" in configs(run)


def test_xgboost_cross_validation_and_estimators(run: goodseed.Run) -> None:
    """A cross validation has means and deviations; an estimator that holds the run can be cloned and cross-validated."""
    xgboost = pytest.importorskip("xgboost")
    from sklearn.model_selection import cross_val_score

    from goodseed.integrations.xgboost import GoodseedCallback

    table = xgboost.cv(
        {"objective": "binary:logistic"}, xgboost.DMatrix(X, Y), 3, nfold=2, callbacks=[GoodseedCallback(run, "cv/")]
    )
    model = xgboost.XGBClassifier(n_estimators=2, callbacks=[GoodseedCallback(run, "sk/")])
    scores = cross_val_score(model, X, Y, cv=2)

    assert [value for _, value in points(run, "cv/test/logloss")] == pytest.approx(list(table["test-logloss-mean"]))
    assert [value for _, value in points(run, "cv/test/logloss_std")] == pytest.approx(list(table["test-logloss-std"]))
    assert 2 == len(scores)


def test_lightgbm(run: goodseed.Run) -> None:
    """Every evaluation of `train` and `cv` is stored, also of the round at which early stopping ends it."""
    lightgbm = pytest.importorskip("lightgbm")
    from goodseed.integrations.lightgbm import GoodseedCallback

    parameters = {"objective": "binary", "metric": "auc", "verbose": -1, "min_data_in_leaf": 2, "num_leaves": 4}
    data = lightgbm.Dataset(X[:80], Y[:80], free_raw_data=False)
    held_out = lightgbm.Dataset(X[80:], Y[80:], reference=data, free_raw_data=False)
    results: dict[str, Any] = {}
    lightgbm.train(
        parameters,
        data,
        num_boost_round=10,
        valid_sets=[held_out],
        valid_names=["val"],
        callbacks=[
            lightgbm.record_evaluation(results),
            lightgbm.early_stopping(2, verbose=False),
            GoodseedCallback(run),
        ],
    )
    table = lightgbm.cv(parameters, lightgbm.Dataset(X, Y), 3, nfold=2, callbacks=[GoodseedCallback(run, "cv/")])

    assert list(enumerate(results["val"]["auc"])) == points(run, "val/auc")
    assert "4" == configs(run)["parameters/num_leaves"]
    assert [value for _, value in points(run, "cv/valid/auc")] == pytest.approx(table["valid auc-mean"])
    assert [value for _, value in points(run, "cv/valid/auc_std")] == pytest.approx(table["valid auc-stdv"])


def test_catboost(run: goodseed.Run, tmp_path: Path) -> None:
    """Every metric of every iteration is stored, as the model has it in the end."""
    catboost = pytest.importorskip("catboost")
    from goodseed.integrations.catboost import GoodseedCallback

    model = catboost.CatBoostClassifier(iterations=5, verbose=False, train_dir=str(tmp_path), thread_count=1)
    model.fit(X[:80], Y[:80], eval_set=(X[80:], Y[80:]), callbacks=[GoodseedCallback(run)])
    results = model.get_evals_result()

    assert list(enumerate(results["validation"]["Logloss"], start=1)) == points(run, "validation/Logloss")
    assert list(enumerate(results["learn"]["Logloss"], start=1)) == points(run, "learn/Logloss")


def test_skorch(run: goodseed.Run) -> None:
    """Epochs and batches of the net's history are stored, and its parameters; the net can be cloned."""
    pytest.importorskip("skorch")
    import torch
    from sklearn.base import clone
    from skorch import NeuralNetClassifier

    from goodseed.integrations.skorch import GoodseedCallback

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return torch.softmax(self.layer(x), -1)

    net = NeuralNetClassifier(Module, max_epochs=3, lr=0.1, verbose=0, callbacks=[GoodseedCallback(run)])
    clone(net)
    net.fit(X, Y)

    assert [(row["epoch"], row["valid_loss"]) for row in net.history] == points(run, "valid_loss")
    assert [(row["epoch"], row["valid_acc"]) for row in net.history] == points(run, "valid_acc")
    assert 3 == len(points(run, "batch/train_loss"))
    stored = configs(run)
    assert ("0.1", True) == (stored["parameters/lr"], stored["parameters/module"].endswith("Module"))
    assert "ValidSplit" == stored["parameters/train_split"]
    assert not [path for path in stored if path.startswith("parameters/_")]


@pytest.mark.filterwarnings("error:Converting a tensor with requires_grad")  # of ours
def test_fastai(run: goodseed.Run) -> None:
    """The loss of each batch and the recorder's values of each epoch are stored."""
    pytest.importorskip("fastai")
    import torch
    from fastai.basics import DataLoaders, Learner

    from goodseed.integrations.fastai import GoodseedCallback

    pairs = [(torch.tensor(x), torch.tensor(float(y))) for x, y in zip(X, Y, strict=True)]
    loaders = DataLoaders.from_dsets(pairs[:80], pairs[80:], bs=20, num_workers=0, device="cpu")

    def loss(predicted: Any, wanted: Any) -> Any:
        return ((predicted.squeeze(-1) - wanted) ** 2).mean()

    learner = Learner(loaders, torch.nn.Linear(4, 1), loss_func=loss, metrics=[loss])
    with learner.no_logging():
        learner.fit(2, 0.1, cbs=GoodseedCallback(run))
    recorded = [row[1] for row in learner.recorder.values]

    assert [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0] == [step for step, _ in points(run, "train/loss")]
    assert [4.0, 8.0] == [step for step, _ in points(run, "valid_loss")]
    assert recorded == pytest.approx([value for _, value in points(run, "valid_loss")])
    assert [0.1] * 8 == pytest.approx([value for _, value in points(run, "lr")])


def test_stable_baselines3(run: goodseed.Run) -> None:
    """What the algorithm records is stored at its timesteps, and its hyperparameters."""
    pytest.importorskip("stable_baselines3")
    from stable_baselines3 import A2C

    from goodseed.integrations.stable_baselines3 import GoodseedCallback

    A2C("MlpPolicy", "CartPole-v1", n_steps=8, seed=0, device="cpu").learn(
        64, callback=GoodseedCallback(run), log_interval=2
    )

    assert [16.0, 32.0, 48.0, 64.0] == [step for step, _ in points(run, "time/total_timesteps")]
    assert "train/value_loss" in run.get_metric_paths()
    stored = configs(run)
    parameters = [stored[f"parameters/{name}"] for name in ("algorithm", "n_steps", "policy")]
    assert ["A2C", "8", "ActorCriticPolicy"] == parameters
    assert "parameters/start_time" not in stored


def test_ray_tune(home: Path, tmp_path: Path) -> None:
    """Each trial has a run with its parameters, its number, a readable name and its results; one that raises failed."""
    pytest.importorskip("ray")
    import ray
    from ray import tune

    from goodseed.integrations.ray_tune import GoodseedLoggerCallback

    def trainable(config: dict[str, float]) -> None:
        from ray import tune

        for step in range(3):
            tune.report({"loss": config["lr"] * (3 - step), "nested": {"acc": 0.5}})
        if config["lr"] > 0.5:
            raise ValueError("diverged")

    ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        tune.Tuner(
            trainable,
            param_space={"lr": tune.grid_search([0.1, 0.9])},
            run_config=tune.RunConfig(
                storage_path=str(tmp_path),
                verbose=0,
                callbacks=[GoodseedLoggerCallback(project="sweep", storage="local")],
            ),
        ).fit()
    finally:
        ray.shutdown()
    found = {}
    for entry in goodseed.list_runs("sweep", storage="local"):
        with goodseed.Run(project="sweep", run_id=entry["run_id"], read_only=True, storage="local") as read:
            found[entry["name"]] = (entry["state"], points(read, "loss"), points(read, "nested/acc"), configs(read))

    assert {"trial 0: lr=0.1", "trial 1: lr=0.9"} == set(found)
    state, losses, nested, stored = found["trial 0: lr=0.1"]
    assert ("finished", "failed") == (state, found["trial 1: lr=0.9"][0])
    assert [1.0, 2.0, 3.0] == [step for step, _ in losses]
    assert [0.3, 0.2, 0.1] == pytest.approx([value for _, value in losses])
    assert 3 == len(nested)
    assert ("0", "0.1") == (stored["trial/number"], stored["parameters/lr"])


def test_optuna(run: goodseed.Run) -> None:
    """Each trial has a run, a pruned one is no failure, and the study's course is stored."""
    optuna = pytest.importorskip("optuna")
    from goodseed.integrations.optuna import StudyCallback, trial_run

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: Any) -> float:
        with trial_run(trial, project="sweep", storage="local") as trial_of_mine:
            x = trial.suggest_float("x", 0, 1)
            trial_of_mine["loss"].log(x, step=0)
            if trial.number == 1:
                raise optuna.TrialPruned
            if trial.number == 2:
                raise ValueError("broken")
            return float(x)

    study = optuna.create_study()
    study.optimize(objective, n_trials=4, callbacks=[StudyCallback(run)], catch=(ValueError,))
    runs = {entry["name"]: entry["state"] for entry in goodseed.list_runs("sweep", storage="local")}
    names = {number: next(name for name in runs if name.startswith(f"trial {number}: x=")) for number in range(4)}
    ids = {entry["name"]: entry["run_id"] for entry in goodseed.list_runs("sweep", storage="local")}
    with goodseed.Run(project="sweep", run_id=ids[names[1]], read_only=True, storage="local") as pruned:
        stored = configs(pruned)

    assert ["finished", "finished", "failed", "finished"] == [runs[names[number]] for number in range(4)]
    assert ("pruned", "1") == (stored["sys/end_reason"], stored["trial/number"])
    assert [0.0, 3.0] == [step for step, _ in points(run, "trial/value")]
    assert math.isclose(study.best_value, points(run, "best/value")[-1][1])
    assert str(study.best_params["x"]) == configs(run)["best/parameters/x"]


def test_optuna_without_a_best_trial(run: goodseed.Run) -> None:
    """A study whose first trials are pruned, or keep no constraint, goes on; what is not final is no value of it."""
    optuna = pytest.importorskip("optuna")
    from goodseed.integrations.optuna import StudyCallback

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: Any) -> float:
        trial.report(1.0, 0)
        if trial.number == 0:
            raise optuna.TrialPruned
        return 2.0

    optuna.create_study().optimize(objective, n_trials=2, callbacks=[StudyCallback(run)])

    assert [(1.0, 2.0)] == points(run, "trial/value") == points(run, "best/value")


def test_ultralytics(run: goodseed.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses, metrics and learning rates of each epoch of a small training are stored."""
    pytest.importorskip("ultralytics")
    pytest.importorskip("torchvision")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    import cv2
    import yaml
    from ultralytics import YOLO

    from goodseed.integrations.ultralytics import callbacks

    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (tmp_path / kind / part).mkdir(parents=True)
        for number in range(4):
            picture = RANDOM.integers(0, 255, (64, 64, 3), dtype="uint8")
            cv2.imwrite(str(tmp_path / "images" / part / f"{number}.png"), picture)
            (tmp_path / "labels" / part / f"{number}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    data = {"path": str(tmp_path), "train": "images/train", "val": "images/val", "names": {0: "thing"}}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data))
    model = YOLO("yolo11n.yaml")
    for event, function in callbacks(run).items():
        model.add_callback(event, function)
    model.train(data="data.yaml", epochs=2, imgsz=64, batch=4, device="cpu", workers=0, plots=False, verbose=False)

    assert [1.0, 2.0] == [step for step, _ in points(run, "train/box_loss")]
    assert [1.0, 2.0] == [step for step, _ in points(run, "metrics/mAP50(B)")]
    assert [2.0] == [step for step, _ in points(run, "best/metrics/mAP50(B)")]
    assert "64" == configs(run)["parameters/imgsz"]
    assert configs(run)["best"].endswith("best.pt")


def test_ultralytics_evaluates_the_best_weights(run: goodseed.Run) -> None:
    """The evaluation that follows the last epoch makes no epoch of its own, and replaces none."""
    from types import SimpleNamespace

    from goodseed.integrations.ultralytics import callbacks

    trainer = SimpleNamespace(epoch=0, tloss=0.5, lr={"lr/pg0": 0.1}, metrics={"metrics/mAP50(B)": 0.25})
    trainer.label_loss_items = lambda loss, prefix: {f"{prefix}/box_loss": loss}
    events = callbacks(run)
    for event in ("on_train_epoch_end", "on_fit_epoch_end"):
        events[event](trainer)
    trainer.epoch, trainer.metrics = 1, {"metrics/mAP50(B)": 0.75}  # as its trainer does before it says so again
    events["on_fit_epoch_end"](trainer)

    assert [(1.0, 0.5)] == points(run, "train/box_loss")
    assert [(1.0, 0.25)] == points(run, "metrics/mAP50(B)")
    assert [(1.0, 0.75)] == points(run, "best/metrics/mAP50(B)")
