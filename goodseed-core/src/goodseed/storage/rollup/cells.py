"""Divides a series into exact cells: nodes where they lie in one cell, and single points where they do not."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final, Protocol, final

from goodseed.storage.rollup.aggregate import read_points
from goodseed.storage.rollup.nodes import FANOUT, Bounds, Nodes
from goodseed.storage.rollup.rows import node_of_points

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from goodseed.storage.rollup.building import Rollup

__all__ = ["Cells", "IndexCells", "StepCells", "nodes_in_cells"]

_FINE: Final = 4  # nodes a cell with which one begins


class Cells(Protocol):
    """Where each cell begins, and the last one ends: cell 0 lies behind the first of these edges."""

    @property
    def edges(self) -> Sequence[float]:
        """As many as there are cells, and one more."""
        ...

    def of(self, nodes: Nodes, index: int, before: float) -> tuple[int, int]:
        """The cells of the first and the last point of a node, before which there are so many points."""
        ...

    def end(self, cell: int, steps: Sequence[float], before: float) -> int:
        """Of points at these steps, before which there are so many: the index of the first one behind a cell."""
        ...


@final
class StepCells:
    """Cells between steps."""

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges: Final = edges

    def of(self, nodes: Nodes, index: int, before: float) -> tuple[int, int]:
        """See `Cells.of`."""
        edges = self.edges
        return bisect_right(edges, nodes.first_step[index]) - 1, bisect_right(edges, nodes.last_step[index]) - 1

    def end(self, cell: int, steps: Sequence[float], before: float) -> int:
        """See `Cells.end`."""
        return bisect_left(steps, self.edges[cell + 1])


@final
class IndexCells:
    """Cells between indexes of points."""

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges: Final = edges

    def of(self, nodes: Nodes, index: int, before: float) -> tuple[int, int]:
        """See `Cells.of`."""
        last = before + nodes.count[index] - 1
        return bisect_right(self.edges, before) - 1, bisect_right(self.edges, last) - 1

    def end(self, cell: int, steps: Sequence[float], before: float) -> int:
        """See `Cells.end`."""
        return min(len(steps), int(self.edges[cell + 1] - before))


def nodes_in_cells(
    connection: sqlite3.Connection, series: int, rollup: Rollup, cells: Cells
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """A node for each cell that holds a point, with the number of the cell.

    Args:
        connection: The run's, in a transaction.
        series: The series.
        rollup: What is known of it, as of this transaction: all of it.
        cells: The cells.

    Raises:
        FileFormatError: One of the points is not a number, or the rollup is damaged.
    """
    found = Nodes()
    cell = 0
    for number, node in _divided(connection, series, rollup, cells):
        if number != cell and len(found):
            yield cell, found.merged(0, len(found))
            found.truncate(0)
        cell = number
        found.append(node)
    if len(found):
        yield cell, found.merged(0, len(found))


def _divided(
    connection: sqlite3.Connection, series: int, rollup: Rollup, cells: Cells
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Nodes that lie in one cell each, in order, with its number."""
    end = len(cells.edges) - 1

    def divide(depth: int, start: int, part: Nodes, before: float) -> Iterator[tuple[int, tuple[float, ...]]]:
        """``part`` begins with the node ``start`` of a level; before it, there are so many points."""
        run_start, run_cell = 0, -1
        for index in range(len(part)):
            low, high = cells.of(part, index, before)
            if low != run_cell or high != run_cell:
                if 0 <= run_cell < end:
                    yield run_cell, part.merged(run_start, index)
                run_start, run_cell = index, low
            if low != high:
                run_cell = -1
                if depth:
                    finer = (start + index) * FANOUT
                    level = rollup.levels[depth - 1]
                    yield from divide(depth - 1, finer, level.part(finer, finer + FANOUT), before)
                else:
                    yield from split(part, index, before)
            before += part.count[index]
        if 0 <= run_cell < end:
            yield run_cell, part.merged(run_start, len(part))

    def split(part: Nodes, index: int, before: float) -> Iterator[tuple[int, tuple[float, ...]]]:
        """The points of one node."""
        low, high = cells.of(part, index, before)
        bounds = Bounds(part.first_step[index], part.last_step[index])
        steps, values, times = read_points(connection, series, bounds)
        first = 0 if low >= 0 else cells.end(low, steps, before)
        for cell in range(max(low, 0), min(high, end - 1) + 1):
            stop = cells.end(cell, steps, before)
            if stop > first:
                inside = slice(first, stop)
                yield cell, node_of_points(steps[inside].tolist(), values[inside].tolist(), times[inside].tolist())
            first = stop

    depth = len(rollup.levels) - 1
    while depth and len(rollup.levels[depth]) < _FINE * end:
        depth -= 1
    level = rollup.levels[depth]
    yield from divide(depth, 0, level.part(0, len(level)), 0.0)
