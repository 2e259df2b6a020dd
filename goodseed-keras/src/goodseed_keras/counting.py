"""Counts the epochs, batches, evaluations and predictions of a run over all of its fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodseed.held_run import last_step

if TYPE_CHECKING:
    import goodseed

__all__ = ["Counter"]


class Counter:
    """The steps of a run.

    Attributes:
        offset: What is added to the epochs of this fit.
        batches: How many batches were trained.
    """

    def __init__(self) -> None:
        """Count from the beginning."""
        self.offset = 0
        self.batches = 0
        self._last_epoch = -1
        self._begun = -1
        self._in_epoch = -1
        self._is_first_epoch = True
        self._first_epoch = 0
        self._is_again = False
        self._tests = 0
        self._predictions = 0

    def look_back(self, run: goodseed.Run) -> None:
        """Go on after the steps that a run has already."""
        self._last_epoch = int(last_step(run, ("train/",)))
        self.batches = int(last_step(run, ("batch/",))) + 1
        self._tests = int(last_step(run, ("test/",))) + 1
        self._predictions = int(last_step(run, ("predict/",))) + 1
        self._is_again = True

    def begin_fit(self, *, is_again: bool) -> None:
        """A fit begins.

        Args:
            is_again: The fit before it did not end.
        """
        self._is_first_epoch = True
        self._is_again = is_again

    def begin_epoch(self, epoch: int) -> bool:
        """Append a fit that begins again to the one before; returns whether this is the fit's first epoch."""
        is_first, self._is_first_epoch = self._is_first_epoch, False
        # A fit that did not end, or that another process began, goes on at its own epoch; epochs that are repeated
        # replace the first ones. One that begins at the same epoch as the last one is a new fit.
        if is_first and not (self._is_again and epoch > self._first_epoch):
            self.offset = max(0, self._last_epoch + 1 - epoch)
            self._first_epoch = epoch
        self._in_epoch = -1
        return is_first

    def end_epoch(self, epoch: int) -> int:
        """The step of an epoch."""
        step = epoch + self.offset
        self._last_epoch = max(self._last_epoch, step)
        return step

    def begin_batch(self, batch: int) -> None:
        """Remember with which number a batch began."""
        self._begun = batch

    def end_batch(self, batch: int, *, steps_per_execution: int, steps: object) -> None:
        """Count the batches up to this one.

        Args:
            batch: Its number in the epoch. Of several steps in one execution, Keras names the last, before 3.11 the
                first; and one too many where the data ended before.
            steps_per_execution: How many batches Keras trains in one execution.
            steps: How many batches an epoch has, if that is known.
        """
        if batch == self._begun:
            batch += steps_per_execution - 1
        batch = min(batch, steps - 1) if isinstance(steps, int) and steps > 0 else batch
        self.batches += batch - self._in_epoch if batch > self._in_epoch else batch + 1
        self._in_epoch = batch

    def next_test(self) -> int:
        """The step of an evaluation."""
        self._tests += 1
        return self._tests - 1

    def next_prediction(self) -> int:
        """The step of a prediction."""
        self._predictions += 1
        return self._predictions - 1
