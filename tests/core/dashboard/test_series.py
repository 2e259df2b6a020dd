"""Series as handlers give them: JSON and binary say the same, and what comes later is told exactly."""

from __future__ import annotations

import math
import os
import random
import time
from datetime import datetime
from typing import Any

import pytest

import goodseed
from goodseed.server.dashboard.charts.format import BINARY

from .conftest import Api, frames

_SERIES = "p/p/-/series"


def _write(run_id: str, values: list[float], **others: list[float]) -> None:
    with goodseed.Run(project="p", run_id=run_id, storage="local") as run:
        for step, value in enumerate(values):
            run.log_metrics({"y": value, **{name: column[step] for name, column in others.items()}}, step=step)


def _number(value: Any) -> float:
    return float(value.replace("Infinity", "inf")) if isinstance(value, str) else float(value)


def test_points_come_as_they_were_logged(api: Api) -> None:
    """Few points are all there, with NaN and infinities at their places."""
    _write("r", [1.5, float("nan"), float("inf"), -2.0])

    (series,) = api.post(_SERIES, {"runs": ["r"], "paths": ["y"]})["series"]

    assert (True, 4, 4) == (series["raw"], series["n"], series["total"])
    assert ([0.0, 1.0, 2.0, 3.0], [1.5, "NaN", "Infinity", -2.0]) == (series["x"], series["last"])
    assert [[1.0, 1, "nan"], [2.0, 1, "inf"]] == series["nonfinite"]
    assert {"count": 4, "last": -2.0, "min": -2.0, "max": 1.5, "mean": -0.25, "argmin": 3.0, "argmax": 0.0} == series[
        "stats"
    ]


@pytest.mark.parametrize("agg", ["minmax", "all"])
@pytest.mark.parametrize(
    "values", [[0.1 * i for i in range(3000)], [1e9 + i % 3 for i in range(3000)], [1e300, math.nan] * 500]
)
def test_binary_says_what_json_says(api: Api, agg: str, values: list[float]) -> None:
    """Both forms hold the same columns, as exactly as a chart can show."""
    _write("r", values)
    body = {"runs": ["r", "none"], "paths": ["y", "none"], "points": 100, "agg": agg}

    plain = api.post(_SERIES, body)["series"]
    packed = frames(api.post(_SERIES, body, accept=BINARY))

    assert [("r", "y"), ("none", "y"), ("r", "none"), ("none", "none")] == [(one["run"], one["path"]) for one in packed]
    assert ["no_run", "no_series", "no_run"] == [one["problem"] for one in packed[1:]]
    for one, other in zip(plain, packed, strict=True):
        assert one.keys() == other.keys()
        for name, column in one.items():
            if name in ("x", "last", "min", "max", "mean", "first", "count", "x_first"):
                expected = [_number(value) for value in column]
                span = max([value for value in expected if math.isfinite(value)], default=0.0) - min(
                    [value for value in expected if math.isfinite(value)], default=0.0
                )
                assert expected == pytest.approx(other[name], rel=1e-12, abs=2e-5 * span, nan_ok=True)
            else:
                assert column == other[name]


def test_a_spike_is_in_every_zoom(api: Api) -> None:
    """One high value among many is the highest of its bucket, and the statistics say where it is."""
    values = [random.Random(1).random() for _ in range(30_000)]
    values[12_345] = 99.0
    _write("r", values)

    for window in (None, [0, 29_999], [12_000, 12_700], [12_345, 20_000]):
        (series,) = api.post(_SERIES, {"runs": ["r"], "paths": ["y"], "points": 300, "range": window})["series"]

        assert 99.0 == max(series["max"])
        assert 12_345.0 == series["stats"]["argmax"]
        assert (window or [0, 29_999])[1] - (window or [0])[0] + 1 == series["total"] == series["stats"]["count"]
        assert len(series["x"]) <= 300


