"""Merges the lines of several streams by time.

A line may come in after younger ones of another stream. Such a line moves the last lines of the log, which pages ask
for again with every update; a line before those never gets another number while the server runs.
"""

from __future__ import annotations

import heapq
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from goodseed.server.dashboard.project.open_run import OpenRun
    from goodseed.server.dashboard.state import DashboardState
    from goodseed.server.routes import Store

__all__ = ["REWRITTEN", "LogOrder", "LogOrders", "Stream", "orders_of", "streams_of"]

_MAX_ORDERS: Final = 32
_MAX_STREAMS: Final = 200
_MAX_KEPT_LINES: Final = 20_000_000  # a byte each
_STREAMS: Final = "SELECT id, path FROM string_series ORDER BY path"
_EXTENT: Final = "SELECT count(*), min(step), max(step) FROM string_points WHERE series_id = ?"
REWRITTEN: Final = 200  # of each stream's last lines, which may still change or move
_TIMES: Final = "SELECT ts FROM string_points WHERE series_id = ? AND step > ? ORDER BY step"
_TIMES_FROM: Final = "SELECT ts FROM string_points WHERE series_id = ? AND step >= ? ORDER BY step LIMIT ?"
_STEP_AT: Final = "SELECT step FROM string_points WHERE series_id = ? ORDER BY step LIMIT 1 OFFSET ?"


@dataclass(frozen=True, slots=True)
class Stream:
    """One series of lines.

    Attributes:
        number: Its number in the file.
        path: Its path.
        kind: ``out``, ``err`` or ``text``.
        count: How many lines it has.
        first_step: The step of the first one; `last_step` likewise.
    """

    number: int
    path: str
    kind: str
    count: int
    first_step: float
    last_step: float

    @property
    def namespace(self) -> str:
        """The process, as monitoring names it."""
        return self.path.rpartition("/")[0]

    @property
    def is_counted(self) -> bool:
        """Whether the steps count the lines one by one, so that a line is found by its number."""
        return self.last_step - self.first_step == self.count - 1 and self.first_step.is_integer()

    def step_at(self, reader: OpenRun, index: int) -> float:
        """The step of a line; that of the first one is at 0."""
        if self.is_counted:
            return self.first_step + index
        rows = reader.rows(_STEP_AT, self.number, index)
        return float(rows[0][0]) if rows else self.last_step + 1.0


def streams_of(reader: OpenRun, kinds: Sequence[str], namespace: str | None) -> list[Stream]:
    """The streams of these kinds that have a line, by path; of one process, or all."""
    found: list[Stream] = []
    for number, path in reader.rows(_STREAMS):
        parent, _, name = path.rpartition("/")
        is_console = path.startswith("monitoring/") and name in ("stdout", "stderr")
        kind = {"stdout": "out", "stderr": "err"}[name] if is_console else "text"
        if kind in kinds and (namespace is None or namespace == parent) and len(found) < _MAX_STREAMS:
            count, first, last = reader.rows(_EXTENT, number)[0]
            if count and isinstance(first, (int, float)) and isinstance(last, (int, float)):
                found.append(Stream(number, path, kind, count, float(first), float(last)))
    return found


@final
class LogOrder:
    """The order of the lines of some streams: for each line the place of its stream."""

    def __init__(self) -> None:
        self.lock: Final = threading.Lock()
        self._numbers: list[int] = []
        self._order = bytearray()
        self._counts: list[int] = []
        self._last_steps: list[float] = []

    def __len__(self) -> int:
        return len(self._order)

    def update(self, reader: OpenRun, streams: list[Stream]) -> None:
        """Put the lines that are new behind those that are known, among themselves by time."""
        for stream in streams:
            if stream.number not in self._numbers:
                self._numbers.append(stream.number)
                self._counts.append(0)
                self._last_steps.append(float("-inf"))
        counts = {stream.number: stream.count for stream in streams}
        if any(counts.get(number, 0) < count for number, count in zip(self._numbers, self._counts, strict=True)):
            self._restart()
        fresh: dict[int, list[Any]] = {}
        for place, number in enumerate(self._numbers):
            if counts.get(number, 0) > self._counts[place]:
                times = reader.rows(_TIMES, number, self._last_steps[place])
                if len(times) != counts[number] - self._counts[place]:  # a line has come between older ones
                    self._restart()
                    self.update(reader, streams)
                    return
                fresh[place] = times
        if fresh:
            tail = self._taken_back(reader, {stream.number: stream for stream in streams})
            sources = [_keyed(tail.get(place, []) + fresh.get(place, []), place) for place in {**tail, **fresh}]
            self._order.extend([place for _, place in heapq.merge(*sources)])
        for stream in streams:
            place = self._numbers.index(stream.number)
            self._counts[place], self._last_steps[place] = stream.count, stream.last_step

    def _taken_back(self, reader: OpenRun, streams: dict[int, Stream]) -> dict[int, list[Any]]:
        """Take the last lines out of the order again; their times by the place of their stream."""
        if len(self._numbers) == 1:
            return {}
        first = max(0, len(self._order) - REWRITTEN)
        tail: dict[int, list[Any]] = {}
        for place in sorted(set(self._order[first:])):
            stream = streams.get(self._numbers[place])
            if stream is None:  # the stream is gone: the next update begins the order again
                return {}
            passed = self._order.count(place, 0, first)
            count = self._counts[place] - passed
            tail[place] = reader.rows(_TIMES_FROM, stream.number, stream.step_at(reader, passed), count)
        del self._order[first:]
        return tail

    def _restart(self) -> None:
        self._order = bytearray()
        self._counts = [0] * len(self._numbers)
        self._last_steps = [float("-inf")] * len(self._numbers)

    def places(self, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """The lines from a number on: number, the stream's number in the file, and the index of the line in it."""
        before = [self._order.count(place, 0, first) for place in range(len(self._numbers))]
        for offset, place in enumerate(self._order[first : first + count]):
            yield first + offset, self._numbers[place], before[place]
            before[place] += 1

    def numbers_of(self, wanted: dict[int, list[int]]) -> list[int]:
        """The numbers of lines that are given by stream and index, sorted."""
        found: list[int] = []
        for number, indexes in wanted.items():
            if number not in self._numbers:
                continue
            place = self._numbers.index(number)
            position, passed = -1, -1
            for index in sorted(indexes):
                while passed < index:
                    position = self._order.find(place, position + 1)
                    passed += 1
                found.append(position)
        return sorted(found)


def _keyed(times: list[Any], place: int) -> Iterator[tuple[float, int]]:
    latest = float("-inf")
    for (time,) in times:
        # Within a stream the steps say the order: a clock may have been set back.
        latest = max(latest, time) if isinstance(time, (int, float)) else latest
        yield latest, place


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
