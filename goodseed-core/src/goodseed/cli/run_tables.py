"""Lays out projects and runs as tables."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from goodseed.cli.table import Column, ago, duration, number, render
from goodseed.terminal import has_colours, line_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from goodseed.storage.catalog import ProjectSummary, RunSummary

__all__ = ["projects_table", "runs_table"]

_STATE_COLOURS: Final = {"running": "cyan", "finished": "green", "failed": "red", "crashed": "yellow"}
_MAX_METRICS: Final = 8
_MAX_TITLE_CHARACTERS: Final = 18


def projects_table(projects: Sequence[ProjectSummary]) -> list[str]:
    """The lines of a table of ``projects``, as wide as stdout."""
    now = time.time()
    columns = [
        Column("project", [project.name for project in projects], least_width=12),
        Column("runs", [f"{project.run_count - project.trashed_count:,}" for project in projects], is_number=True),
        Column(
            "running",
            [f"{project.running_count:,}" if project.running_count else "" for project in projects],
            is_number=True,
            colours=["cyan"] * len(projects),
        ),
        Column("last activity", [f"{ago(now - project.modified_seconds)} ago" for project in projects]),
    ]
    return render(columns, width=line_width(sys.stdout), has_colours=has_colours(sys.stdout))


def runs_table(runs: Sequence[RunSummary]) -> list[str]:
    """The lines of a table of ``runs``, as wide as stdout, without those in the trash."""
    now = time.time()
    shown = [run for run in runs if not run.trashed]
    columns = [
        Column("run", [run.run_id for run in shown], least_width=10),
        Column("state", [_state(run) for run in shown], colours=[_STATE_COLOURS.get(run.state) for run in shown]),
        Column("name", [run.name or "" for run in shown], spare_width=20, least_width=8),
        Column("age", [ago(now - run.created_seconds) for run in shown], is_number=True),
        Column("duration", [duration(run.duration_seconds) for run in shown], is_number=True),
        *_metric_columns(shown),
    ]
    lines = render(columns, width=line_width(sys.stdout), has_colours=has_colours(sys.stdout))
    if len(shown) < len(runs):
        lines += ["", f"{len(runs) - len(shown):,} more in the trash"]
    return lines


def _state(run: RunSummary) -> str:
    """The state, and that a trial was pruned: what makes a run fail is longer than a column."""
    return f"{run.state} (pruned)" if run.end_reason == "pruned" else run.state


def _metric_columns(runs: Sequence[RunSummary]) -> list[Column]:
    """The metrics that most of the runs have; of those that equally many have, the ones logged first."""
    points = [{point.path: point for point in run.last_metrics} for run in runs]
    counts = Counter(path for by_path in points for path in by_path)
    return [
        Column(
            _title(path),
            [number(by_path[path].y) if path in by_path else "" for by_path in points],
            is_number=True,
            is_optional=True,
        )
        for path, _ in counts.most_common(_MAX_METRICS)
    ]


def _title(path: str) -> str:
    """The end of a metric's path tells more than its beginning."""
    shortened = line_width(sys.stdout) is not None and len(path) > _MAX_TITLE_CHARACTERS
    return f"…{path[1 - _MAX_TITLE_CHARACTERS :]}" if shortened else path
