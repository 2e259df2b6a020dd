"""What a column is: a metric's own name before an aggregate, a run's real state, a mean of the runs that count."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from datetime import datetime

import pytest

import goodseed
from goodseed.server.dashboard.table.table import mean_and_deviation

from .conftest import Api

_QUERY = "p/p/-/runs/query"


def _make(run_id: str, values: dict[str, list[float]], status: str = "finished", **configs: object) -> goodseed.Run:
    run = goodseed.Run(project="p", run_id=run_id, storage="local", capture_hardware_metrics=False)
    for path, value in configs.items():
        run[f"config/{path}"] = value
    for path, points in values.items():
        for step, value in enumerate(points):
            run.log_metrics({path: value}, step=step)
    run.close(status)
    return run


def _end(run: goodseed.Run, reason: str) -> None:
    """Say why the run ended, as a search does that ends it early."""
    with closing(sqlite3.connect(str(run.path))) as connection, connection:
        closed = connection.execute("SELECT value FROM configs WHERE path = 'sys/closed_time'").fetchone()[0]
        connection.execute(
            "INSERT INTO configs (path, type_tag, value, updated_at) VALUES ('sys/end_reason', 'str', ?, ?)",
            (reason, closed),
        )


@pytest.mark.parametrize("aggregate", ["last", "min", "max", "mean", "first", "count"])
def test_a_name_that_ends_as_an_aggregate_does_is_itself(api: Api, aggregate: str) -> None:
    """A metric `loss:max` is shown, sorted and found as the metric that it is, also beside a metric `loss`."""
    name = f"loss:{aggregate}"
    _make("a", {name: [7.0, 8.0], "loss": [1.0, 2.0]})
    _make("b", {name: [9.0, 5.0], "loss": [3.0, 4.0]})

    found = api.post(_QUERY, {"columns": [name, f"{name}:first", "loss"], "sort": [[name, "desc"]]})

    assert ["a", "b"] == found["ids"]
    assert {name: [8.0, 5.0], f"{name}:first": [7.0, 9.0], "loss": [2.0, 4.0]} == found["columns"]
    assert ["a"] == api.post(_QUERY, {"filter": f"{name}>6"})["ids"]
    assert ["b"] == api.post(_QUERY, {"filter": f"`{name}`<6"})["ids"]
    assert ["b", "a"] == api.post(_QUERY, {"filter": f"{name}:exists"})["ids"]


def test_a_config_that_ends_as_an_aggregate_does_is_itself(api: Api) -> None:
    """A config `config/clip:max` is no maximum of anything; the end of its path finds it, too."""
    _make("a", {"loss": [1.0]}, **{"clip:max": "auto"})
    found = api.post(_QUERY, {"columns": ["config/clip:max"], "filter": "clip:max=auto"})
    assert {"config/clip:max": ["auto"]} == found["columns"]


def test_such_names_are_known_among_many_metrics(api: Api) -> None:
    """Also where the run has more metrics than the list of runs knows by name."""
    _make("a", {f"m{index:03}": [0.0] for index in range(80)} | {"z:max": [3.0, 2.0], "z": [9.0]})
    assert {"z:max": [2.0]} == api.post(_QUERY, {"columns": ["z:max"]})["columns"]


def test_a_tag_may_be_called_as_an_aggregate_is(api: Api) -> None:
    """`tag:last` is about tags."""
    with goodseed.Run(project="p", run_id="a", storage="local", tags=["last"]):
        pass
    _make("b", {})
    assert ["a"] == api.post(_QUERY, {"filter": "tag:last"})["ids"]


def test_pruned_runs_are_found_and_are_no_failures(api: Api) -> None:
    """A run that a search ended early has finished; `state:pruned` tells it from others."""
    _end(_make("a", {"loss": [1.0]}), "pruned")
    _make("b", {"loss": [2.0]})
    _end(_make("c", {"loss": [3.0]}, "failed"), "pruned")

    found = api.post(_QUERY, {"filter": "state:pruned", "columns": ["sys/state", "sys/end_reason"]})

    assert (["a"], {"sys/state": ["finished"], "sys/end_reason": ["pruned"]}) == (found["ids"], found["columns"])
    assert ["c", "b"] == api.post(_QUERY, {"filter": "not state:pruned"})["ids"]
    assert ["c", "b"] == api.post(_QUERY, {"filter": "state!=pruned"})["ids"]
    assert ["b", "a"] == api.post(_QUERY, {"filter": "state:finished"})["ids"]
    assert ("pruned", None) == (api.get("p/p/-/run/a")["end_reason"], api.get("p/p/-/run/a")["failure"])


def test_failed_runs_are_left_out_of_all_figures_of_a_group(api: Api) -> None:
    """The mean, the deviation and the count are about the same runs."""
    for run_id, value, status in (("a", 1.0, "finished"), ("b", 3.0, "finished"), ("c", 900.0, "failed")):
        _make(run_id, {"loss": [value]}, status, lr=0.1)

    (group,) = api.post(_QUERY, {"columns": ["loss"], "group_by": ["config/lr"]})["groups"]

    assert (3, 2) == (group["n"], group["counted"])
    assert {"n": 2, "mean": 2.0, "std": math.sqrt(2.0), "min": 1.0, "max": 3.0} == group["agg"]["loss"]


@pytest.mark.parametrize(
    ("numbers", "mean", "deviation"),
    [
        ([1e300, 3e300], 2e300, math.sqrt(2.0) * 1e300),
        ([1e-300, 3e-300], 2e-300, math.sqrt(2.0) * 1e-300),
        ([1e20, 0.01, -1e20], 0.01 / 3, 1e20),
        ([1e9, 1e9 + 0.001, 1e9 + 0.002], 1e9 + 0.001, 0.001),
        ([1.7e308, 1.7e308], 1.7e308, 0.0),
        ([0.0, 0.0], 0.0, 0.0),
    ],
)
def test_means_of_doubles_of_any_size(numbers: list[float], mean: float, deviation: float) -> None:
    """No sum overflows, and no small value is lost beside huge ones that cancel."""
    found = mean_and_deviation(numbers)
    assert found == (pytest.approx(mean, rel=1e-9), pytest.approx(deviation, rel=1e-3))


def test_hardware_has_one_name_for_all_processes(api: Api) -> None:
    """`monitoring/<hash>/cpu` of any process is `monitoring/*/cpu`, listed once, and a column like any other."""
    _make("a", {"monitoring/aaaa/cpu": [10.0, 30.0], "monitoring/bbbb/cpu": [50.0, 70.0], "loss": [1.0]})
    _make("b", {"monitoring/cccc/cpu": [20.0]})

    listed = api.get("p/p/-/attrs?kind=series")["items"]
    found = api.post(
        _QUERY, {"columns": ["monitoring/*/cpu:mean", "monitoring/*/cpu:max"], "sort": [["sys/id", "asc"]]}
    )
    hardware = api.get("p/p/-/hardware?runs=a&runs=b&runs=none")["runs"]

    assert [("loss", 1), ("monitoring/*/cpu", 2)] == [(item["path"], item["n_runs"]) for item in listed]
    assert {"monitoring/*/cpu:mean": [40.0, 20.0], "monitoring/*/cpu:max": [70.0, 20.0]} == found["columns"]
    assert {
        "a": {"monitoring/*/cpu": ["monitoring/aaaa/cpu", "monitoring/bbbb/cpu"]},
        "b": {"monitoring/*/cpu": ["monitoring/cccc/cpu"]},
    } == hardware


def test_times_are_iso_8601_in_utc(api: Api) -> None:
    """Times of the calendar are texts with their zone; durations are seconds."""
    run = goodseed.Run(project="p", run_id="a", storage="local")
    run["when"] = datetime.fromisoformat("2026-01-31T10:00:00+02:00")
    run.log_metrics({"loss": 1.0}, step=0)
    run.close()
    columns = ["sys/creation_time", "sys/modification_time", "sys/closed_time", "when"]

    found = api.post(_QUERY, {"columns": [*columns, "sys/running_time"]})
    details = api.get("p/p/-/run/a")

    times = [*(found["columns"][column][0] for column in columns), api.get("projects")[0]["updated"],
             found["stats"]["sys/creation_time"]["min"], details["created"], details["modified"], details["closed"],
             api.get("p/p/-/run/a/moment?path=loss&step=0")["time"]]  # fmt: skip
    assert all(time.endswith("Z") and datetime.fromisoformat(time.replace("Z", "+00:00")) for time in times)
    assert ["2026-01-31T08:00:00Z"] == found["columns"]["when"]
    assert "datetime" == found["types"]["sys/creation_time"]
    assert isinstance(found["columns"]["sys/running_time"][0], float)


@pytest.mark.parametrize("values", [[0.1] * 10, [0.1] * 40, [1.5e308] * 40, [1.5e308, -1.5e308] * 20, [1.0, 2.0, 4.0]])
def test_the_mean_is_the_same_everywhere(api: Api, values: list[float]) -> None:
    """Table, chart and Python give one mean, which lies between the lowest and the highest value."""
    with goodseed.Run(project="p", run_id="r", storage="local") as run:
        for step, value in enumerate(values):
            run.log_metrics({"acc": value}, step=step)
        (bucket,) = run.get_metric_data("acc", max_points=1)["buckets"]
    api.look()
    table = api.post(_QUERY, {"columns": ["acc:mean"]})["columns"]["acc:mean"]
    (series,) = api.post("p/p/-/series", {"runs": ["r"], "paths": ["acc"], "points": 1})["series"]

    assert table == [series["stats"]["mean"]] == [bucket["mean"]]
    assert min(values) <= table[0] <= max(values)
