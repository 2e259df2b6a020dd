"""Logs LightGBM trainings: every evaluation of every iteration, and the parameters.

Source: https://lightgbm.readthedocs.io/en/stable/pythonapi/lightgbm.early_stopping.html (the callback's environment)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from goodseed.run.run import Run

__all__ = ["GoodseedCallback"]


class GoodseedCallback:
    """Logs to an open run what `lightgbm.train`, `lightgbm.cv` or an estimator evaluates.

    The metric ``auc`` on the data set ``valid`` becomes ``valid/auc``, at the iteration as its step; of a cross
    validation also ``valid/auc_std``. The parameters become configs under ``parameters``.

    Args:
        run: The run; it stays open.
        prefix: Comes before every path.

    Examples:
        >>> lightgbm.train(params, data, valid_sets=[held_out], callbacks=[GoodseedCallback(run)])
    """

    before_iteration: Final = False
    order: Final = 5  # before early stopping, which leaves the loop at its last round

    def __init__(self, run: Run, prefix: str = "") -> None:
        self.run: Final = run
        self.prefix: Final = prefix

    def __call__(self, env: Any) -> None:
        """What LightGBM calls after each iteration."""
        if env.iteration == env.begin_iteration:
            self.run[f"{self.prefix}parameters"] = env.params
        values: dict[str, float] = {}
        for data, name, value, _, *deviation in env.evaluation_result_list or ():
            path = f"{self.prefix}{data}/{name.replace(f'{data} ', '')}"
            values[path] = value
            if deviation:
                values[f"{path}_std"] = deviation[0]
        if values:
            self.run.log_metrics(values, step=env.iteration)
