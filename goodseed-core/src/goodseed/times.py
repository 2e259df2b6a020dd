"""Parses and formats times as the run file and the APIs have them: ISO 8601 in UTC, to the microsecond."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Final

from goodseed.errors import InvalidTypeError, InvalidValueError

__all__ = ["as_utc", "now_text", "parse_time", "time_argument", "utc_text"]

_USUAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def now_text() -> str:
    """The time now."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def utc_text(seconds: float) -> str:
    """The time that is ``seconds`` after the epoch.

    Raises:
        ValueError, OverflowError, OSError: It is in no year from 1 to 9999.
    """
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="microseconds")


def parse_time(text: str) -> datetime:
    """A stored time in UTC; one without a zone is taken to be in UTC already.

    Raises:
        ValueError, OverflowError: It is no ISO 8601 time, or of no year from 1 to 9999.
    """
    time = _parsed(text)
    return time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time.astimezone(timezone.utc)


def as_utc(text: str) -> str:
    """A stored time as a text in UTC; one that is in UTC stays as it is.

    Raises:
        ValueError, OverflowError: See `parse_time`.
    """
    return text if _is_utc(text, _parsed(text)) else parse_time(text).isoformat(timespec="microseconds")


def time_argument(argument: str, value: object) -> str:
    """The text in UTC of a time that a caller gives; one without a zone is in this machine's.

    Args:
        argument: Its name, for the message.
        value: A ``datetime``, or an ISO 8601 text.

    Raises:
        InvalidTypeError, InvalidValueError: It is neither.
    """
    if not isinstance(value, (str, datetime)):
        raise InvalidTypeError(f"{argument} must be a datetime or an ISO 8601 text, not {type(value).__name__}.")
    try:
        time = _parsed(value) if isinstance(value, str) else value
        if isinstance(value, str) and _is_utc(value, time):
            return value
        return time.astimezone(timezone.utc).isoformat(timespec="microseconds")
    except (ValueError, OverflowError, OSError):
        raise InvalidValueError(
            f"Invalid {argument} {value!r:.60}: it must be an ISO 8601 time. Use one such as 2026-01-31T12:00:00+01:00."
        ) from None


def _is_utc(text: str, time: datetime) -> bool:
    """Whether it is written as we do, and not in a form such as 20260131T120000Z, which not every reader knows."""
    return time.utcoffset() == timedelta(0) and _USUAL.match(text) is not None


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
