"""Evaluates filters: each condition becomes a function of a run."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from goodseed.server.dashboard.table.filters import (
    Comparison,
    Condition,
    Junction,
    Negation,
    Word,
    attributes,
    split_aggregate,
)
from goodseed.server.dashboard.table.patterns import MAX_TEXT
from goodseed.server.routes import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from goodseed.server.dashboard.project.entry import Entry
    from goodseed.server.dashboard.table.cells import Values
    from goodseed.server.dashboard.table.patterns import PatternWorkers

__all__ = ["matcher"]

_TIMES: Final = ("sys/creation_time", "sys/modification_time", "sys/closed_time")
_PRUNED: Final = "pruned"
_STATES: Final = ("running", "finished", "failed", "crashed", _PRUNED)
_DURATIONS: Final = ("sys/running_time", "sys/eta")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhdw]?)")


def matcher(condition: Condition | None, values: Values, patterns: PatternWorkers) -> Callable[[Entry], bool]:
    """Tells whether a run passes.

    Raises:
        RequestError: A value in the filter does not fit its attribute.
    """
    for comparison in attributes(condition):
        column = values.resolve(comparison.name, is_path=comparison.is_path)
        values.load(column)
        if column == "sys/state":
            values.load("sys/end_reason")
    return _compiled(condition, values, patterns)


def _compiled(condition: Condition | None, values: Values, patterns: PatternWorkers) -> Callable[[Entry], bool]:
    if condition is None:
        return lambda entry: True
    if isinstance(condition, Word):
        return _word(condition.text.lower())
    if isinstance(condition, Negation):
        inner = _compiled(condition.of, values, patterns)
        return lambda entry: not inner(entry)
    if isinstance(condition, Junction):
        parts = [_compiled(part, values, patterns) for part in condition.parts]
        if condition.is_any:
            return lambda entry: any(part(entry) for part in parts)
        return lambda entry: all(part(entry) for part in parts)
    return _comparison(condition, values, patterns)


def _word(text: str) -> Callable[[Entry], bool]:
    def test(entry: Entry) -> bool:
        run = entry.run
        if text in run.run_id.lower() or (run.name is not None and text in run.name.lower()):
            return True
        return run.tags_text != "[]" and any(text in tag.lower() for tag in run.tags)

    return test


def _comparison(comparison: Comparison, values: Values, patterns: PatternWorkers) -> Callable[[Entry], bool]:
    column = values.resolve(comparison.name, is_path=comparison.is_path)
    get = values.getter(column)
    operator = comparison.operator
    if operator == "exists":
        return lambda entry: get(entry) is not None
    if operator == "missing":
        return lambda entry: get(entry) is None
    if operator in ("~", "!~"):
        pattern = comparison.pattern
        assert pattern is not None
        is_wanted = operator == "~"
        return lambda entry: any(pattern.holds(text, patterns) for text in _texts(get(entry))) is is_wanted
    if column == "sys/state" and comparison.value.lower() not in _STATES:
        raise _fault(comparison, "is no state", f"One of {', '.join(_STATES)}.")
    if column == "sys/state" and comparison.value.lower() == _PRUNED and operator in ("=", ":", "!="):
        return _pruned_test(values, is_wanted=operator != "!=")
    path = split_aggregate(column)[0]
    if path in _TIMES or path in _DURATIONS:
        return _time_test(comparison, path, get)
    if operator in ("=", "!=", ":"):
        test = _equality(comparison, column)
        is_wanted = operator != "!="
        return lambda entry: test(get(entry)) is is_wanted
    return _order_test(operator, _number(comparison), comparison.value.lower(), get)


def _pruned_test(values: Values, *, is_wanted: bool) -> Callable[[Entry], bool]:
    """A pruned run is one that finished, and says that a search ended it early."""
    reason = values.getter("sys/end_reason")
    return lambda entry: (entry.run.state == "finished" and reason(entry) == _PRUNED) is is_wanted


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, tuple):
        return [text[:MAX_TEXT] for text in value]
    return [_text(value)[:MAX_TEXT]]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _equality(comparison: Comparison, column: str) -> Callable[[Any], bool]:
    text = comparison.value.lower()
    number = _number(comparison)
    is_part = comparison.operator == ":" and column in ("sys/name", "sys/id")

    def test(value: Any) -> bool:
        if value is None:
            return False
        if isinstance(value, tuple):
            return any(text == item.lower() for item in value)
        if isinstance(value, bool):
            return text == ("true" if value else "false")
        if isinstance(value, (int, float)):
            return number is not None and (value == number or (value != value and number != number))
        return text in value.lower() if is_part else text == value.lower()

    return test


def _order_test(operator: str, number: float | None, text: str, get: Callable[[Entry], Any]) -> Callable[[Entry], bool]:
    compare = _ORDERS[operator]

    def test(entry: Entry) -> bool:
        value = get(entry)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return number is not None and compare(value, number)
        return number is None and isinstance(value, str) and compare(value.lower(), text)

    return test


_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    ":": lambda a, b: bool(a == b),
}


def _number(comparison: Comparison) -> float | None:
    if comparison.is_quoted or not comparison.value.isascii() or "_" in comparison.value:
        return None
    try:
        return float(comparison.value)
    except ValueError:
        return None


def _time_test(comparison: Comparison, path: str, get: Callable[[Entry], Any]) -> Callable[[Entry], bool]:
    duration = _DURATION.fullmatch(comparison.value)
    seconds = float(duration[1]) * _UNITS[duration[2] or "s"] if duration else None
    if path in _DURATIONS:
        if seconds is None:
            raise _fault(comparison, "is no duration", "Such as 90, 30m, 2h or 1d.")
        wanted = seconds
    elif duration is not None and duration[2]:
        wanted = time.time() - float(seconds or 0.0)
    else:
        try:
            parsed = datetime.fromisoformat(comparison.value.replace("Z", "+00:00"))
            wanted = (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp()
        except (ValueError, OverflowError):
            raise _fault(comparison, "is not a time", "Such as 2026-01-31, or 7d for seven days ago.") from None
    compare = _ORDERS[comparison.operator]
    is_inverse = comparison.operator == "!="

    def test(entry: Entry) -> bool:
        value = get(entry)
        return is_inverse if value is None else compare(value, wanted)

    return test


def _fault(comparison: Comparison, problem: str, hint: str) -> RequestError:
    message = f"{comparison.value!r:.60} {problem}"
    return RequestError(message, code="bad_filter", hint=hint, column=comparison.column)
