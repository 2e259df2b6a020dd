"""Lists the addresses of the dashboard's API, as docs/dashboard-api.md describes it."""

from __future__ import annotations

from typing import Final

from goodseed.server.dashboard import edits, overview, views
from goodseed.server.dashboard import project_operations as of_project
from goodseed.server.dashboard import run_operations as of_run
from goodseed.server.dashboard.charts import live, series
from goodseed.server.dashboard.run import attempts, logs, moment, panels, runs, source, texts
from goodseed.server.dashboard.table import table
from goodseed.server.routes import Route

__all__ = ["ROUTES"]

_PROJECT: Final = "/api/ui/p/{project:path}/-"
_RUN: Final = f"{_PROJECT}/run/{{run_id}}"

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/api/ui/projects", overview.list_projects, "All projects", of_project.PROJECTS),
    Route("GET", f"{_PROJECT}/attrs", overview.get_attributes, "What the runs have", of_project.ATTRS),
    Route("GET", f"{_PROJECT}/hardware", overview.get_hardware, "Its hardware's metrics", of_project.HARDWARE),
    Route("GET", f"{_PROJECT}/runs/query", table.get_runs, "The table of runs", of_project.RUNS_GET),
    Route("POST", f"{_PROJECT}/runs/query", table.query_runs, "The table of runs", of_project.RUNS_POST),
    Route("POST", f"{_PROJECT}/runs/bulk", edits.change_runs, "Change many runs", of_project.BULK, changes_state=True),
    Route("POST", f"{_PROJECT}/series", series.query_series, "Points of many series", of_project.SERIES),
    Route("POST", f"{_PROJECT}/diff", runs.diff_runs, "Configs that differ", of_project.DIFF),
    Route("GET", f"{_PROJECT}/changes", live.get_changes, "What has changed", of_project.CHANGES),
    Route("GET", f"{_PROJECT}/views", views.list_views, "The saved views", of_project.VIEWS),
    Route("GET", f"{_PROJECT}/views/{{name}}", views.get_view, "A saved view", of_project.VIEW_GET),
    Route("PUT", f"{_PROJECT}/views/{{name}}", views.put_view, "Save a view", of_project.VIEW_PUT, changes_state=True),
    Route("DELETE", f"{_PROJECT}/views/{{name}}", views.delete_view, "Remove a view", of_project.VIEW_DELETE,
          changes_state=True),
    Route("GET", _RUN, runs.get_run, "One run", of_run.RUN),
    Route("PATCH", _RUN, edits.change_run, "Change a run", of_run.PATCH, changes_state=True),
    Route("GET", f"{_RUN}/config", runs.get_config, "Its configs", of_run.CONFIG),
    Route("GET", f"{_RUN}/attrs", runs.get_series_list, "Its series", of_run.SERIES_LIST),
    Route("GET", f"{_RUN}/attempts", attempts.get_attempts, "Its attempts", of_run.ATTEMPTS),
    Route("GET", f"{_RUN}/moment", moment.get_moment, "When a point was logged", of_run.MOMENT),
    Route("GET", f"{_RUN}/logs", logs.get_logs, "Its console", of_run.LOGS),
    Route("GET", f"{_RUN}/texts", texts.get_texts, "Its texts by step", of_run.TEXTS),
    Route("GET", f"{_RUN}/panels", panels.get_panels, "What plugins show of it", of_run.PANELS),
    Route("GET", f"{_RUN}/source", source.get_source, "Its source code", of_run.SOURCE),
    Route("GET", f"{_RUN}/source/diff", source.get_diff, "What was not committed", of_run.DIFF_TEXT),
    Route("GET", f"{_RUN}/source/requirements", source.get_requirements, "The packages", of_run.REQUIREMENTS),
)  # fmt: skip
