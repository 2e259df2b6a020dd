"""Several fits, resumed and failed ones, and searches of hyperparameters."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import configs, points

import goodseed

from .training import Broken, GoodseedCallback, keras, model

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of is their own


def test_several_fits_lose_nothing(digits: Any) -> None:
    """A second fit from epoch 0 goes on behind the first; one that goes on by itself keeps its epochs."""
    callback = GoodseedCallback()
    made = model()
    for _ in range(2):
        made.fit(*digits, epochs=2, verbose=0, callbacks=[callback])
    assert list(points(callback.run, "train/loss")) == [0, 1, 2, 3]
    made.fit(*digits, epochs=6, initial_epoch=4, verbose=0, callbacks=[callback])
    assert list(points(callback.run, "train/loss")) == [0, 1, 2, 3, 4, 5]


def test_callbacks_that_share_a_run_lose_nothing(digits: Any) -> None:
    """Fits and evaluations of several callbacks stand behind one another in the run that was given to them."""
    made, losses = model(), []
    with goodseed.Run() as run:
        for _ in range(2):
            fitted = made.fit(*digits, epochs=2, verbose=0, callbacks=[GoodseedCallback(run, log_freq="batch")])
            losses += fitted.history["loss"]
            made.evaluate(*digits, verbose=0, callbacks=[GoodseedCallback(run)])
        assert list(points(run, "train/loss").values()) == pytest.approx(losses)
        assert list(points(run, "train/loss")) == [0, 1, 2, 3]
        assert list(points(run, "batch/loss")) == list(range(40))
        assert list(points(run, "test/loss")) == [0, 1]


def test_resumed_fit_keeps_what_there_was(digits: Any) -> None:
    """Another callback goes on with the run, though the first one has it open: epochs, batches and evaluations stay."""
    first = GoodseedCallback(run_id="r", project="p", log_freq="batch")
    made = model()
    made.fit(*digits, epochs=2, verbose=0, callbacks=[first])
    made.evaluate(*digits, verbose=0, callbacks=[first])
    second = GoodseedCallback(resume_run_id="r", project="p", log_freq="batch")
    made.fit(*digits, epochs=3, initial_epoch=2, verbose=0, callbacks=[second])
    made.evaluate(*digits, verbose=0, callbacks=[second])
    assert list(points(second.run, "train/loss")) == [0, 1, 2]
    assert list(points(second.run, "batch/loss")) == list(range(30))
    assert list(points(second.run, "test/loss")) == [0, 1]
    assert configs(second.run)["fit/max_steps"] == "30"
    second.close()


def test_fit_after_an_interrupted_one_is_another(digits: Any) -> None:
    """What was trained before the interruption stays, where the next fit begins again."""

    class Stop(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise KeyboardInterrupt

    callback, made = GoodseedCallback(), model()
    with pytest.raises(KeyboardInterrupt):
        made.fit(*digits, epochs=5, verbose=0, callbacks=[callback, Stop()])
    losses = made.fit(*digits, epochs=2, verbose=0, callbacks=[callback]).history["loss"]
    found = points(callback.run, "train/loss")
    assert list(found) == [0, 1, 2, 3]
    assert list(found.values())[2:] == pytest.approx(losses)


def test_backup_and_restore_overwrites_the_replayed_epoch(digits: Any, tmp_path: Path) -> None:
    """A training that was interrupted goes on in its run, at the epoch that Keras restored."""

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise RuntimeError("power failure")

    run_kwargs = {"project": "p"}
    first = GoodseedCallback(run_id="r", **run_kwargs)
    made = model()
    with pytest.raises(RuntimeError, match="power"):
        made.fit(
            *digits,
            epochs=5,
            verbose=0,
            callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "b"), first, Interrupt()],
        )
    first.run.flush()
    first.close("failed")
    second = GoodseedCallback(resume_run_id="r", **run_kwargs)
    model().fit(*digits, epochs=5, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "b"), second])
    assert list(points(second.run, "train/loss")) == [0, 1, 2, 3, 4]


def test_deepcopy_gives_each_copy_a_run() -> None:
    """Tuners copy callbacks: each copy has a run of its own, and the first keeps its."""
    callback = GoodseedCallback(project="p", run_id="first")
    other = copy.deepcopy(callback)
    assert {callback.run.run_id, other.run.run_id} > {"first"}
    assert other.run.project == "p"


@pytest.mark.parametrize(("callbacks", "state"), [([Broken()], "failed"), ([], "finished")], ids=["failed", "finished"])
def test_failed_fit_fails_its_run(digits: Any, callbacks: list[Any], state: str) -> None:
    """A fit that ended with an exception ends its run as failed, one that went well as finished."""
    callback = GoodseedCallback(project="p", run_id="r")
    try:
        model().fit(*digits, epochs=1, verbose=0, callbacks=[callback, *callbacks])
    except RuntimeError as error:
        error.__traceback__ = None
    callback.close()
    with goodseed.Run(project="p", run_id="r", read_only=True) as run:
        assert {row["path"]: row["value"] for row in run.get_configs()}["sys/state"] == state


@pytest.mark.parametrize(("after", "code"), [("pass", 0), ("raise SystemExit(3)", 3)], ids=["goes on", "exits"])
def test_failure_that_the_script_catches_fails_its_run(tmp_path: Path, after: str, code: int) -> None:
    """A fit that failed is failed, too, where the script catches the exception and ends in its own way."""
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
import training as t
callback = t.GoodseedCallback(project="p", run_id="r", storage="local", goodseed_home={str(tmp_path)!r})
model = t.model()
try:
    model.fit(np.zeros((8, 64)), np.zeros(8), verbose=0, callbacks=[callback, t.Broken()])
except RuntimeError:
    {after}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    with goodseed.Run(project="p", run_id="r", read_only=True, storage="local", goodseed_home=tmp_path) as run:
        assert {row["path"]: row["value"] for row in run.get_configs()}["sys/state"] == "failed"


def test_run_goes_on_after_close(digits: Any) -> None:
    """What comes after close is added to the same run."""
    callback = GoodseedCallback(project="p")
    made = model()
    made.fit(*digits, epochs=1, verbose=0, callbacks=[callback])
    run_id = callback.run.run_id
    callback.close()
    made.evaluate(*digits, verbose=0, callbacks=[callback])
    assert callback.run.run_id == run_id
    assert points(callback.run, "test/loss")


@pytest.fixture(autouse=True)
def _close_runs() -> Any:
    yield
    gc.collect()


def test_evaluations_during_a_fit(digits: Any) -> None:
    """What another callback evaluates with this one during a fit is stored, and the fit's validation stays where it is."""
    x, y = digits
    callback = GoodseedCallback()
    found: list[float] = []

    class HoldOut(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            for part in (slice(0, 32), slice(32, 64)):
                found.append(self.model.evaluate(x[part], y[part], callbacks=[callback], verbose=0)[0])
            self.model.predict(x[:8], callbacks=[callback], verbose=0)

    history = model().fit(x, y, epochs=2, validation_split=0.25, callbacks=[callback, HoldOut()], verbose=0).history
    assert list(points(callback.run, "test/loss").values()) == pytest.approx(found)
    assert list(points(callback.run, "val/loss").values()) == pytest.approx(history["val_loss"])
    assert configs(callback.run)["fit/max_steps"] == "2"
    assert len(points(callback.run, "predict/seconds")) == 2


def test_an_evaluation_after_a_failed_fit(digits: Any) -> None:
    """An evaluation that follows a fit which raised is stored, and so is the next fit with its own parameters."""
    x, y = digits
    callback = GoodseedCallback()

    class Fails(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise ValueError("on purpose")

    made = model()
    with pytest.raises(ValueError, match="on purpose"):
        made.fit(x, y, epochs=3, callbacks=[callback, Fails()], verbose=0)
    made.evaluate(x, y, callbacks=[callback], verbose=0)
    made.fit(x, y, epochs=2, validation_data=(x, y), callbacks=[callback], verbose=0)
    assert len(points(callback.run, "test/loss")) == 1
    assert len(points(callback.run, "val/loss")) == 2
    assert configs(callback.run)["fit/epochs"] == "2"


def test_trials_of_keras_tuner(digits: Any, tmp_path: Path) -> None:
    """A trial of keras-tuner has a run with its number, its hyperparameters and a name that can be read."""
    tuner = pytest.importorskip("keras_tuner")
    x, y = digits

    def build(choices: Any) -> Any:
        choices.Float("rate", 0.1, 0.5)
        return model()

    search = tuner.RandomSearch(build, "val_loss", max_trials=2, directory=tmp_path, project_name="x")
    search.search(x, y, epochs=1, validation_split=0.5, verbose=0, callbacks=[GoodseedCallback(project="p")])
    gc.collect()
    listed = goodseed.list_runs("p", storage="local")
    assert {run["name"].split(": rate=0.")[0] for run in listed} == {"trial 0", "trial 1"}
    with goodseed.Run(project="p", run_id=listed[0]["run_id"], read_only=True, storage="local") as run:
        assert {"trial/number", "trial/rate"} <= set(configs(run))


def test_trials_of_optuna(digits: Any) -> None:
    """Each trial of an objective has a run of its own, also with one callback for all; a pruned one is no failure."""
    optuna = pytest.importorskip("optuna")
    x, y = digits
    callback = GoodseedCallback(project="p")

    class Prunes(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if self.number == 0:
                raise optuna.TrialPruned
            if self.number == 1:
                raise ValueError("on purpose")

    def objective(trial: Any) -> float:
        trial.suggest_float("rate", 0.1, 0.5)
        history = model().fit(x, y, epochs=1, callbacks=[callback, Prunes(trial.number)], verbose=0)
        return float(history.history["loss"][0])

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study().optimize(objective, n_trials=3, catch=(ValueError,))
    callback.close()
    listed = {run["name"].split(": rate=0.")[0]: run["state"] for run in goodseed.list_runs("p", storage="local")}
    assert listed == {"trial 0": "finished", "trial 1": "failed", "trial 2": "finished"}
