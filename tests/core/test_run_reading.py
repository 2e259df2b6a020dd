"""Reading a run: while it is written, in buckets, by page, read-only."""

from __future__ import annotations

import math
import sqlite3
import time
from pathlib import Path

import pytest

import goodseed

from .conftest import configs


def test_reads_while_written(home: Path) -> None:
    """A run reads back what it has just logged, and so does another handle while it is written."""
    with goodseed.Run() as run:
        other = goodseed.Run(run_id=run.run_id, read_only=True, storage="local")
        for step in range(100):
            run.log_metrics({"a": step, "b": -step}, step=step)
        own = run.get_metric_data("a", step_min=10, step_max=12)
        assert run.flush()
        others = other.get_metric_data("b", step_min=98)

    assert {"path": "a", "downsampled": False, "raw_points": [{"step": s, "y": s} for s in (10.0, 11.0, 12.0)]} == own
    assert [{"step": 98.0, "y": -98.0}, {"step": 99.0, "y": -99.0}] == others["raw_points"]


def test_buckets_are_exact(home: Path) -> None:
    """Buckets hold the exact extremes, mean and last value of their points, and count what is not finite."""
    values = [math.sin(step) for step in range(1000)]
    values[500], values[501], values[777] = math.nan, math.inf, 1e9
    with goodseed.Run() as run:
        for step, value in enumerate(values):
            run["a"].log(value, step=step)
        data = run.get_metric_data("a", max_points=10)
        few = run.get_metric_data("a", step_min=0, step_max=4, max_points=10)

    assert data["downsampled"]
    assert 10 == len(data["buckets"])
    assert 1000 == sum(bucket["count"] for bucket in data["buckets"])
    for bucket in data["buckets"]:
        mine = values[int(bucket["step_first"]) : int(bucket["step_last"]) + 1]
        finite = [value for value in mine if math.isfinite(value)]
        assert (len(mine), min(finite), max(finite), len(mine) - len(finite)) == (
            bucket["count"], bucket["min"], bucket["max"], bucket["non_finite"],
        )  # fmt: skip
        assert sum(finite) / len(finite) == pytest.approx(bucket["mean"])
        assert mine[-1] == bucket["last"]
    assert not few["downsampled"]
    with pytest.raises(goodseed.InvalidValueError, match="max_points"):
        run.get_metric_data("a", max_points=0)


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["one side", "both sides"])
def test_the_mean_of_the_largest_numbers_is_a_number(home: Path, sign: float) -> None:
    """The mean of values whose sum is beyond the largest double lies between the lowest and the highest of them."""
    values = [1.7e308, sign * 1.7e308, 1.6e308, sign * 1.5e308] * 25
    with goodseed.Run() as run:
        for step, value in enumerate(values):
            run["a"].log(value, step=step)
        data = run.get_metric_data("a", max_points=5)

    for bucket in data["buckets"]:
        assert bucket["min"] <= bucket["mean"] <= bucket["max"]


def test_string_pages(home: Path) -> None:
    """A string series can be read page by page."""
    with goodseed.Run() as run:
        for step in range(10):
            run.log_strings({"t": step * 1.5}, step=step)
        page = run.get_string_data("t", limit=2, offset=3)

    assert [{"step": 3.0, "value": "4.5"}, {"step": 4.0, "value": "6.0"}] == page


def test_reading_beside_the_writer(home: Path) -> None:
    """Who opens a run to read it, in the process that writes it, finds all that was logged up to the question."""
    with goodseed.Run(run_id="r") as run:
        run["lr"] = 0.1
        beside = goodseed.Run(run_id="r", read_only=True, storage="local")
        configs = {row["path"] for row in beside.get_configs()}
        found = []
        for step in range(100):
            run["a"].log(1.0, step=step)
            found.append(len(beside.get_metric_data("a")["raw_points"]))

    assert {"lr", "sys/state"} <= configs
    assert list(range(1, 101)) == found


def test_read_only(home: Path) -> None:
    """read_only opens what is there, refuses to write, and makes nothing."""
    with goodseed.Run(run_id="x") as run:
        run["a"] = 1
    before = sorted(home.rglob("*"))
    reader = goodseed.Run(run_id="x", read_only=True, storage="local")

    assert {"a": "1"} == configs(reader)
    for write in (lambda: reader["a"].log(1.0, step=0), lambda: reader.__setitem__("b", 1)):
        with pytest.raises(goodseed.ReadOnlyError):
            write()
    with pytest.raises(goodseed.RunNotFoundError, match="nope"):
        goodseed.Run(run_id="nope", read_only=True, storage="local")
    with pytest.raises(goodseed.ConfigurationError, match="run_id"):
        goodseed.Run(read_only=True, storage="local")
    assert before == sorted(home.rglob("*"))


def test_reader_that_was_there_for_a_moment_holds_up_nothing(tmp_path: Path) -> None:
    """After a snapshot has held a long write-ahead log, points are soon in the file again, and the log gets short."""
    run = goodseed.Run(storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False, git_ref=False)
    data = {f"m{number}": 1.0 for number in range(100)}
    for step in range(2_000):
        run.log_metrics(data, step=step)
    run.flush()
    reader = sqlite3.connect(run.path, isolation_level=None)
    log = Path(f"{run.path}-wal")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM run_meta").fetchone()
    last = 2_000
    while log.stat().st_size < 20 << 20:
        for step in range(last, last + 500):
            run.log_metrics(data, step=step)
        last += 500
        run.flush()
    reader.execute("COMMIT")
    seen = []
    for step in range(last, last + 3):
        run.log_metrics({"m0": 2.0}, step=step)
        deadline = time.monotonic() + 4
        query = "SELECT 1 FROM metric_points WHERE step = ? AND y = 2"
        while not (is_there := reader.execute(query, (step,)).fetchone() is not None) and time.monotonic() < deadline:
            time.sleep(0.05)
        seen.append(is_there)
    reader.close()
    deadline = time.monotonic() + 60
    while log.stat().st_size >= 16 << 20 and time.monotonic() < deadline:  # the next commits start the log again
        run.log_metrics({"m0": 3.0}, step=last + 3)
        run.flush()
    length = log.stat().st_size
    run.close()

    assert [True] * 3 == seen
    assert length < 16 << 20


def test_a_path_that_no_series_has(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A typing error in a path gives the empty result, and one warning that names the nearest path."""
    with goodseed.Run(project="p", run_id="r", storage="local") as run:
        run.log_metrics({"train/loss": 1.0}, step=0)
        run.log_strings({"note": "x"}, step=0)
        for _ in range(2):
            assert [] == run.get_metric_data("train/los")["raw_points"]
            assert [] == run.get_metric_data("train/los", max_points=10)["raw_points"]
            assert [] == run.get_string_data("zzz")
        assert [] == run.get_metric_data("train/loss", step_min=5)["raw_points"]

    assert ["Did you mean 'train/loss'?", "It has 1 of them."] == [
        record.getMessage().partition(". ")[2] for record in caplog.records
    ]
