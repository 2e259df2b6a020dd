"""Answers ``POST …/series``: points of many series of many runs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from goodseed.errors import FileFormatError, RunNotFoundError
from goodseed.server.dashboard.charts.cursors import Cursor, JoinedCursor, RunState
from goodseed.server.dashboard.charts.format import BINARY, Series, as_frame, as_json, kept, restored
from goodseed.server.dashboard.charts.memory import memory_of
from goodseed.server.dashboard.fields import Fields
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.routes import Answer, RequestError
from goodseed.storage.cache.kept import KeptRow
from goodseed.storage.cache.token import rest_token
from goodseed.storage.rollup.joined import read_joined
from goodseed.storage.rollup.nodes import EVERYTHING, Bounds
from goodseed.storage.rollup.window import Window, read_window

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from goodseed.server.dashboard.project.open_run import OpenRun
    from goodseed.server.dashboard.project.project_state import ProjectState
    from goodseed.server.dashboard.state import DashboardState
    from goodseed.server.routes import Request, Store
    from goodseed.storage.catalog import RunSummary

__all__ = ["query_series"]

_MAX_SERIES: Final = 2_000
_MAX_ASKED: Final = 100_000
_MAX_POINTS: Final = 5_000
_FRAME_VALUES: Final = 40_000  # a frame is sent when it holds about as many
_JSON_CHARACTERS: Final = 1 << 17
_AXES: Final = ("step", "time", "wall")
_METRIC: Final = "metric:"  # before the path of a metric that is called as one of these
_BEFORE: Final = """
    SELECT step, ts FROM metric_points WHERE series_id = ? AND step < ? AND ts < ? ORDER BY step DESC LIMIT 1"""
_BEHIND: Final = "SELECT step FROM metric_points WHERE series_id = ? AND step > ? ORDER BY step LIMIT 1"
_FIRST: Final = "SELECT ts FROM metric_points WHERE series_id = ? AND step >= ? ORDER BY step LIMIT 1"
_FIELDS: Final = ("runs", "paths", "items", "x", "range", "edges", "points", "agg", "since", "offset")


class Item(NamedTuple):
    """One series that is asked for."""

    run: str
    path: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for series, checked.

    Attributes:
        items: Those of this answer.
        next: At which of all that are asked for the next answer is to begin; None at the end.
        x: ``step``, ``time``, ``wall``, or the path of a metric with or without ``metric:`` before it.
        range: The lowest and highest x; None for all.
        has_edges: With a range of steps, the points next to it, too: lines reach the edges of a chart.
        points: How many points or buckets at most.
        is_full: All columns.
        since: The cursors, by run and path.
    """

    items: list[Item]
    next: int | None
    x: str
    range: tuple[float, float] | None
    has_edges: bool
    points: int
    is_full: bool
    since: dict[str, Any]

    @property
    def is_keepable(self) -> bool:
        """Others will ask the same: whole series, as the page draws them first."""
        return self.range is None and not self.is_full and not self.since

    @property
    def asked(self) -> str:
        """What else than the series makes the answer."""
        return f"{self.points} {self.x}"


def query_series(store: Store, request: Request) -> Answer:
    """The points of many series, as JSON or, if that is what is accepted, in frames."""
    wanted = _wanted(request)
    dashboard = dashboard_of(store)
    project = dashboard.project(store, request.parameters["project"])
    if BINARY in request.headers.get("accept", ""):
        if wanted.is_keepable:
            return Answer(_kept_frames(dashboard, project, wanted), content_type=BINARY)
        return Answer(_frames(_read_all(dashboard, project, wanted), project.rev, wanted), content_type=BINARY)
    return Answer(_json(_read_all(dashboard, project, wanted), project.rev, wanted))


def _wanted(request: Request) -> Wanted:
    fields = Fields(request.body, *_FIELDS)
    items = _items(fields)
    offset = fields.integer("offset", 0, 0, _MAX_ASKED)
    agg = fields.text("agg", "minmax")
    if agg not in ("minmax", "all"):
        raise RequestError('agg must be "minmax" or "all"')
    since = fields.object("since")
    if any(not isinstance(cursor, str) for cursor in since.values()):
        raise RequestError("since must hold cursors, which are strings")
    end = offset + _MAX_SERIES
    return Wanted(
        items[offset:end],
        end if end < len(items) else None,
        fields.text("x") or "step",
        fields.range("range"),
        bool(fields.boolean("edges")),
        fields.integer("points", 800, 1, _MAX_POINTS),
        agg == "all",
        since,
    )


