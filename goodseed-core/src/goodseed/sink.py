"""Defines the `Sink`: the narrow interface through which monitoring and source code write to a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Sink"]


class Sink(Protocol):
    """What a producer of points may do to a run.

    Paths are whole attribute paths (``monitoring/1a2b3c4d/cpu``). No method raises because of the
    run's own trouble; a call on a run that is closed already does nothing.
    """

    def log_metrics(self, data: Mapping[str, float], step: float, *, at_seconds: float | None = None) -> None:
        """Store one point in each named metric series, at ``at_seconds`` since the epoch (default: now)."""

    def log_strings(self, data: Mapping[str, str], step: float, *, at_seconds: float | None = None) -> None:
        """Store one point in each named string series, at ``at_seconds`` since the epoch (default: now)."""

    def log_lines(self, path: str, lines: Iterable[tuple[float, str, float]]) -> None:
        """Store many points, each a step, a text and a time in seconds, in one string series."""

    def log_configs(self, data: Mapping[str, object]) -> None:
        """Set each named config."""

    def next_step(self, path: str) -> int:
        """The step after the last one stored under ``path``; 0 for a series that does not exist."""
