"""Reads one run file with typed queries, also while it is being written."""

from __future__ import annotations

import math
import os
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from goodseed.columns import Points
from goodseed.errors import FileFormatError, RunNotFoundError
from goodseed.storage.history.last_attempt import current_attempts
from goodseed.storage.inbox.overlay import show_unstored
from goodseed.storage.inbox.recovery import recover_if_abandoned, recover_soon
from goodseed.storage.kinds import NUMBERS, kinds_in
from goodseed.storage.lock import heard_seconds, is_locked
from goodseed.storage.rollup.as_of import are_nodes_current
from goodseed.storage.rollup.buckets import Bucket, read_buckets
from goodseed.storage.rollup.building import Rollup, stored_rollup
from goodseed.storage.schema import connect_read_only, read_meta
from goodseed.storage.summary import LastPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from goodseed.paths import RunFiles
    from goodseed.storage.history.attempts import Attempt
    from goodseed.storage.inbox.segments import FoundSegment
    from goodseed.storage.kinds import Kind, StoredValue

__all__ = ["ConfigRow", "LastPoint", "RunReader", "is_at_rest"]

_PORTION_POINTS: Final = 20_000
_PORTION_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ConfigRow:
    """A config as it is stored: `goodseed.values.decode_config` makes a Python value of it."""

    path: str
    type_tag: str
    value: str
    updated_at: str