def _items(fields: Fields) -> list[Item]:
    runs, paths = fields.texts("runs", _MAX_ASKED), fields.texts("paths", _MAX_ASKED)
    asked = fields.array("items", _MAX_ASKED)
    if asked is not None:
        if runs is not None or paths is not None:
            raise RequestError("Give either items, or runs and paths")
        items = []
        for entry in asked:
            member = Fields(entry, "run", "path")
            items.append(Item(member.text("run"), member.text("path")))
        return items
    if runs is None or paths is None:
        raise RequestError("Give runs and paths, or items")
    if len(runs) * len(paths) > _MAX_ASKED:
        raise RequestError(f"runs × paths may be {_MAX_ASKED:,} series", code="too_many")
    return [Item(run, path) for path in paths for run in runs]


# -- reading -----------------------------------------------------------------------------------------------------------


def _kept_frames(dashboard: DashboardState, project: ProjectState, wanted: Wanted) -> Iterator[bytes]:
    """Frames of whole series, from what earlier servers have read and sent; what is new is kept when all is sent."""
    fresh: list[KeptRow] = []
    read: list[tuple[Series, str, str]] = []

    def found() -> Iterator[Series]:
        for item in wanted.items:
            run = project.run(item.run)
            token = None if run is None else rest_token(run.files)
            if run is None or token is None:
                yield from _read_all(dashboard, project, replace(wanted, items=[item]))
                continue
            key = (token, item.path, wanted.x, (wanted.range, wanted.has_edges), wanted.points)
            sent_key = (*key, "sent")
            series = memory_of(dashboard).get(run.path, key) or memory_of(dashboard).get(run.path, sent_key)
            if series is None:
                stored = dashboard.charts.get(run.path, item.path, wanted.asked, token=token)
                if stored is not None:
                    series = restored(*item, stored)
                    memory_of(dashboard).put(run.path, sent_key, series)
            if series is None:
                (series,) = _read_all(dashboard, project, replace(wanted, items=[item]))
                if not series.problem:
                    read.append((series, run.path, token))
            yield series

    for frame in _frames(found(), project.rev, wanted):
        fresh += [KeptRow((path, series.path, wanted.asked), token, kept(series)) for series, path, token in read]
        read.clear()
        yield frame
    dashboard.charts.put(fresh)


def _read_all(dashboard: DashboardState, project: ProjectState, wanted: Wanted) -> Iterator[Series]:
    for item in wanted.items:
        run = project.run(item.run)
        if run is None:
            yield Series(*item, Window(), problem="no_run")
            continue
        try:
            yield _read(dashboard, project, run, item, wanted)
        except RunNotFoundError:
            yield Series(*item, Window(), problem="no_run")
        except FileFormatError:
            yield Series(*item, Window(), problem="damaged")


def _read(dashboard: DashboardState, project: ProjectState, run: RunSummary, item: Item, wanted: Wanted) -> Series:
    token = rest_token(run.files)
    key = (token, item.path, wanted.x, (wanted.range, wanted.has_edges), wanted.points)
    if token is not None and not wanted.since:
        kept = memory_of(dashboard).get(run.path, key)
        if kept is not None:
            return kept
    with dashboard.reading(run) as reader:
        series = _read_open(dashboard, reader, run, item, wanted, token)
    if token is not None and not wanted.since and rest_token(run.files) == token:
        memory_of(dashboard).put(run.path, key, series)
    return series


def _read_open(
    dashboard: DashboardState, reader: OpenRun, run: RunSummary, item: Item, wanted: Wanted, token: str | None
) -> Series:
    number = reader.metric_id(item.path)
    if number is None:
        return Series(*item, Window(), problem="no_series")
    if wanted.x not in _AXES:
        other = reader.metric_id(wanted.x.removeprefix(_METRIC))
        if other is None:
            return Series(*item, Window(), problem="no_series")
        return _read_over(reader, run, item, wanted, (number, other), token)
    by_time = wanted.x != "step"
    origin = run.created_seconds if wanted.x == "time" else 0.0
    bounds = EVERYTHING
    if wanted.range is not None:
        low, high = wanted.range[0] + origin, wanted.range[1] + origin
        bounds = Bounds(-math.inf, math.inf, low, high) if by_time else Bounds(low, high)
    with reader.transaction() as connection:
        state, changes = RunState.of(connection, run.files, token, is_whole=not reader.has_unstored)
        if wanted.has_edges and not by_time:
            bounds = _with_edges(connection, number, bounds)
        cursor = Cursor.at_end(connection, number, state)
        if (known := Cursor.parse(wanted.since.get(f"{item.run}/{item.path}"))) is not None:
            start = known.resume(cursor, changes, number)
            rest = None if start is None else _rest(connection, number, start, bounds, wanted.points, by_time=by_time)
            if rest is not None:
                window, low = rest
                window.shift(-origin)
                return Series(*item, window, cursor=cursor.text, start=low - origin)
        rollup = dashboard.rollups.get(
            connection,
            (run.path, item.path),
            number,
            token,
            changes,
            reader.renew,
        )
        window = read_window(connection, number, rollup, wanted.points, bounds, by_time=by_time)
    if origin:
        window.shift(-origin)
    return Series(*item, window, cursor=cursor.text)


