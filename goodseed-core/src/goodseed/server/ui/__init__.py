"""The dashboard's own API, as docs/dashboard-api.md describes it: handlers over a store, without HTTP."""

from __future__ import annotations

from typing import Final

from goodseed.server.routes import Route
from goodseed.server.ui import (
    edits,
    live,
    logs,
    moment,
    operations,
    overview,
    panels,
    runs,
    series,
    source,
    table,
    texts,
    views,
)
from goodseed.server.ui.state import close

__all__ = ["ROUTES", "close"]

_PROJECT: Final = "/api/ui/p/{project:path}/-"
_RUN: Final = f"{_PROJECT}/run/{{run_id}}"

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/api/ui/projects", overview.list_projects, "All projects", operations.PROJECTS),
    Route("GET", f"{_PROJECT}/attrs", overview.get_attributes, "What the runs have", operations.ATTRS),
    Route("GET", f"{_PROJECT}/hardware", overview.get_hardware, "Its hardware's metrics", operations.HARDWARE),
    Route("GET", f"{_PROJECT}/runs/query", table.get_runs, "The table of runs", operations.RUNS_GET),
    Route("POST", f"{_PROJECT}/runs/query", table.query_runs, "The table of runs", operations.RUNS_POST),
    Route("POST", f"{_PROJECT}/runs/bulk", edits.change_runs, "Change many runs", operations.BULK, changes_state=True),
    Route("POST", f"{_PROJECT}/series", series.query_series, "Points of many series", operations.SERIES),
    Route("POST", f"{_PROJECT}/diff", runs.diff_runs, "Configs that differ", operations.DIFF),
    Route("GET", f"{_PROJECT}/changes", live.get_changes, "What has changed", operations.CHANGES),
    Route("GET", f"{_PROJECT}/views", views.list_views, "The saved views", operations.VIEWS),
    Route("GET", f"{_PROJECT}/views/{{name}}", views.get_view, "A saved view", operations.VIEW_GET),
    Route("PUT", f"{_PROJECT}/views/{{name}}", views.put_view, "Save a view", operations.VIEW_PUT, changes_state=True),
    Route("DELETE", f"{_PROJECT}/views/{{name}}", views.delete_view, "Remove a view", operations.VIEW_DELETE,
          changes_state=True),
    Route("GET", _RUN, runs.get_run, "One run", operations.RUN),
    Route("PATCH", _RUN, edits.change_run, "Change a run", operations.PATCH, changes_state=True),
    Route("GET", f"{_RUN}/config", runs.get_config, "Its configs", operations.CONFIG),
    Route("GET", f"{_RUN}/attrs", runs.get_series_list, "Its series", operations.SERIES_LIST),
    Route("GET", f"{_RUN}/moment", moment.get_moment, "When a point was logged", operations.MOMENT),
    Route("GET", f"{_RUN}/logs", logs.get_logs, "Its console", operations.LOGS),
    Route("GET", f"{_RUN}/texts", texts.get_texts, "Its texts by step", operations.TEXTS),
    Route("GET", f"{_RUN}/panels", panels.get_panels, "What plugins show of it", operations.PANELS),
    Route("GET", f"{_RUN}/source", source.get_source, "Its source code", operations.SOURCE),
    Route("GET", f"{_RUN}/source/diff", source.get_diff, "What was not committed", operations.DIFF_TEXT),
    Route("GET", f"{_RUN}/source/requirements", source.get_requirements, "The packages", operations.REQUIREMENTS),
)  # fmt: skip
