"""Logs CatBoost trainings: every metric of every iteration.

Source: https://catboost.ai/docs/en/concepts/python-reference_catboost_fit (callbacks)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from goodseed.run.run import Run

__all__ = ["GoodseedCallback"]


class GoodseedCallback:
    """Logs to an open run what ``fit`` evaluates.

    The metric ``Logloss`` on the learning set becomes ``learn/Logloss``, on an evaluation set ``validation/Logloss``,
    at the iteration as its step. CatBoost takes callbacks on the CPU only.

    Args:
        run: The run; it stays open.
        prefix: Comes before every path.

    Examples:
        >>> run["parameters"] = model.get_params()
        >>> model.fit(x, y, eval_set=(x_val, y_val), callbacks=[GoodseedCallback(run)])
    """

    def __init__(self, run: Run, prefix: str = "") -> None:
        self.run: Final = run
        self.prefix: Final = prefix

    def after_iteration(self, info: Any) -> bool:
        """What CatBoost calls after each iteration; True goes on."""
        values = {
            f"{self.prefix}{data}/{name}": history[-1]
            for data, metrics in (info.metrics or {}).items()
            for name, history in metrics.items()
        }
        if values:
            self.run.log_metrics(values, step=info.iteration)
        return True