def _read_over(
    reader: OpenRun, run: RunSummary, item: Item, wanted: Wanted, pair: tuple[int, int], token: str | None
) -> Series:
    """One metric over another. Of a run that grows, only what is behind the known x, if nothing else is new."""
    low, high = wanted.range or (-math.inf, math.inf)
    with reader.transaction() as connection:
        _, changes = RunState.of(connection, run.files, token, is_whole=not reader.has_unstored)
        known = JoinedCursor.parse(wanted.since.get(f"{item.run}/{item.path}"))
        if known is not None and changes is not None:
            cursor = known.resume(connection, changes, pair)
            if cursor is not None:
                behind = math.nextafter(cursor.high, math.inf)
                bounds = (max(low, behind), high)
                window = read_joined(connection, *pair, wanted.points, bounds, step_low=cursor.step)
                return Series(*item, window, cursor=cursor.text, start=behind)
        window = read_joined(connection, *pair, wanted.points, (low, high))
        if changes is None:
            return Series(*item, window)
        return Series(*item, window, cursor=JoinedCursor.at_end(connection, pair, changes.state).text)


def _with_edges(connection: sqlite3.Connection, series: int, bounds: Bounds) -> Bounds:
    before = connection.execute(_BEFORE, (series, bounds.step_low, math.inf)).fetchone()
    behind = connection.execute(_BEHIND, (series, bounds.step_high)).fetchone()
    return bounds._replace(
        step_low=before[0] if before else bounds.step_low, step_high=behind[0] if behind else bounds.step_high
    )


def _rest(
    connection: sqlite3.Connection, series: int, start: float, bounds: Bounds, points: int, *, by_time: bool
) -> tuple[Window, float] | None:
    """The points from the step ``start`` on, and the x from which on they take the place of what a client has.

    None where that can't be told: even the first point may be another, or the steps are not in the order of the times.
    """
    before = connection.execute(_BEFORE, (series, start, math.inf)).fetchone()
    if before is None:
        return None
    if not by_time:
        rest = bounds._replace(step_low=max(bounds.step_low, start))
        return read_window(connection, series, None, points, rest, by_time=False), start
    first = connection.execute(_FIRST, (series, start)).fetchone()
    if first == before[1:]:  # points of one time are told apart by nobody who has only times
        before = connection.execute(_BEFORE, (series, start, *first)).fetchone()
    if before is None or (first is not None and before[1] > first[0]):
        return None
    (step, time), end = before, before[1] + 1e-6 if first is None else (before[1] + first[0]) / 2
    rest = bounds._replace(step_low=math.nextafter(step, math.inf))
    window = read_window(connection, series, None, points, rest, by_time=True)
    return None if window.x_first and window.x_first[0] <= time else (window, end)


# -- writing -----------------------------------------------------------------------------------------------------------


def _frames(found: Iterator[Series], rev: str, wanted: Wanted) -> Iterator[bytes]:
    waiting: list[Series] = []
    values = 0
    for series in found:
        waiting.append(series)
        values += 4 * len(series.window.x) + 100
        if values >= _FRAME_VALUES:
            yield as_frame(waiting, rev, None, is_full=wanted.is_full)
            waiting, values = [], 0
    yield as_frame(waiting, rev, wanted.next, is_full=wanted.is_full)


def _json(found: Iterator[Series], rev: str, wanted: Wanted) -> Iterator[bytes]:
    pieces, size, separator = [f'{{"rev": {json.dumps(rev)}, "series": ['], 0, ""
    for series in found:
        text = as_json(series, is_full=wanted.is_full)
        pieces += (separator, text)
        separator = ", "
        size += len(text)
        if size >= _JSON_CHARACTERS:
            yield "".join(pieces).encode()
            pieces, size = [], 0
    yield "".join([*pieces, f'], "next": {json.dumps(wanted.next)}}}']).encode()
