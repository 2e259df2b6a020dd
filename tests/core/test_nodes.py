"""The rollups that a run's writer stores beside its points are those of its points, whatever is written, by whomever."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from bisect import bisect_left
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import goodseed
from goodseed.paths import run_files
from goodseed.storage.edits import Edits, edit_run, undo_last_rewind
from goodseed.storage.reader import RunReader
from goodseed.storage.rollup.indexed import count_points, iterate_point_buckets
from goodseed.storage.rollup.nodes import EVERYTHING, Bounds
from goodseed.storage.rollup.window import read_window

_LONG = 40_000
_VALUES = [0.0, 1.0, -2.5, 1e-300, 1e308, -1e308, math.nan, math.inf, -math.inf]


def _log(run: goodseed.Run, path: str, steps: list[float], seed: int, times: list[float] | None = None) -> None:
    draw = random.Random(seed)
    values = [draw.choice(_VALUES) if draw.random() < 0.01 else draw.random() for _ in steps]
    run.log_points(path, steps, values, timestamps=times)
    run.flush()


def _open(home: Path, **options: Any) -> goodseed.Run:
    return goodseed.Run(project="p", storage="local", goodseed_home=home, **options)


def _is_stored(home: Path, run_id: str = "r", path: str = "loss") -> bool:
    """Whether readers take the rollup of a metric from the file."""
    with RunReader(run_files("p", run_id, home=home)) as reader, reader.transaction() as connection:
        series = reader.metric_id(path)
        assert series is not None
        return reader.stored_rollup(connection, series) is not None


def _check(home: Path, run_id: str = "r", path: str = "loss") -> None:
    """Charts and buckets of stored rollups say what those say that are made of the points alone."""
    with RunReader(run_files("p", run_id, home=home)) as reader, reader.transaction() as connection:
        series = reader.metric_id(path)
        assert series is not None
        rollup = reader.stored_rollup(connection, series)
        assert rollup is not None
        rows = connection.execute(
            "SELECT step, y, ts FROM metric_points WHERE series_id = ? ORDER BY step", (series,)
        ).fetchall()
        steps = [row[0] for row in rows]
        assert len(rows) == count_points(connection, series, rollup)
        first, last = steps[0], steps[-1]
        for share_low, share_high in ((0.0, 1.0), (0.1, 0.9), (0.45, 0.55)):
            low, high = (first + share * (last - first) for share in (share_low, share_high))
            window = read_window(connection, series, rollup, 100, Bounds(low, high), by_time=False)
            place = 0 if share_low == 0.0 else bisect_left(steps, low)
            for x, count, mean, lowest, highest in zip(
                window.x, window.count, window.mean, window.low, window.high, strict=True
            ):
                inside = rows[place : place + int(count)]
                place += int(count)
                assert x == inside[-1][0]
                _check_extremes([row[1] for row in inside], lowest, highest, mean)
        by_time = read_window(connection, series, rollup, 100, EVERYTHING, by_time=True)
        assert sum(by_time.count) == by_time.total == len(rows)
        assert list(by_time.x) == sorted(by_time.x)
        finite = [row[1] for row in rows if row[1] is not None and math.isfinite(row[1])]
        assert by_time.lowest is not None
        assert by_time.highest is not None
        assert (min(finite), max(finite)) == (by_time.lowest[0], by_time.highest[0])
        total = len(rows)
        found = iterate_point_buckets(connection, series, 7, total - 9, 50, rollup)
        plain = iterate_point_buckets(connection, series, 7, total - 9, 50)
        for one, other in zip(found, plain, strict=True):
            names = ["step", "lowest", "highest", "time_seconds"]
            if max(abs(one.lowest), abs(one.highest)) < 1e100:  # else the sum depends on the order
                names.append("value")
            assert [getattr(one, name) for name in names] == pytest.approx(
                [getattr(other, name) for name in names], nan_ok=True, rel=1e-9
            )
    with _open(home, run_id=run_id, read_only=True) as run:
        buckets = run.get_metric_data(path, max_points=60)["buckets"]
    assert total == sum(bucket["count"] for bucket in buckets)
    place = 0
    for bucket in buckets:
        inside = rows[place : place + bucket["count"]]
        place += bucket["count"]
        assert (inside[0][0], inside[-1][0]) == (bucket["step_first"], bucket["step_last"])
        _check_extremes([row[1] for row in inside], bucket["min"], bucket["max"], bucket["mean"])


def _check_extremes(ys: list[float | None], low: float | None, high: float | None, mean: float | None) -> None:
    finite = [y for y in ys if y is not None and math.isfinite(y)]
    if finite:
        assert (min(finite), max(finite)) == (low, high)
        if mean is not None and max(map(abs, finite)) < 1e100:
            assert mean == pytest.approx(math.fsum(finite) / len(finite), rel=1e-9, abs=1e-9)


def _highest(home: Path) -> float:
    with _open(home, run_id="r", read_only=True) as run:
        return max(float(bucket["max"]) for bucket in run.get_metric_data("loss", max_points=10)["buckets"])


_batches = st.lists(
    st.tuples(
        st.sampled_from(
            ["append", "overwrite", "between", "before", "shuffled", "trickle", "resume", "edit", "rewind", "undo"]
        ),
        st.integers(1, 6_000),
        st.floats(0.0, 1.0),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(batches=_batches, seed=st.integers(0, 1000))
def test_stored_rollups_are_those_of_the_points(batches: list[tuple[str, int, float]], seed: int) -> None:
    """Whatever is appended, overwritten, put between or before, taken back, in any order and by many attempts."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        run = _open(home, run_id="r")
        _log(run, "loss", [float(step) for step in range(0, 2 * _LONG, 2)], seed)
        last = 2.0 * _LONG
        for number, (how, count, share) in enumerate(batches):
            start = float(int(share * last))
            if how == "resume":
                run.close()
                run = _open(home, resume_run_id="r")
            elif how == "rewind":
                run.close()
                start = float(int((0.5 + share / 2) * last))
                run = _open(home, resume_run_id="r", rewind_to=start)
                last = start + 1.0
            elif how == "undo":
                run.close()
                undo_last_rewind(run_files("p", "r", home=home))
                run = _open(home, resume_run_id="r")
                last += 4.0 * _LONG
            elif how == "edit":
                edit_run(run_files("p", "r", home=home), Edits(texts={"sys/name": f"n{number}"}))
            elif how == "trickle":
                for index in range(6):
                    _log(run, "loss", [last + 2 * index], number)
                last += 12
            else:
                steps = {
                    "append": [last + 2 * index for index in range(count)],
                    "overwrite": [start + 2 * index for index in range(count)],
                    "between": [start + 0.5 + index / 7 for index in range(count)],
                    "before": [-float(index + 1 + number) for index in range(count)][::-1],
                    "shuffled": [last + index for index in range(count)],
                }[how]
                if how == "shuffled":
                    draw.shuffle(steps)
                times = [float(draw.randrange(10**6)) for _ in steps] if share < 0.3 else None
                _log(run, "loss", steps, number, times)
                last = max(last, max(steps) + 2.0)
            if number == len(batches) // 2:
                _check(home)
        for _ in range(12):  # the writer makes some nodes anew in each transaction
            run.log_metrics({"other": 1.0}, step=1)
            run.flush()
        run.close()

        _check(home)


