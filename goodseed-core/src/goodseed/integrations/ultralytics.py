"""Logs Ultralytics YOLO trainings: losses, metrics and learning rates of each epoch, and the arguments.

Source: https://docs.ultralytics.com/usage/callbacks/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from goodseed.run.run import Run

__all__ = ["callbacks"]


def callbacks(run: Run, prefix: str = "") -> dict[str, Callable[[Any], None]]:
    """The callbacks that log a training to an open run, by the event that each is for.

    ``train/box_loss``, ``metrics/mAP50(B)``, ``val/box_loss``, ``lr/pg0``, … have the epoch as their step, from 1; the
    arguments become configs under ``parameters``, the path of the best weights ``best``, and what those reach in the
    evaluation after the training ``best/metrics/mAP50(B)`` and so on.

    Args:
        run: The run; it stays open.
        prefix: Comes before every path.

    Examples:
        >>> for event, function in callbacks(run).items():
        ...     model.add_callback(event, function)
    """
    epoch, is_epoch_new = 0, False

    def start(trainer: Any) -> None:
        run[f"{prefix}parameters"] = {name: value for name, value in vars(trainer.args).items() if value is not None}

    def train_epoch_end(trainer: Any) -> None:
        nonlocal epoch, is_epoch_new
        epoch, is_epoch_new = trainer.epoch + 1, True

    def epoch_end(trainer: Any) -> None:
        nonlocal is_epoch_new
        if not is_epoch_new:  # the best weights are evaluated once more after the training
            best = {f"{prefix}best/{name}": value for name, value in trainer.metrics.items()}
            run.log_metrics(best, step=epoch)
            return
        is_epoch_new = False
        values = {**trainer.label_loss_items(trainer.tloss, prefix="train"), **trainer.lr, **trainer.metrics}
        run.log_metrics({f"{prefix}{name}": value for name, value in values.items()}, step=epoch)

    def end(trainer: Any) -> None:
        run[f"{prefix}best"] = str(trainer.best)

    return {
        "on_pretrain_routine_start": start,
        "on_train_epoch_end": train_epoch_end,
        "on_fit_epoch_end": epoch_end,
        "on_train_end": end,
    }
