"""Logs skorch trainings: each batch and each epoch of the net's history.

Source: https://skorch.readthedocs.io/en/stable/user/callbacks.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skorch.callbacks import Callback

if TYPE_CHECKING:
    from goodseed.run.run import Run

__all__ = ["GoodseedCallback"]


class GoodseedCallback(Callback):  # type: ignore[misc,unused-ignore]
    """Logs a net's history to an open run, and its parameters under ``parameters``.

    Epoch values such as ``train_loss``, ``valid_acc`` and ``dur`` have the epoch as their step; the loss of each batch
    is ``batch/train_loss`` or ``batch/valid_loss``.

    Args:
        run: The run; it stays open.
        prefix: Comes before every path.
        log_batches: Log the loss of each batch, too.

    Examples:
        >>> NeuralNetClassifier(Module, callbacks=[GoodseedCallback(run)]).fit(x, y)
    """

    def __init__(self, run: Run, prefix: str = "", log_batches: bool = True) -> None:
        self.run = run
        self.prefix = prefix
        self.log_batches = log_batches

    def initialize(self) -> GoodseedCallback:
        """Begin to count batches."""
        self.batch_counts_ = {"train": 0, "valid": 0}
        return self

    def on_train_begin(self, net: Any, **_: Any) -> None:
        """Store the net's parameters; those of callbacks are objects of this process."""
        given = net.get_params(deep=False).items()
        parameters = {name: value for name, value in given if name != "callbacks" and not name.startswith("_")}
        self.run.log_configs(
            {f"{self.prefix}parameters/{name}": _described(value) for name, value in parameters.items()}, flatten=False
        )

    def on_batch_end(self, net: Any, batch: Any = None, training: bool = False, **_: Any) -> None:
        """Log the batch's loss."""
        kind = "train" if training else "valid"
        value = net.history[-1]["batches"][-1].get(f"{kind}_loss")
        if self.log_batches and value is not None:
            self.run[f"{self.prefix}batch/{kind}_loss"].log(value, step=self.batch_counts_[kind])
        self.batch_counts_[kind] += 1

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        """Log the numbers of the epoch."""
        epoch = net.history[-1]
        values = {
            f"{self.prefix}{name}": value
            for name, value in epoch.items()
            if _is_number(value) and not name.startswith("event_")
        }
        values.pop(f"{self.prefix}epoch")
        if values:
            self.run.log_metrics(values, step=epoch["epoch"])


def _is_number(value: object) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, bool)


def _described(value: Any) -> object:
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    text = getattr(value, "__qualname__", None) or repr(value)  # a class or a function has a name
    return type(value).__qualname__ if " at 0x" in text else text  # an address differs from run to run
