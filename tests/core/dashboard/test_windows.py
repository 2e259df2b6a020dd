"""Buckets are exact: for any points, any range, before and after any change."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goodseed.storage.cache.file import CACHE_NAME, CacheFile
from goodseed.storage.rollup.buckets import read_buckets
from goodseed.storage.rollup.changes import Changes, begin_changes, changes_in, note_changes
from goodseed.storage.rollup.joined import read_joined
from goodseed.storage.rollup.kept import Rollup, Rollups
from goodseed.storage.rollup.nodes import EVERYTHING, Bounds
from goodseed.storage.rollup.window import Window, read_window

_TABLE = """
    CREATE TABLE metric_points (
        series_id INTEGER NOT NULL, step REAL NOT NULL, y REAL, ts INTEGER NOT NULL,
        uploaded INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (series_id, step)
    ) WITHOUT ROWID"""
Point = tuple[float, float, float]  # step, y, time
_NOWHERE = CacheFile(Path(os.devnull))  # no file can be there


def _points(count: int, seed: int, shape: str) -> list[Point]:
    """Many points: evenly spaced, in bursts, or with a clock that is set back in the middle."""
    import random

    draw = random.Random(seed)
    step, points = 0.0, []
    for index in range(count):
        step += {"even": 1.0, "bursts": 1000.0 if draw.random() < 0.01 else 0.001, "growing": 1.001 ** (index % 9000)}[
            shape if shape != "clock" else "even"
        ]
        y = draw.choice([draw.gauss(0, 1)] * 30 + [math.nan, math.inf, -math.inf])
        y = draw.choice([1e308, -1e308]) if draw.random() < 0.0005 else y
        time = index * 0.1 - (5000.0 if shape == "clock" and index > count // 2 else 0.0)
        points.append((step, y, round(time, 3)))
    return points


def _store(connection: sqlite3.Connection, points: list[Point], series: int = 1) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO metric_points (series_id, step, y, ts) VALUES (?, ?, ?, ?)",
        [(series, step, None if math.isnan(y) else y, time) for step, y, time in points],
    )


@contextlib.contextmanager
def _database(points: list[Point]) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(_TABLE)
        _store(connection, points)
        yield connection


def _rollup(connection: sqlite3.Connection, token: str = "t") -> Rollup | None:
    return Rollups(_NOWHERE).get(connection, ("run", "path"), 1, token, None)


def _check(window: Window, points: list[Point], limit: int, *, by_time: bool = False) -> None:
    """The window holds these points, each once, and what it says of each bucket is what a loop finds."""
    assert len(points) == window.total
    assert len(window.x) <= limit
    assert list(window.x) == sorted(window.x)
    if window.is_raw:
        ordered = sorted(points, key=lambda point: point[2]) if by_time else points
        assert [point[2] if by_time else point[0] for point in ordered] == list(window.x)
        assert [repr(point[1]) for point in ordered] == [repr(y) for y in window.last]
        return
    assert sum(window.count) == len(points)
    if by_time:
        _check_times(window, points)
        return
    steps = [point[0] for point in points]
    for index in range(len(window.x)):
        inside = points[bisect_left(steps, window.x_first[index]) : bisect_right(steps, window.x[index])]
        finite = [y for _, y, _ in inside if math.isfinite(y)]
        assert window.count[index] == len(inside)
        assert repr(window.last[index]) == repr(inside[-1][1])
        assert repr(window.first[index]) == repr(inside[0][1])
        if finite:
            assert (min(finite), max(finite)) == (window.low[index], window.high[index])
            if max(map(abs, finite)) < 1e100:
                assert window.mean[index] == pytest.approx(math.fsum(finite) / len(finite), rel=1e-12, abs=1e-9)
        else:
            assert all(math.isnan(column[index]) for column in (window.low, window.high, window.mean))
        bad = {kind: n for x, n, kind in window.nonfinite if x == window.x[index]}
        found = {"nan": 0, "inf": 0, "-inf": 0}
        for _, y, _ in inside:
            if not math.isfinite(y):
                found["nan" if math.isnan(y) else "inf" if y > 0 else "-inf"] += 1
        assert bad == {kind: n for kind, n in found.items() if n}


def _check_times(window: Window, points: list[Point]) -> None:
    finite = [(y, time) for _, y, time in points if math.isfinite(y)]
    assert window.lowest is not None
    assert window.highest is not None
    assert min(y for y, _ in finite) == window.lowest[0] == min(low for low in window.low if not math.isnan(low))
    assert max(y for y, _ in finite) == window.highest[0] == max(high for high in window.high if not math.isnan(high))
    assert (window.highest[0], window.highest[1]) in finite
    bad = sum(not math.isfinite(y) for _, y, _ in points)
    assert bad == sum(n for _, n, _ in window.nonfinite)


@dataclass(repr=False)
class Long:
    """A long series, and what is known of it."""

    connection: sqlite3.Connection
    points: list[Point]
    rollup: Rollup | None


@pytest.fixture(scope="module", params=["even", "bursts", "growing", "clock"])
def long_series(request: pytest.FixtureRequest) -> Iterator[Long]:
    points = _points(40_000, 7, request.param)
    with _database(points) as connection:
        yield Long(connection, points, _rollup(connection))


@settings(max_examples=25, deadline=None)
@given(ends=st.tuples(st.floats(-0.1, 1.1), st.floats(-0.1, 1.1)), limit=st.integers(1, 700), by_time=st.booleans())
def test_any_zoom_of_a_long_series_is_exact(
    long_series: Long,
    ends: tuple[float, float],
    limit: int,
    *,
    by_time: bool,
) -> None:
    """Each bucket of any range of steps or times says what a loop over its points says, and none is left out."""
    connection, points, rollup = long_series.connection, long_series.points, long_series.rollup
    assert rollup is not None
    place = 2 if by_time else 0
    lowest, highest = min(point[place] for point in points), max(point[place] for point in points)
    low, high = (lowest + end * (highest - lowest) for end in sorted(ends))
    bounds = Bounds(-math.inf, math.inf, low, high) if by_time else Bounds(low, high)

    window = read_window(connection, 1, rollup, limit, bounds, by_time=by_time)

    _check(window, [point for point in points if low <= point[place] <= high], limit, by_time=by_time)


@settings(max_examples=60, deadline=None)
@given(
    points=st.dictionaries(
        st.floats(allow_nan=False, allow_infinity=False), st.tuples(st.floats(), st.floats(-1e9, 1e9)), max_size=40
    ),
    limit=st.integers(1, 50),
)
def test_any_points_are_read_exactly(points: dict[float, tuple[float, float]], limit: int) -> None:
    """Steps up to the largest double, NaN and infinities are read as they are, in as few buckets as asked for."""
    listed = [(step + 0.0, points[step][0] + 0.0, points[step][1]) for step in sorted(points)]  # SQLite has no -0.0
    with _database(listed) as connection:
        window = read_window(connection, 1, None, limit, EVERYTHING, by_time=False)

    _check(window, listed, limit)


_CHANGE = st.tuples(
    st.sampled_from(["append", "overwrite", "insert", "both"]), st.integers(0, 2**31), st.integers(1, 40)
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(_CHANGE, min_size=1, max_size=5))
def test_a_rollup_follows_what_is_written(tmp_path: Path, changes: list[tuple[str, int, int]]) -> None:
    """Points that are appended, overwritten or inserted in the past show at once in a run that is being written."""
    import random

    path = tmp_path / f"{os.urandom(6).hex()}.sqlite"
    current = {step: (step, y, time) for step, y, time in _points(20_000, 3, "even")}
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer,
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute(_TABLE)
        begin_changes(writer)
        writer.execute("BEGIN")
        _store(writer, list(current.values()))
        _store(writer, [(float(step), 1.0, 0.0) for step in range(3000)], series=2)
        writer.execute("COMMIT")
        rollups = Rollups(_NOWHERE)
        for kind, seed, count in [("append", 0, 1), *changes]:
            draw = random.Random(seed)
            steps: list[float] = []
            if kind in ("append", "both"):
                steps += [max(current) + index + 1.0 for index in range(count)]
            if kind in ("overwrite", "both"):
                steps += draw.sample(sorted(current), count)
            if kind == "insert":
                steps += [draw.randrange(20_000) + 0.5 for _ in range(count)]
            new = [(step, draw.gauss(0, 100), draw.random()) for step in steps]
            writer.execute("BEGIN")
            _store(writer, new)
            _store(writer, [(draw.randrange(3000) + 0.0, 2.0, 0.0)], series=2)
            note_changes(writer, [([1], min(steps), max(steps)), ([2], 0.0, 3000.0)])
            writer.execute("COMMIT")
            current.update({point[0]: point for point in new})
            reader.execute("BEGIN")
            rollup = rollups.get(reader, ("run", "y"), 1, None, changes_in(reader))
            window = read_window(reader, 1, rollup, 200, EVERYTHING, by_time=False)
            reader.execute("ROLLBACK")

            assert rollup is not None
            _check(window, [current[step] for step in sorted(current)], 200)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[sqlite3.Connection]:
    """The connection of a writer that tells what it changes."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute(_TABLE)
        begin_changes(writer)
        yield writer