class RunReader:
    """Reads one run. Every call sees one consistent state, and holds a snapshot no longer than it takes.

    Use it as a context manager, or `close` it. It may be used from several threads, one at a time.

    Attributes:
        connection: The connection to the file, for classes that extend this one; others use `transaction`.
    """

    def __init__(
        self, files: RunFiles, unstored: Iterable[FoundSegment] | None = None, *, is_polled: bool = False
    ) -> None:
        """Open the run; what a killed writer left in the inbox is stored first.

        If the disk refuses that, readers still see it.

        Args:
            files: The run's files.
            unstored: What this process has accepted and can't store; None to look into the inbox.
            is_polled: It is opened again and again: much in the inbox is shown now and stored meanwhile, by a thread.

        Raises:
            RunNotFoundError: There is no such file.
            FileFormatError: It is not a run file, is damaged, or of a newer version.
        """
        self._files: Final = files
        if not files.database.is_file():
            raise RunNotFoundError(f"There is no run at {files.database}.")
        if is_polled:
            recover_soon(files)
        else:
            recover_if_abandoned(files)
        with _readable(files):
            self.connection: Final = connect_read_only(files.database, is_at_rest=is_at_rest(files))
            try:
                self._has_unstored: Final = show_unstored(files, self.connection, unstored)
            except BaseException:
                self.connection.close()
                raise

    def __enter__(self) -> RunReader:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @property
    def has_unstored(self) -> bool:
        """Whether it shows what is not in the file: what is known of the file is then not all there is."""
        return self._has_unstored

    def limit_memory(self, pages: int) -> None:
        """Keep that many pages of the file in memory, or that many KiB if negative."""
        self.connection.execute(f"PRAGMA cache_size = {pages:d}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection, in a transaction: one state of the file for several queries, to be ended soon.

        Raises:
            FileFormatError: The file is damaged.
        """
        with _readable(self._files):
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")

    def stored_rollup(self, connection: sqlite3.Connection, series: int) -> Rollup | None:
        """What the run's writer has stored of a long metric; None without that, or if something else changed the file.

        Args:
            connection: That of `transaction`, as long as it lasts.
            series: The metric's number.
        """
        return stored_rollup(connection, series) if are_nodes_current(connection, self._files) else None

    def metric_id(self, path: str) -> int | None:
        """The number of a metric in the file; None where there is none."""
        return self._series_id(NUMBERS, path) or None

    def meta(self) -> dict[str, str]:
        """The ``run_meta`` table, as written."""
        with _readable(self._files):
            return {key: value for key, value in read_meta(self.connection).items() if value is not None}

    def state(self) -> str:
        """``running``, ``finished`` or ``failed``; a run whose writer died without a word is ``failed``."""
        return "failed" if self.is_crashed() else self.meta().get("status", "running")

    def is_crashed(self) -> bool:
        """Whether the run's writer died without closing it."""
        if is_locked(self._files.lock):  # asked before the status is read: a writer that is closing writes it first
            return False
        meta = self.meta()
        # Files of version 1 are written without a lock.
        is_running = meta.get("status", "running") == "running" and meta.get("schema_version", "1") != "1"
        return is_running and not is_locked(self._files.lock)

    def configs(self, prefix: str = "") -> list[ConfigRow]:
        """The configs whose path starts with ``prefix``, by path; ``sys/state`` as `state` has it."""
        rows = self.query("SELECT path, type_tag, value, updated_at FROM configs ORDER BY path")
        state = self.state()
        return [
            ConfigRow(path, tag, state if path == "sys/state" else value or "", updated_at)
            for path, tag, value, updated_at in rows
            if path.startswith(prefix)
        ]

    def attempts(self) -> list[Attempt]:
        """The attempts of the run, in their order."""
        configs = [(row.path, row.type_tag, row.value) for row in self.configs()]
        heard = heard_seconds(self._files.lock) if self.is_crashed() else None
        with self.transaction() as connection:
            return current_attempts(connection, configs, heard)

    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of series that the run may have."""
        with _readable(self._files):
            return kinds_in(self.connection)

    def paths(self, kind: Kind) -> list[str]:
        """The paths of the series of one kind, sorted."""
        if kind not in self.kinds():
            return []
        return [path for (path,) in self.query(f"SELECT path FROM {kind.series_table} ORDER BY path")]

    def points(
        self,
        kind: Kind,
        path: str,
        *,
        step_min: float | None = None,
        step_max: float | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> Points:
        """The points of a series by step, with their values as they were logged; none if there is no such series.

        Args:
            kind: Of which kind it is.
            path: Its path.
            step_min: The first step wanted; may be infinite.
            step_max: The last step wanted; may be infinite.
            limit: At most so many; None for all.
            offset: Leave out the first so many.
        """
        rows = self._points(kind, path, _bounds(step_min, step_max), limit, offset)
        steps, values, times = zip(*rows, strict=True) if rows else ((), (), ())
        return Points(path, kind.name, steps, list(map(kind.from_stored, values)), times)

    def stored_points(
        self, kind: Kind, path: str | None = None, *, limit: int | None = None, offset: int = 0
    ) -> Iterator[Points]:
        """The points of one series or, by path, of all, with their values as they are stored.

        They come by step, in portions that fit into memory, and no snapshot is held between two of them.

        Args:
            kind: Of which kind they are.
            path: The series; None for all of that kind.
            limit: At most so many of each series; None for all.
            offset: Leave out the first so many of each.
        """
        for name in self.paths(kind) if path is None else [path]:
            left, skipped, after = limit, offset, -math.inf
            while left is None or left > 0:
                rows = self._portion(kind, name, after, left, skipped)
                if not rows:
                    break
                yield Points(name, kind.name, *zip(*rows, strict=True))
                left, skipped, after = None if left is None else left - len(rows), 0, rows[-1][0]

    def _portion(
        self, kind: Kind, path: str, after: float, limit: int | None, offset: int
    ) -> list[tuple[float, StoredValue, float]]:
        series, rows, size = self._series_id(kind, path), [], 0
        if not series:
            return []
        most = _PORTION_POINTS if limit is None else min(limit, _PORTION_POINTS)
        query = (
            f"SELECT step, {kind.column}, ts FROM {kind.point_table} "
            "WHERE series_id = ? AND step > ? ORDER BY step LIMIT ? OFFSET ?"
        )
        with _readable(self._files), closing(self.connection.execute(query, (series, after, most, offset))) as cursor:
            for row in cursor:
                rows.append(row)
                size += len(row[1]) if isinstance(row[1], (str, bytes)) else 0
                if size >= _PORTION_BYTES:
                    break
        return rows

    def count(self, kind: Kind, path: str) -> int:
        """How many points a series has."""
        series = self._series_id(kind, path)
        query = f"SELECT count(*) FROM {kind.point_table} WHERE series_id = ?"
        return int(self.query(query, (series,))[0][0]) if series else 0

    def _points(
        self, kind: Kind, path: str, bounds: tuple[float, float], limit: int | None = None, offset: int = 0
    ) -> list[tuple[float, StoredValue, float]]:
        series = self._series_id(kind, path)
        if not series:
            return []
        return self.query(
            f"SELECT step, {kind.column}, ts FROM {kind.point_table} "
            "WHERE series_id = ? AND step BETWEEN ? AND ? ORDER BY step LIMIT ? OFFSET ?",
            (series, *bounds, -1 if limit is None else limit, offset),
        )

    def metric_buckets(
        self, path: str, max_points: int, *, step_min: float | None = None, step_max: float | None = None
    ) -> list[Bucket] | None:
        """The metric in at most ``max_points`` buckets; None if it has at most that many points."""
        series = self._series_id(NUMBERS, path)
        with self.transaction() as connection:
            rollup = self.stored_rollup(connection, series)
            return read_buckets(connection, series, max_points, *_bounds(step_min, step_max), rollup)

    def last_points(self) -> list[LastPoint]:
        """The last point of every metric, by path."""
        rows = self.query(
            f"""
            SELECT s.path, p.step, p.y
            FROM {NUMBERS.series_table} AS s JOIN {NUMBERS.point_table} AS p ON p.series_id = s.id
            WHERE p.step = (SELECT max(step) FROM {NUMBERS.point_table} WHERE series_id = s.id) ORDER BY s.path"""
        )
        return [LastPoint(path, step, math.nan if y is None else y) for path, step, y in rows]

    def last_step(self, path: str) -> float | None:
        """The highest step under ``path``, in the series of that name of every kind; None without a point."""
        found = [
            self.query(f"SELECT max(step) FROM {kind.point_table} WHERE series_id = ?", (self._series_id(kind, path),))
            for kind in self.kinds()
        ]
        return max((float(step) for ((step,),) in found if step is not None), default=None)

    def _series_id(self, kind: Kind, path: str) -> int:
        if kind not in self.kinds():
            return 0
        rows = self.query(f"SELECT id FROM {kind.series_table} WHERE path = ?", (path,))
        return int(rows[0][0]) if rows else 0  # no series has the id 0

    def query(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple]:  # type: ignore[type-arg]
        """All rows of a query.

        Raises:
            FileFormatError: The file is damaged.
        """
        with _readable(self._files):
            return self.connection.execute(query, parameters).fetchall()


def is_at_rest(files: RunFiles) -> bool:
    """Whether no process writes the run, and everything is in the database itself.

    While a run has an inbox, its content may be stored at any moment.
    """
    if is_locked(files.lock) or files.inbox.exists():
        return False
    try:
        return os.stat(f"{files.database}-wal").st_size == 0
    except FileNotFoundError:
        return True


def _bounds(step_min: float | None, step_max: float | None) -> tuple[float, float]:
    return (-math.inf if step_min is None else step_min, math.inf if step_max is None else step_max)


@contextmanager
def _readable(files: RunFiles) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise FileFormatError(f"{files.database} can't be read: {error}.") from error
