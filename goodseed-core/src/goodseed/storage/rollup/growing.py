"""Stores the nodes of long series as their points come, in the transactions of the writer of a run."""

from __future__ import annotations

import logging
import math
import sqlite3
from array import array
from dataclasses import dataclass, field
from itertools import chain
from operator import lt
from typing import TYPE_CHECKING, Final, final

from goodseed.errors import FileFormatError
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.aggregate import read_points
from goodseed.storage.rollup.as_of import data_version, is_log_ours, note_live
from goodseed.storage.rollup.node_table import NodeTable
from goodseed.storage.rollup.nodes import Bounds
from goodseed.storage.rollup.rows import ROW_POINTS, frames_of, packed_rows
from goodseed.storage.rollup.stored import end_step, has_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from goodseed.storage.rollup.rows import Frame

__all__ = ["GrowingNodes"]

_logger: Final = logging.getLogger("goodseed")
_LONG: Final = 16_384  # a shorter series is read as fast as its nodes
_SOON: Final = 64  # points of a new series in its first batch, with which it will soon be long
_LOOK: Final = 1_024  # points of a series that was there before, after which its length is looked at
_HELD: Final = 300_000  # points in memory, some 10 MB, that wait until they make a row
_SHORT_ROW: Final = 512  # points that make one where too many wait
_OWN_ROW: Final = 1_024  # points of one batch that make one by themselves
_READ_AGAIN: Final = 16_384  # points a transaction: it is to stay short
_REBUILT_ROWS: Final = 4  # in a transaction, where points have changed; of more, all behind them are made again
_NEXT_SERIES: Final = "SELECT min(series_id) FROM metric_nodes WHERE series_id > ?"
_NEXT_POINT: Final = f"SELECT step FROM {NUMBERS.point_table} WHERE series_id = ? ORDER BY step LIMIT 1 OFFSET ?"
_UNKNOWN: Final = 1 << 40  # points may be waiting
_LAST_STEP: Final = f"SELECT max(step) FROM {NUMBERS.point_table} WHERE series_id = ?"
_MAX_ID: Final = f"SELECT max(id) FROM {NUMBERS.series_table}"

Chunk = tuple["Sequence[float]", "Sequence[float]", "Sequence[float]"]


@dataclass(slots=True)
class _Long:
    """A series with nodes.

    Attributes:
        rows: How many rows of level 0 it has.
        end: Up to which step they go.
        last: Its last step.
        waiting: How many points there may be behind `end`; 0 if there is none.
        chunks: Those of them that are in memory, as steps, values and times; `held` says how many they are.
    """

    rows: int
    end: float
    last: float
    waiting: int
    held: int = 0
    chunks: list[Chunk] = field(default_factory=list)


_NEW, _OPEN, _KNOWN, _UNSURE = range(4)  # what is in memory, beside the file: as of its last transaction, if known


