"""Answers the values of a run's string series side by side by step, the latest first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from goodseed.server.dashboard.fields import limit_of, pattern_of, texts
from goodseed.server.dashboard.project.column_values import plain_value
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.dashboard.times import iso_utc
from goodseed.server.parameters import text
from goodseed.server.routes import Answer, RequestError
from goodseed.storage.kinds import TEXTS

if TYPE_CHECKING:
    from goodseed.server.open_runs import OpenRun
    from goodseed.server.routes import Request, Store

__all__ = ["get_texts"]

_MAX_PATHS: Final = 16
_MAX_STEPS: Final = 200
_MAX_TEXT: Final = 20_000
_MAX_CHARACTERS: Final = 4 << 20
_SERIES: Final = f"SELECT id FROM {TEXTS.series_table} WHERE path = ?"
_STEPS: Final = f"SELECT step FROM {TEXTS.point_table} WHERE series_id = ? AND step <= ? ORDER BY step DESC LIMIT ?"
_STEPS_WITH: Final = f"""
    SELECT step FROM {TEXTS.point_table} WHERE series_id = ? AND step <= ? AND value LIKE ? ESCAPE '\\'
    ORDER BY step DESC LIMIT ?"""
_VALUE: Final = f"""
    SELECT substr(value, 1, ?), length(value), ts FROM {TEXTS.point_table} WHERE series_id = ? AND step = ?"""


def get_texts(store: Store, request: Request) -> Answer:
    """A page of steps.

    Raises:
        RequestError: A parameter is invalid.
    """
    paths = texts(request, "path", _MAX_PATHS)
    pattern = pattern_of(request)
    asked = [_step("step", given) for given in texts(request, "step", _MAX_STEPS)]
    until = _step("until", text(request, "until") or str(math.inf))
    limit = limit_of(request, 50, _MAX_STEPS)
    query, wanted = (_STEPS_WITH, (pattern,)) if pattern else (_STEPS, ())
    dashboard = dashboard_of(store)
    entry = dashboard.entry(store, request)
    with dashboard.reading(entry.run) as reader:
        numbers = [rows[0][0] if (rows := reader.rows(_SERIES, path)) else None for path in paths]
        if asked:
            steps = sorted(set(asked), reverse=True)
        else:
            found: set[float] = {
                step
                for number in numbers
                for (step,) in reader.rows(query, number, until, *wanted, limit + 1)
                if isinstance(step, (int, float))
            }
            steps = sorted(found, reverse=True)[: limit + 1]
        rows, following = _rows(reader, numbers, steps, _MAX_STEPS if asked else limit)
    return Answer({"rows": rows, "next": following})


def _step(name: str, given: str) -> float:
    try:
        step = float(given)
    except ValueError:
        step = math.nan
    if math.isnan(step):
        raise RequestError(f"{name} must be a number")
    return step


def _rows(
    reader: OpenRun, numbers: list[int | None], steps: list[float], limit: int
) -> tuple[list[dict[str, Any]], Any]:
    """The texts at these steps as far as they fit into an answer, and the first step that did not."""
    rows: list[dict[str, Any]] = []
    characters = 0
    for step in steps:
        if len(rows) == limit or characters > _MAX_CHARACTERS:
            return rows, plain_value(step)
        values: list[Any] = []
        cut: list[int] = []
        times = []
        for place, number in enumerate(numbers):
            point = reader.rows(_VALUE, _MAX_TEXT, number, step)
            value, length, time = point[0] if point else (None, 0, None)
            values.append(None if value is None else str(value))
            characters += len(values[-1] or "")
            if length is not None and length > _MAX_TEXT:
                cut.append(place)
            if time is not None:
                times.append(time)
        rows.append(
            {"step": plain_value(step), "time": iso_utc(times[0]) if times else None, "values": values, "cut": cut}
        )
    return rows, None
