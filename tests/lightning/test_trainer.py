"""What a Trainer reports is what its run has."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path
from typing import Any

import pytest

import goodseed


def logger(**options: Any) -> Any:
    from goodseed_lightning import GoodseedLogger

    return GoodseedLogger(**options)


def test_fit_stores_what_the_csv_logger_stores(framework: Any, parts: Any, stored: Any, tmp_path: Path) -> None:
    """Every metric has Lightning's name, step and value: those that Lightning's own CSVLogger writes."""
    from importlib import import_module

    loggers = import_module(f"{framework.__name__}.loggers")
    callbacks = import_module(f"{framework.__name__}.callbacks")
    ours, theirs = logger(run_id="fit"), loggers.CSVLogger(tmp_path, name="csv", version=0)
    kit = parts(framework)
    trainer = kit.trainer([ours, theirs], callbacks=[callbacks.LearningRateMonitor()])
    trainer.fit(kit.Model(), kit.data(), [kit.data(8), kit.data(8)])
    ours.experiment.close()

    expected: dict[str, dict[float, float]] = {}
    with (tmp_path / "csv/version_0/metrics.csv").open() as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and name != "step":
                    expected.setdefault(name, {})[float(row["step"])] = float(value)
    assert expected == stored("fit").metrics
    assert {
        "loss_step",
        "loss_epoch",
        "epoch",
        "flag",
        "lr-SGD",
        "val_loss/dataloader_idx_0",
        "val_loss/dataloader_idx_1",
    } == set(expected)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [({"max_epochs": 2}, "8"), ({"max_steps": 3}, "3"), ({"max_epochs": -1, "max_time": {"seconds": 1}}, None)],
)
def test_length_of_a_fit_is_known(
    framework: Any, parts: Any, stored: Any, limits: dict[str, Any], expected: str | None
) -> None:
    """Where a fit has an end it is a config, in steps; a validation alone has none."""
    ours, kit = logger(run_id="length"), parts(framework)
    kit.trainer(ours).validate(kit.Model(), kit.data(), verbose=False)
    assert "trainer/max_steps" not in {row["path"] for row in ours.experiment.get_configs()}
    kit.trainer(ours, **limits).fit(kit.Model(), kit.data())
    ours.experiment.close()

    assert stored("length").configs.get("trainer/max_steps") == expected


def test_stages_share_the_run(framework: Any, parts: Any, stored: Any) -> None:
    """fit, validate, test and predict go into one run, which stays open; it closes as finished."""
    ours, kit = logger(run_id="stages"), parts(framework)
    trainer, model = kit.trainer(ours, max_epochs=1), kit.Model()
    trainer.fit(model, kit.data())
    run = ours.experiment
    trainer.validate(model, kit.data(), verbose=False)
    trainer.test(model, kit.data(), verbose=False)
    trainer.predict(model, kit.data())
    trainer.fit_loop.max_epochs = 2
    trainer.fit(model, kit.data())

    assert run is ours.experiment
    assert not run.is_closed
    run.close()
    found = stored("stages")
    assert {"loss_step", "loss_epoch", "val_loss", "test_loss", "epoch", "flag"} == set(found.metrics)
    assert 8 == len(found.metrics["loss_step"])
    assert "finished" == found.configs["sys/state"]


def test_construction_writes_nothing(home: Path, tmp_path: Path) -> None:
    """A logger that nobody uses makes no run, no directory, and nothing to finalize."""
    ours = logger(name="unused", tags=["a"])
    names = ours.name, ours.version, ours.save_dir
    ours.finalize("success")
    ours.finalize("failed")

    assert names == (ours.name, ours.version, ours.save_dir)
    assert not home.exists()
    assert [] == list(tmp_path.iterdir())


def test_fast_dev_run_makes_no_run(framework: Any, parts: Any, home: Path) -> None:
    """fast_dev_run takes the logger away, and no run is made."""
    kit = parts(framework)
    kit.trainer(logger(), fast_dev_run=True).fit(kit.Model(), kit.data(), kit.data())

    assert not home.exists()


def test_run_arguments_pass_through(lightning: Any, parts: Any, stored: Any, tmp_path: Path) -> None:
    """What else goodseed.Run takes is passed to it."""
    ours = logger(name="named", project="team/vision", tags=["a", "b"], description="x", log_dir=tmp_path / "here")
    ours.experiment.close()

    assert ours.experiment.path == tmp_path / "here" / f"{ours.version}.sqlite"
    assert "team/vision" == ours.experiment.project
    ours.experiment.close()


@pytest.mark.parametrize(
    "options",
    [
        {"no_such_argument": 1},
        {"run_id": "a/b"},
        {"run_id": "a", "resume_run_id": "b"},
        {"project": ".."},
        {"log_model": "best"},
        {"prefix": 3},
        {"tags": 5},
        {"read_only": True},
        {"run": "a run"},
    ],
)
def test_wrong_arguments_raise_at_once(options: dict[str, Any], home: Path) -> None:
    """What can't be raises at construction, not in the training, and writes nothing."""
    with pytest.raises((goodseed.InvalidTypeError, goodseed.InvalidValueError)):
        logger(**options)

    assert not home.exists()


