"""Computes how long a run has lived: to its last sign of life, without the time between end and resumption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from goodseed.storage.kinds import kinds_in
from goodseed.times import parse_time

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

__all__ = ["EARLIER_SECONDS", "RESUMED_AT", "earlier_seconds", "last_sign", "seconds_of", "started_seconds"]

EARLIER_SECONDS: Final = "earlier_seconds"  # run_meta: how long the run lived before it was resumed
RESUMED_AT: Final = "resumed_at"  # run_meta: when it was resumed the last time

# The point with the highest step of each series: the last one in time, except in series that are logged backwards.
_LAST_POINT: Final = """
    SELECT (SELECT ts FROM {points} WHERE series_id = id ORDER BY step DESC LIMIT 1) AS ts FROM {series}"""
_MODIFICATION: Final = "SELECT value FROM configs WHERE path = 'sys/modification_time'"


def seconds_of(text: object, fallback: float) -> float:
    """An ISO 8601 time in seconds since the epoch; ``fallback`` for anything else."""
    if not isinstance(text, str):
        return fallback
    try:
        return parse_time(text).timestamp()
    except (ValueError, OverflowError):
        return fallback


def last_sign(connection: sqlite3.Connection, heard_seconds: float = 0.0) -> float:
    """When a run that was not closed last gave a sign of life, in seconds since the epoch.

    Args:
        connection: To its file.
        heard_seconds: What its lock says, in seconds since the epoch.
    """
    last = [_LAST_POINT.format(points=kind.point_table, series=kind.series_table) for kind in kinds_in(connection)]
    (point,) = connection.execute(f"SELECT max(ts) FROM ({' UNION ALL '.join(last)})").fetchone()
    change = connection.execute(_MODIFICATION).fetchone()
    modified = seconds_of(change[0], 0.0) if change is not None else 0.0
    return max(heard_seconds, modified, float(point) if isinstance(point, (int, float)) else 0.0)


def started_seconds(meta: Mapping[str, str | None], fallback: float) -> float:
    """When the run was made, or resumed the last time, in seconds since the epoch."""
    return seconds_of(meta.get(RESUMED_AT), seconds_of(meta.get("created_at"), fallback))


def earlier_seconds(meta: Mapping[str, str | None]) -> float:
    """How long the run lived before it was resumed the last time."""
    try:
        return max(0.0, float(meta.get(EARLIER_SECONDS) or 0.0))
    except ValueError:
        return 0.0
