"""Finds out how many steps a fit makes, once Lightning has the data."""

from __future__ import annotations

import logging
import math
import weakref
from typing import Any, Final, final

__all__ = ["Length"]

_logger: Final = logging.getLogger("goodseed")


@final
class Length:
    """Reports the length of each fit once. Copies, also in other processes, report nothing."""

    def __init__(self) -> None:
        self._trainer: weakref.ref[Any] | None = None

    def __reduce__(self) -> tuple[type[Length], tuple[()]]:
        return (Length, ())

    @property
    def is_awaited(self) -> bool:
        """Whether a fit has begun whose length was not reported yet."""
        return self._trainer is not None

    def begin(self, model: Any) -> None:
        """Note that a Trainer begins a fit, a validation, a test or a prediction."""
        try:
            trainer = model.trainer
        except (AttributeError, RuntimeError):  # a plain module, or one without a Trainer
            return
        self._trainer = None if trainer is None else weakref.ref(trainer)

    def tell(self) -> int | None:
        """How many steps the fit makes; None as long as that is not known, or has no end."""
        trainer: Any = None if self._trainer is None else self._trainer()
        try:
            is_fit = trainer is not None and trainer.state.fn == "fit"
            # Before the data is there, asking would make Lightning load it, earlier than it does without a logger.
            if is_fit and trainer.train_dataloader is None:
                return None
            self._trainer = None
            steps = trainer.estimated_stepping_batches if is_fit else math.inf
        except Exception as error:  # noqa: BLE001 - a changing accumulation of gradients has no such number
            self._trainer = None
            _logger.debug("goodseed: the length of the fit is not known: %s", error)
            return None
        return int(steps) if 0 < steps < math.inf else None
