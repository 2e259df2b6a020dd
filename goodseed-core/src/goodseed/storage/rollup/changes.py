"""Tells which points of a run that is being written have changed: its writer notes it in its transactions.

The table ``point_changes`` is in a run file only while it is written. A row is about the transactions from ``first`` to
``number``; its spans say between which steps which series were touched. Old rows are merged, so that there are never
many: that more is told to have changed than has is harmless.
"""

from __future__ import annotations

import sqlite3
import struct
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.storage.rollup.nodes import Bounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Changes", "begin_changes", "changes_in", "end_changes", "last_numbers", "note_changes"]

_CREATE: Final = """
    CREATE TABLE point_changes (number INTEGER PRIMARY KEY, first INTEGER NOT NULL, spans BLOB NOT NULL)"""
_INSERT: Final = "INSERT INTO point_changes (number, first, spans) VALUES (?, ?, ?)"
_STATE: Final = "SELECT max(number), min(first), count(*) FROM point_changes"
_OLDEST: Final = "SELECT number, first, spans FROM point_changes ORDER BY number LIMIT ?"
_SINCE: Final = "SELECT spans FROM point_changes WHERE number > ?"
_SPAN: Final = struct.Struct("<ddqq")  # lowest and highest step, first and last series
_MAX_ROWS: Final = 128
_MERGED_ROWS: Final = 64
_MAX_BOUNDS: Final = 16


class Changes(NamedTuple):
    """What the writer of a run tells, as of a transaction.

    Attributes:
        connection: The run's, in that transaction.
        state: For `since` to understand later.
    """

    connection: sqlite3.Connection
    state: str

    def since(self, state: str, series: int) -> list[Bounds] | None:
        """The steps between which points of ``series`` may have changed since ``state``; None where it isn't known."""
        last, oldest, _ = self.connection.execute(_STATE).fetchone()
        if not state.isdecimal() or len(state) > 18 or last is None or not oldest <= int(state) <= last:
            return None  # of another writer
        found = sorted(
            Bounds(low, high)
            for (spans,) in self.connection.execute(_SINCE, (int(state),)).fetchall()
            for low, high, first, end in _SPAN.iter_unpack(spans)
            if first <= series <= end
        )
        merged: list[Bounds] = []
        for bounds in found:
            if merged and bounds.step_low <= merged[-1].step_high:
                merged[-1] = Bounds(merged[-1].step_low, max(merged[-1].step_high, bounds.step_high))
            else:
                merged.append(bounds)
        return merged if len(merged) <= _MAX_BOUNDS else [Bounds(merged[0].step_low, merged[-1].step_high)]


def changes_in(connection: sqlite3.Connection) -> Changes | None:
    """What the writer of a run tells; None where it tells nothing.

    Args:
        connection: The run's, in a transaction, while a process holds the run's lock.
    """
    try:
        last, _, _ = connection.execute(_STATE).fetchone()
    except sqlite3.OperationalError:  # there is no such table: something else than Goodseed writes it
        return None
    return None if last is None else Changes(connection, str(last))


def begin_changes(connection: sqlite3.Connection) -> None:
    """Begin to note what changes, inside the caller's transaction; what an earlier writer noted goes."""
    end_changes(connection)
    connection.execute(_CREATE)
    number = time.time_ns() // 1000  # beyond any that an earlier writer has given away
    connection.execute(_INSERT, (number, number, b""))


def end_changes(connection: sqlite3.Connection) -> None:
    """Remove the table."""
    connection.execute("DROP TABLE IF EXISTS point_changes")


def last_numbers(connection: sqlite3.Connection) -> tuple[int, int] | None:
    """Where what the writer tells begins, and its last transaction; None where it tells nothing."""
    try:
        last, first, _ = connection.execute(_STATE).fetchone()
    except sqlite3.OperationalError:  # there is no such table
        return None
    return None if last is None else (first, last)


def note_changes(connection: sqlite3.Connection, touched: Iterable[tuple[Sequence[int], float, float]]) -> int:
    """Note what the caller's transaction changes; returns its number, which is the time in microseconds.

    Args:
        connection: That of the writer, after `begin_changes`.
        touched: Series by their ids, and the lowest and highest step that is written in them.
    """
    spans = b"".join(span for ids, low, high in touched for span in _spans(ids, low, high))
    last, _, count = connection.execute(_STATE).fetchone()
    if count >= _MAX_ROWS:
        _merge_oldest(connection)
    number = max(last + 1, time.time_ns() // 1000)
    connection.execute(_INSERT, (number, number, spans))
    return int(number)


def _spans(ids: Sequence[int], low: float, high: float) -> Iterator[bytes]:
    first, last = min(ids), max(ids)
    if last - first + 1 == len(ids):  # as most are that are logged together
        yield _SPAN.pack(low, high, first, last)
        return
    ordered = sorted(ids)
    start = 0
    for index in range(1, len(ordered) + 1):
        if index == len(ordered) or ordered[index] != ordered[index - 1] + 1:
            yield _SPAN.pack(low, high, ordered[start], ordered[index - 1])
            start = index


def _merge_oldest(connection: sqlite3.Connection) -> None:
    rows = connection.execute(_OLDEST, (_MERGED_ROWS,)).fetchall()
    merged: dict[tuple[int, int], tuple[float, float]] = {}
    for _, _, spans in rows:
        for low, high, first, last in _SPAN.iter_unpack(spans):
            known = merged.get((first, last), (low, high))
            merged[first, last] = (min(known[0], low), max(known[1], high))
    number = rows[-1][0]
    connection.execute("DELETE FROM point_changes WHERE number <= ?", (number,))
    content = b"".join(_SPAN.pack(*steps, *series) for series, steps in merged.items())
    connection.execute(_INSERT, (number, rows[0][1], content))
