"""Defines what a list of runs shows of one run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goodseed.paths import RunFiles
from goodseed.storage.kinds import NUMBERS, TEXTS
from goodseed.storage.life import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MAX_METRICS", "LastPoint", "RunSummary", "by_run_id"]

MAX_METRICS: Final = 64


@dataclass(frozen=True, slots=True)
class LastPoint:
    """The point with the highest step of a metric."""

    path: str
    step: float
    y: float


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run, as a list of runs shows it.

    Attributes:
        path: Its file, absolute.
        run_id: The name of its file, without the suffix: unique in its project, and what ``resume_run_id`` takes.
        project: The directory that holds it; for a file outside of a ``runs`` directory what the run says itself.
        name: ``sys/name``; None for none.
        state: ``running``, ``finished``, ``failed``, or ``crashed`` when its writer died without closing it.
        created_at: When it was made, ISO 8601, as the file has it; None where it says nothing.
        modified_at: When it last changed, likewise; the time of the file where it says nothing.
        closed_at: When it was closed, likewise; None while it is open.
        created_seconds: `created_at` in seconds since the epoch; of the file where there is none.
        modified_seconds: `modified_at` in seconds since the epoch.
        started_seconds: When it was made, or resumed the last time, in seconds since the epoch.
        earlier_seconds: How long it lived before that.
        duration_seconds: How long it has lived: to its end, to its last sign of life, or to now while it is running,
            without the time between an end and a resumption; never negative.
        end_reason: ``sys/end_reason``; None where it ended well, or it is unknown.
        trashed: Whether it was moved to the trash.
        config_count: How many configs it has.
        series_counts: How many series of each kind, by its name, those of monitoring included.
        tags_text: What `tags` reads.
        metrics_text: What `last_metrics` reads: a list of ten thousand runs needs few of them.
        token: The token of its file as of when it was read, see `goodseed.storage.cache.token`.
    """

    path: str
    run_id: str
    project: str
    name: str | None
    state: str
    created_at: str | None
    modified_at: str | None
    closed_at: str | None
    created_seconds: float
    modified_seconds: float
    started_seconds: float
    earlier_seconds: float
    duration_seconds: float
    end_reason: str | None
    trashed: bool
    config_count: int
    series_counts: Mapping[str, int]
    tags_text: str
    metrics_text: str
    token: str = field(default="", compare=False)

    @property
    def files(self) -> RunFiles:
        """The run's files, for a `goodseed.storage.reader.RunReader`."""
        return RunFiles(Path(self.path))

    @property
    def tags(self) -> tuple[str, ...]:
        """``sys/tags``, sorted."""
        return tuple(json.loads(self.tags_text))

    @property
    def metric_count(self) -> int:
        """How many metrics it has."""
        return self.series_counts.get(NUMBERS.name, 0)

    @property
    def text_count(self) -> int:
        """How many string series it has."""
        return self.series_counts.get(TEXTS.name, 0)

    @property
    def last_metrics(self) -> tuple[LastPoint, ...]:
        """The point with the highest step of each metric, in the order in which the metrics were first logged.

        They are the first `MAX_METRICS`, and none that monitoring logs.
        """
        return tuple(LastPoint(*point) for point in json.loads(self.metrics_text))

    @property
    def status(self) -> str:
        """The state in the three words of the run file and the JSON API: a crashed run has ``failed``."""
        return "failed" if self.state == "crashed" else self.state

    @property
    def closed_seconds(self) -> float | None:
        """When it was closed, in seconds since the epoch; None while it is open."""
        return None if self.closed_at is None else seconds_of(self.closed_at, self.modified_seconds)

    def at(self, now_seconds: float) -> RunSummary:
        """The same, with the duration that a running run has at ``now_seconds`` since the epoch."""
        if self.state != "running":
            return self
        return replace(self, duration_seconds=self.earlier_seconds + max(0.0, now_seconds - self.started_seconds))


def by_run_id(runs: Iterable[RunSummary]) -> dict[str, RunSummary]:
    """The runs of one project by their id; of two that have the same, the one that lies in a ``runs`` directory."""
    found: dict[str, RunSummary] = {}
    for run in runs:
        known = found.get(run.run_id)
        if known is None or known.files.database.parent.name != "runs":
            found[run.run_id] = run
    return found
