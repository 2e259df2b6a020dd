"""Makes the nodes of a whole series: of its points, some at a time, or of those that its writer has stored."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, final

from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.aggregate import aggregate
from goodseed.storage.rollup.nodes import FANOUT, Bounds, Nodes
from goodseed.storage.rollup.stored import StoredLevel, end_step, merged_nodes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Level", "Rollup", "levels_of", "pieces_behind", "rebuilt", "stored_rollup"]

_FAR_POINTS: Final = 131_072  # behind the stored nodes: with more, all nodes are made again, and kept
_FAR: Final = f"SELECT 1 FROM {NUMBERS.point_table} WHERE series_id = ? AND step > ? ORDER BY step LIMIT 1 OFFSET ?"
_FLUSH_NODES: Final = 256
_FINE_NODES: Final = 8_192  # the first ones of a series; those that follow are of more points
_COARSE_POINTS: Final = 1_024


class Level(Protocol):
    """The nodes of one level of a series, in the order of their steps."""

    def __len__(self) -> int: ...

    def part(self, start: int, stop: int) -> Nodes:
        """The nodes from one index up to another."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Rollup:
    """What is known of one series.

    Attributes:
        levels: Its points as nodes; each level has a node for `FANOUT` of the one before.
        share: How much of the series that is, from its first step on; 1 for all of it. The rest is still to be read.
    """

    levels: Sequence[Level]
    share: float = 1.0


def stored_rollup(
    connection: sqlite3.Connection, series: int, on_progress: Callable[[], object] | None = None
) -> Rollup | None:
    """The rollup that the writer of a run has stored, which is to be current; None without one, or if it lacks much.

    It can be read as long as the caller's transaction lasts.
    """
    rows, end = end_step(connection, series)
    if not rows or connection.execute(_FAR, (series, end, _FAR_POINTS)).fetchone() is not None:
        return None
    rest = _build(connection, series, Bounds(math.nextafter(end, math.inf), math.inf), on_progress)
    levels = [StoredLevel(connection, series, 0, rest)]
    while len(levels[-1]) > FANOUT * FANOUT:
        levels.append(levels[-1].above())
    return Rollup(levels)


def pieces_behind(connection: sqlite3.Connection, series: int, base: Nodes) -> Iterator[Nodes]:
    """The nodes behind ``base``, which the caller makes longer by them, some at a time."""
    while True:
        is_fine = len(base) < _FINE_NODES
        low = math.nextafter(base.last_step[-1], math.inf) if len(base) else -math.inf
        nodes = aggregate(connection, series, low, math.inf, *(() if is_fine else (_COARSE_POINTS,)))
        for some in _in_portions(nodes):
            yield some
            if is_fine and len(base) >= _FINE_NODES:
                break
        else:
            return


def _in_portions(found: Iterable[tuple[float, ...]]) -> Iterator[Nodes]:
    waiting: list[tuple[float, ...]] = []
    for node in found:
        waiting.append(node)
        if len(waiting) == _FLUSH_NODES:
            yield _of_rows(waiting)
            waiting = []
    if waiting:
        yield _of_rows(waiting)


def _build(
    connection: sqlite3.Connection, series: int, bounds: Bounds, on_progress: Callable[[], object] | None = None
) -> Nodes:
    nodes = Nodes()
    for some in _in_portions(aggregate(connection, series, bounds.step_low, bounds.step_high)):
        nodes.extend(some)
        if on_progress is not None:
            on_progress()
    return nodes


def _of_rows(rows: list[tuple[float, ...]]) -> Nodes:
    return Nodes(array("d", column) for column in zip(*rows, strict=True))


def rebuilt(connection: sqlite3.Connection, series: int, base: Nodes, bounds: Bounds) -> Nodes:
    """``base`` with new nodes in place of all that touch ``bounds``, and for what has come between them."""
    start = bisect_left(base.last_step, bounds.step_low)
    stop = max(start, bisect_right(base.first_step, bounds.step_high))
    if start and start == len(base):  # what is appended fills the last node up
        start -= 1
    low, high = bounds.step_low, bounds.step_high
    if start < stop:
        low, high = min(low, base.first_step[start]), max(high, base.last_step[stop - 1])
    renewed = base.part(0, start)
    renewed.extend(_build(connection, series, Bounds(low, high)))
    renewed.extend(base.part(stop, len(base)))
    return renewed


def levels_of(base: Nodes) -> list[Nodes]:
    """``base``, and all levels above it."""
    levels = [base]
    while len(levels[-1]) > FANOUT * FANOUT:
        levels.append(_of_rows(list(merged_nodes(levels[-1]))))
    return levels