def _state(connection: sqlite3.Connection) -> Changes:
    changes = changes_in(connection)
    assert changes is not None
    return changes


def test_appending_does_not_read_the_past_again(tmp_path: Path) -> None:
    """Of a run that is being written, only the neighbourhood of what has changed is read again."""
    with _told(tmp_path / "run.sqlite") as writer:
        note_changes(writer, [([1], 0.0, 20_000.0)])
        state = _state(writer).state
        note_changes(writer, [([1, 3, 4], 40_000.0, 40_001.0)])
        appended = _state(writer).since(state, 1)
        note_changes(writer, [([1], 5_000.0, 5_000.0)])
        overwritten = _state(writer).since(state, 1)

        assert [Bounds(40_000.0, 40_001.0)] == appended == _state(writer).since(state, 4)
        assert [Bounds(5_000.0, 5_000.0), Bounds(40_000.0, 40_001.0)] == overwritten
        assert [] == _state(writer).since(state, 2)
        assert [] == _state(writer).since(_state(writer).state, 1)


_TOUCHED = st.tuples(st.lists(st.integers(1, 6), min_size=1, max_size=6, unique=True), st.floats(0, 1e6))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(touched=st.lists(_TOUCHED, min_size=1, max_size=4), repeated=st.integers(1, 80))
def test_every_change_is_told(tmp_path: Path, touched: list[tuple[list[int], float]], repeated: int) -> None:
    """However many transactions there were since a look, all that they touched is told."""
    with _told(tmp_path / f"{os.urandom(6).hex()}.sqlite") as writer:
        looks = []
        for number in range(repeated):
            looks.append(_state(writer).state)
            for ids, step in touched:
                note_changes(writer, [(ids, step + number, step + number)])
        for number, state in enumerate(looks):
            for ids, step in touched:
                for series in ids:
                    told = _state(writer).since(state, series)
                    assert told is not None
                    assert all(
                        any(bounds.step_low <= step + later <= bounds.step_high for bounds in told)
                        for later in (number, repeated - 1)
                    )