def test_run_that_was_passed_in(framework: Any, parts: Any, stored: Any) -> None:
    """A run that was passed in is logged to, and never closed, also when the training fails."""
    with goodseed.Run(run_id="mine") as run:
        ours, kit = logger(run=run), parts(framework)
        model = kit.Model()
        kit.trainer(ours).fit(model, kit.data())
        model.fails_at = 0
        with pytest.raises(ValueError, match="on purpose"):
            kit.trainer(ours).fit(model, kit.data())

        assert ours.experiment is run
        assert not run.is_closed
        run["after"] = 1
    assert "mine" == ours.version
    assert "1" == stored("mine").configs["after"]
    with pytest.raises(goodseed.InvalidValueError, match="tags"):
        logger(run=run, tags=["a"])


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_failure_closes_as_failed(framework: Any, parts: Any, stored: Any, kind: type[BaseException]) -> None:
    """An exception or an interrupt closes the run as failed, with its traceback; the same run goes on after it."""
    ours, kit = logger(run_id="bad", capture_traceback=True), parts(framework)
    model = kit.Model()
    model.fails_at, model.error = 3, kind("on purpose")
    with contextlib.suppress(ValueError, SystemExit, KeyboardInterrupt):  # how an interrupt ends differs by version
        kit.trainer(ours).fit(model, kit.data())
    found = stored("bad")

    assert "failed" == found.configs["sys/state"]
    assert {0, 1, 2} == set(found.metrics["loss_step"])
    assert kind.__name__ in found.configs["sys/end_reason"]
    assert any(
        kind.__name__ in text
        for path in found.texts
        if path.endswith("traceback")
        for text in found.texts[path].values()
    )
    model.fails_at = None
    kit.trainer(ours).test(model, kit.data(), verbose=False)
    ours.experiment.close()
    assert "test_loss" in stored("bad").metrics


def test_resuming_from_a_checkpoint(
    framework: Any, parts: Any, stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second process that resumes goes on with the run: replayed steps take the place of the former, others stay."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # there is a class among the hyperparameters
    kit = parts(framework)
    first = logger(run_id="resumed", name="first")
    trainer = kit.trainer(first, max_epochs=2)
    trainer.fit(kit.Model(), kit.data())
    trainer.save_checkpoint(tmp_path / "two.ckpt")
    model = kit.Model()
    model.fails_at = 10
    with pytest.raises(ValueError, match="on purpose"):
        kit.trainer(first, max_epochs=4).fit(model, kit.data(), ckpt_path=tmp_path / "two.ckpt")
    before = stored("resumed").metrics["loss_step"]
    second = logger(run_id="resumed")
    kit.trainer(second, max_epochs=4).fit(kit.Model(), kit.data(), ckpt_path=tmp_path / "two.ckpt")
    second.experiment.close()
    after = stored("resumed")

    assert set(range(10)) == set(before)
    assert set(range(16)) == set(after.metrics["loss_step"])
    assert {step: before[step] for step in range(10)} == {step: after.metrics["loss_step"][step] for step in range(10)}
    assert "first" == after.configs["sys/name"]
    assert "finished" == after.configs["sys/state"]


def test_two_loggers_of_one_run(lightning: Any, parts: Any, stored: Any) -> None:
    """Another logger with the id of a run that this process has open writes to that run, and begins none."""
    kit = parts(lightning)
    first, second = logger(run_id="shared"), logger(run_id="shared")
    kit.trainer(first, max_epochs=1).fit(kit.Model(), kit.data())
    kit.trainer(second, max_epochs=1).validate(kit.Model(), kit.data(), verbose=False)
    assert second.experiment is first.experiment
    first.experiment.close()
    second.log_metrics({"after": 1.0}, step=0)
    second.experiment.close()

    assert {"loss_step", "after"} <= set(stored("shared").metrics)


def test_names_are_file_names(lightning: Any) -> None:
    """name, version and save_dir can be parts of a path, whatever the run is called, and differ from run to run."""
    ours = logger(name="a/b\\c:\0 d*..", project="team/vision")
    other = logger()

    assert "a-b-c-- d" == ours.name
    assert "default" == other.name
    assert not set('/\\:\0*?"<>|') & set(ours.name + ours.version)
    assert ours.version in Path(ours.save_dir).parts
    assert Path(ours.save_dir).is_absolute()
    assert ours.save_dir != other.save_dir
    assert ours.version != other.version


def test_run_id_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """GOODSEED_RUN_ID and GOODSEED_PROJECT name the run, as they do for goodseed.Run."""
    monkeypatch.setenv("GOODSEED_RUN_ID", "from-outside")
    monkeypatch.setenv("GOODSEED_PROJECT", "there")
    ours = logger()
    run = ours.experiment
    run.close()

    assert ("from-outside", "there") == (ours.version, ours.name)
    assert ("from-outside", "there") == (run.run_id, run.project)


def test_disabled(framework: Any, parts: Any, home: Path) -> None:
    """storage="disabled" trains as ever and stores nothing."""
    kit = parts(framework)
    kit.trainer(logger(storage="disabled", log_model="all")).fit(kit.Model(), kit.data(), kit.data())

    assert not home.exists()


def test_other_ranks_make_nothing(lightning: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a rank above zero every call is taken and nothing is made."""
    from lightning_utilities.core.rank_zero import rank_zero_only

    monkeypatch.setattr(rank_zero_only, "rank", 1)
    ours = logger(log_model="all")
    run = ours.experiment
    run["a/b"].log(1.0, step=0)
    run["c"] = {"d": 1}
    run["sys/tags"].add("x")
    run.log_metrics({"a": 1.0}, step=0)
    with run as entered:
        entered.close()
    ours.log_metrics({"a": 1.0}, step=0)
    ours.log_hyperparams({"a": 1})
    ours.finalize("failed")

    assert not home.exists()
