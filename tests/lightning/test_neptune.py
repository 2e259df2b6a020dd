"""Code that was written for Lightning's NeptuneLogger, with a Goodseed run."""

from __future__ import annotations

import inspect
import logging
import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import goodseed


def logger(**options: Any) -> Any:
    from goodseed_lightning import NeptuneLogger

    return NeptuneLogger(**options)


def test_constructor_is_the_removed_one(framework: Any) -> None:
    """The parameters, their kinds and their defaults are those of the class that Lightning had."""
    from goodseed_lightning import NeptuneLogger

    parameters = inspect.signature(NeptuneLogger).parameters.values()
    theirs = getattr(import_module(f"{framework.__name__}.loggers"), "NeptuneLogger", None)

    assert [
        ("api_key", None),
        ("project", None),
        ("name", None),
        ("run", None),
        ("log_model_checkpoints", True),
        ("prefix", "training"),
        ("neptune_run_kwargs", inspect.Parameter.empty),
    ] == [(parameter.name, parameter.default) for parameter in parameters]
    if theirs is not None:
        expected = inspect.signature(theirs).parameters.values()
        assert [(p.name, p.kind, p.default) for p in expected] == [(p.name, p.kind, p.default) for p in parameters]


def test_training_has_neptunes_namespaces(framework: Any, parts: Any, stored: Any) -> None:
    """Metrics, hyperparameters, checkpoints, summary and status lie where the removed logger put them."""
    kit = parts(framework)
    ours = logger(api_key="secret-token", project="team/vision", name="n", custom_run_id="nep", tags=["a"])
    callback = import_module(f"{framework.__name__}.callbacks").ModelCheckpoint(
        monitor="val_loss", filename="{epoch}", save_top_k=1, save_last=True
    )
    model = kit.Model()
    kit.trainer(ours, callbacks=[callback]).fit(model, kit.data(), kit.data())
    ours.log_model_summary(model, max_depth=1)
    again = pickle.loads(pickle.dumps(ours))
    assert again.experiment.run_id == ours.run.run_id == ours.version
    ours.experiment.stop()
    path = goodseed.Run(run_id="nep", project="team/vision", read_only=True, storage="local").path
    found = stored("nep", project="team/vision")
    configs = {
        key.removeprefix("training/"): value for key, value in found.configs.items() if key.startswith("training/")
    }
    gone = [key for key, value in configs.items() if key.startswith("model/checkpoints/") and value == ""]

    assert {"training/loss_step", "training/loss_epoch", "training/val_loss", "training/epoch"} <= set(found.metrics)
    assert "0.1" == configs["hyperparams/lr"]
    assert "success" == configs["status"]
    assert "Linear" in configs["model/summary"]
    assert callback.best_model_path == configs["model/best_model_path"]
    assert float(callback.best_model_score) == float(configs["model/best_model_score"])
    assert callback.last_model_path == configs["model/checkpoints/last"]
    assert callback.best_model_path == configs[f"model/checkpoints/{Path(callback.best_model_path).stem}"]
    assert all(f"model/checkpoints/{Path(kept).stem}" not in gone for kept in callback.best_k_models)
    assert path is not None
    assert b"secret-token" not in path.read_bytes()


def test_fields(lightning: Any, stored: Any, tmp_path: Path) -> None:
    """experiment[...] assigns, appends, extends, adds, uploads a path, and gives back what it has."""
    run = logger(run_id="fields").experiment
    run["a/b"].append(1.0)
    run["a/b"].append(2.0, step=7)
    run["a"]["b"].log(3.0)
    run["a/c"].extend([1, 2], steps=[10, 20])
    run["a/d"].log([1, 2])
    run["a"].append({"e": 5.0, "f": "text"}, step=1)
    run["said"].append("one")
    run["said"].append("two")
    run["p"] = {"lr": 0.1, "deep": {"n": 3, "ok": True}}
    run["p"]["extra"] = None
    run["q"].assign("x")
    run["sys/tags"].add(["a", "b"])
    run["sys/tags"].remove("a")
    run["file"].upload(tmp_path / "model.pt")
    run["data"].track_files("s3://bucket/data")

    assert [0.1, 3, True, None, "x", {"b"}] == [
        run[path].fetch() for path in ("p/lr", "p/deep/n", "p/deep/ok", "p/extra", "q", "sys/tags")
    ]
    assert (3.0, "two", None) == (run["a/b"].fetch_last(), run["said"].fetch_last(), run["none"].fetch_last())
    assert (True, True, False) == (run.exists("a/b"), run.exists("p"), run.exists("p/l"))
    run.stop()
    found = stored("fields")
    assert {
        "a/b": {0.0: 1.0, 7.0: 2.0, 8.0: 3.0},
        "a/c": {10.0: 1.0, 20.0: 2.0},
        "a/d": {0.0: 1.0, 1.0: 2.0},
        "a/e": {1.0: 5.0},
    } == found.metrics
    assert {"a/f": {1.0: "text"}, "said": {0.0: "one", 1.0: "two"}} == found.texts
    assert (str(tmp_path / "model.pt"), "s3://bucket/data") == (found.configs["file"], found.configs["data"])


