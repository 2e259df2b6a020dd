"""Which step a point gets that comes without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from goodseed import DisabledError, RemoteError, Run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from goodseed_lightning.relayed import RelayedRun

    AnyRun: TypeAlias = Run | RelayedRun

__all__ = ["StepCounter", "last_step"]


def last_step(run: Run, path: str) -> float | None:
    """The highest step that the series ``path`` of ``run`` has; None without a point, or where nothing is stored."""
    try:
        data = run.get_metric_data(path, max_points=1)
        if data["downsampled"]:
            return float(data["buckets"][-1]["step_last"])
        points = data["raw_points"] or run.get_string_data(path)
    except (DisabledError, RemoteError):
        return None
    return float(points[-1]["step"]) if points else None


class StepCounter:
    """Knows the last step of every path that was asked for, and so the next one."""

    def __init__(self) -> None:
        self._last: Final[dict[str, float]] = {}

    def note(self, paths: Iterable[str], step: float) -> None:
        """A point was logged at ``step`` under each of ``paths``."""
        if self._last:
            self._last.update(dict.fromkeys(paths, step))

    def next(self, run: AnyRun, paths: Iterable[str]) -> float:
        """The first whole step after the last one of all ``paths``; 0 where none has a point."""
        step = 0.0
        for path in paths:
            if path not in self._last:
                last = last_step(run, path) if isinstance(run, Run) else run.last_step(path)
                self._last[path] = -1.0 if last is None else last
            step = max(step, self._last[path] // 1 + 1)
        return step
