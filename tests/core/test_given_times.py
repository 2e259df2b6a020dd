"""Points that are given their times, a run that is given its end, and whole columns of points."""

from __future__ import annotations

import array
import contextlib
import inspect
import math
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import goodseed

from .conftest import field

NOON = datetime(2026, 1, 31, 12, 0, 0, 123_000, tzinfo=timezone.utc)
FAR = datetime(6026, 1, 31, tzinfo=timezone.utc)


def rows(run: goodseed.Run, query: str) -> list[Any]:
    """What the run's file answers, once all that was logged is in it."""
    run.flush()
    with contextlib.closing(sqlite3.connect(str(run.path))) as connection:
        return connection.execute(query).fetchall()


def times(run: goodseed.Run, kind: str = "metric") -> list[float]:
    """The times in the run's file, by series and step."""
    return [ts for (ts,) in rows(run, f"SELECT ts FROM {kind}_points ORDER BY series_id, step")]


def test_given_times_are_exact_to_the_millisecond(home: Path) -> None:
    """Every method that logs takes a datetime, local where it has no zone, or seconds since the epoch."""
    local = NOON.astimezone().replace(tzinfo=None)
    with goodseed.Run() as run:
        run.log_metrics({"a": 1.0}, step=0, timestamp=NOON)
        run.log_metrics({"a": 1.0, "b": 2.0}, step=1, timestamp=local)
        run["a"].log(1, step=2, timestamp=NOON.timestamp())
        run["a"].log(1, step=3, timestamp=NOON.astimezone(timezone(timedelta(hours=9))))
        run["a"].log(1, step=4, timestamp=-1_000.5)
        run["a"].log(1, step=5, timestamp=FAR)
        run["text"].log("one", step=0, timestamp=NOON)
        run.log_strings({"text": "two", "more": "three"}, step=1, timestamp=local)

    assert [NOON.timestamp()] * 4 + [-1_000.5, FAR.timestamp(), NOON.timestamp()] == times(run)
    assert [NOON.timestamp()] * 3 == times(run, "string")


@pytest.mark.parametrize(
    ("timestamp", "remedy"),
    [
        ("2026-01-31", "fromisoformat"),
        (True, "seconds since the epoch"),
        (np.datetime64("2026-01-31", "ns"), "pandas.Timestamp"),
        (1_769_860_800_123, "Divide it by 1000"),
        (math.nan, "1 to 9999"),
        (math.inf, "1 to 9999"),
        (-1e18, "1 to 9999"),
        (datetime.max, "1 to 9999"),
        ([1.0], "seconds since the epoch"),
        (np.array([1.0, 2.0]), "a datetime or a number"),
    ],
)
def test_wrong_times_are_refused(home: Path, timestamp: Any, remedy: str) -> None:
    """What is no time raises at once with the remedy, and nothing of the call is stored."""
    with goodseed.Run() as run:
        for log in (
            lambda: run.log_metrics({"a": 1.0}, 0, timestamp),
            lambda: run.log_strings({"t": "x"}, 0, timestamp),
            lambda: run["a"].log(1.0, step=0, timestamp=timestamp),
            lambda: run.log_points("a", [0], [1.0], [timestamp]),
        ):
            with pytest.raises((goodseed.InvalidTypeError, goodseed.InvalidValueError), match=remedy):
                log()

        assert [] == run.get_metric_paths() + run.get_string_paths()


@pytest.mark.parametrize("storage", ["local", "disabled"])
def test_a_missing_step_is_told_with_its_remedy(home: Path, storage: str) -> None:
    """A call without a step raises a sentence that shows one, also where nothing is stored."""
    with goodseed.Run(storage=storage) as run:
        for log in (
            lambda: run.log_metrics({"a": 1.0}),
            lambda: run.log_strings({"a": "x"}),
            lambda: run["a"].log(1.0),
            lambda: run["a"].log("x"),
            lambda: run["a"].log(1.0, timestamp=NOON),
        ):
            with pytest.raises(goodseed.InvalidTypeError, match=r"step is missing: .* step=epoch"):
                log()


def test_help_shows_that_a_step_is_required() -> None:
    """The signatures say that the step has to be given."""
    for method in (goodseed.Run.log_metrics, goodseed.Run.log_strings):
        assert "<required>" == repr(inspect.signature(method).parameters["step"].default)


