"""Holds the run that a framework's callback has opened, and closes it with the status of its training."""

from __future__ import annotations

import atexit
import logging
import weakref
from typing import TYPE_CHECKING, Any, Final

import goodseed

if TYPE_CHECKING:
    from goodseed.trials import Trial

__all__ = ["HeldRun", "last_step"]

_logger: Final = logging.getLogger("goodseed")
_holders: Final[weakref.WeakValueDictionary[str, HeldRun]] = weakref.WeakValueDictionary()


class HeldRun:
    """The run that a callback has opened, and whether a training is going on: what its end depends on.

    Attributes:
        run: The run; None before `open`.
        is_training: Set by the callback: a run that ends meanwhile has failed.
        trial: The trial of a search that the run is of; one that was pruned is no failure.
    """

    def __init__(self) -> None:
        self.run: goodseed.Run | None = None
        self.is_training = False
        self.trial: Trial | None = None

    def open(self, **arguments: Any) -> goodseed.Run:
        """Open the run with what `goodseed.Run` takes."""
        # Another callback of this process may have the run open still, though its training is over.
        other = _holders.get(str(arguments.get("resume_run_id") or arguments.get("run_id")))
        if other is not None and other is not self and not other.is_training:
            other.close()
        self.run = goodseed.Run(**arguments)
        _holders[self.run.run_id] = self
        atexit.unregister(self._at_exit)
        atexit.register(self._at_exit)  # behind what goodseed itself does then, which makes it come before
        return self.run

    def close(self, status: str | None = None) -> None:
        """Close the run; without a status as ``failed`` where a training has not ended, unless it was pruned."""
        atexit.unregister(self._at_exit)
        if self.run is not None and not self.run.is_closed:
            self.run.close(status or ("failed" if self.is_training and not self._was_pruned() else "finished"))

    def _was_pruned(self) -> bool:
        """A trial that its search has ended early is no failure."""
        try:
            return self.trial is not None and self.trial.was_pruned()
        except Exception as error:  # noqa: BLE001 - whatever the search's storage may raise
            _logger.debug("goodseed: whether a trial was pruned is not known: %r", error)
            return False

    def _at_exit(self) -> None:
        if self.is_training:  # else the run closes itself, and knows why the process ended
            self.close()


def last_step(run: goodseed.Run, prefixes: tuple[str, ...]) -> float:
    """The highest step of the metrics whose paths begin so; -1 where there is none, or nothing can be read."""
    steps = [-1.0]
    try:
        for path in run.get_metric_paths():
            if path.startswith(prefixes):
                data = run.get_metric_data(path, max_points=1)
                points = data["buckets"] if data["downsampled"] else data["raw_points"]
                steps += [point["step_last" if data["downsampled"] else "step"] for point in points[-1:]]
    except (goodseed.DisabledError, goodseed.RemoteError):
        return -1.0
    return max(steps)
