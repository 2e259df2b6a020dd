"""Defines what a run is read from, and reads run files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Protocol

from goodseed.storage.history.attempts import kept_series
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.reader import RunReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from goodseed.paths import RunFiles
    from goodseed.storage.history.attempts import Attempt
    from goodseed.storage.inbox.segments import FoundSegment
    from goodseed.storage.kinds import Kind

__all__ = ["LocalRun", "Source"]

_MAX_BUCKETS: Final = 1_000_000


class Source(Protocol):
    """Answers the reading methods of `goodseed.Run`, whose checked arguments it gets."""

    def paths(self, kind: Kind) -> list[str]:
        """The paths of the series of one kind, sorted."""

    def metric_data(
        self, path: str, *, step_min: float | None, step_max: float | None, max_points: int | None
    ) -> dict[str, Any]:
        """One metric, as `goodseed.Run.get_metric_data` gives it."""

    def series_data(self, kind: Kind, path: str, *, limit: int | None, offset: int) -> Iterable[dict[str, Any]]:
        """The points of a series by step, each with ``step`` and ``value``."""

    def kept_points(self, path: str) -> list[dict[str, Any]]:
        """What is no longer the run's at ``path``, as `goodseed.Run.get_metric_data` gives it."""

    def configs(self) -> list[dict[str, Any]]:
        """Every config by path, each with ``path``, ``type_tag``, ``value`` and ``updated_at``."""

    def attempts(self) -> list[Attempt]:
        """The attempts of the run, in their order."""


class LocalRun:
    """A run's file; every call sees one consistent state."""

    def __init__(self, files: RunFiles, unstored: Callable[[], Iterable[FoundSegment]] | None = None) -> None:
        """Nothing is read yet.

        Args:
            files: Where the run lies.
            unstored: What this process has accepted and can't store just now; None where it stores everything.
        """
        self._files: Final = files
        self._unstored: Final = unstored

    def _open(self) -> RunReader:
        return RunReader(self._files, None if self._unstored is None else self._unstored())

    def paths(self, kind: Kind) -> list[str]:
        """The paths of the series of one kind, sorted."""
        with self._open() as reader:
            return reader.paths(kind)

    def metric_data(
        self, path: str, *, step_min: float | None, step_max: float | None, max_points: int | None
    ) -> dict[str, Any]:
        """One metric, as `goodseed.Run.get_metric_data` gives it."""
        with self._open() as reader:
            if max_points is not None:
                limit = min(max_points, _MAX_BUCKETS)
                buckets = reader.metric_buckets(path, limit, step_min=step_min, step_max=step_max)
                if buckets is not None:
                    return {"path": path, "downsampled": True, "buckets": [asdict(bucket) for bucket in buckets]}
            points = reader.points(NUMBERS, path, step_min=step_min, step_max=step_max)
        raw = [{"step": step, "y": y} for step, y in zip(points.steps, points.values, strict=True)]
        return {"path": path, "downsampled": False, "raw_points": raw}

    def series_data(self, kind: Kind, path: str, *, limit: int | None, offset: int) -> list[dict[str, Any]]:
        """The points of a series by step, each with ``step`` and ``value``."""
        with self._open() as reader:
            points = reader.points(kind, path, limit=limit, offset=offset)
        return [{"step": step, "value": value} for step, value in zip(points.steps, points.values, strict=True)]

    def last_step(self, path: str) -> float | None:
        """The highest step under ``path``; None without a point."""
        with self._open() as reader:
            return reader.last_step(path)

    def kept_points(self, path: str) -> list[dict[str, Any]]:
        """What earlier attempts logged at ``path``, and is no longer the run's."""
        with self._open() as reader:
            return [
                {"attempt": number, "step": step, "y": y, "time": time}
                for number, _, kept in kept_series(reader.paths(NUMBERS), path)
                for points in (reader.points(NUMBERS, kept),)
                for step, y, time in zip(points.steps, points.values, points.times, strict=True)
            ]

    def configs(self) -> list[dict[str, Any]]:
        """Every config by path, each with ``path``, ``type_tag``, ``value`` and ``updated_at``."""
        with self._open() as reader:
            return [asdict(row) for row in reader.configs()]

    def attempts(self) -> list[Attempt]:
        """The attempts of the run, in their order."""
        with self._open() as reader:
            return reader.attempts()
