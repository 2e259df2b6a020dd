"""Formats times for the dashboard's API: ISO 8601 in UTC."""

from __future__ import annotations

import math
from typing import Any, Final

from goodseed.times import utc_text

__all__ = ["TIMES", "iso_utc"]

# The columns that hold a time; those that hold a duration are numbers of seconds.
TIMES: Final = frozenset({"sys/creation_time", "sys/modification_time", "sys/closed_time"})


def iso_utc(seconds: Any) -> str | None:
    """Seconds since the epoch as ``2026-01-31T09:30:00.250000Z``; None for what is not a time of the calendar."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        return None
    try:
        return utc_text(seconds).replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None
