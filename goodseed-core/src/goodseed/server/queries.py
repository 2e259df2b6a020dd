"""Reads long series of a run for the JSON API, a piece at a time."""

from __future__ import annotations

import math
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from goodseed.storage.cache.series import SeriesPaths
from goodseed.storage.kinds import NUMBERS, TEXTS, kinds_in
from goodseed.storage.reader import RunReader
from goodseed.storage.rollup.indexed import PointBucket, count_points, iterate_point_buckets
from goodseed.storage.schema import lenient_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from goodseed.paths import RunFiles
    from goodseed.storage.kinds import Kind

__all__ = ["Batch", "IndexWindow", "ServedRun"]

_BATCH_CHARACTERS: Final = 1 << 18
_BATCH_ROWS: Final = 4096
_STEPS_BETWEEN_LOOKS: Final = 100_000
_LONGEST_QUERY_SECONDS: Final = 30.0

_SERIES: Final = """
    SELECT id, path FROM {series} AS s
    WHERE EXISTS (SELECT 1 FROM {points} WHERE series_id = s.id) AND typeof(path) = 'text' ORDER BY path"""
_POINTS: Final = "SELECT step, {column}, ts FROM {table} WHERE series_id = ? AND step > ? ORDER BY step"
_METRIC_POINTS: Final = _POINTS.format(column=NUMBERS.column, table=NUMBERS.point_table) + " LIMIT ?"
_TEXT_POINTS: Final = _POINTS.format(column=TEXTS.column, table=TEXTS.point_table)
_TEXT_COUNT: Final = f"SELECT count(*) FROM {TEXTS.point_table} WHERE series_id = ?"
_TEXT_STEP_AT: Final = f"SELECT step FROM {TEXTS.point_table} WHERE series_id = ? ORDER BY step LIMIT 1 OFFSET ?"


class Batch(NamedTuple):
    """Points of one series, by step.

    Attributes:
        path: The series.
        rows: The step, the value (None for NaN) and the time in seconds since the epoch of each, as the file has them.
    """

    path: str
    rows: Sequence[tuple[float, float | str | None, float]]


@dataclass(frozen=True, slots=True)
class IndexWindow:
    """The points from one index to another, both included, of the ``total`` that a metric has."""

    first: int
    last: int
    total: int
    buckets: list[PointBucket]
    is_downsampled: bool


class _Deadline:
    """Ends a query that takes too long: a hostile file may hold an endless view in place of a table."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> bool:
        return time.monotonic() > self.at


class ServedRun(RunReader):
    """A run as the server reads it.

    What a method yields is read in short queries: however slowly it is consumed, no snapshot is held meanwhile, so
    that a run's writer can go on moving its log into the file. Invalid text comes with replacement characters. Besides
    what `RunReader` raises, any method may raise `sqlite3.Error` for a file that is damaged.
    """

    def __init__(self, files: RunFiles) -> None:
        super().__init__(files, is_polled=True)
        self._deadline: Final = _Deadline()
        self._connection.text_factory = lenient_text
        self._connection.set_progress_handler(self._deadline, _STEPS_BETWEEN_LOOKS)
        self._deadline.at = time.monotonic() + _LONGEST_QUERY_SECONDS

    def series_paths(self) -> SeriesPaths:
        """The paths of the series that hold a point."""
        with self._snapshot():
            return SeriesPaths(
                {kind.name: tuple(path for _, path in self._series(kind)) for kind in kinds_in(self._connection)}
            )

    def stored_configs(self) -> list[tuple[str, str, str | None]]:
        """Path, type tag and text of each config, by path; ``sys/state`` as `state` has it."""
        state = self.state()
        rows = self._execute("SELECT path, type_tag, value FROM configs ORDER BY path")
        return [(path, tag, state if path == "sys/state" else value) for path, tag, value in rows]

    def iterate_metrics(self, path: str | None = None) -> Iterator[Batch]:
        """The points of one metric or, by path, of all; by step, some thousand at a time."""
        for series, name in self._series(NUMBERS, path):
            after = -math.inf
            while rows := self._execute(_METRIC_POINTS, series, after, _BATCH_ROWS):
                yield Batch(name, rows)
                after = rows[-1][0]
                if len(rows) < _BATCH_ROWS:
                    break

    def text_total(self, path: str | None = None) -> int:
        """How many points one string series has, or all of them."""
        return sum(self._execute(_TEXT_COUNT, series)[0][0] for series, _ in self._series(TEXTS, path))

    def iterate_texts(
        self, path: str | None = None, *, limit: int | None = None, offset: int = 0, from_end: bool = False
    ) -> Iterator[Batch]:
        """The points of one string series or, by path, of all; by step, about as many at a time as a page holds.

        Args:
            path: The series; None for all.
            limit: How many at most; None for all.
            offset: How many to leave out first.
            from_end: Of each series take the last ones; the series are still taken by path until ``limit`` is reached.
        """
        for series, name in self._series(TEXTS, path):
            count = self._execute(_TEXT_COUNT, series)[0][0]
            if from_end and limit is not None:
                offset = max(0, count - limit)
            if offset >= count:
                offset -= count
                continue
            after = self._execute(_TEXT_STEP_AT, series, offset - 1)[0][0] if offset else -math.inf
            offset = 0
            while limit is None or limit > 0:
                rows = self._text_rows(series, after, limit)
                if not rows:
                    break
                yield Batch(name, rows)
                after = rows[-1][0]
                limit = None if limit is None else limit - len(rows)

    def _series(self, kind: Kind, path: str | None = None) -> list[tuple[int, str]]:
        """The numbers and paths of the series of one kind that hold a point, or of one of them."""
        query = _SERIES.format(series=kind.series_table, points=kind.point_table)
        return [(series, name) for series, name in self._execute(query) if path is None or path == name]

    def _text_rows(self, series: int, after: float, limit: int | None) -> list[tuple[float, str, float]]:
        rows: list[tuple[float, str, float]] = []
        characters = 0
        self._deadline.at = time.monotonic() + _LONGEST_QUERY_SECONDS
        with closing(self._connection.execute(_TEXT_POINTS, (series, after))) as cursor:
            for row in cursor:
                rows.append(row)
                characters += len(str(row[1]))
                if characters >= _BATCH_CHARACTERS or len(rows) in (limit, _BATCH_ROWS):
                    break
        return rows

    def metric_window(self, path: str, max_points: int, first: int | None, last: int | None) -> IndexWindow:
        """The points of a metric between two indexes, in the order of their steps, as at most ``max_points`` buckets.

        The buckets are those of `goodseed.storage.rollup.indexed.iterate_point_buckets`.
        """
        with self._snapshot():
            found = self._execute(f"SELECT id FROM {NUMBERS.series_table} WHERE path = ?", path)
            total = count_points(self._connection, found[0][0]) if found else 0
            if not total:
                return IndexWindow(0, 0, 0, [], is_downsampled=False)
            low, high = max(0, first or 0), total - 1 if last is None else min(total - 1, last)
            if low > high:
                return IndexWindow(low, high, total, [], is_downsampled=False)
            series, buckets = found[0][0], []
            for bucket in iterate_point_buckets(self._connection, series, low, high - low + 1, max_points):
                buckets.append(bucket)
                self._deadline.at = time.monotonic() + _LONGEST_QUERY_SECONDS
            return IndexWindow(low, high, total, buckets, is_downsampled=high - low + 1 > max_points)

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def _execute(self, query: str, *parameters: object) -> list[Any]:
        self._deadline.at = time.monotonic() + _LONGEST_QUERY_SECONDS
        return self._connection.execute(query, parameters).fetchall()
