"""Points as the wire protocol has them: JSON objects, made a series at a time."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["is_plain", "metric_points", "number_of", "text_points"]

_SPECIAL: Final = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}


def metric_points(path: str, points: Iterable[tuple[float, float | None, float]]) -> Iterator[str]:
    """Points (step, number or None for NaN, time in seconds) of one metric, each a JSON object."""
    head = f'{{"path":{json.dumps(path, ensure_ascii=False)},"step":'
    for step, y, seconds in points:
        number = '"NaN"' if y is None else repr(y)
        number = _SPECIAL.get(number, number)
        yield f'{head}{_step(step)},"timestampMs":{round(seconds * 1000)},"number":{number}}}'


def text_points(path: str, points: Iterable[tuple[float, str, float]]) -> Iterator[str]:
    """Points (step, text, time in seconds) of one string series, each a JSON object."""
    head = f'{{"path":{json.dumps(path, ensure_ascii=False)},"step":'
    for step, text, seconds in points:
        encoded = json.dumps(text, ensure_ascii=False)
        yield f'{head}{_step(step)},"timestampMs":{round(seconds * 1000)},"text":{encoded}}}'


def is_plain(step: float, y: object) -> bool:
    """Whether any server takes the point: its step is an integer, and its number, if it is one, finite."""
    return step == int(step) and y is not None and (not isinstance(y, float) or math.isfinite(y))


def number_of(value: object) -> float:
    """The number that an answer says, NaN and infinities as strings.

    Raises:
        ValueError, TypeError: It says none.
    """
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        return float(value)
    if value is None:
        return math.nan
    raise TypeError(f"{value!r:.60} is no number")


def _step(step: float) -> str:
    return str(int(step)) if step == int(step) else repr(step)