def test_axes(api: Api) -> None:
    """By wall time, by time since the beginning, and over another metric."""
    _write("r", [3.0, 1.0, 2.0], epoch=[0.5, 1.5, 0.1])

    def ask(x: str, **more: Any) -> dict[str, Any]:
        return dict(api.post(_SERIES, {"runs": ["r"], "paths": ["y"], "x": x, **more})["series"][0])

    created = datetime.fromisoformat(api.get("p/p/-/run/r")["created"].replace("Z", "+00:00")).timestamp()
    wall, since = ask("wall"), ask("time")

    assert [3.0, 1.0, 2.0] == wall["last"] == since["last"]
    assert [x - created for x in wall["x"]] == pytest.approx(since["x"], abs=1e-6)
    assert ([0.1, 0.5, 1.5], [2.0, 3.0, 1.0]) == (ask("epoch")["x"], ask("epoch")["last"])
    assert [3.0] == ask("epoch", range=[0.2, 1.0])["last"]
    assert "no_series" == ask("nothing")["problem"]


def test_what_comes_later(api: Api) -> None:
    """With a cursor only the points from a step on come; put in the place of what was there, they give the whole."""
    run = goodseed.Run(project="p", run_id="r", storage="local")
    known: dict[float, float] = {}
    cursor = None
    try:
        for round_ in range(6):
            for step in range(round_ * 500, round_ * 500 + 500):
                run.log_metrics({"y": float(step)}, step=step)
            if round_ == 4:
                run.log_metrics({"y": -1.0}, step=7)
            run.flush()
            since = {"r/y": cursor} if cursor else {}
            (series,) = api.post(_SERIES, {"runs": ["r"], "paths": ["y"], "points": 5000, "since": since})["series"]
            start = series["from"]
            known = {step: y for step, y in known.items() if start is not None and step < start}
            known.update(zip(series["x"], series["last"], strict=True))
            cursor = series["cursor"]

            expected = {float(step): float(step) for step in range(round_ * 500 + 500)}
            if round_ >= 4:
                expected[7.0] = -1.0
            assert expected == known
    finally:
        run.close()


@pytest.mark.parametrize("window", [None, (0.3, 0.6), (0.9, None)], ids=["all", "middle", "end"])
@pytest.mark.parametrize("axis", ["step", "time", "wall"])
def test_what_comes_later_on_every_axis(api: Api, axis: str, window: tuple[float, float | None] | None) -> None:
    """What comes with a cursor, put in the place of what was there, gives what is there without one."""
    body: dict[str, Any] = {"runs": ["r"], "paths": ["y"], "points": 5000, "x": axis}
    known: list[tuple[float, float]] = []
    cursor = None
    size = 3_500 if window is None else 16_000  # what is asked for are points, and not buckets
    with goodseed.Run(project="p", run_id="r", storage="local") as run:
        for round_ in range(5):
            for step in range(size + 100 * (round_ - 1) if round_ else 0, size + 100 * round_):
                run.log_metrics({"y": float(step)}, step=step)
            if round_ == 3:
                run.log_metrics({"y": -1.0}, step=size - 100)
            run.flush()
            if round_ == 0 and window is not None:
                x = api.post(_SERIES, body)["series"][0]["x"]
                low, high = window
                body["range"] = [x[int(low * len(x))], x[-1] + 1e4 if high is None else x[int(high * len(x))]]
            (series,) = api.post(_SERIES, body | {"since": {"r/y": cursor} if cursor else {}})["series"]
            start, cursor = series["from"], series["cursor"]
            known = [point for point in known if start is not None and point[0] < start]
            known += zip(series["x"], series["last"], strict=True)

            (whole,) = api.post(_SERIES, body)["series"]
            assert list(zip(whole["x"], whole["last"], strict=True)) == known


def test_only_what_is_new_comes(api: Api) -> None:
    """Of a run with many metrics, each series' answer has the new points and no others, however long it is."""
    paths = [f"m{i}" for i in range(12)]
    since: dict[str, str] = {}
    with goodseed.Run(project="p", run_id="r", storage="local") as run:
        for round_ in range(8):
            first = 0 if round_ == 0 else 4_000 + 100 * round_
            for step in range(first, 4_100 + 100 * round_):
                run.log_metrics(dict.fromkeys(paths, float(step)), step=step)
            run.log_strings({"note": f"round {round_}"}, step=round_)
            run.flush()
            found = api.post(_SERIES, {"runs": ["r"], "paths": paths, "points": 5000, "since": since})["series"]
            since = {f"r/{series['path']}": series["cursor"] for series in found}
            if round_ >= 2:  # the first look can't tell yet what was there before it
                assert all(first - 100 <= series["x"][0] <= first and len(series["x"]) <= 200 for series in found)


