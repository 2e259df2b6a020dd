"""Answers lists of projects and of their attributes."""

from __future__ import annotations

import math
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from goodseed.server.dashboard.fields import limit_of, texts
from goodseed.server.dashboard.project.column_values import finite_numbers, plain_value
from goodseed.server.dashboard.project.run_columns import shared_path
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.dashboard.times import iso_utc
from goodseed.server.parameters import text
from goodseed.server.routes import Answer, RequestError
from goodseed.storage.kinds import NUMBERS, kinds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from goodseed.server.dashboard.project.project_state import ProjectState
    from goodseed.server.routes import Request, Store
    from goodseed.storage.catalog import ProjectSummary

__all__ = ["LAST_CHARACTER", "get_attributes", "get_hardware", "list_projects", "words_in"]

_DAYS: Final = 30
_DAY_SECONDS: Final = 86_400
_MAX_LIMIT: Final = 1_000
LAST_CHARACTER: Final = "\U0010ffff"  # no path goes on with it
_MAX_HARDWARE_RUNS: Final = 500
_SAMPLE: Final = 5
_SAMPLE_CHARACTERS: Final = 200


def list_projects(store: Store, request: Request) -> Answer:
    """All projects, the one that changed last first."""
    activity = _activity(store)
    projects = sorted(store.projects(), key=lambda project: -project.modified_seconds)
    return Answer([_project(project, activity.get(project.name, Counter())) for project in projects])


def _activity(store: Store) -> dict[str, Counter[int]]:
    """How many runs of each project began how many days ago."""
    today = int(time.time() // _DAY_SECONDS)
    found: dict[str, Counter[int]] = {}
    for run in store.runs():
        days = today - int(max(-1e15, min(run.created_seconds, 1e15)) // _DAY_SECONDS)
        found.setdefault(run.project, Counter())[days] += 1
    return found


def _project(project: ProjectSummary, activity: Counter[int]) -> dict[str, Any]:
    workspace, _, name = project.name.rpartition("/")
    return {
        "name": project.name,
        "ws": workspace,
        "project": name,
        "runs": project.run_count,
        "running": project.running_count,
        "trashed": project.trashed_count,
        "updated": iso_utc(project.modified_seconds),
        "activity": [activity[days] for days in reversed(range(_DAYS))],
    }


def get_attributes(store: Store, request: Request) -> Answer:
    """A page of the attributes that the runs of a project have."""
    kind = text(request, "kind")
    known = ("config", *(series.page_type for series in kinds()))
    if kind is not None and kind not in known:
        raise RequestError(f"kind must be one of {', '.join(known)}")
    prefix, words = text(request, "prefix") or "", words_in(text(request, "q"))
    limit = limit_of(request, 200, _MAX_LIMIT)
    after = text(request, "cursor") or ""
    project = dashboard_of(store).project(store, request.parameters["project"])
    path, _, kind_of_path = after.rpartition(" ")
    with project.lock:
        rows = _attributes(store, project, kind)
        start = bisect_left(rows, (prefix,))
        stop = bisect_left(rows, (prefix + LAST_CHARACTER,))
        if words:
            rows = [row for row in rows[start:stop] if all(word in row[0].lower() for word in words)]
            start, stop = 0, len(rows)
        first = max(start, bisect_right(rows, (path, kind_of_path, math.inf))) if after else start
        page = rows[first : min(stop, first + limit)]
        items = [_item(project, path, kind, n_runs) for path, kind, n_runs in page]
    is_more = first + limit < stop
    return Answer(
        {
            "items": items,
            "total": stop - start,
            "next": f"{page[-1][0]} {page[-1][1]}" if is_more else None,
            "rev": project.rev,
        }
    )


def words_in(query: str | None) -> list[str]:
    """The words of a search, in lower case."""
    return (query or "").lower().split()


def _attributes(store: Store, project: ProjectState, kind: str | None) -> list[tuple[str, str, int]]:
    """Path, kind and how many runs have it, by path and kind; made once for each rev."""
    if kind in (None, "config"):
        project.columns.load_configs()
    known_rev, known = project.attributes.get(kind, ("", []))
    if known_rev == project.rev:
        return known
    rows: list[tuple[str, str, int]] = []
    if kind in (None, "config"):
        rows += [(path, "config", len(values)) for path, values in project.columns.configs.items()]
    if kind != "config":
        counts = _series_counts(store, project)
        for series in kinds():
            if kind in (None, series.page_type):
                rows += [(path, series.page_type, count) for path, count in counts.get(series.name, {}).items()]
    rows.sort()
    project.attributes[kind] = project.rev, rows
    return rows


def _series_counts(store: Store, project: ProjectState) -> dict[str, Counter[str]]:
    """In how many runs each series is, by the name of its kind; runs of one script share their lists: one count."""
    kept = project.series_counts
    if kept is not None and kept[0] == project.rev:
        return kept[1]
    shared: dict[tuple[str, int], tuple[tuple[str, ...], int]] = {}
    for entry in project.entries:
        for name, paths in store.series_paths(entry.run).by_kind.items():
            count = shared.get((name, id(paths)), (paths, 0))[1]
            shared[name, id(paths)] = (paths, count + 1)
    counts: dict[str, Counter[str]] = {}
    for (name, _), (paths, count) in shared.items():
        counter = counts.setdefault(name, Counter())
        # The hardware's metrics have one name for all processes.
        for path in {shared_path(path) for path in _names(paths)}:
            counter[path] += count
    project.series_counts = (project.rev, counts)
    return counts


def _names(paths: Iterable[Any]) -> list[str]:
    """Those of ``paths`` that are texts: a damaged file may hold anything."""
    return [path for path in paths if isinstance(path, str)]


def get_hardware(store: Store, request: Request) -> Answer:
    """The hardware's metrics of some runs: for each shared name those of the run's processes."""
    wanted = texts(request, "runs", _MAX_HARDWARE_RUNS)
    project = dashboard_of(store).project(store, request.parameters["project"])
    found: dict[str, dict[str, list[str]]] = {}
    for run_id in wanted:
        run = project.run(run_id)
        if run is None:
            continue
        names = found[run_id] = {}
        for path in _names(store.series_paths(run).metrics):
            if (name := shared_path(path)) != path:
                names.setdefault(name, []).append(path)
    return Answer({"runs": found})


def _item(project: ProjectState, path: str, kind: str, n_runs: int) -> dict[str, Any]:
    item: dict[str, Any] = {
        "path": path,
        "kind": kind,
        "type": next((series.form.__name__ for series in kinds() if series.page_type == kind), "float"),
        "n_runs": n_runs,
        "n_distinct": None,
        "min": None,
        "max": None,
        "sample": [],
    }
    if kind == "config":
        types = project.columns.types.get(path, {})
        found = list(project.columns.configs.get(path, {}).values())
        distinct = list(dict.fromkeys(found))
        item["type"] = next(iter(types)) if len(types) == 1 else "mixed"
        item["n_distinct"] = len(distinct)
        item["sample"] = [plain_value(_short(value)) for value in distinct[:_SAMPLE]]
    elif kind == NUMBERS.page_type:
        found = list(project.columns.load_lasts().get(path, {}).values())
    else:
        return item
    numbers = finite_numbers(found)
    if numbers:
        item["min"], item["max"] = min(numbers), max(numbers)
    return item


def _short(value: Any) -> Any:
    return value[:_SAMPLE_CHARACTERS] if isinstance(value, str) else value
