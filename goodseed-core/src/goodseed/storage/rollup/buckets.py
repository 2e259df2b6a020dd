"""Buckets over a series: whatever the zoom, no spike is lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Bucket", "downsample"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """What became of the points from ``step_first`` to ``step_last``, both of them steps of points.

    Attributes:
        step_first: The first step.
        step_last: The last step.
        count: How many points there are, finite or not.
        min: The lowest finite value; None when there is none, as with ``max`` and ``mean``.
        max: The highest finite value.
        mean: The mean of the finite values.
        last: The value at ``step_last``, finite or not.
        non_finite: How many values are NaN or infinite.
    """

    step_first: float
    step_last: float
    count: int
    min: float | None
    max: float | None
    mean: float | None
    last: float
    non_finite: int


# Buckets of one width over the range of steps. abs(y) <= the largest double is true of finite values alone: NULL stands
# for NaN and makes it NULL. A sum beyond the largest double makes a mean infinite or NULL, though no value of it is.
_BUCKETS: Final = """
    WITH buckets AS (
        SELECT min(step) AS step_first, max(step) AS step_last, count(*) AS points,
               min(CASE WHEN abs(y) <= 1.7976931348623157e308 THEN y END) AS lowest,
               max(CASE WHEN abs(y) <= 1.7976931348623157e308 THEN y END) AS highest,
               avg(CASE WHEN abs(y) <= 1.7976931348623157e308 THEN y END) AS mean,
               count(CASE WHEN abs(y) <= 1.7976931348623157e308 THEN 1 END) AS finite
        FROM metric_points
        WHERE series_id = :series AND step BETWEEN :low AND :high
        GROUP BY min(CAST((step - :first) * :scale AS INTEGER), :last_bucket)
    )
    SELECT step_first, step_last, points, lowest, highest,
           min(max(coalesce(mean, lowest / 2 + highest / 2), lowest), highest),
           (SELECT y FROM metric_points WHERE series_id = :series AND step = step_last), points - finite
    FROM buckets ORDER BY step_first"""
_EXTENT: Final = """
    SELECT count(*), min(step), max(step) FROM metric_points WHERE series_id = ? AND step BETWEEN ? AND ?"""


def downsample(
    connection: sqlite3.Connection, series: int, max_points: int, low: float, high: float
) -> list[Bucket] | None:
    """Aggregate the points of ``series`` between two steps into at most ``max_points`` buckets.

    Returns:
        The buckets that hold a point, by step; None when there are no more points than buckets.
    """
    points, first, last = connection.execute(_EXTENT, (series, low, high)).fetchone()
    if points <= max_points:
        return None
    rows = connection.execute(
        _BUCKETS,
        {
            "series": series,
            "low": low,
            "high": high,
            "first": first,
            "scale": _scale(first, last, max_points),
            "last_bucket": max_points - 1,
        },
    )
    return [
        Bucket(first_step, last_step, count, low_y, high_y, mean, math.nan if last_y is None else last_y, bad)
        for first_step, last_step, count, low_y, high_y, mean, last_y, bad in rows
    ]


def _scale(first: float, last: float, buckets: int) -> float:
    """Buckets a step; 0 (one bucket) where the range is too wide or too narrow for a double to divide."""
    span = last - first
    scale = buckets / span if span > 0 else 0.0
    return scale if math.isfinite(span) and math.isfinite(scale) else 0.0
