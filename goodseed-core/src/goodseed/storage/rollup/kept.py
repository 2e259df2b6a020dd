"""Keeps the rollups of long series: made when first asked for, renewed where a run has changed."""

from __future__ import annotations

import logging
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from goodseed.columns import pack_columns, unpack_columns
from goodseed.errors import InvalidValueError
from goodseed.storage.cache.kept import Kept, KeptRow
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.aggregate import aggregate
from goodseed.storage.rollup.nodes import EVERYTHING, FANOUT, Bounds, Nodes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from goodseed.storage.cache.file import CacheFile
    from goodseed.storage.rollup.changes import Changes

__all__ = ["Rollup", "Rollups"]

_logger: Final = logging.getLogger("goodseed")
_MIN_POINTS: Final = 16_384  # fewer are read as fast as their rollup
_MAX_BYTES: Final = 24 << 20
_LONG: Final = f"SELECT 1 FROM {NUMBERS.point_table} WHERE series_id = ? ORDER BY step LIMIT 1 OFFSET ?"
_FLUSH_NODES: Final = 256
_LOCKS: Final = 32


@final
@dataclass(slots=True, eq=False)
class Rollup:
    """What is known of one series.

    Attributes:
        levels: All its points as nodes; each level has a node for `FANOUT` of the one before.
        token: The state of the file that it was read from.
    """

    levels: list[Nodes]
    token: str

    @property
    def byte_count(self) -> int:
        """How much memory it takes."""
        return sum(len(level) for level in self.levels) * len(Nodes.FIELDS) * 8


@final
class Rollups:
    """The rollups of many runs; for any number of threads."""

    def __init__(self, cache: CacheFile, max_bytes: int = _MAX_BYTES) -> None:
        """Those that do not fit into ``max_bytes`` of memory are read from ``cache`` again."""
        self._stored: Final = Kept(cache, "rollup", ("run", "path"))
        self._max_bytes: Final = max_bytes
        self._lock: Final = threading.Lock()
        self._building: Final = [threading.Lock() for _ in range(_LOCKS)]  # one for many series
        self._kept: Final[OrderedDict[tuple[str, str], Rollup]] = OrderedDict()

    def get(
        self,
        connection: sqlite3.Connection,
        key: tuple[str, str],
        series: int,
        token: str | None,
        changes: Changes | None,
        on_progress: Callable[[], object] | None = None,
    ) -> Rollup | None:
        """The rollup of a series, as of the transaction that ``connection`` is in; None for a series of few points.

        Of a run that nobody writes, one caller makes it, and others wait for it.

        Args:
            connection: The run's, in a transaction.
            key: The run's file and the path of the series.
            series: Its number in the file.
            token: The state of a file that nobody writes, see `goodseed.storage.cache.token.rest_token`; else None.
            changes: What the writer of the run tells; None where it is not known.
            on_progress: Called some times a second while it is made, so that a deadline can be one for each part.
        """
        with nullcontext() if token is None else self._building[hash(key) % _LOCKS]:
            if on_progress is not None:
                on_progress()  # another caller may have taken long
            with self._lock:
                known = self._kept.get(key)
                if known is not None:
                    self._kept.move_to_end(key)
            wanted = token or (changes.state if changes is not None else "")
            if known is not None and known.token == wanted and token is not None:
                return known
            if known is None and connection.execute(_LONG, (series, _MIN_POINTS)).fetchone() is None:
                return None
            if known is None and token is not None:
                known = self._load(key, token)
                if known is not None:
                    return self._keep(key, known)
            rollup = self._renewed(connection, series, known, wanted, changes, on_progress)
            if token is not None:
                self._stored.put([KeptRow(key, token, pack_columns(rollup.levels[0].columns()))])
            return self._keep(key, rollup)

    def forget(self, runs: Iterable[str]) -> None:
        """Remove what is kept about the files of these runs."""
        gone = set(runs)
        with self._lock:
            for key in [key for key in self._kept if key[0] in gone]:
                del self._kept[key]
        self._stored.forget(["run"], [(run,) for run in gone])

    def _load(self, key: tuple[str, str], token: str) -> Rollup | None:
        content = self._stored.get(*key, token=token)
        base = None if content is None else _decode(content)
        return None if base is None else Rollup(_levels(base), token)

    def _renewed(
        self,
        connection: sqlite3.Connection,
        series: int,
        known: Rollup | None,
        state: str,
        changes: Changes | None,
        on_progress: Callable[[], object] | None,
    ) -> Rollup:
        dirty = None if known is None or changes is None else changes.since(known.token, series)
        if known is None or dirty is None:
            return Rollup(_levels(_build(connection, series, EVERYTHING, on_progress)), state)
        if not dirty:
            return Rollup(known.levels, state)
        base = known.levels[0]
        for bounds in dirty:
            base = _rebuilt(connection, series, base, bounds)
        return Rollup(_levels(base), state)

    def _keep(self, key: tuple[str, str], rollup: Rollup) -> Rollup:
        with self._lock:
            self._kept[key] = rollup
            self._kept.move_to_end(key)
            total = sum(kept.byte_count for kept in self._kept.values())
            while total > self._max_bytes and len(self._kept) > 1:
                total -= self._kept.popitem(last=False)[1].byte_count
        return rollup


def _build(
    connection: sqlite3.Connection, series: int, bounds: Bounds, on_progress: Callable[[], object] | None = None
) -> Nodes:
    nodes = Nodes()
    waiting: list[tuple[float, ...]] = []
    for node in aggregate(connection, series, bounds.step_low, bounds.step_high):
        waiting.append(node)
        if len(waiting) == _FLUSH_NODES:
            nodes.extend(_of_rows(waiting))
            waiting = []
            if on_progress is not None:
                on_progress()
    if waiting:
        nodes.extend(_of_rows(waiting))
    return nodes


def _of_rows(rows: list[tuple[float, ...]]) -> Nodes:
    return Nodes(array("d", column) for column in zip(*rows, strict=True))


def _rebuilt(connection: sqlite3.Connection, series: int, base: Nodes, bounds: Bounds) -> Nodes:
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


def _levels(base: Nodes) -> list[Nodes]:
    levels = [base]
    while len(levels[-1]) > FANOUT * FANOUT:
        finer, coarser = levels[-1], []
        for start in range(0, len(finer), FANOUT):
            coarser.append(finer.merged(start, min(start + FANOUT, len(finer))))
        levels.append(_of_rows(coarser))
    return levels


def _decode(content: bytes) -> Nodes | None:
    try:
        nodes = Nodes(unpack_columns(content, len(Nodes.FIELDS)))
    except InvalidValueError:
        return None
    return nodes if len(nodes) else None