@final
class GrowingNodes:
    """The nodes of one run file, for its writer.

    Attributes:
        has_table: There are any.
        version: See `goodseed.storage.rollup.as_of.data_version`: as of this, the nodes are those of the points.
    """

    def __init__(self, connection: sqlite3.Connection, database: Path) -> None:
        """The nodes that are in the file are those of its points."""
        self._database: Final = database
        self._connection = connection
        self._table = NodeTable(connection)
        self.version = data_version(connection)
        self._state = _NEW
        self._is_broken = False
        self._long: dict[int, _Long] = {}
        self._old = self._last_series()  # up to this one, there may be points already
        self.has_table = has_nodes(connection)
        # By the steps of chunks, which are kept with them: another list may take the place of one that is gone.
        self._frames: Final[dict[tuple[int, ...], tuple[list[Frame], list[Sequence[float]]]]] = {}

    def _load(self) -> None:
        connection = self._connection
        self.has_table = has_nodes(connection)
        self._counts: array[int] = array("I")  # of the points that came, by series
        self._long = {}
        self._given_up: set[int] = set()
        self._held = 0
        self._behind: dict[int, _Long] = {}
        self._changed: dict[int, list[Sequence[float]]] = {}  # the steps that were written over or between others
        self._ordered: dict[int, bool] = {}  # by the steps of a batch, which many series have in common
        series = 0
        while self.has_table and (series := connection.execute(_NEXT_SERIES, (series,)).fetchone()[0]) is not None:
            self._long[series] = self._found(series)

    def _last_series(self) -> int:
        return int(self._connection.execute(_MAX_ID).fetchone()[0] or 0)

    def _found(self, series: int) -> _Long:
        rows, end = end_step(self._connection, series) if self.has_table else (0, -math.inf)
        last = self._connection.execute(_LAST_STEP, (series,)).fetchone()[0]
        return _Long(rows, end, -math.inf if last is None else last, _UNKNOWN)

    def stored(self) -> None:
        """The transaction is committed."""
        if self._state == _OPEN:
            self._state = _KNOWN

    def forget(self) -> None:
        """The nodes in the file are others than before, in this transaction."""
        self._state = _UNSURE

    def begin(self, connection: sqlite3.Connection) -> None:
        """A transaction has begun, in which points will be stored.

        Raises:
            sqlite3.Error: The file can't be written.
        """
        if connection is not self._connection:  # the file was restored from what was open
            self._connection = connection
            self._table = NodeTable(connection)
            self.version = data_version(connection)
        self.look()
        if self._state != _KNOWN or data_version(connection) != self.version:
            self._start_again()
        self._state = _OPEN

    def look(self) -> None:
        """Take note of what other processes of ours have changed in the file: it was no point."""
        version = data_version(self._connection)
        if version != self.version and is_log_ours(self._connection, self._database):
            self.version = version

    def take(self, series: int, steps: Sequence[float], values: Sequence[float], times: Sequence[float]) -> None:
        """Take points of one series that are stored in this transaction: before that, while they are at hand.

        Raises:
            sqlite3.Error: The file can't be written.
        """
        if self._is_broken:
            return
        try:
            long = self._long.get(series) or self._new(series, len(steps))
            if long is not None:
                self._take(series, long, (steps, values, times))
        except FileFormatError:
            self._give_up(series)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - what only makes charts faster must not keep points out of the file
            self._break(error)

    def _take(self, series: int, long: _Long, chunk: Chunk) -> None:
        steps = chunk[0]
        is_ordered = self._ordered.get(id(steps))
        if is_ordered is None:
            is_ordered = self._ordered[id(steps)] = all(map(lt, steps, steps[1:]))
        if not is_ordered or steps[0] <= long.last or series in self._changed:
            self._let_go(long)
            long.waiting += len(steps)
            self._changed.setdefault(series, []).append(steps)
        elif long.waiting == long.held and (self._held < _HELD or long.held + len(steps) >= _SHORT_ROW):
            self._append(series, long, chunk)
        else:
            self._let_go(long)
            long.waiting += len(steps)
        long.last = max(long.last, steps[-1] if is_ordered else max(steps))
        if long.waiting >= ROW_POINTS:
            self._behind[series] = long

    def finish(self) -> None:
        """All that was taken is stored: what has to be read again can be.

        Raises:
            sqlite3.Error: The file can't be written.
        """
        self._frames.clear()
        self._ordered.clear()
        changed, self._changed = self._changed, {}
        if self._is_broken:
            return
        try:
            for series, several in changed.items():
                for steps in several:
                    self._change(series, steps)
            self._catch_up()
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._break(error)

    def note_written(self, series: int, low: float, high: float) -> None:
        """Points of a series were written in this transaction between two steps, and not taken.

        Raises:
            sqlite3.Error: The file can't be written.
        """
        self._count(series, 1)
        long = self._long.get(series)
        if long is None or self._is_broken:
            return
        self._let_go(long)
        long.waiting, long.last = _UNKNOWN, max(long.last, high)
        self._behind[series] = long
        self._change(series, [low, high])

    def _break(self, error: Exception) -> None:
        _logger.error("goodseed: the rollups of a run can't be kept with its points.", exc_info=error)
        self._is_broken = True
        self.has_table = False
        if has_nodes(self._connection):
            self._connection.execute("DROP TABLE metric_nodes")

    def _give_up(self, series: int) -> None:
        """Something else has written what is not a number, or no nodes: it is for readers to say so."""
        long = self._long.pop(series, None)
        if long is not None:
            self._let_go(long)
            self._truncate(series, long, 0)
        self._given_up.add(series)
        self._behind.pop(series, None)

    def _append(self, series: int, long: _Long, chunk: Chunk) -> None:
        """Hold points behind the last one until they make a row."""
        count = len(chunk[0])
        long.chunks.append(chunk)
        long.waiting = long.held = long.held + count
        self._held += count
        if count < _OWN_ROW and long.held < (ROW_POINTS if self._held < _HELD else _SHORT_ROW):
            return
        chunks = long.chunks
        steps, values, times = chunk
        if len(chunks) > 1:
            steps, values, times = (list(chain.from_iterable(columns)) for columns in zip(*chunks, strict=True))
        key = tuple(id(held) for held, _, _ in chunks)
        if key not in self._frames:
            self._frames[key] = frames_of(steps, times), [held for held, _, _ in chunks]
        self._store(series, long, self._frames[key][0], values)

    def _let_go(self, long: _Long) -> None:
        """What is held is read from the file again."""
        self._held -= long.held
        long.held = 0
        long.chunks.clear()

    def _start_again(self) -> None:
        """There was no transaction yet, the last one was rolled back, or something else has changed the file."""
        version, long = data_version(self._connection), self._long
        is_changed = version != self.version
        if is_changed and self.has_table and has_nodes(self._connection):
            self._connection.execute("DELETE FROM metric_nodes")
        self.version = version
        if self._state != _NEW:
            self._old = self._last_series()
        self._load()
        if is_changed:
            self._long = {series: self._found(series) for series in long}
            self._behind = dict(self._long)

    def _count(self, series: int, count: int) -> int:
        """How many points of a series have come, with these."""
        if series >= len(self._counts):
            self._counts.extend([0] * (series + 1 - len(self._counts)))
        total = self._counts[series] = min(self._counts[series] + count, 1 << 30)
        return total

    def _new(self, series: int, count: int) -> _Long | None:
        """A series that has become long; of the file's points, those of this transaction are among them."""
        if series in self._given_up:
            return None
        total = self._count(series, count)
        before = total - count
        long = None
        if not before and count >= _SOON and series > self._old:
            long = _Long(0, -math.inf, -math.inf, 0)
        elif total >= (_LOOK if series <= self._old else _LONG):
            if self._connection.execute(_NEXT_POINT, (series, _LONG)).fetchone() is None:
                if series <= self._old:
                    self._counts[series] = 0
                return None
            long = self._found(series)
        if long is not None:
            self._long[series] = long
        return long

    def _store(self, series: int, long: _Long, frames: Sequence[Frame], values: Sequence[float]) -> None:
        if not self.has_table:
            self._table.create()
            note_live(self._connection)
            self.has_table = True
        long.rows = self._table.add(series, long.rows, packed_rows(frames, values))
        long.end = frames[-1].last_step
        long.waiting = 0
        self._let_go(long)

    def _change(self, series: int, steps: Sequence[float]) -> None:
        """Points were written before the last one, or over others."""
        long = self._long.get(series)
        covered = [step for step in steps if long is not None and step <= long.end]
        if long is None or not covered:
            return
        try:
            self._renew(series, long, min(covered), max(covered))
        except FileFormatError:
            self._give_up(series)

    def _renew(self, series: int, long: _Long, low: float, high: float) -> None:
        """Make the nodes that cover points between these steps again."""
        first, last = (self._table.row_at(series, long.rows, step) for step in (low, high))
        numbers = range(first, last + 1)
        if len(numbers) > _REBUILT_ROWS or not all(
            self._table.rebuild(series, long.rows, number, long.end) for number in numbers
        ):
            self._truncate(series, long, first)

    def _truncate(self, series: int, long: _Long, rows: int) -> None:
        long.end = self._table.truncate(series, long.rows, rows)
        long.rows = rows
        long.waiting = _UNKNOWN

    def _catch_up(self) -> None:
        """Read some of the points again that are in no row."""
        left = _READ_AGAIN
        while self._behind and left > 0:
            series, long = next(iter(self._behind.items()))
            bounds = Bounds(math.nextafter(long.end, math.inf), math.inf)
            wanted = max(left, ROW_POINTS)
            try:
                steps, values, times = (
                    column.tolist() for column in read_points(self._connection, series, bounds, wanted)
                )
                if len(steps) >= ROW_POINTS:
                    self._store(series, long, frames_of(steps, times), values)
            except FileFormatError:
                self._give_up(series)
                continue
            left -= len(steps) + 1
            if len(steps) == wanted:
                long.waiting = _UNKNOWN
                continue
            del self._behind[series]
            if len(steps) < ROW_POINTS:
                long.waiting = len(steps)