def test_what_goodseed_has_not_harms_nothing(lightning: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A figure, a file's content, a wrong path or a deletion raises nothing, and is warned of once by its path."""
    ours = logger()
    with caplog.at_level(logging.WARNING, "goodseed"):
        for _ in range(2):
            ours.experiment["figure"].append(object())
            ours.experiment["content"].upload(object())
            ours.experiment["sys/state"] = "mine"
            ours.experiment["sys/tags"].add(3)
            del ours.experiment["there"]
    ours.experiment.stop()

    assert ["figure", "content", "sys/state", "sys/tags", "there"] == [
        record.getMessage().split()[1] for record in caplog.records
    ]


def test_the_rest_of_neptunes_run_does_nothing(lightning: Any, caplog: pytest.LogCaptureFixture, stored: Any) -> None:
    """Its other methods are there, are warned of once, and change nothing; `assign` sets configs."""
    ours = logger(custom_run_id="rest", mode="offline")
    run = ours.experiment
    run.assign({"a": 1, "b/c": "x"})
    for _ in range(2):
        assert run.get_url() is None
        assert run["a"].fetch_values() is None
        run.pop("a")
        run["a"].download("here")
    assert ("-", "hyperparams", "artifacts") == (ours.LOGGER_JOIN_CHAR, ours.PARAMETERS_KEY, ours.ARTIFACTS_KEY)
    with pytest.raises(AttributeError):
        _ = run["a"].no_method_of_neptune
    run.stop()

    assert 1 == caplog.text.count("get_url")
    assert ("1", "x") == tuple(str(stored("rest").configs[path]) for path in ("a", "b/c"))


def test_modes_and_ids(lightning: Any, home: Path) -> None:
    """Mode and with_id have their counterparts; settings without one are named in a warning; wrong ones raise."""
    with pytest.warns(UserWarning, match="flush_period, source_files: Goodseed has no such setting"):
        ours = logger(mode="debug", flush_period=5, source_files=["*.py"], with_id="NEP-1")
    ours.log_metrics({"a": 1.0}, step=0)

    assert "NEP-1" == ours.version
    assert not home.exists()
    for wrong in ({"mode": "read-only"}, {"mode": "other"}, {"no_such": 1}, {"project": 3}):
        with pytest.raises((goodseed.InvalidTypeError, goodseed.InvalidValueError)):
            logger(**wrong)


def test_run_that_was_passed_in(framework: Any, parts: Any) -> None:
    """A Goodseed run can be passed in, alone, and stays open."""
    kit = parts(framework)
    with goodseed.Run() as run:
        kit.trainer(logger(run=run)).fit(kit.Model(), kit.data())
        assert not run.is_closed
        assert "training/loss_step" in run.get_metric_paths()
        with pytest.raises(goodseed.InvalidValueError, match="project"):
            logger(run=run, project="other")


def test_several_stages_and_no_checkpoints(lightning: Any, parts: Any, stored: Any) -> None:
    """log_model_checkpoints=False stores nothing of checkpoints, prefix="" puts all at the root."""
    kit = parts(lightning)
    ours = logger(run_id="bare", log_model_checkpoints=False, prefix="")
    trainer, model = kit.trainer(ours), kit.Model()
    trainer.fit(model, kit.data())
    trainer.test(model, kit.data(), verbose=False)
    ours.experiment.stop()
    found = stored("bare")

    assert {"loss_step", "loss_epoch", "flag", "epoch", "test_loss"} == set(found.metrics)
    assert not [path for path in found.configs if "checkpoint" in path]