def test_another_writer_knows_nothing_of_earlier_states(tmp_path: Path) -> None:
    """After a new beginning, and of a text that is no state, everything counts as changed."""
    with _told(tmp_path / "run.sqlite") as writer:
        state = _state(writer).state
        begin_changes(writer)

        assert _state(writer).since(state, 1) is None
        assert _state(writer).since("nonsense", 1) is None
        writer.execute("DROP TABLE point_changes")
        assert changes_in(writer) is None


@pytest.mark.parametrize("damage", ["none", "deleted", "garbage", "flipped", "directory"])
def test_what_happens_to_the_cache_harms_nothing(tmp_path: Path, damage: str) -> None:
    """A rollup comes back from the file, and a file that is deleted, damaged or no file leads to the same answers."""
    points = _points(20_000, 5, "even")
    cache = tmp_path / CACHE_NAME
    with _database(points) as connection:
        first = CacheFile(tmp_path)
        Rollups(first).get(connection, ("run", "path"), 1, "state", None)
        first.close()
        if damage == "deleted":
            cache.unlink()
        elif damage == "garbage":
            cache.write_bytes(b"no database" * 1000)
        elif damage == "flipped":
            content = bytearray(cache.read_bytes())
            for place in range(8192, len(content), 512):
                content[place] ^= 0xFF
            cache.write_bytes(content)
        elif damage == "directory":
            cache.unlink()
            cache.mkdir()
        second = CacheFile(tmp_path)
        rollup = Rollups(second).get(connection, ("run", "path"), 1, "state", None)
        second.close()

        window = read_window(connection, 1, rollup, 100, EVERYTHING, by_time=False)

    _check(window, points, 100)


