"""Writes what a logger is given to its run; what can't be stored is warned of, once for each path."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from goodseed import GoodseedError, RunClosedError
from goodseed_lightning.training.steps import StepCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import goodseed
    from goodseed_lightning.processes.handle import RunHandle
    from goodseed_lightning.processes.relayed import RelayedRun

    AnyRun: TypeAlias = goodseed.Run | RelayedRun

__all__ = ["LoggedRun"]

_logger: Final = logging.getLogger("goodseed")


class LoggedRun:
    """The run of a logger, and how it is written.

    Attributes:
        handle: Opens the run when it is first used.
        prefix: What comes before every path, with a slash behind it; empty for none.
        steps: The last steps of the metrics.
    """

    def __init__(self, handle: RunHandle, prefix: str) -> None:
        self.handle: Final = handle
        self.prefix: Final = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.steps: Final = StepCounter()
        self._reported: Final[set[str]] = set()

    def next_step(self, run: AnyRun, paths: Iterable[str]) -> float:
        """The step after the last one of these metrics; 0 where that is not known."""
        try:
            return self.steps.next(run, paths)
        except GoodseedError as error:
            self.report("step", f"the last one is not known: {error}")
            return 0.0

    def log_one_by_one(
        self, values: Mapping[str, Any], log: Callable[[Mapping[str, Any], float], None], step: float
    ) -> None:
        """Log each value by itself, so that one that can't be stored keeps no other out."""
        for path, value in values.items():
            try:
                log({path: value}, step)
            except RunClosedError as error:
                self.report("what is logged from now on", error)
            except (GoodseedError, TypeError, ValueError) as error:
                self.report(path, error)

    def set_configs(self, leaves: Mapping[str, object]) -> None:
        """Set configs, or those of them that can be stored."""
        run = self.handle.get()
        try:
            run.log_configs(leaves, flatten=False)
        except GoodseedError:
            self._set_one_by_one(run, leaves)

    def report(self, path: str, reason: object) -> None:
        """Warn that ``path`` can't be stored, the first time."""
        if path not in self._reported:
            self._reported.add(path)
            _logger.warning("goodseed: %s can't be stored in run %s: %s", path, self.handle.run_id, reason)

    def _set_one_by_one(self, run: AnyRun, leaves: Mapping[str, object]) -> None:
        for path, value in leaves.items():
            try:
                run.log_configs({path: value}, flatten=False)
            except RunClosedError as error:
                self.report("what is logged from now on", error)
            except GoodseedError as error:
                self.report(path, error)