def test_a_run_is_given_its_end(home: Path) -> None:
    """closed_at is when an imported run ended, for every reader."""
    run = goodseed.Run(created_at="2026-01-31T10:00:00Z", run_id="old")
    run.close(closed_at="2026-01-31T12:00:00+01:00")
    (listed,) = goodseed.list_runs("default", storage="local")

    assert "2026-01-31T11:00:00.000000+00:00" == field(run, "sys/closed_time")
    assert [("2026-01-31T11:00:00.000000+00:00",)] == rows(run, "SELECT value FROM run_meta WHERE key = 'closed_at'")
    assert 3600.0 == listed["duration_seconds"]


@pytest.mark.parametrize("closed_at", ["yesterday", 5, datetime(2020, 1, 1), "2020-01-01"])
def test_a_wrong_end_leaves_the_run_open(home: Path, closed_at: Any) -> None:
    """An end that is no time, or lies before the run's beginning, is refused, and the run can be closed again."""
    with goodseed.Run() as run:
        with pytest.raises((goodseed.InvalidTypeError, goodseed.InvalidValueError), match="closed_at"):
            run.close(closed_at=closed_at)

        assert not run.is_closed
        run.log_metrics({"a": 1.0}, step=0)
    assert "finished" == field(run, "sys/state")


@pytest.mark.parametrize("convert", [list, tuple, iter, np.array, pd.Series, lambda column: array.array("d", column)])
def test_columns_of_any_kind(home: Path, convert: Any) -> None:
    """log_points takes lists, iterators, arrays and series, and stores their points with their times."""
    with goodseed.Run() as run:
        run.log_points("loss", convert([0.0, 1.0, 2.5]), convert([1.0, math.nan, -math.inf]), convert([1.5, 2.5, 3.25]))

    assert [(0.0, 1.0, 1.5), (1.0, None, 2.5), (2.5, -math.inf, 3.25)] == rows(
        run, "SELECT step, y, ts FROM metric_points"
    )


def test_columns_of_other_types(home: Path) -> None:
    """Integers, booleans, datetimes and numpy's numbers are taken one by one as log_metrics does; strings make texts."""
    with goodseed.Run() as run:
        run.log_points("a", np.arange(2, dtype="int32"), np.array([True, False]), [NOON, NOON])
        run.log_points("a", [2, np.float32(3)], [np.float16(0.5), 2**60], pd.to_datetime([NOON, NOON]))
        run.log_points("text", [0, 1], ["zero", "one"])
        run.log_points("none", [], [])
        run.log_points("half", [0], np.array([[0.5, 9], [1.5, 9]])[:1, 0])

    assert [(0.0, 1.0), (1.0, 0.0), (2.0, 0.5), (3.0, float(2**60)), (0.0, 0.5)] == rows(
        run, "SELECT step, y FROM metric_points"
    )
    assert [NOON.timestamp()] * 4 == times(run)[:4]
    assert ["zero", "one"] == [point["value"] for point in run.get_string_data("text")]
    assert ["a", "half"] == run.get_metric_paths()


@pytest.mark.parametrize(
    ("steps", "values", "timestamps", "reason"),
    [
        ([0, 1], [1.0], None, "2 steps, 1 values"),
        ([0], [1.0], [1.0, 2.0], "2 timestamps"),
        ([0, math.nan], [1.0, 2.0], None, "step must be finite"),
        ([math.inf, -math.inf], [1.0, 2.0], None, "step must be finite"),
        ([0, 2**53 + 1], [1.0, 2.0], None, "beyond 2"),
        ([0, 10**400], [1.0, 2.0], None, "too large"),
        ([0, True], [1.0, 2.0], None, "step must be a number"),
        ([0, None], [1.0, 2.0], None, "step is missing"),
        ([0, 1], [1.0, "x"], None, "can't store a str"),
        ([0, 1], ["x", 1.0], None, "can't store a str"),
        ([0, 1], [1.0, None], None, "can't store a NoneType"),
        ([0, 1], [1.0, 10**400], None, "too large"),
        ([0, 1], np.zeros((2, 2)), None, "one dimension"),
        ("01", [1.0, 2.0], None, "one dimension"),
        (5, [1.0], None, "one dimension"),
    ],
)
def test_wrong_columns_are_refused(home: Path, steps: Any, values: Any, timestamps: Any, reason: str) -> None:
    """One item that can't be stored raises, names the rule, and leaves nothing of the call."""
    with goodseed.Run() as run:
        with pytest.raises((goodseed.InvalidTypeError, goodseed.InvalidValueError), match=reason):
            run.log_points("a", steps, values, timestamps)

        assert [] == run.get_metric_paths() + run.get_string_paths()


