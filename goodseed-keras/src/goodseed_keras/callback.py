"""Logs Keras trainings."""

from __future__ import annotations

import sys
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, Literal

import keras

import goodseed
from goodseed.config_values import config_leaves
from goodseed.held_run import HeldRun
from goodseed.trials import current_trial
from goodseed_keras.counting import Counter
from goodseed_keras.facts import learning_rate, model_configs
from goodseed_keras.values import Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["GoodseedCallback"]

_OURS: Final = ("run_id", "resume_run_id")


class GoodseedCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Logs a training to a run.

    Epoch values go to ``train/…`` and ``val/…`` at the epoch that Keras gives, the learning rate to
    ``train/learning_rate``, what ``evaluate`` returns to ``test/…``; the model, its optimizer and the fit's parameters
    become configs. A trial of Optuna or keras-tuner has a run of its own, with its number and hyperparameters under
    ``trial/``. A second ``fit`` that begins at epoch 0 again goes on behind the first. Nothing is written before
    the first of them begins. Of several processes only the first logs.

    The run that the callback opens is closed by `close`, when the callback is gone, or when the process ends. A copy
    (`copy.deepcopy`, as tuners make) opens a run of its own.

    Args:
        run: Log to this run, and leave it open; otherwise one is made with the first event.
        log_freq: ``"epoch"``; ``"batch"`` or a number n to log every batch, or every n-th, to ``batch/…`` as well. Only
            then is a batch waited for: per epoch, the device is never synchronised.
        **run_kwargs: What `goodseed.Run` takes: ``project=``, ``name=``, ``tags=``, ``storage=``, …

    Raises:
        goodseed.InvalidTypeError: ``run`` is not a run, or comes with other arguments.
        goodseed.InvalidValueError: ``log_freq`` is neither a word above nor a positive integer.
    """

    def __init__(
        self, run: goodseed.Run | None = None, log_freq: int | Literal["epoch", "batch"] = "epoch", **run_kwargs: Any
    ) -> None:
        super().__init__()
        if run is not None and not isinstance(run, goodseed.Run):
            raise goodseed.InvalidTypeError(f"run must be a goodseed.Run, not a {type(run).__name__}.")
        if run is not None and run_kwargs:
            raise goodseed.InvalidTypeError(f"Pass either run or arguments for a new one, not both: {min(run_kwargs)}.")
        self._every: Final = _checked_frequency(log_freq)
        self._given: Final = run
        self._run_kwargs: Final = dict(run_kwargs)
        self._held: Final = HeldRun()
        self._finalizer: Final = weakref.finalize(self, self._held.close)
        self._finalizer.atexit = False
        self._numbers: Final = Numbers()
        self._forget()
        if self._every:
            # Keras waits for every batch as soon as a callback has this method: per epoch it must not be there.
            self.on_train_batch_begin: Callable[..., None] = self._begin_batch
            self.on_train_batch_end: Callable[..., None] = self._log_batch

    def _forget(self) -> None:
        """Count from the beginning."""
        self._counter = Counter()
        self._has_looked = False
        self._has_facts = False
        self._began = 0.0
        self._inner_params: dict[str, Any] | None = None

    @property
    def run(self) -> goodseed.Run:
        """The run; it is opened if it is not there yet."""
        if self._given is not None:
            return self._given
        if self._held.run is None or self._held.run.is_closed:
            reopened: dict[str, Any] = {} if self._held.run is None else {"resume_run_id": self._held.run.run_id}
            kwargs = {k: v for k, v in self._run_kwargs.items() if not (reopened and k in _OURS)}
            if not reopened and self._held.trial is not None:
                kwargs.setdefault("name", self._held.trial.name)
            return self._held.open(**kwargs, **reopened)
        return self._held.run

    def close(self, status: str | None = None) -> None:
        """Close the run, unless it was given.

        Args:
            status: ``"finished"`` or ``"failed"``; None: failed where a fit has begun and not ended.
        """
        if self._given is None:
            self._held.close(status)

    def __deepcopy__(self, memo: dict[int, Any]) -> GoodseedCallback:
        if self._given is not None:
            return GoodseedCallback(self._given, self._every or "epoch")
        kwargs = {name: value for name, value in self._run_kwargs.items() if name not in _OURS}
        return GoodseedCallback(None, self._every or "epoch", **kwargs)

    # -- fit -----------------------------------------------------------------------------------------------------------

    def set_params(self, params: dict[str, Any]) -> None:
        """Keep a fit's parameters while an evaluation or a prediction within it brings its own."""
        if self._held.is_training:
            self._inner_params = params
        else:
            super().set_params(params)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Open the run, and store what it is about."""
        if not _is_first_process():
            return
        if self._inner_params is not None:
            super().set_params(self._inner_params)
            self._inner_params = None
        self._find_trial()
        self._counter.begin_fit(is_again=self._held.is_training)
        self._held.is_training = True
        self._has_facts = False
        self._safely("configs", self._store_facts)
        self._look_back()

    def _find_trial(self) -> None:
        """Give the fit of another trial of a search a run of its own, with the trial's number and hyperparameters."""
        held, trial = self._held, current_trial()
        is_ours = self._given is None and not any(name in self._run_kwargs for name in _OURS)
        if trial is not None and held.trial is not None and held.trial.number != trial.number and is_ours:
            held.close()
            held.run, held.is_training = None, False
            self._forget()
        held.trial = trial
        if trial is not None:
            leaves = config_leaves(trial.configs(), on_refused=self._numbers.refuse)
            self._safely("trial", lambda: self.run.log_configs(leaves, flatten=False))

    def _look_back(self) -> None:
        """Go on after the epochs, batches and evaluations that a resumed run has already."""
        if not self._has_looked and (self._given is not None or any(name in self._run_kwargs for name in _OURS)):
            self._safely("earlier steps", lambda: self._counter.look_back(self.run))
        self._has_looked = True

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Append a fit that begins again to the one before."""
        if self._counter.begin_epoch(epoch) and _is_first_process():
            self._safely("fit/max_steps", lambda: self._store_length(epoch))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log what ``History`` keeps."""
        if not _is_first_process():
            return
        values = self._numbers.of(logs or {}, "train/")
        self._add_rate(values, "train/")
        self._log(values, self._counter.end_epoch(epoch))
        if not self._has_facts:
            self._safely("configs", self._store_facts)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """The fit went well; the run stays open for what follows."""
        self._held.is_training = False

    def _begin_batch(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._counter.begin_batch(batch)

    def _log_batch(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if not _is_first_process():
            return
        counter, before = self._counter, self._counter.batches
        per_execution = getattr(self.model, "steps_per_execution", 1) or 1
        counter.end_batch(batch, steps_per_execution=per_execution, steps=(self.params or {}).get("steps"))
        if counter.batches // self._every > before // self._every or self._every == 1:
            values = self._numbers.of(logs or {}, "batch/")
            self._add_rate(values, "batch/")
            self._log(values, counter.batches - 1)

    # -- evaluate, predict ------------------------------------------------------------------------------------------

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Log an evaluation of its own, also one that another callback makes during a fit.

        The fit's validation comes with its epoch. It has no parameters of its own.
        """
        is_validation = self._held.is_training and self._inner_params is None
        self._inner_params = None
        if is_validation or not _is_first_process():
            return
        self._look_back()
        self._log(self._numbers.of(logs or {}, "test/"), self._counter.next_test())

    def on_predict_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Look at the clock."""
        self._began = time.monotonic()

    def on_predict_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Log how long a prediction took."""
        self._inner_params = None
        if _is_first_process():
            self._look_back()
            self._log({"predict/seconds": time.monotonic() - self._began}, self._counter.next_prediction())

    # -- storing ----------------------------------------------------------------------------------------------------

    def _add_rate(self, values: dict[str, float], prefix: str) -> None:
        # Keras's own schedulers put it into the logs, and then it is there already.
        if f"{prefix}learning_rate" not in values and f"{prefix}lr" not in values:
            try:
                rate = learning_rate(self.model)
            except Exception as error:  # noqa: BLE001 - an optimizer of the user's may do anything
                self._numbers.refuse(f"{prefix}learning_rate", error)
            else:
                if rate is not None:
                    values[f"{prefix}learning_rate"] = rate

    def _store_facts(self) -> None:
        configs = model_configs(self.model, self.params, self._numbers.refuse)
        self._has_facts = "model/summary" in configs
        self.run.log_configs(configs, flatten=False)

    def _store_length(self, epoch: int) -> None:
        """Up to which step this fit goes, for the dashboard's ETA."""
        params = self.params or {}
        epochs, steps = params.get("epochs"), params.get("steps")
        if not isinstance(epochs, int):
            return
        if not self._every:
            self.run["fit/max_steps"] = epochs + self._counter.offset
        elif isinstance(steps, int):
            self.run["fit/max_steps"] = self._counter.batches + (epochs - epoch) * steps

    def _log(self, values: dict[str, float], step: int) -> None:
        if values:
            self._safely("metrics", lambda: self._log_each(values, step))

    def _log_each(self, values: dict[str, float], step: int) -> None:
        try:
            self.run.log_metrics(values, step=step)
        except goodseed.InvalidValueError:
            for path, value in values.items():
                try:
                    self.run.log_metrics({path: value}, step=step)
                except goodseed.InvalidValueError as error:
                    self._numbers.refuse(path, error)

    def _safely(self, what: str, work: Callable[[], None]) -> None:
        """A training goes on when something can't be stored; a mistake of the caller still raises."""
        try:
            work()
        except (goodseed.RunClosedError, goodseed.ConfigurationError, goodseed.RunExistsError):
            raise
        except Exception as error:  # noqa: BLE001 - a model's or an optimizer's own code may raise anything
            self._numbers.refuse(what, error)


def _is_first_process() -> bool:
    jax, torch = sys.modules.get("jax"), sys.modules.get("torch")
    if keras.backend.backend() == "jax" and jax is not None:
        return bool(jax.process_index() == 0)
    distributed = getattr(torch, "distributed", None)
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return bool(distributed.get_rank() == 0)
    return True


def _checked_frequency(log_freq: object) -> int:
    """Every how many batches; 0 for none."""
    if log_freq in ("epoch", "batch"):
        return 1 if log_freq == "batch" else 0
    if isinstance(log_freq, int) and not isinstance(log_freq, bool) and log_freq > 0:
        return log_freq
    raise goodseed.InvalidValueError(f'log_freq must be "epoch", "batch" or a positive integer, not {log_freq!r:.80}.')
