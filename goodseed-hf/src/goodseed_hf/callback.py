"""The callback of ``Trainer``."""

from __future__ import annotations

import atexit
import json
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from transformers import TrainerCallback

import goodseed
from goodseed_hf.facts import training_configs
from goodseed_hf.values import Writer, last_step, renamed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["GoodseedCallback"]

_NOTE: Final = "goodseed.json"
_IDS: Final = ("run_id", "resume_run_id")
_OURS: Final = ("train/", "eval/", "test/")
_holders: Final[weakref.WeakValueDictionary[str, _Held]] = weakref.WeakValueDictionary()


class _Held:
    """The run that a callback has opened, and whether a training is going on: what its end depends on."""

    def __init__(self) -> None:
        self.run: goodseed.Run | None = None
        self.is_training = False

    def open(self, **arguments: Any) -> goodseed.Run:
        # Another callback of this process may have the run open still, though its training is over.
        other = _holders.get(str(arguments.get("resume_run_id") or arguments.get("run_id")))
        if other is not None and other is not self and not other.is_training:
            other.close()
        self.run = goodseed.Run(**arguments)
        _holders[self.run.run_id] = self
        atexit.unregister(self._at_exit)
        atexit.register(self._at_exit)  # behind what goodseed itself does then, which makes it come before
        return self.run

    def close(self, status: str | None = None) -> None:
        atexit.unregister(self._at_exit)
        if self.run is not None and not self.run.is_closed:
            self.run.close(status or ("failed" if self.is_training else "finished"))

    def _at_exit(self) -> None:
        if self.is_training:  # else the run closes itself, and knows why the process ended
            self.close()


class GoodseedCallback(TrainerCallback):  # type: ignore[misc]
    """Logs what ``Trainer`` logs to a run.

    Everything in ``state.log_history`` at its global step, under ``train/``, ``eval/`` and ``test/``; arguments, model
    configuration, adapters and sizes as configs. Evaluations and predictions land in the same run, with a training or
    without. A second ``train()`` goes on behind the first; one that resumes a checkpoint continues the run that wrote
    the checkpoint, and overwrites the steps that are made again. A hyperparameter search gets a run a trial. Only the
    first of all processes logs, and nothing is written before there is something to log.

    The run that the callback opens is closed by `close`, when the callback is gone, or when the process ends.

    Args:
        run: Log to this run, and leave it open; otherwise one is made with the first event.
        **run_kwargs: What `goodseed.Run` takes: ``project=``, ``name=`` (by default the arguments' ``run_name``), …

    Raises:
        goodseed.InvalidTypeError: ``run`` is no run, or comes with other arguments.
    """

    def __init__(self, run: goodseed.Run | None = None, **run_kwargs: Any) -> None:
        if run is not None and not isinstance(run, goodseed.Run):
            raise goodseed.InvalidTypeError(f"run must be a goodseed.Run, not a {type(run).__name__}.")
        if run is not None and run_kwargs:
            raise goodseed.InvalidTypeError(f"Give either run or what to make one of, not both: {min(run_kwargs)}.")
        self._given: Final = run
        self._run_kwargs: Final = dict(run_kwargs)
        self._held: Final = _Held()
        finalizer = weakref.finalize(self, self._held.close)
        finalizer.atexit = False
        self._writer: Final = Writer()
        self._offset = 0
        self._last_step = -1
        self._trial: str | None = None

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
            return held.open(**kwargs, resume_run_id=held.run.run_id)
        return held.run

    # -- events of a Trainer -----------------------------------------------------------------------------------------

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Open the run, or find the one that is to be continued, and store what the training is about."""
        if not state.is_world_process_zero:
            return
        # A batch that was too large is tried again with a smaller one, from the start and in the place of the first.
        is_again = self._held.is_training and bool(getattr(args, "auto_find_batch_size", False))
        trial = _trial_of(state)
        # Trials may have equal parameters: another training of a search is another trial.
        if self._given is None and self._trial is not None and state.global_step == 0 and not is_again:
            self._held.close()  # a trial that did not end has failed
            self._held.run = None
            self._last_step = -1
        self._trial = trial
        note = self._note_of(args, state.global_step)
        found = self._first_arguments(args) | {key: note[key] for key in ("project", "resume_run_id") if key in note}
        run = self._open(found if self._held.run is None else {})
        if state.global_step > 0:
            self._offset = note.get("offset", 0)
        elif not is_again:
            if self._last_step < 0 and (self._given is not None or any(name in self._run_kwargs for name in _IDS)):
                self._safely("earlier steps", lambda: self._see_steps(run))
            self._offset = self._last_step + 1 if self._last_step > 0 else 0
        self._held.is_training = True
        self._safely("configs", lambda: self._store_configs(run, args, model, state))

    def _see_steps(self, run: goodseed.Run) -> None:
        """The run may have been somebody else's before."""
        self._last_step = int(last_step(run, _OURS))

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Log what the Trainer logs, at its global step."""
        if state.is_world_process_zero and logs:
            self._log(args, state, {renamed(str(name)): value for name, value in logs.items()})

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        """Log the metrics of a prediction, which the Trainer itself does not log."""
        if state.is_world_process_zero and metrics:
            self._log(args, state, {renamed(str(name)): value for name, value in metrics.items()})

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave a note in the checkpoint of whose run it is."""
        if not state.is_world_process_zero:
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

    def _log(self, args: Any, state: Any, values: Mapping[str, Any]) -> None:
        step = state.global_step + self._offset
        self._last_step = max(self._last_step, step)
        run = self._open(self._first_arguments(args))
        self._safely("metrics", lambda: self._writer.log(run, values, step))

    def _first_arguments(self, args: Any) -> dict[str, Any]:
        name = self._trial or getattr(args, "run_name", None)
        return {"name": str(name)} if name and name != getattr(args, "output_dir", None) else {}

    def _note_of(self, args: Any, step: int) -> dict[str, Any]:
        """The run that wrote the checkpoint which is being resumed, and behind which step its training began."""
        if step <= 0:
            return {}
        # What `train` was given has priority over what the arguments say; its path is not told, so both are looked at.
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
        # What was asked for may be epochs; this is what the Trainer makes of it, and the dashboard an ETA.
        configs["training/max_steps"] = state.max_steps + self._offset
        self._writer.log_configs(run, configs)

    def _safely(self, what: str, work: Callable[[], object]) -> None:
        """A training never ends because of what can't be stored; what a caller did wrong still raises."""
        try:
            work()
        except goodseed.RunClosedError:
            raise
        except Exception as error:  # whatever a model's own code, or a full disk, may raise
            self._writer.refuse(what, error)


def _trial_of(state: Any) -> str | None:
    """What names a trial; None outside of a search."""
    if not getattr(state, "is_hyper_param_search", False):
        return None
    return str(state.trial_name or state.trial_params)


def _checkpoint(args: Any, step: int) -> Path:
    return Path(args.output_dir) / f"checkpoint-{step}"
