"""Logs Optuna studies: one run for each trial, and the course of the study.

Source: https://optuna.readthedocs.io/en/stable/tutorial/20_recipes/007_optuna_callback.html
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from goodseed.integrations.trial_runs import open_trial
from goodseed.trials import trial_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from goodseed.run.run import Run

__all__ = ["StudyCallback", "trial_run"]


@contextmanager
def trial_run(trial: Any, **run_arguments: Any) -> Iterator[Run]:
    """Open the run of a trial, inside the objective; it ends with the block.

    The run has the trial's number, at its end also all parameters that were suggested, and a name made of both. One
    that is pruned ends as ``finished``, with ``sys/end_reason`` ``pruned``.

    Args:
        trial: What Optuna gives to the objective.
        **run_arguments: Those of `goodseed.Run`; a ``name`` takes the place of the readable one.

    Examples:
        >>> def objective(trial):
        ...     with trial_run(trial, project="sweep") as run:
        ...         lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
        ...         run["loss"].log(train(lr), step=0)
    """
    with open_trial(trial.number, f"{trial.study.study_name}-{trial.number}", trial.params, **run_arguments) as run:
        try:
            yield run
        finally:
            if trial.params:
                run["parameters"] = trial.params
            if "name" not in run_arguments:
                run["sys/name"] = trial_name(trial.number, trial.params)


class StudyCallback:
    """Logs the course of a study to one open run.

    ``trial/value`` (``trial/value_0``, … of several objectives) and ``best/value`` are logged for each completed trial,
    ``trial/seconds`` for each, with its number as the step; the best parameters become configs under
    ``best/parameters``.

    Args:
        run: The run; it stays open.

    Examples:
        >>> study.optimize(objective, n_trials=100, callbacks=[StudyCallback(run)])
    """

    def __init__(self, run: Run) -> None:
        self.run: Final = run

    def __call__(self, study: Any, trial: Any) -> None:
        """What Optuna calls after each trial."""
        values: dict[str, float] = {}
        # A pruned trial has its last report as its value.
        if trial.values is not None and trial.state.name == "COMPLETE":
            is_one = len(trial.values) == 1
            values |= {f"trial/value{'' if is_one else f'_{i}'}": value for i, value in enumerate(trial.values)}
            if is_one:
                values |= self._store_best(study)
        if trial.duration is not None:
            values["trial/seconds"] = trial.duration.total_seconds()
        if values:
            self.run.log_metrics(values, step=trial.number)
        self.run["trial/states"].log(trial.state.name, step=trial.number)

    def _store_best(self, study: Any) -> dict[str, float]:
        try:
            best = study.best_trial
        except ValueError:  # no trial keeps the constraints yet
            return {}
        self.run["best"] = {"trial": best.number, "parameters": best.params}
        return {"best/value": best.value}
