"""Logs what Accelerate gives to its trackers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from accelerate.tracking import GeneralTracker, on_main_process

import goodseed
from goodseed_hf.values import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GoodseedTracker"]


class GoodseedTracker(GeneralTracker):  # type: ignore[misc]
    """Logs what ``accelerator.log`` is given: ``Accelerator(log_with=GoodseedTracker("project"))``.

    The run is opened with the first configuration or value, on the main process only, and closed by
    ``accelerator.end_training()``.

    Args:
        project: The run's project; ``init_trackers`` names it, too.
        run: Log to this run, and leave it open.
        **run_kwargs: What `goodseed.Run` takes.
    """

    name = "goodseed"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self, project: str | None = None, *, run: goodseed.Run | None = None, **run_kwargs: Any) -> None:
        super().__init__()
        self._given: Final = run
        self._run_kwargs: Final = run_kwargs if project is None else {"project": project, **run_kwargs}
        self._run: goodseed.Run | None = run
        self._writer: Final = Writer()
        self._calls = 0

    @property
    def tracker(self) -> goodseed.Run:
        """The run; it is opened if it is not there yet."""
        if self._run is None:
            self._run = goodseed.Run(**self._run_kwargs)
        return self._run

    @on_main_process  # type: ignore[untyped-decorator, unused-ignore]
    def start(self) -> None:
        """Nothing: the run is opened when there is something to store."""

    @on_main_process  # type: ignore[untyped-decorator, unused-ignore]
    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Store the configuration under ``config/``."""
        self._writer.log_configs(self.tracker, self._writer.leaves(values, "config"))

    @on_main_process  # type: ignore[untyped-decorator, unused-ignore]
    def log(self, values: Mapping[str, Any], step: int | None = None, **_: Any) -> None:
        """Log values at ``step``, or at the number of calls so far."""
        self._writer.log(
            self.tracker, {str(name): value for name, value in values.items()}, self._calls if step is None else step
        )
        self._calls += 1

    @on_main_process  # type: ignore[untyped-decorator, unused-ignore]
    def finish(self) -> None:
        """Close the run, unless it was given."""
        if self._run is not None and self._given is None:
            self._run.close()
