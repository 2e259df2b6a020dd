"""Logs trainings of Hugging Face's ``Trainer``."""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from transformers import TrainerCallback

import goodseed
from goodseed.held_run import HeldRun, last_step
from goodseed.trials import current_trial, trial_name
from goodseed_hf import trl
from goodseed_hf.facts import checkpoint_step, training_configs
from goodseed_hf.values import Steps, Writer, renamed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from goodseed.trials import Trial

__all__ = ["GoodseedCallback", "GoodseedCallbackByName"]

_NOTE: Final = "goodseed.json"
_IDS: Final = ("run_id", "resume_run_id")
_SAME_STEP: Final = 0.99  # evaluations at a step that has some stand behind it, by less than one
_OURS: Final = ("train/", "eval/", "test/")
_EPOCH: Final = "train/epoch"  # comes with every log call, several times a step
_chosen: Final[weakref.WeakValueDictionary[int, Any]] = weakref.WeakValueDictionary()


class GoodseedCallback(TrainerCallback):  # type: ignore[misc]
    """Logs what ``Trainer`` logs to a run.

    Everything in ``state.log_history`` at its global step, under ``train/``, ``eval/`` and ``test/``; what comes again
    at a step, such as an ``evaluate()`` after the training, is stored half a step after it. Completions and timings of
    TRL's trainers; arguments, model configuration, adapters and sizes as configs. Evaluations and predictions land in
    the same run, with a training or without. A second ``train()`` goes on behind the first; one that resumes a
    checkpoint continues the run that wrote the checkpoint, and takes it back to that step: what lay beyond is kept as
    the tail of an earlier attempt. A trial of a hyperparameter search has a run of its own. Only the first of all
    processes logs, and nothing is written before there is something to log.

    The run that the callback opens is closed by `close`, when the callback is gone, or when the process ends.

    Args:
        run: Log to this run, and leave it open; otherwise one is made with the first event.
        **run_kwargs: What `goodseed.Run` takes: ``project=``, ``name=`` (by default the arguments' ``run_name``), …

    Raises:
        goodseed.InvalidTypeError: ``run`` is not a run, or comes with other arguments.
    """

    is_by_name = False

    def __init__(self, run: goodseed.Run | None = None, **run_kwargs: Any) -> None:
        if run is not None and not isinstance(run, goodseed.Run):
            raise goodseed.InvalidTypeError(f"run must be a goodseed.Run, not a {type(run).__name__}.")
        if run is not None and run_kwargs:
            raise goodseed.InvalidTypeError(f"Pass either run or arguments for a new one, not both: {min(run_kwargs)}.")
        self._given: Final = run
        self._run_kwargs: Final = dict(run_kwargs)
        self._held: Final = HeldRun()
        finalizer = weakref.finalize(self, self._held.close)
        finalizer.atexit = False
        self._writer: Final = Writer()
        self._offset = 0
        self._last_step = -1
        self._steps: Final = Steps()
        self._trial: object = None
        self._trial_name: str | None = None
        self._completions: Final = trl.Completions()

    @property
    def run(self) -> goodseed.Run:
        """The run; it is opened if it is not there yet."""
        return self._open({})

    def close(self, status: str | None = None) -> None:
        """Close the run, unless it was given.

        Args:
            status: ``"finished"`` or ``"failed"``; None: failed where a training has begun and not ended.
        """
        if self._given is None:
            self._held.close(status)

    def _open(self, found: Mapping[str, Any]) -> goodseed.Run:
        if self._given is not None:
            return self._given
        held = self._held
        if held.run is None:
            return held.open(**{**found, **self._run_kwargs})
        if held.run.is_closed:
            kwargs = {name: value for name, value in self._run_kwargs.items() if name not in _IDS}
            rewind = {name: value for name, value in found.items() if name == "rewind_to"}
            return held.open(**{**rewind, **kwargs}, resume_run_id=held.run.run_id)
        return held.run

    # -- events of a Trainer -----------------------------------------------------------------------------------------

    def on_init_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Let the callback that ``report_to="all"`` makes know that there is one with arguments already."""
        if not self.is_by_name:
            _chosen[id(args)] = args

    def _is_silent(self, args: Any, state: Any) -> bool:
        return not state.is_world_process_zero or (self.is_by_name and _chosen.get(id(args)) is args)

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Open the run, or find the one that is to be continued, and store what the training is about."""
        if self._is_silent(args, state):
            return
        # A batch that was too large is tried again with a smaller one, from the start and in place of the first.
        is_again = self._held.is_training and bool(getattr(args, "auto_find_batch_size", False))
        trial, before = current_trial(), self._trial
        self._trial, self._trial_name = _trial_of(state, trial)
        # Trials may have equal parameters: another training of a search is another trial.
        is_other = before != self._trial or getattr(state, "is_hyper_param_search", False)
        if self._given is None and before is not None and is_other and state.global_step == 0 and not is_again:
            self._held.close()  # a trial that did not end has failed, unless it was pruned
            self._held.run = None
            self._last_step = -1
        self._held.trial = trial
        self._steps.forget()
        note = self._note_of(args, state.global_step)
        found = self._first_arguments(args) | {key: note[key] for key in ("project", "resume_run_id") if key in note}
        is_resumed = self._held.run is not None or "resume_run_id" in found or "resume_run_id" in self._run_kwargs
        if is_resumed and "offset" in note:  # what lies beyond the checkpoint is logged again, perhaps otherwise
            found["rewind_to"] = state.global_step + note["offset"] + _SAME_STEP
        run = self._open(found)
        if state.global_step > 0:
            self._offset = note.get("offset", 0)
        elif not is_again:
            if self._last_step < 0 and self._is_anothers:
                self._safely("earlier steps", lambda: self._see_steps(run))
            self._offset = self._last_step + 1 if self._last_step > 0 else 0
        self._held.is_training = True
        trl.watch(self)
        self._safely("configs", lambda: self._store_configs(run, args, model, state))

    def _see_steps(self, run: goodseed.Run) -> None:
        """Prepare for a run that another callback or process may have written before."""
        self._last_step = int(last_step(run, _OURS))

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, model: Any = None, **_: Any
    ) -> None:
        """Log what the Trainer logs, at its global step."""
        if logs and not self._is_silent(args, state):
            self._log(args, state, {renamed(str(name)): value for name, value in logs.items()}, model)

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, model: Any = None, **_: Any) -> None:
        """Log the metrics of a prediction, which the Trainer itself does not log."""
        if metrics and not self._is_silent(args, state):
            self._log(args, state, {renamed(str(name)): value for name, value in metrics.items()}, model)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write into the checkpoint which run it belongs to."""
        if self._is_silent(args, state):
            return
        folder = _checkpoint(args, state.global_step)
        if folder.is_dir():
            run = self._open(self._first_arguments(args))
            note = json.dumps({"project": run.project, "run_id": run.run_id, "offset": self._offset})
            self._safely("checkpoint note", lambda: (folder / _NOTE).write_text(note, encoding="utf-8"))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The training went well; the run stays open for what follows."""
        self._held.is_training = False

    # -- storing ----------------------------------------------------------------------------------------------------

    def profiled(self, name: str, seconds: float) -> None:
        """Log how long a part of a trainer of TRL took, at the step that is going on."""
        if self._held.run is not None or self._given is not None:
            step = self._steps.free({name: seconds}, max(self._last_step, 0))
            self._safely(name, lambda: self._writer.log(self.run, {name: seconds}, step))

    def _log(self, args: Any, state: Any, values: Mapping[str, Any], model: Any) -> None:
        run = self._open(self._first_arguments(args))
        is_training = self._held.is_training
        step = state.global_step + self._offset
        if step == 0 and not is_training:
            step = checkpoint_step(model)
        self._last_step = max(self._last_step, step)
        own = {path: value for path, value in values.items() if path != _EPOCH}
        if not is_training and self._is_anothers:
            self._safely("earlier points", lambda: self._steps.see(run, own, step))
        free = self._steps.free(own, step)
        self._safely("metrics", lambda: self._writer.log(run, values, free))
        self._safely("completions", lambda: self._writer.log(run, self._completions.rows(), step))

    @property
    def _is_anothers(self) -> bool:
        """Whether the run may have been written by another callback, or in another process."""
        return self._given is not None or any(name in self._run_kwargs for name in _IDS)

    def _first_arguments(self, args: Any) -> dict[str, Any]:
        name = getattr(args, "run_name", None)
        if self._held.trial is None or not name or name == getattr(args, "output_dir", None):
            name = self._trial_name or name
        return {"name": str(name)} if name and name != getattr(args, "output_dir", None) else {}

    def _note_of(self, args: Any, step: int) -> dict[str, Any]:
        """The run that wrote the checkpoint which is being resumed, and behind which step its training began."""
        if step <= 0:
            return {}
        # The path that `train` was given has priority over the arguments', but callbacks don't get it: check both.
        given = getattr(args, "resume_from_checkpoint", None)
        folders = [Path(given)] if isinstance(given, str) else []
        for folder in (*folders, _checkpoint(args, step)):
            try:
                note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
                project, run_id, offset = str(note["project"]), str(note["run_id"]), int(note.get("offset", 0))
                break
            except (OSError, ValueError, LookupError, TypeError):
                continue
        else:
            return {}
        if self._held.run is not None or any(name in self._run_kwargs for name in _IDS) or self._given is not None:
            return {"offset": offset}
        wanted = self._run_kwargs.get("project", project)
        if wanted != project or not self._is_there(project, run_id):
            return {}
        return {"project": project, "resume_run_id": run_id, "offset": offset}

    def _is_there(self, project: str, run_id: str) -> bool:
        where = {name: self._run_kwargs[name] for name in ("goodseed_home", "log_dir") if name in self._run_kwargs}
        try:
            goodseed.Run(project=project, run_id=run_id, read_only=True, storage="local", **where).close()
        except goodseed.GoodseedError:
            return False
        return True

    def _store_configs(self, run: goodseed.Run, args: Any, model: Any, state: Any) -> None:
        configs = training_configs(args, model, self._writer)
        if getattr(state, "is_hyper_param_search", False):
            configs |= self._writer.leaves(state.trial_params or {}, "trial")
        if self._held.trial is not None:
            configs |= self._writer.leaves(self._held.trial.configs(), "")
        # What was asked for may be epochs; this is what the Trainer makes of it, and the dashboard an ETA.
        configs["training/max_steps"] = state.max_steps + self._offset
        self._writer.log_configs(run, configs)

    def _safely(self, what: str, work: Callable[[], object]) -> None:
        """A training goes on when something can't be stored; a mistake of the caller still raises."""
        try:
            work()
        except goodseed.RunClosedError:
            raise
        except Exception as error:  # noqa: BLE001 - a model's own code, or a full disk, may raise anything
            self._writer.refuse(what, error)


class GoodseedCallbackByName(GoodseedCallback):
    """The callback that ``report_to`` makes. It leaves a Trainer to one that was passed in with arguments."""

    is_by_name = True


def _trial_of(state: Any, trial: Trial | None) -> tuple[object, str | None]:
    """What identifies a trial, and its name; None outside of a search."""
    if not getattr(state, "is_hyper_param_search", False):
        return (None, None) if trial is None else (trial.number, trial.name)
    name = state.trial_name or (trial_name(None, state.trial_params or {}) if trial is None else trial.name)
    return (name if trial is None else trial.number), str(name)


def _checkpoint(args: Any, step: int) -> Path:
    return Path(args.output_dir) / f"checkpoint-{step}"
