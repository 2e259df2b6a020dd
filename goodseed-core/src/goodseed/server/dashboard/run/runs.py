"""Answers one run's facts, configs and series, and how several runs differ."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from goodseed.paths import run_files
from goodseed.server.dashboard.fields import Fields, boolean, limit_of
from goodseed.server.dashboard.overview import LAST_CHARACTER, words_in
from goodseed.server.dashboard.project.column_values import decoded, plain_value
from goodseed.server.dashboard.project.entry import basic_values
from goodseed.server.dashboard.run.source import git_facts
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.dashboard.table.progress import first_max_steps, progress_of
from goodseed.server.dashboard.times import iso_utc
from goodseed.server.parameters import text
from goodseed.server.routes import Answer, RequestError
from goodseed.storage.history.attempts import ATTEMPTS, IS_CURRENT
from goodseed.storage.kinds import NUMBERS, TEXTS, kinds

if TYPE_CHECKING:
    from goodseed.server.dashboard.project.entry import Entry
    from goodseed.server.dashboard.project.project_state import ProjectState
    from goodseed.server.open_runs import OpenRun
    from goodseed.server.routes import Request, Store
    from goodseed.storage.catalog import RunSummary
    from goodseed.storage.kinds import Kind

__all__ = ["describe", "diff_runs", "get_config", "get_run", "get_series_list"]

_MAX_LIMIT: Final = 5_000
_MAX_DIFF_RUNS: Final = 50
_MAX_DIFF_PATHS: Final = 20_000
_SHOWN_CHARACTERS: Final = 10_000
_COMPARED_CHARACTERS: Final = 2_000
_MAX_FACTS: Final = 2_000
_LONG_FACTS: Final = ("packages",)
_FACTS: Final = f"""
    SELECT path, type_tag, substr(value, 1, 2000) FROM configs WHERE path >= 'monitoring/' AND path < 'monitoring0'
    ORDER BY path LIMIT {_MAX_FACTS}"""
_CONFIGS: Final = """
    SELECT path, type_tag, substr(value, 1, ?), updated_at, length(value) FROM configs
    WHERE substr(path, 1, length(?)) = ? ORDER BY path"""
_DIFFED: Final = f"""
    SELECT path, type_tag, substr(value, 1, {_COMPARED_CHARACTERS}), value FROM configs
    WHERE substr(path, 1, length(?)) = ? AND (path < 'sys/' OR path >= 'sys0') ORDER BY path"""
_DESCRIPTION: Final = """
    SELECT path, type_tag, substr(value, 1, 100000) FROM configs WHERE path IN ('sys/description', 'sys/parent')"""
_CONSOLE_COUNT: Final = f"""
    SELECT count(*) FROM {TEXTS.series_table}
    WHERE (path GLOB 'monitoring/*/stdout' OR path GLOB 'monitoring/*/stderr')"""
_HISTORY_COUNTS: Final = f"""
    SELECT (SELECT count(*) FROM configs WHERE path GLOB '{ATTEMPTS}*/opened_at'),
           (SELECT count(*) FROM {NUMBERS.series_table} WHERE NOT {IS_CURRENT})"""
_END: Final = """
    SELECT substr(value, 1, 2000) FROM configs
    WHERE path = 'sys/end_reason' AND updated_at >= (SELECT value FROM configs WHERE path = 'sys/closed_time')"""
_TRACEBACK: Final = f"""
    SELECT substr({TEXTS.column}, -20000), ts FROM {TEXTS.point_table} JOIN {TEXTS.series_table} ON id = series_id
    WHERE path GLOB 'monitoring/*/traceback' ORDER BY ts DESC LIMIT 1"""
_STEP_COUNTS: Final = """
    SELECT path, type_tag, value FROM configs WHERE path LIKE '%\\_steps' ESCAPE '\\' AND length(value) < 40
    ORDER BY length(path), path LIMIT 50"""


def get_run(store: Store, request: Request) -> Answer:
    """One run."""
    return Answer(describe(store, *dashboard_of(store).find(store, request)))


def describe(store: Store, project: ProjectState, entry: Entry) -> dict[str, Any]:
    """Everything about a run except its data."""
    run, dashboard = entry.run, dashboard_of(store)
    with dashboard.reading(run) as reader:
        configs = {path: decoded(tag, value) for path, tag, value in reader.rows(_DESCRIPTION)}
        git = git_facts(reader)
        processes = _processes(reader)
        step_counts = {path: {0: decoded(tag, value)} for path, tag, value in reader.rows(_STEP_COUNTS)}
        max_steps = first_max_steps(step_counts).get(0)
        console_count = reader.rows(_CONSOLE_COUNT)[0][0]
        attempt_count, kept_count = reader.rows(_HISTORY_COUNTS)[0]
        reason = _reason(reader) if run.closed_at is not None else None
        failure = _failure(reader, reason) if run.state == "failed" else None
    step = max((point.step for point in run.last_metrics), default=None)
    settings = project.settings(run.run_id)
    values = basic_values(run)
    counts = {"config": run.config_count, **{kind.page_type: run.series_counts.get(kind.name, 0) for kind in kinds()}}
    counts[TEXTS.page_type] -= console_count
    counts |= {"attempts": max(1, attempt_count), "kept": kept_count}
    return {
        "id": run.run_id,
        "project": run.project,
        "name": run.name,
        "description": plain_value(configs.get("sys/description")),
        "state": run.state,
        "tags": list(run.tags),
        "color": settings.get("color"),
        "archived": bool(settings.get("archived")),
        "trashed": bool(run.trashed),
        "ordinal": entry.ordinal,
        "created": iso_utc(run.created_seconds),
        "modified": iso_utc(run.modified_seconds),
        "closed": iso_utc(values["sys/closed_time"]),
        "duration": run.duration_seconds,
        "counts": counts,
        "git": git,
        "env": {name: value for name, value in processes[0].items() if name != "namespace"} if processes else {},
        "processes": processes,
        "parent": plain_value(configs.get("sys/parent")),
        "progress": None if max_steps is None else progress_of(run, step, max_steps).as_json(),
        "end_reason": reason,
        "failure": failure,
        "reading": _reading(store, run),
        "rev": project.rev,
    }


def _reason(reader: OpenRun) -> str | None:
    """Why the run ended, if that is stored."""
    reasons = reader.rows(_END)
    return str(reasons[0][0]) if reasons else None


def _failure(reader: OpenRun, reason: str | None) -> dict[str, Any] | None:
    """What ended the run; None if it was closed as failed without a reason."""
    if reason is None:  # a traceback without one is of a thread, or of an earlier session of the run
        return None
    tracebacks = reader.rows(_TRACEBACK)
    return {"reason": reason, "traceback": str(tracebacks[0][0]) if tracebacks else None}


def _reading(store: Store, run: RunSummary) -> dict[str, str]:
    """What `goodseed.Run` needs besides project and id to read the run."""
    if not store.is_local:
        return {"storage": "cloud"}
    directory = run.files.database.parent
    is_usual = run_files(run.project, run.run_id).database == run.files.database
    return {"storage": "local"} if is_usual else {"storage": "local", "log_dir": str(directory)}


def _processes(reader: OpenRun) -> list[dict[str, Any]]:
    """The facts of each process, in the order of their namespaces."""
    found: dict[str, dict[str, Any]] = {}
    for path, tag, value in reader.rows(_FACTS):
        namespace, _, name = path.removeprefix("monitoring/").partition("/")
        if name and name not in _LONG_FACTS:
            facts = found.setdefault(namespace, {"namespace": f"monitoring/{namespace}"})
            facts[name] = plain_value(decoded(tag, value))
    return list(found.values())


def get_config(store: Store, request: Request) -> Answer:
    """A page of a run's configs."""
    prefix, words = text(request, "prefix") or "", words_in(text(request, "q"))
    limit = limit_of(request, 500, _MAX_LIMIT)
    after = text(request, "cursor") or ""
    is_full = boolean(request, "full")
    dashboard = dashboard_of(store)
    entry = dashboard.entry(store, request)
    shown = -1 if is_full else _SHOWN_CHARACTERS
    with dashboard.reading(entry.run) as reader:
        rows = reader.rows(_CONFIGS.replace("substr(value, 1, ?)", "value") if is_full else _CONFIGS,
                           *(() if is_full else (shown,)), prefix, prefix)  # fmt: skip
    found = [row for row in rows if all(word in row[0].lower() or word in str(row[2]).lower() for word in words)]
    following = [row for row in found if row[0] > after]
    page = following[:limit]
    items = []
    for path, tag, stored, updated, length in page:
        is_cut = not is_full and length is not None and length > shown
        value = stored if is_cut else decoded(tag, entry.run.state if path == "sys/state" else stored)
        items.append({"path": path, "type": tag, "value": plain_value(value), "updated": updated})
        if is_cut:
            items[-1]["cut"] = True
    return Answer({"items": items, "total": len(found), "next": page[-1][0] if len(following) > limit else None})


