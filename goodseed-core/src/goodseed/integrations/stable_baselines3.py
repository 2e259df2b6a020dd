"""Logs Stable-Baselines3 trainings: everything its logger writes, and the hyperparameters.

Source: https://stable-baselines3.readthedocs.io/en/master/common/logger.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from goodseed.run.run import Run

__all__ = ["GoodseedCallback"]

_STATE: Final = frozenset({"start_time", "num_timesteps"})  # of the training; the others are what it was given


class GoodseedCallback(BaseCallback):  # type: ignore[misc,unused-ignore]
    """Logs to an open run what the algorithm, its callbacks and yours record.

    ``rollout/ep_rew_mean``, ``train/loss``, … have the number of timesteps as their step; texts become string series.
    The algorithm's hyperparameters become configs under ``parameters``.

    Args:
        run: The run; it stays open.
        prefix: Comes before every path.

    Examples:
        >>> PPO("MlpPolicy", "CartPole-v1").learn(10_000, callback=GoodseedCallback(run))
    """

    def __init__(self, run: Run, prefix: str = "") -> None:
        super().__init__()
        self.run: Final = run
        self.prefix: Final = prefix
        self._writer: _Writer | None = None

    def _on_training_start(self) -> None:
        parameters = {
            name: value
            for name, value in vars(self.model).items()
            if not name.startswith("_") and name not in _STATE and isinstance(value, (bool, int, float, str))
        }
        parameters["policy"] = type(self.model.policy).__name__
        self.run[f"{self.prefix}parameters"] = {"algorithm": type(self.model).__name__, **parameters}
        self._writer = _Writer(self.run, self.prefix)
        self.model.logger.output_formats.append(self._writer)

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        if self._writer in self.model.logger.output_formats:
            self.model.logger.dump(self.num_timesteps)  # what was recorded since the last dump
            self.model.logger.output_formats.remove(self._writer)


class _Writer(KVWriter):  # type: ignore[misc,unused-ignore]
    """An output format of the library's logger."""

    def __init__(self, run: Run, prefix: str) -> None:
        self._run: Final = run
        self._prefix: Final = prefix

    def write(self, key_values: Mapping[str, Any], key_excluded: Mapping[str, Any], step: int = 0) -> None:
        """Log what is for everybody; figures and videos are for other formats."""
        numbers: dict[str, float] = {}
        for name, value in key_values.items():
            path = f"{self._prefix}{name}"
            if isinstance(value, str):
                self._run[path].log(value, step=step)
            elif hasattr(value, "__float__"):
                numbers[path] = float(value)
        if numbers:
            self._run.log_metrics(numbers, step=step)

    def close(self) -> None:
        """The run stays open."""
