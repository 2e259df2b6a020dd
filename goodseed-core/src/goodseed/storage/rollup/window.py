"""Makes the buckets of a chart: exact ones of any number of points, for any range, by step or by time."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from operator import sub
from typing import TYPE_CHECKING, Final

from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.aggregate import aggregate_cells, read_points
from goodseed.storage.rollup.nodes import FANOUT, Bounds, Nodes, cells_of, is_sorted, mean_of, nodes_of_points

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from goodseed.storage.rollup.building import Rollup

__all__ = ["Window", "read_window", "window_of_nodes"]

_FINE: Final = 2  # nodes a bucket: its edges are then off by half of its width at most
_FEW_POINTS: Final = 16_384  # read faster than asked for bucket by bucket
_EXTREME: Final = f"""
    SELECT step, ts FROM {NUMBERS.point_table}
    WHERE series_id = ? AND step BETWEEN ? AND ? AND ts BETWEEN ? AND ? AND y = ? ORDER BY step LIMIT 1"""


@dataclass(slots=True)
class Window:
    """The points of a series in a range, each by itself or in buckets, in the order of ``x``, a step or a time.

    Attributes:
        total: How many points there are.
        is_raw: Each entry is one point.
        x: Where the last point of each is.
        x_first: Where the first one is.
        last: Its value; `first` likewise.
        low: The lowest finite value; NaN without one, as with `high` and `mean`.
        count: How many points it stands for.
        nonfinite: Where how many values are not finite, and of which kind.
        lowest: The lowest finite value of all, and where the first such is; None without one. `highest` likewise.
        mean_of_all: The mean of all finite values.
    """

    total: int = 0
    is_raw: bool = True
    x: array[float] = field(default_factory=lambda: array("d"))
    x_first: array[float] = field(default_factory=lambda: array("d"))
    last: array[float] = field(default_factory=lambda: array("d"))
    first: array[float] = field(default_factory=lambda: array("d"))
    low: array[float] = field(default_factory=lambda: array("d"))
    high: array[float] = field(default_factory=lambda: array("d"))
    mean: array[float] = field(default_factory=lambda: array("d"))
    count: array[float] = field(default_factory=lambda: array("d"))
    nonfinite: list[tuple[float, int, str]] = field(default_factory=list)
    lowest: tuple[float, float] | None = None
    highest: tuple[float, float] | None = None
    mean_of_all: float = math.nan

    def shift(self, by: float) -> None:
        """Add ``by`` to each ``x``."""
        self.x = array("d", [x + by for x in self.x])
        self.x_first = array("d", [x + by for x in self.x_first])
        self.nonfinite = [(x + by, count, kind) for x, count, kind in self.nonfinite]
        self.lowest = self.lowest and (self.lowest[0], self.lowest[1] + by)
        self.highest = self.highest and (self.highest[0], self.highest[1] + by)


def read_window(
    connection: sqlite3.Connection,
    series: int,
    rollup: Rollup | None,
    points: int,
    bounds: Bounds,
    *,
    by_time: bool,
) -> Window:
    """Read a series within ``bounds`` as at most ``points`` points or buckets.

    Every point is in one bucket, and a bucket's points follow one another. A bucket is about as wide as the others.

    Args:
        connection: The run's, in a transaction.
        series: The series.
        rollup: What is known of it, exact as of this transaction; None to read the points.
        points: How many at most.
        bounds: Which points.
        by_time: ``x`` is the time.

    Raises:
        FileFormatError: One of the points is not a number.
    """
    if rollup is None:
        nodes = nodes_of_points(*read_points(connection, series, bounds))
    else:
        nodes = _covering(connection, series, rollup, points, bounds, by_time=by_time)
    if by_time and not is_sorted(nodes.last_time):
        nodes = nodes.pick(sorted(range(len(nodes)), key=nodes.last_time.__getitem__))
    total = int(sum(nodes.count))
    if total <= points and len(nodes) < total:
        return read_window(connection, series, None, points, bounds, by_time=by_time)
    if len(nodes) < total:
        nodes = _refined(connection, series, nodes, points, bounds, total, by_time=by_time)
    window = window_of_nodes(nodes, points, by_time=by_time)
    if not window.is_raw:
        _find_extremes(connection, series, window, nodes, bounds, by_time=by_time)
    return window


def _covering(
    connection: sqlite3.Connection, series: int, rollup: Rollup, points: int, bounds: Bounds, *, by_time: bool
) -> Nodes:
    """The coarsest nodes that are fine enough; at the ends of the range finer ones, and at last single points."""
    low, high = (bounds.time_low, bounds.time_high) if by_time else (bounds.step_low, bounds.step_high)

    def gather(depth: int, start: int, part: Nodes) -> Nodes:
        """What is within the bounds of ``part``, which begins with the node ``start`` of that level."""
        inside, edges = part.within(low, high, by_time=by_time)
        if len(inside) == len(part):
            return part
        gathered = Nodes()
        for first, last, is_edge in _runs(inside, edges):
            if not is_edge:
                gathered.extend(part.part(first, last))
            elif depth:
                finer = (start + first) * FANOUT
                gathered.extend(
                    gather(depth - 1, finer, rollup.levels[depth - 1].part(finer, finer + (last - first) * FANOUT))
                )
            else:
                piece = _overlap(bounds, part.first_step[first], part.last_step[last - 1])
                gathered.extend(nodes_of_points(*read_points(connection, series, piece)))
        return gathered

    depth, start = len(rollup.levels) - 1, 0
    part = rollup.levels[depth].part(0, len(rollup.levels[depth]))
    while depth:
        inside, edges = part.within(low, high, by_time=by_time)
        if len(inside) >= _FINE * points or not (inside or edges):
            break
        touched = [*edges, *(inside[:1]), *(inside[-1:])]
        first, last = min(touched), max(touched)
        depth -= 1
        start = (start + first) * FANOUT
        part = rollup.levels[depth].part(start, start + (last + 1 - first) * FANOUT)
    return gather(depth, start, part)


def _runs(inside: Sequence[int], edges: Sequence[int]) -> list[tuple[int, int, bool]]:
    """Neighbouring indexes of one kind as (first, last + 1, whether they are edges), in order."""
    if isinstance(inside, range):
        whole = [(inside.start, inside.stop, False)] if inside else []
        return sorted(whole + [(index, index + 1, True) for index in edges])
    runs: list[tuple[int, int, bool]] = []
    kinds = dict.fromkeys(inside, False) | dict.fromkeys(edges, True)
    for index in sorted(kinds):
        if runs and runs[-1][1:] == (index, kinds[index]):
            runs[-1] = (runs[-1][0], index + 1, kinds[index])
        else:
            runs.append((index, index + 1, kinds[index]))
    return runs


def _overlap(bounds: Bounds, step_low: float, step_high: float) -> Bounds:
    return bounds._replace(step_low=max(bounds.step_low, step_low), step_high=min(bounds.step_high, step_high))


def _refined(
    connection: sqlite3.Connection,
    series: int,
    nodes: Nodes,
    points: int,
    bounds: Bounds,
    total: int,
    *,
    by_time: bool,
) -> Nodes:
    """The same with finer nodes in place of those that are wider than a bucket."""
    starts, ends = (nodes.min_time, nodes.max_time) if by_time else (nodes.first_step, nodes.last_step)
    origin = min(starts)
    width = cells_of(origin, max(ends), points)
    if width <= 0 or max(map(sub, ends, starts)) <= width:
        return nodes
    wide = [i for i, (start, end) in enumerate(zip(starts, ends, strict=True)) if end - start > width]
    wide = [i for i in wide if nodes.count[i] > 1]
    if not wide:
        return nodes
    is_wide = set(wide)
    kept = [i for i in range(len(nodes)) if i not in is_wide]
    refined = Nodes()
    is_counted = not by_time and total > _FEW_POINTS
    for first, last, is_replaced in _runs(kept, wide):
        piece = _overlap(bounds, nodes.first_step[first], nodes.last_step[last - 1])
        if not is_replaced:
            refined.extend(nodes.part(first, last))
        elif is_counted:
            cells = list(aggregate_cells(connection, series, piece.step_low, piece.step_high, origin, width))
            refined.extend(Nodes(array("d", column) for column in zip(*cells, strict=True)))
        else:
            refined.extend(_points_of(connection, series, nodes, range(first, last), bounds))
    if by_time and not is_sorted(refined.last_time):
        refined = refined.pick(sorted(range(len(refined)), key=refined.last_time.__getitem__))
    return refined


def _points_of(connection: sqlite3.Connection, series: int, nodes: Nodes, indexes: range, bounds: Bounds) -> Nodes:
    """The points of these nodes; they need not follow one another in steps."""
    points = Nodes()
    for index in indexes:
        piece = _overlap(bounds, nodes.first_step[index], nodes.last_step[index])
        points.extend(nodes_of_points(*read_points(connection, series, piece)))
    return points


def window_of_nodes(nodes: Nodes, points: int, *, by_time: bool) -> Window:
    """The window that ``nodes`` make, which are in the order of their last steps or times."""
    total = int(sum(nodes.count))
    if total <= points:
        return _raw_window(nodes, by_time=by_time)
    ends = nodes.last_time if by_time else nodes.last_step
    starts = nodes.min_time if by_time else nodes.first_step
    lows, highs, totals, counts = (column.tolist() for column in (nodes.low, nodes.high, nodes.total, nodes.count))
    has_bad = any(nodes.nan) or any(nodes.positive) or any(nodes.negative)
    window = Window(total=total, is_raw=False)
    groups = _groups(ends, min(starts), points)
    low_of, high_of, sums, found = [], [], [], []
    for start, stop in groups:
        low_of.append(min(lows[start:stop]))
        high_of.append(max(highs[start:stop]))
        sums.append(sum(totals[start:stop]))
        found.append(sum(counts[start:stop]))
    finite = _count_finite(nodes, groups, ends, found, window) if has_bad else found
    window.low.extend([low if low < math.inf else math.nan for low in low_of])
    window.high.extend([high if high > -math.inf else math.nan for high in high_of])
    window.mean.extend(map(mean_of, sums, finite, low_of, high_of))
    window.count.extend(found)
    window.x.extend([ends[stop - 1] for _, stop in groups])
    window.x_first.extend([min(starts[start:stop]) if by_time else starts[start] for start, stop in groups])
    window.last.extend([nodes.last_y[stop - 1] for _, stop in groups])
    window.first.extend([nodes.first_y[start] for start, _ in groups])
    window.mean_of_all = _mean_of(nodes)
    return window


def _count_finite(
    nodes: Nodes, groups: list[tuple[int, int]], ends: array[float], counts: list[float], window: Window
) -> list[float]:
    """How many values of each group are finite; the others are noted in ``window``."""
    finite = []
    for (start, stop), count in zip(groups, counts, strict=True):
        left = count
        for column, kind in zip((nodes.nan, nodes.positive, nodes.negative), _KINDS, strict=True):
            bad = sum(column[start:stop])
            if bad:
                window.nonfinite.append((ends[stop - 1], int(bad), kind))
                left -= bad
        finite.append(left)
    return finite


def _groups(ends: array[float], low: float, points: int) -> list[tuple[int, int]]:
    """The indexes at which each bucket begins and ends; none is empty."""
    width = cells_of(low, ends[-1], points)
    if width <= 0:
        return [(0, len(ends))]
    groups, start = [], 0
    for cell in range(1, points + 1):
        stop = len(ends) if cell == points else bisect_right(ends, low + cell * width, start)
        if stop > start:
            groups.append((start, stop))
            start = stop
    return groups


_KINDS: Final = ("nan", "inf", "-inf")


def _raw_window(nodes: Nodes, *, by_time: bool) -> Window:
    x = nodes.last_time if by_time else nodes.last_step
    window = Window(total=len(nodes), x=x, x_first=x, last=nodes.last_y, first=nodes.last_y, count=nodes.count)
    if not len(nodes):
        return window
    for column, kind in zip((nodes.nan, nodes.positive, nodes.negative), _KINDS, strict=True):
        if any(column):
            window.nonfinite.extend((x[i], 1, kind) for i, bad in enumerate(column) if bad)
    window.nonfinite.sort()
    lowest, highest = min(nodes.low), max(nodes.high)
    if lowest <= highest:
        window.lowest = (lowest, x[nodes.low.index(lowest)])
        window.highest = (highest, x[nodes.high.index(highest)])
    window.mean_of_all = _mean_of(nodes)
    return window


def _mean_of(nodes: Nodes) -> float:
    finite = sum(nodes.count) - sum(nodes.nan) - sum(nodes.positive) - sum(nodes.negative)
    return mean_of(sum(nodes.total), finite, min(nodes.low), max(nodes.high))


def _find_extremes(
    connection: sqlite3.Connection, series: int, window: Window, nodes: Nodes, bounds: Bounds, *, by_time: bool
) -> None:
    lowest, highest = min(nodes.low), max(nodes.high)
    if lowest > highest:
        return
    found = []
    for value, column in ((lowest, nodes.low), (highest, nodes.high)):
        index = column.index(value)
        piece = _overlap(bounds, nodes.first_step[index], nodes.last_step[index])
        row = connection.execute(_EXTREME, (series, *piece, value)).fetchone()
        step, time = row if row is not None else (nodes.last_step[index], nodes.last_time[index])
        found.append((value, time if by_time else step))
    window.lowest, window.highest = found
