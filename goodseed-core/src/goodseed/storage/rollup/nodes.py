"""Holds points that follow one another as nodes: how many, their extremes, sum, first and last."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from operator import le
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "EVERYTHING",
    "FANOUT",
    "NODE_POINTS",
    "Bounds",
    "Nodes",
    "cells_of",
    "is_sorted",
    "mean_of",
    "nodes_of_points",
]

NODE_POINTS: Final = 128
FANOUT: Final = 8


class Bounds(NamedTuple):
    """Which points are meant: those within all four, which are included."""

    step_low: float
    step_high: float
    time_low: float = -math.inf
    time_high: float = math.inf


EVERYTHING: Final = Bounds(-math.inf, math.inf)


class Nodes:
    """Nodes of one series by column; in the order of their steps, unless `sorted_by_time` has made them.

    Attributes:
        first_step: The step of a node's first point, and so on.
        low: The lowest finite value; infinity without one. `high` likewise.
        total: The sum of the finite values.
        count: How many points it stands for.
        nan: How many of them are NaN; `positive` and `negative` count the infinities.
        step_total: The sum of their steps.
    """

    FIELDS: Final = (
        *("first_step", "last_step", "first_y", "last_y", "last_time", "min_time", "max_time"),
        *("low", "high", "total", "count", "nan", "positive", "negative", "step_total"),
    )
    __slots__ = FIELDS

    first_step: array[float]
    last_step: array[float]
    first_y: array[float]
    last_y: array[float]
    last_time: array[float]
    min_time: array[float]
    max_time: array[float]
    low: array[float]
    high: array[float]
    total: array[float]
    count: array[float]
    nan: array[float]
    positive: array[float]
    negative: array[float]
    step_total: array[float]

    def __init__(self, columns: Iterable[array[float]] | None = None) -> None:
        empty = (array("d") for _ in self.FIELDS)
        for name, column in zip(self.FIELDS, empty if columns is None else columns, strict=True):
            setattr(self, name, column)

    def __len__(self) -> int:
        return len(self.count)

    def columns(self) -> Iterator[array[float]]:
        """The columns, in the order of `FIELDS`."""
        return (getattr(self, name) for name in self.FIELDS)

    def part(self, start: int, stop: int) -> Nodes:
        """The nodes from one index up to another."""
        return Nodes(column[start:stop] for column in self.columns())

    def extend(self, other: Nodes) -> None:
        """Add the nodes of ``other`` behind these."""
        for mine, more in zip(self.columns(), other.columns(), strict=True):
            mine.extend(more)

    def truncate(self, count: int) -> None:
        """Keep the first ``count``."""
        for column in self.columns():
            del column[count:]

    def pick(self, indexes: Sequence[int]) -> Nodes:
        """These nodes, in this order."""
        return Nodes(array("d", [column[index] for index in indexes]) for column in self.columns())

    def merged(self, start: int, stop: int) -> tuple[float, ...]:
        """One node in place of those from one index up to another."""
        part = slice(start, stop)
        return (
            *(min(self.first_step[part]), max(self.last_step[part])),
            *(self.first_y[start], self.last_y[stop - 1], self.last_time[stop - 1]),
            *(min(self.min_time[part]), max(self.max_time[part]), min(self.low[part]), max(self.high[part])),
            *(sum(self.total[part]), sum(self.count[part])),
            *(sum(self.nan[part]), sum(self.positive[part]), sum(self.negative[part]), sum(self.step_total[part])),
        )

    def append(self, node: Sequence[float]) -> None:
        """Add one node, its fields in the order of `FIELDS`."""
        for column, value in zip(self.columns(), node, strict=True):
            column.append(value)

    def within(self, low: float, high: float, *, by_time: bool) -> tuple[Sequence[int], Sequence[int]]:
        """The indexes of the nodes that lie between two steps or times, and of those that do so in part."""
        starts = self.min_time if by_time else self.first_step
        ends = self.max_time if by_time else self.last_step
        if by_time and not (is_sorted(starts) and is_sorted(ends)):
            touched = [
                i for i, (start, end) in enumerate(zip(starts, ends, strict=True)) if end >= low and start <= high
            ]
            inside = [i for i in touched if starts[i] >= low and ends[i] <= high]
            known = set(inside)
            return inside, [i for i in touched if i not in known]
        first, last = bisect_left(starts, low), bisect_right(ends, high)
        outer_first, outer_last = bisect_left(ends, low), bisect_right(starts, high)
        edges = (*range(outer_first, min(first, outer_last)), *range(max(last, outer_first), outer_last))
        return range(first, max(first, last)), sorted(set(edges))


def is_sorted(column: array[float]) -> bool:
    """Whether no value is lower than the one before."""
    return all(map(le, column, memoryview(column)[1:]))


def nodes_of_points(steps: array[float], values: array[float], times: array[float]) -> Nodes:
    """A node for each point."""
    count = len(steps)
    zeros = array("d", bytes(8 * count))
    low, high, total, nan, positive, negative = values, values, values, zeros, zeros, zeros
    if not _are_finite(values):
        finite = [math.isfinite(y) for y in values]
        low = array("d", [y if good else math.inf for y, good in zip(values, finite, strict=True)])
        high = array("d", [y if good else -math.inf for y, good in zip(values, finite, strict=True)])
        total = array("d", [y if good else 0.0 for y, good in zip(values, finite, strict=True)])
        nan = array("d", [y != y for y in values])
        positive = array("d", [y == math.inf for y in values])
        negative = array("d", [y == -math.inf for y in values])
    ones = array("d", [1.0]) * count
    columns = (
        steps,
        steps,
        values,
        values,
        times,
        times,
        times,
        low,
        high,
        total,
        ones,
        nan,
        positive,
        negative,
        steps,
    )
    return Nodes(column[:] for column in columns)


def _are_finite(values: array[float]) -> bool:
    total = sum(values)
    return total - total == 0.0 or all(map(math.isfinite, values))


def cells_of(low: float, high: float, count: int) -> float:
    """How wide each of ``count`` cells between two numbers is; 0 where they can't be told apart by a double."""
    width = high / count - low / count
    return width if math.isfinite(width) and low + width > low and high - width < high else 0.0


def mean_of(total: float, count: float, low: float, high: float) -> float:
    """The mean of ``count`` finite values with this sum, between the lowest and the highest; NaN without a value."""
    if not count:
        return math.nan
    mean = total / count
    if math.isnan(mean):  # the sums of two parts were beyond the largest double, on both sides
        return low / 2 + high / 2
    return min(max(mean, low), high)
