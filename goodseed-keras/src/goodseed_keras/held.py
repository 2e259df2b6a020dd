"""The run that a callback has opened, and how often the callback logs batches."""

from __future__ import annotations

import atexit
import logging
import weakref
from typing import TYPE_CHECKING, Any, Final

import goodseed

if TYPE_CHECKING:
    from goodseed.trials import Trial

__all__ = ["Held", "checked_frequency"]

_logger: Final = logging.getLogger("goodseed")
_holders: Final[weakref.WeakValueDictionary[str, Held]] = weakref.WeakValueDictionary()


class Held:
    """The run that a callback has opened, and whether a fit is going on: what its end depends on."""

    def __init__(self) -> None:
        self.run: goodseed.Run | None = None
        self.is_fitting = False
        self.trial: Trial | None = None

    def open(self, **arguments: Any) -> goodseed.Run:
        """Open the run with what `goodseed.Run` takes."""
        # Another callback of this process may have the run open still, though its fit is over.
        other = _holders.get(str(arguments.get("resume_run_id") or arguments.get("run_id")))
        if other is not None and other is not self and not other.is_fitting:
            other.close()
        self.run = goodseed.Run(**arguments)
        _holders[self.run.run_id] = self
        atexit.unregister(self._at_exit)
        atexit.register(self._at_exit)  # behind what goodseed itself does then, which makes it come before
        return self.run

    def close(self, status: str | None = None) -> None:
        """Close the run; without a status as ``failed`` where a fit has not ended, unless it was pruned."""
        atexit.unregister(self._at_exit)
        if self.run is not None and not self.run.is_closed:
            self.run.close(status or ("failed" if self.is_fitting and not self._was_pruned() else "finished"))

    def _was_pruned(self) -> bool:
        """A trial that its search has ended early is no failure."""
        try:
            return self.trial is not None and self.trial.was_pruned()
        except Exception as error:  # whatever the search's storage may raise
            _logger.debug("goodseed: whether a trial was pruned is not known: %r", error)
            return False

    def _at_exit(self) -> None:
        if self.is_fitting:  # else the run closes itself, and knows why the process ended
            self.close()


def checked_frequency(log_freq: object) -> int:
    """Every how many batches; 0 for none."""
    if log_freq in ("epoch", "batch"):
        return 1 if log_freq == "batch" else 0
    if isinstance(log_freq, int) and not isinstance(log_freq, bool) and log_freq > 0:
        return log_freq
    raise goodseed.InvalidValueError(f'log_freq must be "epoch", "batch" or a positive integer, not {log_freq!r:.80}.')
