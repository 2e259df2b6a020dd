"""Reads the points of a chart's series from run files: all in view, or what is new since a cursor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from goodseed.errors import FileFormatError, RunNotFoundError
from goodseed.server.dashboard.charts.cursors import Cursor, JoinedCursor, RunState
from goodseed.server.dashboard.charts.format import Series
from goodseed.server.dashboard.charts.memory import memory_of
from goodseed.storage.cache.token import rest_token, settled_token
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.joined import read_joined
from goodseed.storage.rollup.nodes import EVERYTHING, Bounds
from goodseed.storage.rollup.window import Window, read_window

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from goodseed.server.dashboard.charts.series_request import Item, Wanted
    from goodseed.server.dashboard.project.project_state import ProjectState
    from goodseed.server.dashboard.state import DashboardState
    from goodseed.server.open_runs import OpenRun
    from goodseed.storage.catalog import RunSummary

__all__ = ["read_all"]

_AXES: Final = ("step", "time", "wall")
_METRIC: Final = "metric:"  # before the path of a metric that is called as one of these
_BEFORE: Final = f"""
    SELECT step, ts FROM {NUMBERS.point_table} WHERE series_id = ? AND step < ? AND ts < ? ORDER BY step DESC LIMIT 1"""
_BEHIND: Final = f"SELECT step FROM {NUMBERS.point_table} WHERE series_id = ? AND step > ? ORDER BY step LIMIT 1"
_FIRST: Final = f"SELECT ts FROM {NUMBERS.point_table} WHERE series_id = ? AND step >= ? ORDER BY step LIMIT 1"


def read_all(dashboard: DashboardState, project: ProjectState, wanted: Wanted) -> Iterator[Series]:
    """Each series that is wanted, one after another; one that can't be read says why in its ``problem``."""
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
    key = wanted.memory_key(token, item.path)
    if token is not None and not wanted.since:
        kept = memory_of(dashboard).get(run.path, key)
        if kept is not None:
            return kept
    with dashboard.reading(run) as reader:
        series = _read_open(dashboard, reader, run, item, wanted, token)
    if token is not None and not wanted.since and series.built is None and rest_token(run.files) == token:
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
            token if token is not None or changes is not None else settled_token(run.files),
            changes,
            reader.renew,
            run.files,
        )
        window = read_window(connection, number, rollup, wanted.points, bounds, by_time=by_time)
    if origin:
        window.shift(-origin)
    if rollup is not None and rollup.share < 1.0:
        return Series(*item, window, built=rollup.share)
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

    None where that is unknown: the first point may have changed, too, or steps and times are in different orders.
    """
    before = connection.execute(_BEFORE, (series, start, math.inf)).fetchone()
    if before is None:
        return None
    if not by_time:
        rest = bounds._replace(step_low=max(bounds.step_low, start))
        return read_window(connection, series, None, points, rest, by_time=False), start
    first = connection.execute(_FIRST, (series, start)).fetchone()
    if first == before[1:]:  # points of the same time can't be told apart by their times alone
        before = connection.execute(_BEFORE, (series, start, *first)).fetchone()
    if before is None or (first is not None and before[1] > first[0]):
        return None
    step, time = before
    rest = bounds._replace(step_low=math.nextafter(step, math.inf))
    window = read_window(connection, series, None, points, rest, by_time=True)
    if not window.x_first:
        return window, time + 1e-6
    # Right behind the last point that stays: where one that was logged once more stood before is not known.
    end = min(time + 1e-6, (time + window.x_first[0]) / 2)
    return None if window.x_first[0] <= time else (window, end)