def test_a_chart_of_a_run_that_ended_needs_no_points(tmp_path: Path) -> None:
    """The rollup of a long series is in the file as soon as it is logged, at its end, and after an edit."""
    run = _open(tmp_path, run_id="r")
    _log(run, "loss", [float(step) for step in range(_LONG)], 1)
    is_live = _is_stored(tmp_path)
    run.close()
    is_closed = _is_stored(tmp_path)
    edit_run(run_files("p", "r", home=tmp_path), Edits(texts={"sys/name": "new"}))

    assert (True, True, True) == (is_live, is_closed, _is_stored(tmp_path))


def test_an_edit_of_a_running_run_costs_nothing(tmp_path: Path) -> None:
    """Its writer goes on with its rollups after a page has renamed it; what others do before or after that is seen."""
    files = run_files("p", "r", home=tmp_path)
    kept, seen = [], []
    for how in ("edit", "update, edit", "edit, update"):
        run = _open(tmp_path, run_id="r")
        _log(run, "loss", [float(step) for step in range(200_000)], 1)
        for what in how.split(", "):
            if what == "edit":
                edit_run(files, Edits(texts={"sys/name": how}))
            else:
                with closing(sqlite3.connect(files.database)) as connection:
                    connection.execute("UPDATE metric_points SET y = 1.5e308 WHERE step = 77")
                    connection.commit()
        _log(run, "loss", [200_000.0], 1)
        kept.append(_is_stored(tmp_path))
        run.close()
        seen.append(_highest(tmp_path) == 1.5e308)
        files.database.unlink()

    assert [True, False, False] == kept
    assert [False, True, True] == seen


def test_short_series_have_no_nodes(tmp_path: Path) -> None:
    """A run whose series have few points each is as small as before, and has no other table."""
    with _open(tmp_path, run_id="r") as run:
        for step in range(50):
            run.log_metrics({f"m{number}": 1.0 for number in range(1000)}, step=step)

    with closing(sqlite3.connect(run_files("p", "r", home=tmp_path).database)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}

    assert "metric_nodes" not in names


