"""Merges the lines of several streams by time.

A line may be stored after younger ones of another stream. Such a line moves the last lines of the log, which pages ask
for again with every update; a line before those never gets another number while the server runs.
"""

from __future__ import annotations

import heapq
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from goodseed.storage.kinds import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from goodseed.server.dashboard.state import DashboardState
    from goodseed.server.open_runs import OpenRun
    from goodseed.server.routes import Store

__all__ = ["REWRITTEN", "Ends", "LogOrder", "LogOrders", "Stream", "ends_of", "orders_of"]

_MAX_ORDERS: Final = 32
_MAX_STREAMS: Final = 200
_MAX_KEPT_LINES: Final = 20_000_000  # a byte each
_STREAMS: Final = f"SELECT id, path FROM {TEXTS.series_table} ORDER BY path"
_FIRST_AND_LAST: Final = f"""
    SELECT (SELECT min(step) FROM {TEXTS.point_table} WHERE series_id = ?1),
           (SELECT max(step) FROM {TEXTS.point_table} WHERE series_id = ?1)"""  # together they would read all rows
_COUNT: Final = f"SELECT count(*) FROM {TEXTS.point_table} WHERE series_id = ? AND step > ?"
REWRITTEN: Final = 200  # of each stream's last lines, which may still change or move
_TIMES: Final = f"SELECT ts FROM {TEXTS.point_table} WHERE series_id = ? AND step > ? ORDER BY step"
_TIMES_FROM: Final = f"SELECT ts FROM {TEXTS.point_table} WHERE series_id = ? AND step >= ? ORDER BY step LIMIT ?"
_STEP_AT: Final = f"SELECT step FROM {TEXTS.point_table} WHERE series_id = ? ORDER BY step LIMIT 1 OFFSET ?"


class Ends(NamedTuple):
    """One series of lines, from its first line to its last.

    Attributes:
        number: Its number in the file.
        path: Its path.
        kind: ``out``, ``err`` or ``text``.
        first_step: The step of the first line; `last_step` likewise.
    """

    number: int
    path: str
    kind: str
    first_step: float
    last_step: float


@dataclass(frozen=True, slots=True)
class Stream:
    """One series of lines, counted.

    Attributes:
        ends: Which it is, and where it begins and ends.
        count: How many lines it has.
    """

    ends: Ends
    count: int

    @property
    def number(self) -> int:
        """Its number in the file."""
        return self.ends.number

    @property
    def namespace(self) -> str:
        """The process, as monitoring names it."""
        return self.ends.path.rpartition("/")[0]

    @property
    def is_counted(self) -> bool:
        """Whether the steps count the lines one by one, so that a line is found by its number."""
        return self.ends.last_step - self.ends.first_step == self.count - 1 and self.ends.first_step.is_integer()

    def step_at(self, reader: OpenRun, index: int) -> float:
        """The step of a line; that of the first one is at 0."""
        if self.is_counted:
            return self.ends.first_step + index
        rows = reader.rows(_STEP_AT, self.number, index)
        return float(rows[0][0]) if rows else self.ends.last_step + 1.0

    def counted_on(self, reader: OpenRun, ends: Ends) -> int:
        """How many lines the same series has now, at the cost of those that are new where the steps count the lines."""
        is_longer = ends.first_step == self.ends.first_step and ends.last_step >= self.ends.last_step
        if not self.is_counted or not is_longer:
            return _count(reader, ends.number, float("-inf"))
        return self.count + _count(reader, ends.number, self.ends.last_step)


def _count(reader: OpenRun, number: int, step: float) -> int:
    return int(reader.rows(_COUNT, number, step)[0][0])


def ends_of(reader: OpenRun, kinds: Sequence[str], namespace: str | None) -> list[Ends]:
    """The streams of these kinds that have a line, by path; of one process, or all."""
    found: list[Ends] = []
    for number, path in reader.rows(_STREAMS):
        parent, _, name = path.rpartition("/")
        is_console = path.startswith("monitoring/") and name in ("stdout", "stderr")
        kind = {"stdout": "out", "stderr": "err"}[name] if is_console else "text"
        if kind in kinds and (namespace is None or namespace == parent) and len(found) < _MAX_STREAMS:
            first, last = reader.rows(_FIRST_AND_LAST, number)[0]
            if isinstance(first, (int, float)) and isinstance(last, (int, float)):
                found.append(Ends(number, path, kind, float(first), float(last)))
    return found