def get_series_list(store: Store, request: Request) -> Answer:
    """A page of a run's series, with their last points."""
    asked = text(request, "kind")
    wanted = [kind for kind in kinds() if asked in (None, kind.page_type)]
    if not wanted:
        raise RequestError(f"kind must be one of {', '.join(kind.page_type for kind in kinds())}")
    prefix, words = text(request, "prefix") or "", words_in(text(request, "q"))
    limit = limit_of(request, 200, 1_000)
    after = text(request, "cursor") or ""
    dashboard = dashboard_of(store)
    entry = dashboard.entry(store, request)
    with dashboard.reading(entry.run) as reader:
        known = reader.kinds()
        total = 0
        rows: list[tuple[str, str, int, Kind]] = []
        for kind in wanted:
            if kind in known:
                count, some = _series_page(reader, kind, prefix, words, after, limit + 1)
                total += count
                rows += [(path, kind.page_type, number, kind) for path, number in some]
        rows.sort(key=itemgetter(0, 1))
        page = rows[:limit]
        items = [_series_item(reader, path, number, kind) for path, _, number, kind in page]
    return Answer(
        {"items": items, "total": total, "next": f"{page[-1][0]} {page[-1][1]}" if len(rows) > limit else None}
    )


def _series_page(
    reader: OpenRun, kind: Kind, prefix: str, words: list[str], after: str, limit: int
) -> tuple[int, list[tuple[str, int]]]:
    """How many series of a kind there are, and path and number of the next ones behind a cursor, by path."""
    path, _, page_type = after.rpartition(" ")
    is_behind = ">" if kind.page_type <= page_type else ">="
    bounds = (prefix, prefix + LAST_CHARACTER)
    within = f"FROM {kind.series_table} WHERE path >= ? AND path < ?"
    if not prefix.startswith(ATTEMPTS):
        within += f" AND {IS_CURRENT}"
    if not words:
        (count,) = reader.rows(f"SELECT count(*) {within}", *bounds)[0]
        query = f"SELECT path, id {within} AND path {is_behind} ? ORDER BY path LIMIT ?"
        return count, reader.rows(query, *bounds, path, limit)
    found = [
        (one, number)
        for one, number in reader.rows(f"SELECT path, id {within} ORDER BY path", *bounds)
        if all(word in one.lower() for word in words)
    ]
    following = [row for row in found if row[0] > path or (row[0] == path and is_behind == ">=")]
    return len(found), following[:limit]


