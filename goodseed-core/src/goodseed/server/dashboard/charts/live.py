"""Answers ``…/changes``: what has changed since a page last asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import GoodseedError
from goodseed.server.dashboard.charts.cursors import Cursor, RunState
from goodseed.server.dashboard.fields import texts
from goodseed.server.dashboard.run.logs import log_cursor
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.dashboard.table.cells import Values
from goodseed.server.dashboard.table.table import as_sent
from goodseed.server.parameters import text
from goodseed.server.routes import Answer
from goodseed.storage.cache.token import rest_token
from goodseed.storage.history.attempts import IS_CURRENT
from goodseed.storage.kinds import NUMBERS

if TYPE_CHECKING:
    from goodseed.server.dashboard.project.entry import Entry
    from goodseed.server.dashboard.project.project_state import ProjectState
    from goodseed.server.dashboard.state import DashboardState
    from goodseed.server.routes import Request, Store

__all__ = ["get_changes"]

_MAX_WATCHED: Final = 200
_MAX_PATHS: Final = 500
_MAX_SERIES: Final = 1_000
_MAX_COLUMNS: Final = 100
_FIRST_SERIES: Final = f"SELECT path FROM {NUMBERS.series_table} WHERE {IS_CURRENT} ORDER BY path LIMIT {_MAX_SERIES}"
_LIVE: Final = ("sys/running_time", "sys/modification_time", "sys/progress", "sys/eta")


def get_changes(store: Store, request: Request) -> Answer:
    """The runs that changed since a rev, and up to where the series and logs of some of them go now."""
    watched = texts(request, "watch", _MAX_WATCHED)
    paths = texts(request, "paths", _MAX_PATHS)
    columns = texts(request, "columns", _MAX_COLUMNS)
    since = text(request, "since")
    dashboard = dashboard_of(store)
    project = dashboard.project(store, request.parameters["project"])
    with project.lock:
        rev = project.rev
        tag = f'"{rev}"'
        if tag in request.headers.get("if-none-match", ""):
            return Answer(None, status=304, headers={"ETag": tag})
        change = project.change_of(since) if since is not None else None
        changed = [] if change is None else [entry for entry in project.entries if entry.rev > change]
        rows = _rows(project, changed, columns, change or 0)
        entries = [entry for run_id in watched if (entry := project.entry(run_id)) is not None]
        moved = entries if change is None else [entry for entry in entries if entry.rev > change]
        content: dict[str, Any] = {
            "rev": rev,
            "reset": change is None,
            "running": sum(entry.run.state == "running" for entry in project.entries),
            "total": len(project.entries),
            "runs": rows,
            "removed": [] if change is None else project.removed_since(change),
        }
    content["series"], content["logs"] = _positions(dashboard, moved, paths)
    return Answer(json.dumps(content, allow_nan=False).encode(), headers={"ETag": tag})


def _rows(project: ProjectState, entries: list[Entry], columns: list[str], change: int) -> list[dict[str, Any]]:
    if not entries:
        return []
    values = Values(project)
    rows = []
    for column in columns:
        values.load(column)
    for entry in entries:
        row: dict[str, Any] = {"id": entry.run.run_id}
        names = columns or [*(name for name, rev in entry.field_revs.items() if rev > change), *_LIVE]
        if not columns and not entry.field_revs:  # a new one
            names = ["sys/name", "sys/state", "sys/tags", "sys/creation_time", "sys/ordinal", *_LIVE]
        for column in dict.fromkeys(names):
            values.load(column)
            row[column] = as_sent(column, values.getter(column)(entry))
        rows.append(row)
    return rows


def _positions(
    dashboard: DashboardState, entries: list[Entry], paths: list[str]
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    series: dict[str, dict[str, str]] = {}
    logs: dict[str, str] = {}
    for entry in entries:
        run_id = entry.run.run_id
        try:
            token = rest_token(entry.run.files)
            with dashboard.reading(entry.run) as reader:
                wanted = paths or [path for (path,) in reader.rows(_FIRST_SERIES)]
                numbers = {path: reader.metric_id(path) for path in wanted}
                with reader.transaction() as connection:
                    state = RunState.of(connection, entry.run.files, token, is_whole=not reader.has_unstored).text
                    series[run_id] = {
                        path: Cursor.at_end(connection, number, state).text
                        for path, number in numbers.items()
                        if number is not None
                    }
                logs[run_id] = log_cursor(reader)
        except (GoodseedError, OSError):  # gone or damaged since: the next list of runs says so
            series.pop(run_id, None)
    return series, logs
