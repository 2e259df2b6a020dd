"""Checks the columns of points that a caller logs at once."""

from __future__ import annotations

import contextlib
import math
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.times import seconds_arguments
from goodseed.values import MAX_EXACT_INTEGER, as_number, as_step, describe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

__all__ = ["PointColumns", "point_columns"]


class PointColumns(NamedTuple):
    """The points of one series.

    Attributes:
        steps: Their steps.
        values: Their values: numbers, or texts.
        times: When they were made, in seconds since the epoch; None for now.
    """

    steps: array[float]
    values: array[float] | list[str]
    times: array[float] | None


def point_columns(
    path: str, steps: Iterable[float], values: Iterable[object], timestamps: Iterable[object] | None
) -> PointColumns:
    """Check the columns that `goodseed.Run.log_points` was given, and turn them into doubles; texts stay.

    Raises:
        InvalidTypeError: One of them is no column of one dimension, or an item has a type that can't be stored.
        InvalidValueError: They differ in length, or an item can't be stored.
    """
    columns = {"steps": _column("steps", steps), "values": _column("values", values)}
    if timestamps is not None:
        columns["timestamps"] = _column("timestamps", timestamps)
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{len(column):,} {name}" for name, column in columns.items())
        raise InvalidValueError(f"log_points({path!r:.200}) was given {lengths}: give as many of each.")
    items = columns["values"]
    is_text = isinstance(items, list) and set(map(type, items)) == {str}
    return PointColumns(
        _steps(columns["steps"]),
        items if is_text else _numbers(path, items),
        None if timestamps is None else array("d", seconds_arguments("timestamps", columns["timestamps"])),
    )


def _column(argument: str, column: Any) -> list[Any] | array[float]:
    """The items of any iterable, array, tensor or series of one dimension."""
    if isinstance(column, (str, bytes)) or not hasattr(column, "__iter__") or getattr(column, "ndim", 1) != 1:
        raise InvalidTypeError(f"{argument} must be a list or an array of one dimension, not {describe(column)}.")
    if isinstance(column, list):
        return column
    doubles = _copied(column)
    if doubles is not None:
        return doubles
    return list(column.tolist()) if hasattr(column, "tolist") else list(column)


def _copied(column: Any) -> array[float] | None:
    """The numbers of an array of doubles, by the buffer protocol; None for anything else."""
    try:
        view = memoryview(column)
    except (TypeError, ValueError, BufferError):
        return None
    if view.format != "d":
        return None
    doubles = array("d")
    doubles.frombytes(view.tobytes())
    return doubles


def _doubles(items: list[Any] | array[float], types: AbstractSet[type]) -> array[float] | None:
    """The items as doubles where all are of these types, and none is too large; else None."""
    if isinstance(items, array):
        return items
    if set(map(type, items)) <= types:
        with contextlib.suppress(OverflowError):
            return array("d", items)
    return None


def _numbers(path: str, items: list[Any] | array[float]) -> array[float]:
    numbers = _doubles(items, {float, int, bool})
    return array("d", [as_number(path, item) for item in items]) if numbers is None else numbers


def _steps(items: list[Any] | array[float]) -> array[float]:
    steps = _doubles(items, {float, int})
    # NaN may hide the others from min and max, and makes the sum no number.
    if (
        steps is not None
        and min(steps, default=0.0) > -MAX_EXACT_INTEGER
        and max(steps, default=0.0) < MAX_EXACT_INTEGER
        and math.isfinite(sum(steps))
    ):
        return _with_one_zero(steps)
    return array("d", map(as_step, items))


def _with_one_zero(steps: array[float]) -> array[float]:
    """The same array: -0.0 and 0.0 are one step, and are written as 0.0."""
    at = -1
    for _ in range(steps.count(0.0)):
        at = steps.index(0.0, at + 1)
        steps[at] = 0.0
    return steps
