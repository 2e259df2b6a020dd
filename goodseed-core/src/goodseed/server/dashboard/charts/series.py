"""Answers ``POST …/series``: points of many series of many runs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from goodseed.server.dashboard.charts.format import BINARY, Series, as_frame, as_json, kept, restored
from goodseed.server.dashboard.charts.memory import memory_of
from goodseed.server.dashboard.charts.series_reading import read_all
from goodseed.server.dashboard.charts.series_request import wanted_series
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.routes import Answer
from goodseed.storage.cache.kept import KeptRow
from goodseed.storage.cache.token import rest_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from goodseed.server.dashboard.charts.series_request import Wanted
    from goodseed.server.dashboard.project.project_state import ProjectState
    from goodseed.server.dashboard.state import DashboardState
    from goodseed.server.routes import Request, Store

__all__ = ["query_series"]

_FRAME_VALUES: Final = 40_000  # a frame is sent when it holds about as many
_JSON_CHARACTERS: Final = 1 << 17


def query_series(store: Store, request: Request) -> Answer:
    """The points of many series, as JSON or, if that is what is accepted, in frames."""
    wanted = wanted_series(request)
    dashboard = dashboard_of(store)
    project = dashboard.project(store, request.parameters["project"])
    if BINARY in request.headers.get("accept", ""):
        if wanted.is_keepable:
            return Answer(_kept_frames(dashboard, project, wanted), content_type=BINARY)
        return Answer(_frames(read_all(dashboard, project, wanted), project.rev, wanted), content_type=BINARY)
    return Answer(_json(read_all(dashboard, project, wanted), project.rev, wanted))


def _kept_frames(dashboard: DashboardState, project: ProjectState, wanted: Wanted) -> Iterator[bytes]:
    """Frames of whole series, from what earlier servers have read and sent; what is new is kept when all is sent."""
    fresh: list[KeptRow] = []
    read: list[tuple[Series, str, str]] = []

    def found() -> Iterator[Series]:
        for item in wanted.items:
            run = project.run(item.run)
            token = None if run is None else rest_token(run.files)
            if run is None or token is None:
                yield from read_all(dashboard, project, replace(wanted, items=[item]))
                continue
            key = wanted.memory_key(token, item.path)
            sent_key = (*key, "sent")
            series = memory_of(dashboard).get(run.path, key) or memory_of(dashboard).get(run.path, sent_key)
            if series is None:
                stored = dashboard.charts.get(run.path, item.path, wanted.asked, token=token)
                if stored is not None:
                    series = restored(*item, stored)
                    memory_of(dashboard).put(run.path, sent_key, series)
            if series is None:
                (series,) = read_all(dashboard, project, replace(wanted, items=[item]))
                if not series.problem and series.built is None:
                    read.append((series, run.path, token))
            yield series

    for frame in _frames(found(), project.rev, wanted):
        fresh += [KeptRow((path, series.path, wanted.asked), token, kept(series)) for series, path, token in read]
        read.clear()
        yield frame
    dashboard.charts.put(fresh)


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