@final
class LogOrder:
    """The order of the lines of some streams: for each line the place of its stream."""

    def __init__(self) -> None:
        self.lock: Final = threading.Lock()
        self._numbers: list[int] = []
        self._order = bytearray()
        self._known: list[Stream | None] = []  # as it was merged last

    def __len__(self) -> int:
        return len(self._order)

    def update(self, reader: OpenRun, found: Sequence[Ends]) -> list[Stream]:
        """Put the lines that are new behind those that are known, among themselves by time; the streams, counted."""
        for ends in found:
            if ends.number not in self._numbers:
                self._numbers.append(ends.number)
                self._known.append(None)
        streams = []
        for ends in found:
            known = self._known[self._numbers.index(ends.number)]
            count = known.counted_on(reader, ends) if known else _count(reader, ends.number, float("-inf"))
            streams.append(Stream(ends, count))
        self._merge(reader, {self._numbers.index(stream.number): stream for stream in streams})
        return streams

    def _merge(self, reader: OpenRun, streams: dict[int, Stream]) -> None:
        counts = [known.count if known else 0 for known in self._known]
        if any(place not in streams or streams[place].count < count for place, count in enumerate(counts) if count):
            self._restart()  # there are fewer lines
            counts = [0] * len(self._numbers)
        longer = [place for place, stream in streams.items() if stream.count > counts[place]]
        if len(longer) == 1 and (len(self._numbers) == 1 or not self._order):  # no other line to stand among
            self._order.extend(bytes([longer[0]]) * (streams[longer[0]].count - counts[longer[0]]))
        elif longer:
            fresh: dict[int, list[Any]] = {}
            for place in longer:
                known = self._known[place]
                rows = reader.rows(_TIMES, self._numbers[place], known.ends.last_step if known else float("-inf"))
                if len(rows) != streams[place].count - counts[place]:  # a line has come between older ones
                    self._restart()
                    self._merge(reader, streams)
                    return
                fresh[place] = rows
            tail = self._taken_back(reader, streams)
            times = {place: tail.get(place, []) + fresh.get(place, []) for place in {**tail, **fresh}}
            self._order.extend(_merged(times))
        for place, stream in streams.items():
            self._known[place] = stream

    def _taken_back(self, reader: OpenRun, streams: dict[int, Stream]) -> dict[int, list[Any]]:
        """Take the last lines out of the order again; their times by the place of their stream."""
        first = max(0, len(self._order) - REWRITTEN)
        tail: dict[int, list[Any]] = {}
        for place in sorted(set(self._order[first:])):
            known = self._known[place]
            assert known is not None  # it has lines in the order
            passed = self._passed(place, first)
            rows = reader.rows(_TIMES_FROM, known.number, streams[place].step_at(reader, passed), known.count - passed)
            tail[place] = rows
        del self._order[first:]
        return tail

    def _restart(self) -> None:
        self._order = bytearray()
        self._known = [None] * len(self._numbers)

    def _passed(self, place: int, first: int) -> int:
        """How many lines of one stream stand before the line of a number; counted from the nearer end."""
        known = self._known[place]
        if first <= len(self._order) // 2 or known is None:
            return self._order.count(place, 0, first)
        return known.count - self._order.count(place, first)

    def places(self, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """The lines from a number on: number, the stream's number in the file, and the index of the line in it."""
        before = [self._passed(place, first) for place in range(len(self._numbers))]
        for offset, place in enumerate(self._order[first : first + count]):
            yield first + offset, self._numbers[place], before[place]
            before[place] += 1

    def between(self, first: int, last: int) -> dict[int, tuple[int, int]]:
        """Which lines of each stream stand from one number to before another: the first's index, and how many."""
        passed = {place: self._passed(place, first) for place in range(len(self._numbers))}
        return {
            self._numbers[place]: (before, self._order.count(place, first, last)) for place, before in passed.items()
        }

    def numbers_of(self, number: int, indexes: Sequence[int], first: int, before: int) -> list[int]:
        """The numbers of lines of one stream that are given by their sorted indexes.

        Args:
            number: The stream's number in the file.
            indexes: Which of its lines; none stands before ``first``.
            first: The number of a line.
            before: How many lines of the stream stand before that.
        """
        place = self._numbers.index(number)
        found: list[int] = []
        position, passed = first - 1, before - 1
        for index in indexes:
            while passed < index:
                position = self._order.find(place, position + 1)
                passed += 1
            found.append(position)
        return found


def _merged(times: dict[int, list[Any]]) -> bytes:
    """The places of the lines of some streams by time, lines of one stream in their order, whatever its clock did."""
    keyed = {place: list(accumulate(map(_seconds, rows), max)) for place, rows in times.items()}
    longest = max(keyed, key=lambda place: len(keyed[place]))
    others = heapq.merge(*([(time, place) for time in keyed[place]] for place in keyed if place != longest))
    order = bytearray()
    lines, passed = keyed[longest], 0
    for time, place in others:
        until = (bisect_left if place < longest else bisect_right)(lines, time, passed)
        order.extend(bytes([longest]) * (until - passed))
        order.append(place)
        passed = until
    order.extend(bytes([longest]) * (len(lines) - passed))
    return bytes(order)


def _seconds(row: tuple[Any]) -> float:
    return float(row[0]) if isinstance(row[0], (int, float)) else float("-inf")


@final
class LogOrders:
    """The orders of the logs that were last asked for; for any number of threads."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._kept: Final[OrderedDict[tuple[str, tuple[str, ...], str | None], LogOrder]] = OrderedDict()

    def close(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._kept.clear()

    def of(self, run: str, kinds: tuple[str, ...], namespace: str | None) -> LogOrder:
        """The order of some streams of a run, to be updated under its lock."""
        key = (run, kinds, namespace)
        with self._lock:
            order = self._kept.pop(key, None) or LogOrder()
            self._kept[key] = order
            while len(self._kept) > 1 and (
                len(self._kept) > _MAX_ORDERS or sum(map(len, self._kept.values())) > _MAX_KEPT_LINES
            ):
                self._kept.popitem(last=False)
            return order


def orders_of(dashboard: DashboardState) -> LogOrders:
    """The orders of the logs of one store."""
    return dashboard.shared.get(_new_orders)


def _new_orders(_store: Store) -> LogOrders:
    return LogOrders()
