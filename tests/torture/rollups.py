"""``kill -9`` in the middle of writing long metrics, and resumptions that overlap: charts say what the points say."""

from __future__ import annotations

import math
import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from runs import QUIET, check_file, open_run, read

from goodseed.paths import run_files
from goodseed.storage.reader import RunReader

_SERIES = 5
_CHUNK = 2_000
_ATTEMPTS = 6


def long_series_are_killed(home: Path, rng: random.Random, kills: int) -> str:
    """Each attempt logs on from an earlier step, some values over others, until it is killed."""
    points = stored = 0
    for number in range(max(1, kills // 600)):
        run_id = f"long-{number}"
        for attempt in range(_ATTEMPTS):
            _log_until_killed(home, run_id, rng.randrange(1 << 32), is_new=attempt == 0)
            found, is_stored = _check(home, run_id)
            points += found
            stored += is_stored
        path = run_files(str(QUIET["project"]), run_id, home=home).database
        check_file(path)
    return f"{points:,} points in charts, as plain SQL has them; {stored} of the series were read from stored rollups"


def _log_until_killed(home: Path, run_id: str, seed: int, *, is_new: bool) -> None:
    draw = random.Random(seed)
    child = os.fork()
    if child == 0:
        try:
            run = open_run(home, **({"run_id": run_id} if is_new else {"resume_run_id": run_id}))
            start = 0 if is_new else draw.randrange(0, 200_000)
            while True:
                steps = [float(step) for step in range(start, start + _CHUNK)]
                for series in range(_SERIES):
                    run.log_points(f"loss/{series}", steps, [_value(draw) for _ in steps])
                start += _CHUNK if draw.random() < 0.9 else -draw.randrange(5 * _CHUNK)
                start = max(0, start)
        finally:
            os._exit(1)
    time.sleep(0.3 + draw.random())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _value(draw: random.Random) -> float:
    return draw.choice((math.nan, math.inf, -math.inf)) if draw.random() < 0.001 else draw.random()


def _check(home: Path, run_id: str) -> tuple[int, int]:
    found = stored = 0
    run = read(home, run_id)
    files = run_files(str(QUIET["project"]), run_id, home=home)
    with closing(sqlite3.connect(files.database)) as connection, RunReader(files) as reader:
        for path in run.get_metric_paths():
            data = run.get_metric_data(path, max_points=100)
            for bucket in data.get("buckets", ()):
                _compare(connection, path, bucket)
                found += bucket["count"]
            with reader.transaction() as opened:
                series = reader.metric_id(path)
                stored += series is not None and reader.stored_rollup(opened, series) is not None
    return found, stored


def _compare(connection: sqlite3.Connection, path: str, bucket: dict[str, Any]) -> None:
    count, low, high, bad = connection.execute(
        """
        SELECT count(*), min(CASE WHEN abs(y) < 9e999 THEN y END), max(CASE WHEN abs(y) < 9e999 THEN y END),
            sum(y IS NULL OR abs(y) = 9e999)
        FROM metric_points JOIN metric_series ON id = series_id WHERE path = ? AND step BETWEEN ? AND ?""",
        (path, bucket["step_first"], bucket["step_last"]),
    ).fetchone()
    said = bucket["count"], bucket["min"], bucket["max"], bucket["non_finite"]
    assert said == (count, low, high, bad), f"{path}: {said}, and the points say {(count, low, high, bad)}"
