"""Reads long series of a run for the JSON API, a piece at a time."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from goodseed.server.open_runs import OpenRun
from goodseed.storage.kinds import NUMBERS, TEXTS
from goodseed.storage.rollup.indexed import PointBucket, count_points, iterate_point_buckets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Batch", "IndexWindow", "ServedRun"]

_BATCH_CHARACTERS: Final = 1 << 18
_BATCH_ROWS: Final = 4096

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


class ServedRun(OpenRun):
    """A run as the JSON API reads it.

    What a method yields is read in short queries: however slowly it is consumed, no snapshot is held meanwhile, so
    that a run's writer can go on moving its log into the file. Besides what `RunReader` raises, any method may raise
    `sqlite3.Error` for a file that is damaged.
    """

    def stored_configs(self) -> list[tuple[str, str, str | None]]:
        """Path, type tag and text of each config, by path; ``sys/state`` as `state` has it."""
        state = self.state()
        rows = self._execute("SELECT path, type_tag, value FROM configs ORDER BY path")
        return [(path, tag, state if path == "sys/state" else value) for path, tag, value in rows]

    def iterate_metrics(self, path: str | None = None) -> Iterator[Batch]:
        """The points of one metric or, by path, of all; by step, some thousand at a time."""
        for series, name in self.series(NUMBERS, path):
            after = -math.inf
            while rows := self._execute(_METRIC_POINTS, series, after, _BATCH_ROWS):
                yield Batch(name, rows)
                after = rows[-1][0]
                if len(rows) < _BATCH_ROWS:
                    break

    def text_total(self, path: str | None = None) -> int:
        """How many points one string series has, or all of them."""
        return sum(self._execute(_TEXT_COUNT, series)[0][0] for series, _ in self.series(TEXTS, path))

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
        for series, name in self.series(TEXTS, path):
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

    def _text_rows(self, series: int, after: float, limit: int | None) -> list[tuple[float, str, float]]:
        rows: list[tuple[float, str, float]] = []
        characters = 0
        self.renew()
        with closing(self.connection.execute(_TEXT_POINTS, (series, after))) as cursor:
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
        with self.transaction():
            found = self._execute(f"SELECT id FROM {NUMBERS.series_table} WHERE path = ?", path)
            rollup = self.stored_rollup(self.connection, found[0][0]) if found else None
            total = count_points(self.connection, found[0][0], rollup) if found else 0
            if not total:
                return IndexWindow(0, 0, 0, [], is_downsampled=False)
            low, high = max(0, first or 0), total - 1 if last is None else min(total - 1, last)
            if low > high:
                return IndexWindow(low, high, total, [], is_downsampled=False)
            series, buckets = found[0][0], []
            for bucket in iterate_point_buckets(self.connection, series, low, high - low + 1, max_points, rollup):
                buckets.append(bucket)
                self.renew()
            return IndexWindow(low, high, total, buckets, is_downsampled=high - low + 1 > max_points)

    def _execute(self, query: str, *parameters: object) -> list[Any]:
        self.renew()
        return self.connection.execute(query, parameters).fetchall()
