"""Goodseed's Keras callback in real trainings on scikit-learn's digits, with the backend of ``KERAS_BACKEND``."""

from __future__ import annotations

import copy
import gc
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import goodseed

keras = pytest.importorskip("keras", exc_type=ImportError)
goodseed_keras = pytest.importorskip("goodseed_keras")

import numpy as np  # noqa: E402 - keras comes first, if at all
from sklearn.datasets import load_digits  # noqa: E402

GoodseedCallback = goodseed_keras.GoodseedCallback

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of is their own


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    images, labels = load_digits(return_X_y=True)
    return (images[:320] / 16).astype("float32"), labels[:320]


def model(**compiled: Any) -> Any:
    keras.utils.set_random_seed(7)
    made = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    made.compile(**{"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | compiled)
    return made


def points(run: goodseed.Run, path: str) -> dict[float, float]:
    run.flush()
    return {point["step"]: point["y"] for point in run.get_metric_data(path)["raw_points"]}


def configs(run: goodseed.Run) -> dict[str, Any]:
    run.flush()
    return {row["path"]: row["value"] for row in run.get_configs()}


def test_epoch_values_equal_history(digits: Any) -> None:
    """Every value that History keeps is in the run, at Keras's epoch, and nothing else is."""
    callback = GoodseedCallback()
    history = (
        model().fit(*digits, epochs=3, batch_size=32, validation_split=0.25, verbose=0, callbacks=[callback]).history
    )
    for name, values in history.items():
        path = f"val/{name[4:]}" if name.startswith("val_") else f"train/{name}"
        assert list(points(callback.run, path).values()) == pytest.approx([float(value) for value in values])
        assert list(points(callback.run, path)) == [0, 1, 2]
    assert set(callback.run.get_metric_paths()) == {
        "train/accuracy",
        "train/learning_rate",
        "train/loss",
        "val/accuracy",
        "val/loss",
    }


def test_initial_epoch_and_validation_freq(digits: Any) -> None:
    """Epochs have the numbers that Keras gives them, and validations those at which they were made."""
    callback = GoodseedCallback()
    model().fit(
        *digits, epochs=6, initial_epoch=2, validation_data=digits, validation_freq=2, verbose=0, callbacks=[callback]
    )
    assert list(points(callback.run, "train/loss")) == [2, 3, 4, 5]
    assert list(points(callback.run, "val/loss")) == [3, 5]


def test_nothing_is_written_at_construction(home: Path) -> None:
    """A callback that is never used makes no run."""
    GoodseedCallback(project="p", tags=["x"])
    assert not list(home.rglob("*.sqlite"))


@pytest.mark.parametrize("frequency", [0, -1, 1.5, True, "step", None])
def test_wrong_frequency_is_refused(frequency: Any) -> None:
    """What is no frequency raises at once."""
    with pytest.raises(goodseed.InvalidValueError):
        GoodseedCallback(log_freq=frequency)


def test_arguments_go_to_the_run() -> None:
    """Everything else is for the run: project, name, tags, storage."""
    callback = GoodseedCallback(project="team/digits", name="mine", tags=["a"], run_id="r")
    assert (callback.run.project, callback.run.run_id) == ("team/digits", "r")
    assert configs(callback.run)["sys/name"] == "mine"


def test_run_and_arguments_together_are_refused() -> None:
    """A run that is there already takes no arguments; and what is no run is refused."""
    with goodseed.Run() as run, pytest.raises(goodseed.InvalidTypeError):
        GoodseedCallback(run, project="p")
    with pytest.raises(goodseed.InvalidTypeError):
        GoodseedCallback("run")


def test_given_run_is_left_open(digits: Any) -> None:
    """A run that was passed in belongs to whoever did."""
    with goodseed.Run() as run:
        callback = GoodseedCallback(run)
        model().fit(*digits, epochs=1, verbose=0, callbacks=[callback])
        callback.close()
        del callback
        gc.collect()
        run.log_metrics({"after": 1.0}, step=0)
        assert not run.is_closed


@pytest.mark.parametrize(("frequency", "steps"), [("batch", 20), (1, 20), (4, 5)])
def test_batches(digits: Any, frequency: Any, steps: int) -> None:
    """Per batch, or every n-th, counted over all epochs."""
    callback = GoodseedCallback(log_freq=frequency)
    model().fit(*digits, epochs=2, batch_size=32, verbose=0, callbacks=[callback])
    logged = points(callback.run, "batch/loss")
    assert len(logged) == steps
    assert max(logged) == 19
    assert len(points(callback.run, "train/loss")) == 2


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has no steps_per_execution with torch")
def test_batches_under_steps_per_execution(digits: Any) -> None:
    """Several batches in one execution count as several: 10 an epoch, in executions of 4, 4 and 2."""
    callback = GoodseedCallback(log_freq=4)
    model(steps_per_execution=4).fit(*digits, epochs=2, batch_size=32, verbose=0, callbacks=[callback])
    assert list(points(callback.run, "batch/loss")) == [3, 7, 13, 17, 19]


def test_epoch_mode_keeps_asynchronous_dispatch() -> None:
    """Per epoch, Keras finds no method for which it would wait for each batch."""
    from keras.src.utils.python_utils import is_default

    per_epoch, per_batch = GoodseedCallback(), GoodseedCallback(log_freq="batch")
    for hook in ("on_batch_end", "on_train_batch_end", "on_test_batch_end", "on_predict_batch_end"):
        assert is_default(getattr(per_epoch, hook))
    assert not is_default(per_batch.on_train_batch_end)


def _schedule() -> Any:
    return keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)


@pytest.mark.parametrize("rate", [0.05, _schedule], ids=["number", "schedule"])
def test_learning_rate_whatever_its_form(digits: Any, rate: Any) -> None:
    """The rate that is in use, be it a number or a schedule."""
    callback = GoodseedCallback()
    used = rate() if callable(rate) else rate
    model(optimizer=keras.optimizers.SGD(used)).fit(*digits, epochs=2, batch_size=32, verbose=0, callbacks=[callback])
    rates = list(points(callback.run, "train/learning_rate").values())
    assert rates == pytest.approx([0.05, 0.05] if rate == 0.05 else [0.05, 0.025], rel=1e-4)


def test_learning_rate_of_a_scheduler_is_logged_once(digits: Any) -> None:
    """What Keras's own scheduler puts into the logs is taken from there."""
    callback = GoodseedCallback()
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    model().fit(*digits, epochs=2, verbose=0, callbacks=[scheduler, callback])
    assert list(points(callback.run, "train/learning_rate").values()) == pytest.approx([0.1, 0.05])


def test_configs_of_model_optimizer_and_fit(digits: Any) -> None:
    """Optimizer, loss, summary, sizes and the fit's parameters are configs."""
    callback = GoodseedCallback()
    model(optimizer=keras.optimizers.Adam(0.003)).fit(*digits, epochs=1, batch_size=32, verbose=0, callbacks=[callback])
    found = configs(callback.run)
    assert float(found["optimizer/learning_rate"]) == pytest.approx(0.003)
    assert found["optimizer/class"] == "Adam"
    assert found["model/loss"] == "sparse_categorical_crossentropy"
    assert int(found["model/parameters"]) == 64 * 16 + 16 + 16 * 10 + 10
    assert "dense" in found["model/summary"]
    assert (found["fit/epochs"], found["keras/backend"]) == ("1", keras.backend.backend())


def test_length_of_the_fit_is_known(digits: Any) -> None:
    """How far a fit goes is a config, in the unit of its steps: the dashboard makes its ETA of it."""
    callback = GoodseedCallback()
    made = model()
    made.fit(*digits, epochs=3, verbose=0, callbacks=[callback])
    assert float(configs(callback.run)["fit/max_steps"]) == 3
    made.fit(*digits, epochs=2, verbose=0, callbacks=[callback])
    assert float(configs(callback.run)["fit/max_steps"]) == 5
    by_batch = GoodseedCallback(log_freq=1)
    model().fit(*digits, epochs=2, batch_size=32, verbose=0, callbacks=[by_batch])
    assert float(configs(by_batch.run)["fit/max_steps"]) == max(points(by_batch.run, "batch/loss")) + 1


def test_configs_of_a_model_that_builds_itself(digits: Any) -> None:
    """A model that knows its shape only after the first batch gets its summary then."""
    made = keras.Sequential([keras.layers.Dense(10, activation="softmax")])
    made.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    callback = GoodseedCallback()
    made.fit(*digits, epochs=1, verbose=0, callbacks=[callback])
    assert int(configs(callback.run)["model/parameters"]) == 650


def test_evaluate_after_fit_has_its_own_names(digits: Any) -> None:
    """An evaluation is test/…, each a step further; a validation inside the fit is not logged twice."""
    callback = GoodseedCallback()
    made = model()
    made.fit(*digits, epochs=2, validation_split=0.2, verbose=0, callbacks=[callback])
    assert "test/loss" not in callback.run.get_metric_paths()
    results = [made.evaluate(*digits, verbose=0, callbacks=[callback], return_dict=True) for _ in range(2)]
    assert list(points(callback.run, "test/loss").values()) == pytest.approx(
        [float(result["loss"]) for result in results]
    )
    assert len(points(callback.run, "val/loss")) == 2


def test_predict(digits: Any) -> None:
    """A prediction lands in the same run."""
    callback = GoodseedCallback()
    model().predict(digits[0], verbose=0, callbacks=[callback])
    assert points(callback.run, "predict/seconds")[0] > 0


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
    """What was trained before the interruption stays, where the next fit begins anew."""

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


def test_part_that_cannot_be_told_costs_no_other(digits: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An optimizer without a configuration is named, and everything else is stored."""

    class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            return 0.01

    callback = GoodseedCallback()
    model(optimizer=keras.optimizers.Adam(Schedule())).fit(*digits, epochs=1, verbose=0, callbacks=[callback])
    found = configs(callback.run)
    assert {"model/class", "model/summary", "model/loss", "optimizer/class", "fit/epochs"} <= set(found)
    assert "optimizer is not stored" in caplog.text


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


def test_array_metrics_become_elements(digits: Any) -> None:
    """A metric of one number a class is a metric for each class."""
    callback = GoodseedCallback()
    callback.set_model(model())
    callback.set_params({})
    callback.on_train_begin()
    logs = {"recall": np.array([0.25, 0.5]), "single": np.float32(0.5)}
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0, logs)
    assert points(callback.run, "train/recall/1") == {0: 0.5}
    assert points(callback.run, "train/single") == {0: 0.5}
    assert list(logs) == ["recall", "single"]


def test_value_that_cannot_be_stored_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """A training goes on without a value that is no number, and one warning names it."""
    callback = GoodseedCallback()
    callback.set_model(model())
    callback.set_params({})
    callback.on_train_begin()
    for epoch in range(3):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"odd": object(), "loss": 1.0})
    assert [record.message.split(" is")[0] for record in caplog.records] == ["goodseed: train/odd"]
    assert len(points(callback.run, "train/loss")) == 3


def test_nan_is_kept(digits: Any) -> None:
    """A diverged training has NaN, not a hole."""
    callback = GoodseedCallback()
    model(optimizer=keras.optimizers.SGD(1e30)).fit(*digits, epochs=2, verbose=0, callbacks=[callback])
    assert any(math.isnan(value) for value in points(callback.run, "train/loss").values())


class Broken(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        raise RuntimeError("boom")


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
import test_callback as t
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


def test_example_runs(tmp_path: Path) -> None:
    """The example of the documentation trains, evaluates, and leaves a finished run."""
    example = Path(__file__).parents[2] / "examples" / "keras_digits.py"
    command = [sys.executable, str(example), "--epochs", "1", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "accuracy" in done.stdout
    assert len(list(tmp_path.rglob("*.sqlite"))) == 1


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