@settings(deadline=None)  # each opens a run
@given(
    st.lists(
        st.tuples(
            st.integers(-3, 3).map(float) | st.floats(allow_nan=False, allow_infinity=False),
            st.floats(),
            st.floats(0, 4e9),
        ),
        max_size=40,
    ),
    st.lists(st.integers(0, 4), max_size=8),
)
def test_columns_and_calls_store_the_same(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[float, float, float]], cuts: list[int]
) -> None:
    """Columns store what the same points store one by one, in any order, over existing points, cut anywhere."""
    home = tmp_path_factory.mktemp("home")
    runs = [goodseed.Run(goodseed_home=home, storage="local", run_id=name) for name in ("columns", "calls")]
    remaining = list(points)
    for cut in [*cuts, len(points)]:
        part, remaining = remaining[:cut], remaining[cut:]
        runs[0].log_points("a", *([point[place] for point in part] for place in range(3)))
        if part:
            runs[0].log_metrics({"b": part[0][1], "a": part[0][1]}, part[0][0], part[0][2])
        for step, value, at in part:
            runs[1].log_metrics({"a": value}, step, at)
        if part:
            runs[1].log_metrics({"b": part[0][1], "a": part[0][1]}, part[0][0], part[0][2])
    for run in runs:
        run.close()
    stored = [rows(run, "SELECT path, step, y, ts FROM metric_points, metric_series ON id = series_id") for run in runs]

    assert sorted(stored[1], key=repr) == sorted(stored[0], key=repr)


def test_many_points_at_once(home: Path) -> None:
    """Columns of several records and statements are stored whole, each point once, whatever their order."""
    steps = np.random.default_rng(0).permutation(30_001).astype(float)
    with goodseed.Run() as run:
        run.log_points("a", steps, steps * 2, steps + 1_000)
        run.log_points("a", [5.0], [-1.0])
    ((count, total, last),) = rows(
        run, "SELECT count(*), sum(y), sum(y = 2 * step AND ts = step + 1000) FROM metric_points WHERE series_id = 1"
    )

    assert (30_001, 30_000 * 30_001 - 11, 30_000) == (count, total, last)


def test_columns_survive_a_kill(home: Path) -> None:
    """What log_points has accepted is there after kill -9, for a reader and for the next writer."""
    script = """
import goodseed, os, signal
run = goodseed.Run(run_id="killed", capture_hardware_metrics=False)
run.log_points("a", range(20_000), range(20_000), range(1_000, 21_000))
run.log_points("t", range(300), map(str, range(300)))
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", script], env={**os.environ, "GOODSEED_STORAGE": "local"}, check=False)
    reader = goodseed.Run(run_id="killed", read_only=True)

    assert -signal.SIGKILL == ended.returncode
    assert 20_000 == len(reader.get_metric_data("a")["raw_points"])
    with goodseed.Run(resume_run_id="killed") as run:
        assert 300 == len(run.get_string_data("t"))
    assert list(map(float, range(1_000, 21_000))) == times(run)


def test_refusals_of_columns(home: Path) -> None:
    """A closed run refuses columns, a run that is read only too, and one that stores nothing takes them."""
    with goodseed.Run(storage="disabled") as run:
        run.log_points("a", [0], [1.0])
    with goodseed.Run(run_id="closed") as run:
        run.log_points("a", [0], [1.0])
    with pytest.raises(goodseed.RunClosedError):
        run.log_points("a", [1], [1.0])
    with pytest.raises(goodseed.ReadOnlyError):
        goodseed.Run(run_id="closed", read_only=True).log_points("a", [1], [1.0])
