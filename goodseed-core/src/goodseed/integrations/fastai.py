"""Logs fastai trainings: loss and learning rates of each batch, the recorder's values of each epoch.

Source: https://docs.fast.ai/callback.core.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastai.callback.core import Callback
from fastai.learner import Recorder

if TYPE_CHECKING:
    from goodseed.run.run import Run

__all__ = ["GoodseedCallback"]


class GoodseedCallback(Callback):  # type: ignore[misc,unused-ignore]
    """Logs a learner's training to an open run, and its arguments under ``parameters``.

    ``train/loss``, ``train/smooth_loss`` and the optimizer's ``lr``, ``mom``, … are logged a batch, ``train_loss``,
    ``valid_loss`` and the metrics an epoch; the step is the number of batches that were trained before.

    Args:
        run: The run; it stays open.
        prefix: Comes before every path.

    Examples:
        >>> learner.fit_one_cycle(3, cbs=GoodseedCallback(run))
    """

    order: Final = Recorder.order + 1
    remove_on_fetch: Final = True

    def __init__(self, run: Run, prefix: str = "") -> None:
        self.run: Final = run
        self.prefix: Final = prefix
        self._steps = 0

    def before_fit(self) -> None:
        """Store what the learner was made with."""
        self.run[f"{self.prefix}parameters"] = {
            "epochs": self.n_epoch,
            "batch_size": self.dls.bs,
            "lr": self.learn.lr,
            "model": type(self.model).__name__,
            "loss": getattr(self.loss_func, "__name__", type(self.loss_func).__name__),
        }

    def after_batch(self) -> None:
        """Log the batch."""
        if not self.training:
            return
        values: dict[str, Any] = {"train/loss": self.loss, "train/smooth_loss": self.smooth_loss}
        for index, group in enumerate(self.opt.hypers):
            suffix = f"_{index}" if len(self.opt.hypers) > 1 else ""
            values |= {f"{name}{suffix}": value for name, value in group.items() if isinstance(value, (int, float))}
        self.run.log_metrics({f"{self.prefix}{name}": value for name, value in values.items()}, step=self._steps)
        self._steps += 1

    def after_epoch(self) -> None:
        """Log the recorder's row, without the epoch and the time."""
        names, row = self.recorder.metric_names[1:-1], self.recorder.log[1:]
        pairs = [(name, value) for name, value in zip(names, row, strict=False) if value is not None]
        values = {f"{self.prefix}{name}": float(value) for name, value in pairs}
        if values:
            self.run.log_metrics(values, step=self._steps)