@pytest.mark.parametrize("how", ["update", "insert", "delete", "all in WAL", "rollback journal"])
def test_what_another_tool_changes_is_seen(tmp_path: Path, how: str) -> None:
    """A point that the sqlite3 shell writes into a closed file, even at once, is in the next chart."""
    with _open(tmp_path, run_id="r") as run:
        _log(run, "loss", [float(step) for step in range(_LONG)], 1)
    statement = {
        "insert": "INSERT INTO metric_points (series_id, step, y, ts) VALUES (1, 0.5, 1e200, 1)",
        "delete": "DELETE FROM metric_points WHERE step = 77",
    }.get(how, "UPDATE metric_points SET y = 1.5e308 WHERE step = 77")
    with closing(sqlite3.connect(run_files("p", "r", home=tmp_path).database)) as connection:
        if how == "rollback journal":
            connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(statement)
        connection.commit()
        is_open = _is_stored(tmp_path)

    assert (False, False) == (is_open, _is_stored(tmp_path))


@pytest.mark.parametrize("logged_after", [0, 1, 12])
def test_what_another_tool_changes_while_a_run_is_written_is_seen(tmp_path: Path, logged_after: int) -> None:
    """The writer of a run notices that somebody else has changed its file, and makes its rollups anew."""
    run = _open(tmp_path, run_id="r")
    _log(run, "loss", [float(step) for step in range(_LONG)], 1)
    with closing(sqlite3.connect(run_files("p", "r", home=tmp_path).database)) as connection:
        connection.execute("UPDATE metric_points SET y = 1.5e308 WHERE step = 77")
        connection.commit()
    for step in range(logged_after):
        _log(run, "loss", [float(_LONG + step)], 1)
    run.close()

    assert _highest(tmp_path) == 1.5e308
    if logged_after == 12:
        _check(tmp_path)


def test_a_copy_without_its_times_is_read_anew(tmp_path: Path) -> None:
    """A file that was copied may have been changed meanwhile: only one that keeps its time is taken at its word."""
    with _open(tmp_path, run_id="r") as run:
        _log(run, "loss", [float(step) for step in range(_LONG)], 1)
    database = run_files("p", "r", home=tmp_path).database
    shutil.copyfile(database, database.with_name("plain.sqlite"))
    shutil.copy2(database, database.with_name("exact.sqlite"))

    assert (False, True) == (_is_stored(tmp_path, "plain"), _is_stored(tmp_path, "exact"))


def test_damaged_nodes_are_told(tmp_path: Path) -> None:
    """Stored nodes that are cut short are called damaged, and not shown."""
    with _open(tmp_path, run_id="r") as run:
        _log(run, "loss", [float(step) for step in range(_LONG)], 1)
    database = run_files("p", "r", home=tmp_path).database
    changed = os.stat(database).st_mtime_ns
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE metric_nodes SET nodes = x'00' WHERE level = 0")
        connection.commit()
    os.utime(database, ns=(changed, changed))

    with pytest.raises(goodseed.FileFormatError, match="damaged"):
        _is_stored(tmp_path)


_KILLED = """
import os, signal, sys
import goodseed
run = goodseed.Run(project="p", run_id="r", storage="local", goodseed_home=sys.argv[1])
for start in range(0, 60_000, 5_000):
    run.log_points("loss", [float(step) for step in range(start, start + 5_000)], [step % 97 for step in range(5_000)])
run.flush()
run.log_points("loss", [60_000.0 + step for step in range(3_000)], [1.0] * 3_000)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _kill_a_run(home: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(home)], check=False)
    assert killed.returncode == -signal.SIGKILL


def test_rollups_survive_a_kill(tmp_path: Path) -> None:
    """What a killed writer has stored is used by the readers that bring in the rest, and by the one that resumes."""
    _kill_a_run(tmp_path)
    is_stored = _is_stored(tmp_path)
    _check(tmp_path)
    with _open(tmp_path, resume_run_id="r") as run:
        _log(run, "loss", [float(step) for step in range(50_000, 70_000)], 3)

    assert is_stored
    _check(tmp_path)


def test_what_another_tool_changes_after_a_kill_is_seen(tmp_path: Path) -> None:
    """A point that somebody writes into the file of a killed run, before anybody reads it, is in the next chart."""
    _kill_a_run(tmp_path)
    with closing(sqlite3.connect(run_files("p", "r", home=tmp_path).database)) as connection:
        connection.execute("UPDATE metric_points SET y = 1.5e308 WHERE step = 77")
        connection.commit()

    assert _highest(tmp_path) == 1.5e308
    _check(tmp_path)
