"""The addresses of the dashboard's API, as docs/dashboard-api.md describes it."""

from __future__ import annotations

from typing import Final

from goodseed.server.dashboard import edits, openapi, overview, views
from goodseed.server.dashboard.charts import live, series
from goodseed.server.dashboard.run import logs, moment, panels, runs, source, texts
from goodseed.server.dashboard.table import table
from goodseed.server.routes import Route

__all__ = ["ROUTES"]

_PROJECT: Final = "/api/ui/p/{project:path}/-"
_RUN: Final = f"{_PROJECT}/run/{{run_id}}"

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/api/ui/projects", overview.list_projects, "All projects", openapi.PROJECTS),
    Route("GET", f"{_PROJECT}/attrs", overview.get_attributes, "What the runs have", openapi.ATTRS),
    Route("GET", f"{_PROJECT}/hardware", overview.get_hardware, "Its hardware's metrics", openapi.HARDWARE),
    Route("GET", f"{_PROJECT}/runs/query", table.get_runs, "The table of runs", openapi.RUNS_GET),
    Route("POST", f"{_PROJECT}/runs/query", table.query_runs, "The table of runs", openapi.RUNS_POST),
    Route("POST", f"{_PROJECT}/runs/bulk", edits.change_runs, "Change many runs", openapi.BULK, changes_state=True),
    Route("POST", f"{_PROJECT}/series", series.query_series, "Points of many series", openapi.SERIES),
    Route("POST", f"{_PROJECT}/diff", runs.diff_runs, "Configs that differ", openapi.DIFF),
    Route("GET", f"{_PROJECT}/changes", live.get_changes, "What has changed", openapi.CHANGES),
    Route("GET", f"{_PROJECT}/views", views.list_views, "The saved views", openapi.VIEWS),
    Route("GET", f"{_PROJECT}/views/{{name}}", views.get_view, "A saved view", openapi.VIEW_GET),
    Route("PUT", f"{_PROJECT}/views/{{name}}", views.put_view, "Save a view", openapi.VIEW_PUT, changes_state=True),
    Route("DELETE", f"{_PROJECT}/views/{{name}}", views.delete_view, "Remove a view", openapi.VIEW_DELETE,
          changes_state=True),
    Route("GET", _RUN, runs.get_run, "One run", openapi.RUN),
    Route("PATCH", _RUN, edits.change_run, "Change a run", openapi.PATCH, changes_state=True),
    Route("GET", f"{_RUN}/config", runs.get_config, "Its configs", openapi.CONFIG),
    Route("GET", f"{_RUN}/attrs", runs.get_series_list, "Its series", openapi.SERIES_LIST),
    Route("GET", f"{_RUN}/moment", moment.get_moment, "When a point was logged", openapi.MOMENT),
    Route("GET", f"{_RUN}/logs", logs.get_logs, "Its console", openapi.LOGS),
    Route("GET", f"{_RUN}/texts", texts.get_texts, "Its texts by step", openapi.TEXTS),
    Route("GET", f"{_RUN}/panels", panels.get_panels, "What plugins show of it", openapi.PANELS),
    Route("GET", f"{_RUN}/source", source.get_source, "Its source code", openapi.SOURCE),
    Route("GET", f"{_RUN}/source/diff", source.get_diff, "What was not committed", openapi.DIFF_TEXT),
    Route("GET", f"{_RUN}/source/requirements", source.get_requirements, "The packages", openapi.REQUIREMENTS),
)  # fmt: skip
