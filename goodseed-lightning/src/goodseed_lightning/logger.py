"""Defines `GoodseedLogger`, the logger of a Trainer or a Fabric."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import goodseed
from goodseed import GoodseedError, InvalidTypeError, InvalidValueError
from goodseed.config_values import config_leaves
from goodseed_lightning.frameworks import LoggerBase, is_rank_zero
from goodseed_lightning.logged_run import LoggedRun
from goodseed_lightning.processes.handle import RunHandle
from goodseed_lightning.processes.silent import SilentRun
from goodseed_lightning.training import watching
from goodseed_lightning.training.checkpoints import Checkpoints, LogModel, Saved, facts, file_name, save_directory
from goodseed_lightning.training.length import Length
from goodseed_lightning.training.steps import Evaluation
from goodseed_lightning.training.values import sort_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from torch.nn import Module

__all__ = ["GoodseedLogger", "logged_run"]

_logger: Final = logging.getLogger("goodseed")
_FAILED: Final = ("failed", "aborted")


class GoodseedLogger(LoggerBase):
    """Logs what a Trainer or a Fabric reports to one `goodseed.Run`.

    The run is made at the first use, on rank zero alone; nothing is written before. It goes on over several calls of
    ``fit``, ``validate``, ``test`` and ``predict``, and closes as the process ends, as ``failed`` when one of them
    raises. ``logger.experiment.close()`` ends it earlier.

    Args:
        name: Display name of the run.
        project: The run's project; default: ``GOODSEED_PROJECT``, else ``"default"``.
        run_id: The run's id. An existing run is resumed, and steps that are logged again overwrite the earlier ones.
        log_model: Store where ``ModelCheckpoint`` saves, and the scores: ``True`` for what it keeps, ``"all"`` for
            every checkpoint it has ever saved as well.
        prefix: Put before every path that the logger writes, with a slash between.
        run: An open run to log to, which is never closed here; no other argument of `goodseed.Run` goes with it.
        **run_kwargs: What else `goodseed.Run` takes: ``storage``, ``tags``, ``goodseed_home``, …

    Raises:
        InvalidTypeError, InvalidValueError, ConfigurationError: An argument is invalid. What only the disk or the
            remote can tell, such as that the run is in use, is raised at the first use.

    Examples:
        >>> trainer = Trainer(logger=GoodseedLogger(name="baseline", project="digits"))
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        project: str | None = None,
        run_id: str | None = None,
        log_model: LogModel = False,
        prefix: str = "",
        run: goodseed.Run | None = None,
        **run_kwargs: Any,
    ) -> None:
        super().__init__()
        if log_model not in (True, False, "all"):
            raise InvalidValueError(f"log_model must be True, False or 'all', not {log_model!r}.")
        if not isinstance(prefix, str):
            raise InvalidTypeError(f"prefix must be a string, not {type(prefix).__name__}.")
        arguments = {"name": name, "project": project, "run_id": run_id, **run_kwargs}
        if run is not None:
            _check_run(run, arguments)
        self._run: Final = LoggedRun(RunHandle(arguments, run), prefix)
        self._name: Final = file_name(name or self._run.handle.project)
        self._save_dir: Final = save_directory(run_kwargs.get("log_dir"), self._run.handle.run_id)
        self._log_model: Final = log_model
        self._checkpoints: Final = Checkpoints()
        self._length: Final = Length()
        self._evaluation: Final = Evaluation()

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def experiment(self) -> Any:
        """The `goodseed.Run`, made at the first use; on ranks above zero an object that ignores every call.

        In a child process whose parent has the run open, it is an object with the run's writing and reading methods.
        """
        return self._run.handle.get() if is_rank_zero() else SilentRun()

    @property
    def name(self) -> str:
        """The name of the run, or of its project where it has none, as a file may be named."""
        return self._name

    @property
    def version(self) -> str:
        """The run's id."""
        return self._run.handle.run_id

    @property
    def save_dir(self) -> str:
        """A directory for what Lightning saves with this run: ``goodseed_logs/<run id>``, or below ``log_dir``."""
        return self._save_dir

    @property
    def root_dir(self) -> str:
        """The same as ``save_dir``."""
        return self._save_dir

    @property
    def log_dir(self) -> str:
        """The same as ``save_dir``."""
        return self._save_dir

    # -- what is logged --------------------------------------------------------------------------------------------

    def log_metrics(self, metrics: Mapping[str, Any], step: float | None = None) -> None:
        """Add one point to each of several metrics; texts go to string series.

        Args:
            metrics: Values by name: numbers, tensors and arrays of one element, texts. What can't be stored is warned
                of once, by its name.
            step: Where in the series; None for the step after the last of these metrics. ``validate`` and ``test`` of
                a checkpoint store at its step, and of a model that is new to the Trainer behind the last one.
        """
        if not is_rank_zero():
            return
        run = self._run.handle.get()
        if self._length.is_awaited and (max_steps := self._length.tell()) is not None:
            self._run.set_configs({f"{self._run.prefix}trainer/max_steps": max_steps})
        evaluation = self._evaluation if step is not None and "epoch" in metrics else None
        if evaluation is not None:
            metrics = evaluation.named(metrics)
        values = sort_values(metrics, self._run.prefix)
        if evaluation is not None and evaluation.step is not None:
            step = evaluation.step
        elif step is None:
            step = self._run.next_step(run, (*values.numbers, *values.texts))
        elif evaluation is not None and evaluation.is_of_new_trainer:
            own = {*values.numbers, *values.texts} - {f"{self._run.prefix}epoch"}
            step = max(step, self._run.next_step(run, own))
        try:
            if values.numbers:
                run.log_metrics(values.numbers, step)
                self._run.steps.note(values.numbers, step)
            if values.texts:
                run.log_strings(values.texts, step)
                self._run.steps.note(values.texts, step)
        except (GoodseedError, TypeError, ValueError):
            self._run.log_one_by_one(values.numbers, run.log_metrics, step)
            self._run.log_one_by_one(values.texts, run.log_strings, step)
        for path, reason in values.refused.items():
            self._run.report(path, reason)

    def log_hyperparams(self, params: Any = None, *_: Any, **__: Any) -> None:
        """Set the configs under ``hyperparams/``; those that are there already take the new values.

        Args:
            params: A mapping, an ``argparse.Namespace``, a dataclass or an OmegaConf container, nested as may be: what
                `goodseed.config_values.config_leaves` takes. Classes and functions are stored by their names.
        """
        if params is not None and is_rank_zero():
            self._run.set_configs(config_leaves(params, f"{self._run.prefix}hyperparams", on_refused=self._run.report))

    def log_graph(self, model: Module, input_array: Tensor | None = None) -> None:
        """Set ``model/class``, ``model/parameters`` and ``model/trainable_parameters``; never fails."""
        if not is_rank_zero():
            return
        self._length.begin(model)
        self._evaluation.begin(model)
        try:
            sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
        except Exception as error:  # noqa: BLE001 - a lazy module has no sizes yet; other models may raise anything
            _logger.debug("goodseed: the model's size is not known: %s", error)
            return
        described = {
            "class": f"{type(model).__module__}.{type(model).__qualname__}",
            "parameters": sum(size for size, _ in sizes),
            "trainable_parameters": sum(size for size, is_trainable in sizes if is_trainable),
        }
        self._run.set_configs({f"{self._run.prefix}model/{key}": value for key, value in described.items()})

    def watch(self, model: Module, log: str = "all", log_freq: int = 100) -> None:
        """Log norms and histograms of a model's gradients and parameters, every ``log_freq`` steps of its optimizer.

        ``gradients/<parameter>/norm`` and ``parameters/<parameter>/norm`` are metrics, as are ``gradients/norm`` and
        ``parameters/norm`` of all together; ``…/histogram`` are string series of JSON: ``min``, ``max``, ``mean``,
        ``std``, the ``counts`` of 32 equal bins between, and how many are not finite.

        A model that a strategy spawns into other processes is watched there when this is called there, in
        ``on_fit_start`` for instance.

        Args:
            model: What is watched, until it is gone or `unwatch` is called. It is not kept alive.
            log: ``"gradients"``, ``"parameters"`` or ``"all"``.
            log_freq: How many steps lie between two points; the first step has one. With a Trainer, those are the
                steps at which it logs.

        Raises:
            InvalidValueError: ``log`` or ``log_freq`` is invalid.
        """
        watching.watch(self, model, log, log_freq)

    def unwatch(self, model: Module | None = None) -> None:
        """Stop watching ``model``, or with None all models."""
        watching.unwatch(self, model)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Store where the callback has saved, if ``log_model`` says so."""
        if not self._log_model or not is_rank_zero():
            return
        place = self._checkpoints.add(checkpoint_callback)
        self._run.set_configs(
            {f"{self._run.prefix}{place}/{key}": value for key, value in facts(checkpoint_callback).items()}
        )
        if self._log_model == "all":
            saved = Saved(checkpoint_callback)
            self.log_metrics({f"{place}/{key}": value for key, value in saved.point().items()}, saved.step)

    def save(self) -> None:
        """Nothing is left to do: what was logged survives the death of the process already."""

    def finalize(self, status: str) -> None:
        """End a stage: the run goes on, or is closed as failed when ``status`` says so; a run passed in stays open."""
        if not is_rank_zero() or self._run.handle.current() is None:
            return
        if self._log_model:
            for place, found in self._checkpoints.facts():
                self._run.set_configs({f"{self._run.prefix}{place}/{key}": value for key, value in found.items()})
        if status in _FAILED:
            self._run.handle.fail()
        else:
            self._run.handle.finish()


def logged_run(logger: GoodseedLogger) -> LoggedRun:
    """The run of a logger, and how it is written: for loggers that extend this one."""
    return logger._run


def _check_run(run: object, arguments: Mapping[str, object]) -> None:
    if not isinstance(run, goodseed.Run):
        raise InvalidTypeError(f"run must be a goodseed.Run, not a {type(run).__name__}.")
    given = sorted(key for key, value in arguments.items() if value is not None)
    if given:
        raise InvalidValueError(f"run= is open already: {', '.join(given)} can't be given with it.")
