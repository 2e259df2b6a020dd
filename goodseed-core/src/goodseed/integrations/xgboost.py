"""Logs XGBoost trainings: every evaluation of every round, and the parameters of the booster.

Source: https://xgboost.readthedocs.io/en/stable/python/callbacks.html
"""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import xgboost

if TYPE_CHECKING:
    from goodseed.run.run import Run

__all__ = ["GoodseedCallback"]


class GoodseedCallback(xgboost.callback.TrainingCallback):  # type: ignore[misc,unused-ignore]
    """Logs to an open run what `xgboost.train`, `xgboost.cv` or an estimator evaluates.

    The metric ``logloss`` on the evaluation set ``val`` becomes ``val/logloss``, at the round as its step; of a cross
    validation also ``val/logloss_std``. The booster's parameters become configs under ``booster``.

    Args:
        run: The run; it stays open.
        prefix: Comes before every path.

    Examples:
        >>> xgboost.train(params, data, evals=[(held_out, "val")], callbacks=[GoodseedCallback(run)])
    """

    def __init__(self, run: Run, prefix: str = "") -> None:
        super().__init__()
        self.run: Final = run
        self.prefix: Final = prefix

    def before_training(self, model: Any) -> Any:
        """Store the parameters; a cross validation has a booster a fold, with the same."""
        booster = model.cvfolds[0].bst if hasattr(model, "cvfolds") else model
        self.run[f"{self.prefix}booster"] = _numbers(json.loads(booster.save_config())["learner"])
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, dict[str, list[Any]]]) -> bool:
        """Log the last value of each metric; never stops the training."""
        values: dict[str, float] = {}
        for data, metrics in evals_log.items():
            for name, history in metrics.items():
                path, last = f"{self.prefix}{data}/{name}", history[-1]
                if isinstance(last, tuple):  # of a cross validation: mean and deviation
                    last, values[f"{path}_std"] = last
                values[path] = last
        if values:
            self.run.log_metrics(values, step=epoch)
        return False

    def after_training(self, model: Any) -> Any:
        """Store which round was the best, where early stopping has found one."""
        if not hasattr(model, "cvfolds") and model.attr("best_iteration") is not None:
            self.run[f"{self.prefix}best_iteration"] = int(model.best_iteration)
            self.run[f"{self.prefix}best_score"] = float(model.best_score)
        return model


def _numbers(value: Any) -> Any:
    """The configuration with numbers for the texts that XGBoost writes them as; its reals have 32 bits."""
    if isinstance(value, dict):
        return {name: _numbers(item) for name, item in value.items()}
    if isinstance(value, str):
        with suppress(ValueError):
            return int(value)
        with suppress(ValueError):
            return _shortest(float(value))
    return value


def _shortest(value: float) -> float:
    """0.3 for 0.300000012, which is how XGBoost writes the 0.3 of 32 bits that it holds."""
    candidates = (float(f"{value:.{digits}g}") for digits in range(6, 9))
    with suppress(OverflowError):  # larger than 32 bits can hold
        return next((found for found in candidates if struct.pack("f", found) == struct.pack("f", value)), value)
    return value
