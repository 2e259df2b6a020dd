"""Parses and formats times as the run file and the APIs have them: ISO 8601 in UTC, to the microsecond."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import InvalidTypeError, InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["as_utc", "now_text", "parse_time", "seconds_argument", "seconds_arguments", "time_argument", "utc_text"]

_FIRST_SECOND: Final = datetime(1, 1, 2, tzinfo=timezone.utc).timestamp()  # a day less: zones are up to a day apart
_LAST_SECOND: Final = datetime(9999, 12, 30, tzinfo=timezone.utc).timestamp()
_TIME_DTYPES: Final = ("m", "M")  # numpy's times have a float, in units that are not shown
_MILLISECONDS_FROM: Final = 1e11  # as seconds, the year 5138
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


def seconds_argument(argument: str, value: object) -> float:
    """The seconds since the epoch of a time that a caller gives; a ``datetime`` without a zone is in this machine's.

    Args:
        argument: Its name, for the message.
        value: A ``datetime``, or a number of seconds.

    Raises:
        InvalidTypeError, InvalidValueError: It is neither, or in no year from 1 to 9999.
    """
    seconds = math.nan
    if isinstance(value, datetime):
        with contextlib.suppress(ValueError, OverflowError, OSError):
            seconds = value.timestamp()
    elif not hasattr(value, "__float__") or isinstance(value, bool) or _dtype_kind(value) in _TIME_DTYPES:
        raise InvalidTypeError(
            f"{argument} must be a datetime or seconds since the epoch, not {value!r:.60}. "
            "Use datetime.fromisoformat(text) for a text, and pandas.Timestamp(value) for a datetime64."
        )
    else:
        try:
            seconds = float(value)
        except (ValueError, TypeError, OverflowError):
            raise InvalidTypeError(f"{argument} must be a datetime or a number, not {value!r:.60}.") from None
        if abs(seconds) >= _MILLISECONDS_FROM and _FIRST_SECOND <= seconds / 1000 <= _LAST_SECOND:
            raise InvalidValueError(
                f"Invalid {argument} {value!r:.60}: it must be in seconds, and looks like milliseconds. "
                "Divide it by 1000."
            )
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        raise InvalidValueError(f"Invalid {argument} {value!r:.60}: it must be in a year from 1 to 9999.")
    return seconds


def _dtype_kind(value: object) -> str:
    return str(getattr(getattr(value, "dtype", None), "kind", ""))


def seconds_arguments(argument: str, values: Sequence[Any]) -> Sequence[float]:
    """`seconds_argument` of each of ``values``."""
    if set(map(type, values)) <= {float, int} and all(map(_is_usual, values)):
        return values
    return [seconds_argument(argument, value) for value in values]


def _is_usual(seconds: float) -> bool:
    return _FIRST_SECOND <= seconds < _MILLISECONDS_FROM


def _is_utc(text: str, time: datetime) -> bool:
    """Whether it is written as we do, and not in a form such as 20260131T120000Z, which not every reader knows."""
    return time.utcoffset() == timedelta(0) and _USUAL.match(text) is not None


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
