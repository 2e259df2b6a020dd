"""Goodseed's Keras callback in real trainings on scikit-learn's digits, with the backend of ``KERAS_BACKEND``."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import configs, points

import goodseed

from .training import GoodseedCallback, keras, model

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of is their own


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