def _series_item(reader: OpenRun, path: str, number: int, kind: Kind) -> dict[str, Any]:
    step, last, time = reader.last_point(kind, number) or (None, None, None)
    return {"path": path, "kind": kind.page_type, "step": step, "last": last, "time": iso_utc(time)}


def diff_runs(store: Store, request: Request) -> Answer:
    """The configs in which runs differ."""
    fields = Fields(request.body, "runs", "base", "prefix", "q")
    asked = fields.texts("runs", _MAX_DIFF_RUNS) or []
    if len(asked) < 2 or len(set(asked)) < len(asked):
        raise RequestError(f"runs must be 2 to {_MAX_DIFF_RUNS} different runs")
    base = fields.text("base") or asked[0]
    prefix, words = fields.text("prefix"), words_in(fields.text("q"))
    run_ids = list(dict.fromkeys([base, *asked]))
    dashboard = dashboard_of(store)
    project = dashboard.project(store, request.parameters["project"])
    found: list[dict[str, tuple[str, str | None, int]]] = []
    for run_id in run_ids:
        with dashboard.reading(project.the_entry(run_id).run) as reader:
            rows = reader.rows(_DIFFED, prefix, prefix)
        # A hash of the whole text represents a text that is too long to show.
        found.append({path: (tag, shown, hash(whole)) for path, tag, shown, whole in rows if _has(path, words)})
    paths = sorted(set().union(*found))
    differing = [path for path in paths if len({_compared(configs.get(path)) for configs in found}) > 1]
    shown_paths = differing[:_MAX_DIFF_PATHS]
    types: dict[str, str] = {}
    for path in shown_paths:
        tags = {configs[path][0] for configs in found if path in configs}
        types[path] = tags.pop() if len(tags) == 1 else "mixed"
    return Answer(
        {
            "paths": shown_paths,
            "types": types,
            "values": {
                run_id: [plain_value(decoded(*configs[path][:2])) if path in configs else None for path in shown_paths]
                for run_id, configs in zip(run_ids, found, strict=True)
            },
            "missing": {
                run_id: [index for index, path in enumerate(shown_paths) if path not in configs]
                for run_id, configs in zip(run_ids, found, strict=True)
            },
            "same": len(paths) - len(differing),
            "base": base,
            "truncated": len(differing) > len(shown_paths),
        }
    )


def _has(path: str, words: list[str]) -> bool:
    return not path.startswith("monitoring/") and all(word in path.lower() for word in words)


def _compared(entry: tuple[str, str | None, int] | None) -> tuple[Any, ...] | None:
    """What makes two values the same: 1 and 1.0 are."""
    if entry is None:
        return None
    tag, shown, whole = entry
    if tag in ("int", "float"):
        value = decoded(tag, shown)
        if isinstance(value, (int, float)):
            return ("number", "nan" if value != value else value)
    return (tag, shown, whole)