@settings(max_examples=30, deadline=None)
@given(ends=st.tuples(st.floats(-0.1, 1.1), st.floats(-0.1, 1.1)), limit=st.integers(1, 3000))
def test_buckets_of_a_range_of_steps_are_exact(long_series: Long, ends: tuple[float, float], limit: int) -> None:
    """What Python and the remote's protocol give of any range says what a loop over its points says."""
    points = long_series.points
    first, last = points[0][0], points[-1][0]
    low, high = sorted(first + end * (last - first) for end in ends)
    inside = [point for point in points if low <= point[0] <= high]
    buckets = read_buckets(long_series.connection, 1, limit, low, high)

    assert (buckets is None) == (len(inside) <= limit)
    assert len(buckets or ()) <= limit
    start = 0
    for bucket in buckets or ():
        mine = inside[start : start + bucket.count]
        start += bucket.count
        finite = [y for _, y, _ in mine if math.isfinite(y)]
        assert (mine[0][0], mine[-1][0], len(mine) - len(finite)) == (
            bucket.step_first,
            bucket.step_last,
            bucket.non_finite,
        )
        assert (min(finite, default=None), max(finite, default=None)) == (bucket.min, bucket.max)
        assert repr(mine[-1][1]) == repr(bucket.last)
        assert bucket.mean is None or min(finite) <= bucket.mean <= max(finite)
    assert buckets is None or start == len(inside)


def test_buckets_of_steps_that_no_double_divides() -> None:
    """Steps as far apart as doubles go, or next to each other, are in buckets, too."""
    far = [(-1.7e308, 1.0, 0.0), (0.0, 2.0, 0.0), (1.7e308, 3.0, 0.0)]
    close = [(1.0, 1.0, 0.0), (math.nextafter(1.0, 2.0), 2.0, 0.0), (math.nextafter(1.0, 0.0), 3.0, 0.0)]
    for points in (far, close):
        with _database(points) as connection:
            buckets = read_buckets(connection, 1, 2, -math.inf, math.inf)

        assert buckets is not None
        assert 3 == sum(bucket.count for bucket in buckets)
        assert len(buckets) <= 2


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.floats(-5, 5), st.floats(allow_subnormal=False)), min_size=1, max_size=60),
    limit=st.integers(1, 20),
)
def test_one_metric_over_another_loses_no_point(rows: list[tuple[float, float]], limit: int) -> None:
    """Each pair of values at one step is in exactly one bucket, and the extremes are those of all."""
    with _database([(float(step), y, 0.0) for step, (_, y) in enumerate(rows)]) as connection:
        _store(connection, [(float(step), x, 0.0) for step, (x, _) in enumerate(rows)], series=2)
        window = read_joined(connection, 1, 2, limit, (-math.inf, math.inf))

    finite = [y for _, y in rows if math.isfinite(y)]
    assert len(rows) == window.total == sum(window.count)
    assert len(window.x) <= limit
    assert (min(finite, default=None), max(finite, default=None)) == (
        window.lowest and window.lowest[0],
        window.highest and window.highest[0],
    )
    assert sum(not math.isfinite(y) for _, y in rows) == sum(count for _, count, _ in window.nonfinite)
