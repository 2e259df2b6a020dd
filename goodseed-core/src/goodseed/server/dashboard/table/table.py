"""Answers ``…/runs/query``: the table of runs, filtered, sorted, grouped and by page."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from goodseed.server.dashboard.fields import Fields, encodable, limit_of, texts
from goodseed.server.dashboard.project.column_values import finite_numbers, plain_value
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.dashboard.table.cells import Values
from goodseed.server.dashboard.table.filters import attributes, parse_filter
from goodseed.server.dashboard.table.matching import matcher
from goodseed.server.dashboard.table.patterns import PatternWorkers
from goodseed.server.dashboard.times import TIMES, iso_utc
from goodseed.server.parameters import MAX_INTEGER, integer, text
from goodseed.server.routes import Answer, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from goodseed.server.dashboard.project.entry import Entry
    from goodseed.server.dashboard.project.project_state import ProjectState
    from goodseed.server.dashboard.table.filters import Condition
    from goodseed.server.routes import Request, Store

__all__ = ["as_sent", "get_runs", "mean_and_deviation", "query_runs"]

_MAX_COLUMNS: Final = 100
_MAX_SORT: Final = 8
_MAX_GROUP: Final = 4
_MAX_LIMIT: Final = 1_000
_MAX_IDS: Final = 20_000
_DEFAULT_LIMIT: Final = 100
_TRASHED: Final = ("no", "only", "all")
_FIELDS: Final = ("filter", "columns", "sort", "group_by", "offset", "limit", "ids", "trashed")


_LEFT_OUT: Final = ("failed", "crashed")
_KEPT: Final = 2
_KEPT_SECONDS: Final = 5.0  # durations grow, and "in the last 7 days" moves on, without any change of a run


@dataclass(frozen=True, slots=True)
class Query:
    """A request for the table, checked; ``sort`` holds columns and whether the highest comes first."""

    filter: str
    columns: list[str]
    sort: list[tuple[str, bool]]
    group_by: list[str]
    offset: int
    limit: int
    ids: list[str] | None
    trashed: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """The whole table that a page is a part of."""

    rev: str
    until: float
    values: Values
    entries: list[Entry]
    groups: list[dict[str, Any]] | None
    stats: dict[str, dict[str, Any]]


def query_runs(store: Store, request: Request) -> Answer:
    """The table, as the body asks for it."""
    fields = Fields(request.body, *_FIELDS)
    query = Query(
        fields.text("filter"),
        fields.texts("columns", _MAX_COLUMNS) or [],
        [_sort_entry(entry) for entry in fields.array("sort", _MAX_SORT) or []],
        fields.texts("group_by", _MAX_GROUP) or [],
        fields.integer("offset", 0, 0, MAX_INTEGER),
        fields.integer("limit", _DEFAULT_LIMIT, 0, _MAX_LIMIT),
        fields.texts("ids", _MAX_IDS),
        fields.text("trashed", "no"),
    )
    return _answer(store, request, query)


def get_runs(store: Store, request: Request) -> Answer:
    """The table, as the query string asks for it."""
    sort = [(name.removeprefix("-"), name.startswith("-")) for name in texts(request, "sort", _MAX_SORT)]
    query = Query(
        text(request, "filter") or "",
        texts(request, "columns", _MAX_COLUMNS),
        sort,
        texts(request, "group_by", _MAX_GROUP),
        integer(request, "offset") or 0,
        limit_of(request, _DEFAULT_LIMIT, _MAX_LIMIT),
        texts(request, "ids", _MAX_IDS) or None,
        text(request, "trashed") or "no",
    )
    return _answer(store, request, query)


def _sort_entry(entry: Any) -> tuple[str, bool]:
    is_pair = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and entry[1] in ("asc", "desc")
    if not is_pair:
        raise RequestError('sort must hold pairs such as ["val/acc:max", "desc"]')
    return encodable("sort", entry[0]), entry[1] == "desc"


def _answer(store: Store, request: Request, query: Query) -> Answer:
    if query.trashed not in _TRASHED:
        raise RequestError(f"trashed must be one of {', '.join(_TRASHED)}")
    condition = parse_filter(query.filter)
    project = dashboard_of(store).project(store, request.parameters["project"])
    with project.lock:
        table = _kept(project, store.shared.get(PatternWorkers), query, condition)
        values = table.values
        page = table.entries[query.offset : query.offset + query.limit]
        getters = {column: values.getter(column) for column in query.columns}
        content = {
            "rev": table.rev,
            "total": len(table.entries),
            "ids": [entry.run.run_id for entry in page],
            "columns": {name: [as_sent(name, get(entry)) for entry in page] for name, get in getters.items()},
            "types": {name: values.type_of(name) for name in query.columns},
            "stats": table.stats,
            "groups": table.groups,
            "unknown": list(dict.fromkeys(values.unknown)),
        }
    return Answer(content)


def _kept(project: ProjectState, patterns: PatternWorkers, query: Query, condition: Condition | None) -> Ordered:
    """The table, as it was made for another page of it a moment ago, or made again."""
    key = repr(replace(query, offset=0, limit=0))
    tables: dict[str, Ordered] = project.tables
    table = tables.pop(key, None)
    if table is None or table.rev != project.rev or table.until < time.monotonic():
        table = _ordered(project, patterns, query, condition)
    tables[key] = table
    while len(tables) > _KEPT:
        del tables[next(iter(tables))]
    return table


def _ordered(project: ProjectState, patterns: PatternWorkers, query: Query, condition: Condition | None) -> Ordered:
    values = Values(project)
    passes = matcher(condition, values, patterns)
    named = {values.resolve(one.name, is_path=one.is_path) for one in attributes(condition)}
    entries = [entry for entry in _candidates(project, query, names_archive="sys/archived" in named) if passes(entry)]
    for column in (*query.columns, *(column for column, _ in query.sort), *query.group_by):
        values.load(column)
    for column, is_descending in reversed(query.sort):
        entries = _sorted(entries, values.getter(column), is_descending=is_descending)
    groups = None
    if query.group_by:
        entries, groups = _grouped(entries, query, values)
    stats = {column: _stats(column, map(values.getter(column), entries)) for column in query.columns}
    return Ordered(project.rev, time.monotonic() + _KEPT_SECONDS, values, entries, groups, stats)


def _candidates(project: ProjectState, query: Query, *, names_archive: bool) -> list[Entry]:
    """The runs to filter: archived ones only where the filter, or the request, names them."""
    if query.ids is None:
        entries = project.entries
    else:
        entries = [entry for run_id in dict.fromkeys(query.ids) if (entry := project.entry(run_id)) is not None]
    if query.trashed == "all":
        return entries
    is_wanted = query.trashed == "only"
    entries = [entry for entry in entries if bool(entry.run.trashed) is is_wanted]
    if is_wanted or query.ids is not None or names_archive:
        return entries
    return [entry for entry in entries if not project.settings(entry.run.run_id).get("archived")]


def _sorted(entries: list[Entry], get: Callable[[Entry], Any], *, is_descending: bool) -> list[Entry]:
    """Numbers, then texts, then what is missing; only the order within numbers and texts turns round."""
    numbers: list[tuple[Any, Entry]] = []
    words: list[tuple[Any, Entry]] = []
    nans: list[Entry] = []
    missing: list[Entry] = []
    for entry in entries:
        value = get(entry)
        if value is None:
            missing.append(entry)
        elif isinstance(value, (bool, int, float)):
            if isinstance(value, float) and math.isnan(value):
                nans.append(entry)
            else:
                numbers.append((value, entry))
        else:
            words.append((", ".join(value) if isinstance(value, tuple) else value, entry))
    for part in (numbers, words):
        part.sort(key=_first, reverse=is_descending)
    return [*(entry for _, entry in (*numbers,)), *nans, *(entry for _, entry in words), *missing]


def _first(pair: tuple[Any, Entry]) -> Any:
    return pair[0]


def _grouped(entries: list[Entry], query: Query, values: Values) -> tuple[list[Entry], list[dict[str, Any]]]:
    getters = [values.getter(column) for column in query.group_by]
    members: dict[tuple[Any, ...], list[Entry]] = {}
    keys: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for entry in entries:
        key = tuple(get(entry) for get in getters)
        # True and 1 are one key to Python; NaN is never equal to itself.
        name = tuple((type(part).__name__, repr(part)) for part in key)
        keys.setdefault(name, key)
        members.setdefault(name, []).append(entry)
    ordered: list[Entry] = []
    groups = []
    columns = {name: values.getter(name) for name in query.columns if name not in TIMES}
    for name, group in members.items():
        # A run that failed half-way would pull the mean of its group.
        counted = [entry for entry in group if entry.run.state not in _LEFT_OUT]
        found = {column: _aggregate([get(entry) for entry in counted]) for column, get in columns.items()}
        groups.append(
            {
                "key": [plain_value(part) for part in keys[name]],
                "n": len(group),
                "counted": len(counted),
                "offset": len(ordered),
                "agg": {column: aggregate for column, aggregate in found.items() if aggregate is not None},
            }
        )
        ordered.extend(group)
    return ordered, groups


def _aggregate(found: Sequence[Any]) -> dict[str, Any] | None:
    numbers = finite_numbers(found)
    if not numbers:
        return None
    mean, std = mean_and_deviation([float(number) for number in numbers])
    return {
        "n": len(numbers),
        "mean": plain_value(mean),
        "std": None if std is None else plain_value(std),
        "min": min(numbers),
        "max": max(numbers),
    }


def mean_and_deviation(numbers: Sequence[float]) -> tuple[float, float | None]:
    """The mean and the sample's standard deviation, of doubles of any size; no deviation of a single one."""
    exponent = max(math.frexp(number)[1] for number in numbers)
    parts = [math.ldexp(number, -exponent) for number in numbers]  # exact, and no sum or square of these overflows
    mean = math.fsum(parts) / len(parts)
    if len(parts) == 1:
        return numbers[0], None
    deviation = math.sqrt(math.fsum((part - mean) ** 2 for part in parts) / (len(parts) - 1))
    try:
        return math.ldexp(mean, exponent), math.ldexp(deviation, exponent)
    except OverflowError:  # 1.4 times the largest double
        return math.ldexp(mean, exponent), math.inf


def as_sent(column: str, value: Any) -> Any:
    """The value of a column as JSON has it."""
    return iso_utc(value) if column in TIMES else plain_value(value)


def _stats(column: str, found: Any) -> dict[str, Any]:
    present = [value for value in found if value is not None]
    numbers = finite_numbers(present)
    return {
        "count": len(present),
        "min": as_sent(column, min(numbers)) if numbers else None,
        "max": as_sent(column, max(numbers)) if numbers else None,
        "distinct": len({(type(value), repr(value) if value != value else value) for value in present}),
    }
