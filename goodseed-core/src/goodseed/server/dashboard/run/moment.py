"""Answers when a point of a metric was logged, which connects charts by step with logs by time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from goodseed.server.dashboard.project.column_values import plain_value
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.dashboard.times import iso_utc
from goodseed.server.parameters import text
from goodseed.server.routes import Answer, RequestError
from goodseed.storage.kinds import NUMBERS

if TYPE_CHECKING:
    from goodseed.server.routes import Request, Store

__all__ = ["get_moment"]

# The point at the step, or the one before it, or the first.
_POINT: Final = f"""
    SELECT step, ts FROM {NUMBERS.point_table}
    WHERE series_id = (SELECT id FROM {NUMBERS.series_table} WHERE path = ?1) AND step <= ?2
    ORDER BY step DESC LIMIT 1"""
_FIRST: Final = f"""
    SELECT step, ts FROM {NUMBERS.point_table} WHERE series_id = (SELECT id FROM {NUMBERS.series_table} WHERE path = ?1)
    ORDER BY step LIMIT 1"""


def get_moment(store: Store, request: Request) -> Answer:
    """The time of the point of a metric at a step.

    Raises:
        RequestError: The step is not a number, or the run has no such metric.
    """
    path = text(request, "path")
    try:
        step = float(text(request, "step") or "")
    except ValueError:
        step = math.nan
    if path is None or math.isnan(step):
        raise RequestError("path must be a metric's, and step a number")
    dashboard = dashboard_of(store)
    entry = dashboard.entry(store, request)
    with dashboard.reading(entry.run) as reader:
        rows = reader.rows(_POINT, path, step) or reader.rows(_FIRST, path)
    if not rows:
        raise RequestError(f"The run has no metric {path!r}", status=404, code="not_found")
    return Answer({"step": plain_value(rows[0][0]), "time": iso_utc(rows[0][1])})