@pytest.mark.parametrize("window", [None, [-1.0, 340.0]], ids=["all", "range"])
def test_what_comes_later_over_another_metric(api: Api, window: list[float] | None) -> None:
    """Only new points come where they lie behind the others; all of them where one lies between, or is another now."""
    body: dict[str, Any] = {"runs": ["r"], "paths": ["y"], "points": 5000, "x": "epoch", "range": window}
    known: list[tuple[float, float]] = []
    cursor = None
    were_new: list[bool] = []

    def look() -> None:
        nonlocal cursor, known
        run.flush()
        (series,) = api.post(_SERIES, body | {"since": {"r/y": cursor} if cursor else {}})["series"]
        start, cursor = series["from"], series["cursor"]
        known = [point for point in known if start is not None and point[0] < start]
        known += zip(series["x"], series["last"], strict=True)
        were_new.append(start is not None)
        (whole,) = api.post(_SERIES, body)["series"]
        assert list(zip(whole["x"], whole["last"], strict=True)) == known

    with goodseed.Run(project="p", run_id="r", storage="local") as run:

        def log(first: int, end: int) -> None:
            for step in range(first, end):
                run.log_metrics({"y": float(step), "epoch": step / 10}, step=step)
            look()

        log(0, 2_990)
        log(2_990, 3_000)  # the first look can't tell yet what was there before it
        run.log_metrics({"y": 3_000.0}, step=3_000)
        look()
        run.log_metrics({"epoch": 300.0}, step=3_000)  # a call of its own, after the page has looked
        look()
        log(3_001, 3_500)
        look()
        assert were_new[2:] == [True, True, True, True]
        run.log_metrics({"y": -1.0, "epoch": 7.25}, step=3_500)  # back to an earlier epoch
        look()
        run.log_metrics({"y": -2.0}, step=10)
        look()
        assert not any(were_new[6:])
        log(3_501, 4_500)
        log(4_500, 4_510)
    assert were_new[-1]


def test_a_metric_that_is_called_as_an_axis_can_be_one(api: Api) -> None:
    """``metric:`` before its path tells a metric from what is always there."""
    _write("r", [3.0, 1.0, 2.0], time=[30.0, 20.0, 10.0])
    body = {"runs": ["r"], "paths": ["y"], "x": "metric:time"}
    assert [10.0, 20.0, 30.0] == api.post(_SERIES, body)["series"][0]["x"]


def test_edges_of_a_range(api: Api) -> None:
    """With edges the points next to a range come, too, also where there is none within."""
    _write("r", [0.0, 1.0, 2.0, 3.0, 4.0])
    body = {"runs": ["r"], "paths": ["y"]}

    def steps(low: float, high: float, **more: object) -> list[float]:
        return list(api.post(_SERIES, body | {"range": [low, high], **more})["series"][0]["x"])

    assert [2.0] == steps(1.5, 2.5)
    assert [1.0, 2.0, 3.0] == steps(1.5, 2.5, edges=True)
    assert [1.0, 2.0] == steps(1.2, 1.8, edges=True)
    assert [3.0, 4.0] == steps(3.5, 9.0, edges=True)


def test_many_series_come_in_pieces(api: Api) -> None:
    """An answer holds 2,000 series and says where to go on."""
    _write("r", [1.0])
    items = [{"run": "r", "path": f"m{number}"} for number in range(2_500)]

    first = api.post(_SERIES, {"items": items})
    second = api.post(_SERIES, {"items": items, "offset": first["next"]})

    assert (2_000, 2_000) == (len(first["series"]), first["next"])
    assert ([f"m{number}" for number in range(2_000, 2_500)], None) == (
        [one["path"] for one in second["series"]],
        second["next"],
    )
    assert 2_500 > len(frames(api.post(_SERIES, {"items": items}, accept=BINARY))) == 2_000


