"""Logs Ray Tune experiments: one run for each trial, with its number, parameters and results.

Source: https://docs.ray.io/en/latest/tune/api/callbacks.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ray.tune.logger import LoggerCallback

from goodseed.integrations.trial_runs import open_trial
from goodseed.trials import number_of_ray

if TYPE_CHECKING:
    from goodseed.run.run import Run

__all__ = ["GoodseedLoggerCallback"]

_NOT_LOGGED: Final = frozenset({"config", "trial_id", "date", "timestamp", "pid", "hostname", "node_ip", "done"})


class GoodseedLoggerCallback(LoggerCallback):  # type: ignore[misc,unused-ignore]
    """Opens a run for each trial, in the process that drives the trials.

    Every number that a trial reports is logged at its ``training_iteration``, nested results under their path. A trial
    that a scheduler stops early is ``finished``; one that raises is ``failed``.

    Args:
        **run_arguments: Of each `goodseed.Run`, such as ``project`` and ``tags``.

    Examples:
        >>> Tuner(trainable, run_config=RunConfig(callbacks=[GoodseedLoggerCallback(project="sweep")])).fit()
    """

    def __init__(self, **run_arguments: Any) -> None:
        super().__init__()
        self._arguments: Final = run_arguments
        self._runs: Final[dict[Any, Run]] = {}

    def log_trial_start(self, trial: Any) -> None:
        """Open the trial's run, unless it goes on after a pause."""
        if trial not in self._runs:
            # What this process prints is not the trial's.
            arguments = {"capture_stdout": False, "capture_stderr": False, "capture_hardware_metrics": False}
            self._runs[trial] = open_trial(
                number_of_ray(trial.trial_id), trial.trial_id, trial.config, **{**arguments, **self._arguments}
            )

    def log_trial_result(self, iteration: int, trial: Any, result: Mapping[str, Any]) -> None:
        """Log one report."""
        self.log_trial_start(trial)
        values = dict(_numbers(result))
        if values:
            self._runs[trial].log_metrics(values, step=result.get("training_iteration", iteration))

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        """Close the trial's run."""
        run = self._runs.pop(trial, None)
        if run is not None:
            run.close("failed" if failed else "finished")


def _numbers(result: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in result.items():
        if not prefix and name in _NOT_LOGGED:
            continue
        if isinstance(value, Mapping):
            found += _numbers(value, f"{prefix}{name}/")
        elif hasattr(value, "__float__") and not isinstance(value, bool):
            found.append((f"{prefix}{name}", float(value)))
    return found
