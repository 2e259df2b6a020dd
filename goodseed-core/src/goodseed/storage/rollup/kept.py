"""Gives the rollups of long series: of the nodes that the writer has stored, or made when first asked for and kept."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from goodseed.columns import pack_columns, unpack_columns
from goodseed.errors import InvalidValueError
from goodseed.storage.cache.kept import Kept, KeptRow
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.as_of import are_nodes_current
from goodseed.storage.rollup.building import Rollup, levels_of, pieces_behind, rebuilt, stored_rollup
from goodseed.storage.rollup.nodes import Nodes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from goodseed.paths import RunFiles
    from goodseed.storage.cache.file import CacheFile
    from goodseed.storage.rollup.changes import Changes
    from goodseed.storage.rollup.nodes import Bounds

__all__ = ["Rollups"]

_MIN_POINTS: Final = 16_384  # fewer are read as fast as their rollup
_MAX_BYTES: Final = 24 << 20
_LONG: Final = f"SELECT 1 FROM {NUMBERS.point_table} WHERE series_id = ? ORDER BY step LIMIT 1 OFFSET ?"
_ENDS: Final = f"SELECT min(step), max(step) FROM {NUMBERS.point_table} WHERE series_id = ?"
_PIECE_SECONDS: Final = 2.0  # of one request that makes a rollup: what it has by then is kept and shown
_LOCKS: Final = 32
_WHOLE: Final = "whole"  # the piece that says that there is no other


@dataclass(slots=True, eq=False)
class _Made:
    """A rollup that was made here, or a part of it.

    Attributes:
        base: Its finest nodes.
        token: The state of the file that it was read from.
        kept: How many of the nodes are in the cache; `pieces` how many pieces they are in.
    """

    base: Nodes
    token: str
    is_whole: bool = False
    share: float = 0.0
    kept: int = 0
    pieces: int = 0
    levels: list[Nodes] | None = None

    @property
    def byte_count(self) -> int:
        return len(self.base) * len(Nodes.FIELDS) * 8

    def rollup(self) -> Rollup:
        if self.levels is None:
            self.levels = levels_of(self.base)
        return Rollup(self.levels, 1.0 if self.is_whole else self.share)


@final
class Rollups:
    """The rollups of many runs; for any number of threads."""

    def __init__(self, cache: CacheFile, max_bytes: int = _MAX_BYTES, piece_seconds: float = _PIECE_SECONDS) -> None:
        """Those that do not fit into ``max_bytes`` of memory are read from ``cache`` again."""
        self._stored: Final = Kept(cache, "rollup_pieces", ("run", "path", "piece"))
        self._max_bytes: Final = max_bytes
        self._piece_seconds: Final = piece_seconds
        self._lock: Final = threading.Lock()
        self._building: Final = [threading.Lock() for _ in range(_LOCKS)]  # one for many series
        self._kept: Final[OrderedDict[tuple[str, str], _Made]] = OrderedDict()

    def get(
        self,
        connection: sqlite3.Connection,
        key: tuple[str, str],
        series: int,
        token: str | None,
        changes: Changes | None,
        on_progress: Callable[[], object] | None = None,
        files: RunFiles | None = None,
    ) -> Rollup | None:
        """The rollup of a series, as of the transaction that ``connection`` is in; None for a series of few points.

        Without nodes that the writer has stored it is made, of a run that nobody writes by one caller, for which others
        wait. What takes longer than some seconds is made in pieces: each call makes one more, and all are kept.

        Args:
            connection: The run's, in a transaction.
            key: The run's file and the path of the series.
            series: Its number in the file.
            token: The state of a file that has not just changed, such as `goodseed.storage.cache.token.rest_token`;
                else None.
            changes: What the writer of the run tells; None where it is not known.
            on_progress: Called some times a second while it is made, so that a deadline can be one for each part.
            files: Where the run lies; None if no nodes are stored.
        """
        with nullcontext() if token is None else self._building[hash(key) % _LOCKS]:
            if on_progress is not None:
                on_progress()  # another caller may have taken long
            with self._lock:
                known = self._kept.get(key)
                if known is not None:
                    self._kept.move_to_end(key)
            wanted = token or (changes.state if changes is not None else "")
            if known is not None and token is not None and known.token == wanted and known.is_whole:
                return known.rollup()
            if known is None and connection.execute(_LONG, (series, _MIN_POINTS)).fetchone() is None:
                return None
            if files is not None and are_nodes_current(connection, files):
                rollup = stored_rollup(connection, series, on_progress)
                if rollup is not None:
                    return rollup
            if known is None and token is not None:
                known = self._load(key, token)
            made = self._renewed(connection, series, known, wanted, changes, on_progress)
            if token is not None:
                self._store(key, made)
            return self._keep(key, made).rollup()

    def forget(self, runs: Iterable[str]) -> None:
        """Remove what is kept about the files of these runs."""
        gone = set(runs)
        with self._lock:
            for key in [key for key in self._kept if key[0] in gone]:
                del self._kept[key]
        self._stored.forget(["run"], [(run,) for run in gone])

    def _load(self, key: tuple[str, str], token: str) -> _Made | None:
        made = _Made(Nodes(), token)
        for (_, _, piece), kept_token, content in sorted(self._stored.rows(*key), key=lambda row: row.keys):
            if kept_token != token:
                continue
            if piece == _WHOLE:
                made.is_whole = True
            elif piece != _piece(made.pieces):
                made.is_whole = False
                break
            else:
                nodes = _decode(content)
                if nodes is None:
                    break
                made.base.extend(nodes)
                made.pieces += 1
                made.kept += len(nodes)
        return made if len(made.base) else None

    def _store(self, key: tuple[str, str], made: _Made) -> None:
        rows = []
        if len(made.base) > made.kept:
            content = pack_columns(made.base.part(made.kept, len(made.base)).columns())
            rows.append(KeptRow((*key, _piece(made.pieces)), made.token, content))
            made.kept = len(made.base)
            made.pieces += 1
        if made.is_whole:
            rows.append(KeptRow((*key, _WHOLE), made.token, b""))
        self._stored.put(rows)

    def _renewed(
        self,
        connection: sqlite3.Connection,
        series: int,
        known: _Made | None,
        state: str,
        changes: Changes | None,
        on_progress: Callable[[], object] | None,
    ) -> _Made:
        made = known if known is not None and state and known.token == state else None
        dirty = None if known is None or changes is None else changes.since(known.token, series)
        if known is not None and made is None and dirty is not None:
            base = known.base
            for bounds in dirty:
                if known.is_whole or bounds.step_low <= base.last_step[-1]:
                    base = rebuilt(connection, series, base, bounds if known.is_whole else _within(bounds, base))
            made = _Made(base, state, known.is_whole, known.share)
            if not dirty:
                made.levels = known.levels
        if made is None:
            made = _Made(Nodes(), state)
        if not made.is_whole:
            made = _Made(made.base.part(0, len(made.base)), state, kept=made.kept, pieces=made.pieces)
            self._go_on(connection, series, made, on_progress)
        return made

    def _go_on(
        self, connection: sqlite3.Connection, series: int, made: _Made, on_progress: Callable[[], object] | None
    ) -> None:
        """Make more of the nodes, for a while."""
        until = time.monotonic() + self._piece_seconds
        for nodes in pieces_behind(connection, series, made.base):
            made.base.extend(nodes)
            if on_progress is not None:
                on_progress()
            if time.monotonic() >= until:
                first, last = connection.execute(_ENDS, (series,)).fetchone()
                end = made.base.last_step[-1]
                made.is_whole = end >= last
                made.share = (end / 2 - first / 2) / (last / 2 - first / 2) if last > first else 0.0
                return
        made.is_whole = True

    def _keep(self, key: tuple[str, str], made: _Made) -> _Made:
        with self._lock:
            self._kept[key] = made
            self._kept.move_to_end(key)
            total = sum(kept.byte_count for kept in self._kept.values())
            while total > self._max_bytes and len(self._kept) > 1:
                total -= self._kept.popitem(last=False)[1].byte_count
        return made


def _piece(number: int) -> str:
    return f"{number:08d}"


def _within(bounds: Bounds, base: Nodes) -> Bounds:
    """The part of ``bounds`` that the nodes of an unfinished rollup go over."""
    return bounds._replace(step_high=min(bounds.step_high, base.last_step[-1]))


def _decode(content: bytes) -> Nodes | None:
    try:
        nodes = Nodes(unpack_columns(content, len(Nodes.FIELDS)))
    except InvalidValueError:
        return None
    return nodes if len(nodes) else None