def test_a_run_that_is_written_anew_is_read_anew(api: Api) -> None:
    """What is kept of a run's file is not shown once the file is another."""
    _write("r", [1.0, 2.0])
    body = {"runs": ["r"], "paths": ["y"]}
    before = api.post(_SERIES, body)["series"][0]["last"]
    with goodseed.Run(project="p", resume_run_id="r", storage="local") as run:
        run.log_metrics({"y": 7.0}, step=1)

    after = api.post(_SERIES, body)["series"][0]["last"]

    assert ([1.0, 2.0], [1.0, 7.0]) == (before, after)


def test_live_updates_of_many_short_series_are_always_answered(api: Api) -> None:
    """While a run writes many short series, each look for what is new is answered, and leads to all points."""
    run = goodseed.Run(project="p", run_id="live", storage="local")
    kept: dict[str, list[float]] = {}
    since: dict[str, str] = {}
    for part in range(6):
        for step in range(part * 50, part * 50 + 50):
            run.log_metrics({f"m{i}": float(step + i) for i in range(12)}, step=step)
        assert run.flush()
        api.look()
        body = {"items": [{"run": "live", "path": f"m{i}"} for i in range(12)], "points": 1000, "since": since}
        for series in api.post("p/p/-/series", body)["series"]:
            known = kept.get(series["path"], [])
            start = series["from"]
            kept[series["path"]] = [x for x in known if start is not None and x < start] + series["x"]
            since[f"live/{series['path']}"] = series["cursor"]
        assert all(steps == [float(step) for step in range(part * 50 + 50)] for steps in kept.values())
    run.close()


def test_series_are_the_same_from_the_cache_of_an_earlier_server(api: Api) -> None:
    """What another server has read and sent is sent again without reading the run, and JSON has all columns still."""
    with goodseed.Run(project="p", run_id="r", storage="local") as run:
        for step in range(3000):
            run.log_metrics({"loss": math.sin(step / 50), "few": float(step) if step % 7 else math.nan}, step=step)
            if step >= 100:
                run.log_metrics({"long": float(step)}, step=step)
    os.utime(run.path, (0, 0))  # what was changed just now is not kept
    api.look()
    body = {"runs": ["r"], "paths": ["loss", "few", "long"], "points": 500}
    first = api.post(_SERIES, body, accept=BINARY)
    api.close()
    other = Api(api.store.root)
    try:
        assert repr(frames(other.post(_SERIES, body, accept=BINARY))) == repr(frames(first))
        found = other.post(_SERIES, body)["series"]
        assert [len(series["mean"]) for series in found] == [series["n"] for series in found]
    finally:
        other.close()


def test_series_of_a_run_that_was_resumed_are_read_anew(api: Api) -> None:
    """What is kept of a run holds only while its file is the same."""
    for value in (1.0, 2.0):
        which = {"resume_run_id": "r"} if value > 1 else {"run_id": "r"}
        with goodseed.Run(project="p", storage="local", **which) as run:
            run.log_metrics({"loss": value}, step=value)
        api.look()
        (series,) = frames(api.post(_SERIES, {"runs": ["r"], "paths": ["loss"], "points": 500}, accept=BINARY))
        assert series["n"] == value


@pytest.mark.parametrize("axis", ["time", "wall"])
def test_a_step_that_is_logged_once_more_stands_once_by_time(api: Api, axis: str) -> None:
    """By time, a point that takes the place of an older one leaves that place, and the points between stay single."""
    body = {"runs": ["r"], "paths": ["y"], "points": 5000, "x": axis}
    with goodseed.Run(project="p", run_id="r", storage="local") as run:
        for step in range(30):
            run.log_metrics({"y": float(step)}, step=step)
            time.sleep(0.003)  # each point has a time of its own
        run.flush()
        (first,) = api.post(_SERIES, body)["series"]
        run.log_metrics({"y": -1.0}, step=10)
        run.flush()
        (later,) = api.post(_SERIES, {**body, "since": {"r/y": first["cursor"]}})["series"]
        (whole,) = api.post(_SERIES, body)["series"]

    known = [point for point in zip(first["x"], first["last"], strict=True) if point[0] < (later["from"] or 0)]
    assert [*known, *zip(later["x"], later["last"], strict=True)] == list(zip(whole["x"], whole["last"], strict=True))
