"""The specification's endpoints: their shapes, their values, and large answers."""

from __future__ import annotations

import math
import sqlite3
import time
from pathlib import Path

import pytest

import goodseed

from .conftest import Client, Serve


def log(run_id: str, project: str = "ws/p", **options: object) -> Path:
    """A finished run with a little of everything."""
    with goodseed.Run(project=project, run_id=run_id, **options) as run:
        run["p"] = {"lr": 0.1, "n": 2**60, "on": True, "none": None, "text": "é", "bad": math.nan}
        run["sys/tags"].add(["b", "a"])
        for step in range(10):
            run.log_metrics({"loss": step / 4, "acc": -float(step)}, step=step)
            run["notes"].log(f"line {step}", step=step)
        run.log_metrics({"odd": math.nan}, step=0)
        run.log_metrics({"odd": math.inf}, step=1)
        run.log_metrics({"odd": -math.inf}, step=2)
        run["other"].log("x", step=0.5)
    return run.path


def test_projects(client: Client) -> None:
    """Projects have a name, a number of runs and the time of their last change."""
    log("a")
    log("b", "q")
    log("c", "q")
    projects = client.get("/api/projects").json["projects"]

    assert {("ws/p", 1), ("q", 2)} == {(project["name"], project["run_count"]) for project in projects}
    assert "q" == projects[0]["name"]
    assert all(project["last_modified"].endswith("+00:00") for project in projects)


def test_runs(client: Client) -> None:
    """Runs come newest first with their series; ``project`` leaves the others out."""
    log("a", name="first")
    log("b", "q")
    runs = client.get("/api/runs").json["runs"]

    assert ["b", "a"] == [run["run_id"] for run in runs]
    assert runs[1:] == client.get("/api/runs?project=ws%2Fp").json["runs"]
    assert [] == client.get("/api/runs?project=none").json["runs"]
    assert {
        "project": "ws/p",
        "run_id": "a",
        "experiment_name": "first",
        "status": "finished",
        "state": "finished",
        "end_reason": None,
        "trashed": False,
        "string_series_paths": ["notes", "other"],
        "metric_paths": ["acc", "loss", "odd"],
    } == {name: value for name, value in runs[1].items() if name not in ("created_at", "closed_at")}


def test_a_restart_changes_nothing(serve: Serve) -> None:
    """What a later server takes from its caches is, type by type, what the first one read from the runs."""
    log("a", name="first")
    log("b", "q")
    first, later = (serve().get("/api/runs").body for _ in range(2))

    assert first == later


def test_new_series_show(client: Client) -> None:
    """A series that a running run has begun since the last listing is in the next one."""
    with goodseed.Run(project="p", run_id="a") as run:
        run.log_metrics({"one": 1.0}, step=0)
        run.flush()
        client.get("/api/runs")
        run.log_metrics({"two": 1.0}, step=0)
    with goodseed.Run(project="p", run_id="b"):
        pass
    deadline = time.monotonic() + 20
    while len(runs := client.get("/api/runs").json["runs"]) < 2 or runs[1]["status"] != "finished":
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert [[], ["one", "two"]] == [run["metric_paths"] for run in runs]


def test_configs(client: Client) -> None:
    """Configs come as JSON values; a set as a sorted list, NaN as a string."""
    log("a")
    configs = client.get("/api/runs/ws/p/a/configs").json["configs"]

    assert [0.1, 2**60, True, None, "é", "NaN"] == [
        configs[f"p/{name}"] for name in ("lr", "n", "on", "none", "text", "bad")
    ]
    assert ["a", "b"] == configs["sys/tags"]
    assert "finished" == configs["sys/state"]


def test_metrics(client: Client) -> None:
    """All points by path and step, or those of one metric; what is not finite comes as a string."""
    log("a")
    every = client.get("/api/runs/ws/p/a/metrics").json["metrics"]
    odd = client.get("/api/runs/ws/p/a/metrics?path=odd").json["metrics"]

    assert sorted(every, key=lambda point: (point["path"], point["step"])) == every
    assert 23 == len(every)
    assert every[-3:] == odd
    assert [(0.0, "NaN"), (1.0, "Infinity"), (2.0, "-Infinity")] == [(p["step"], p["value"]) for p in odd]
    assert {"metrics": []} == client.get("/api/runs/ws/p/a/metrics?path=none").json
    assert ["acc", "loss", "odd"] == client.get("/api/runs/ws/p/a/metric-paths").json["paths"]


def test_buckets(client: Client) -> None:
    """PointCount gives buckets with the mean, the lowest and the highest, and the ends as they are."""
    log("a")
    window = client.get("/api/runs/ws/p/a/metrics?path=loss&pointCount=3&firstPointIndex=1").json
    rows = [(p["step"], p["value"], p["minY"], p["maxY"], p["downsampled"]) for p in window["points"]]

    assert [
        (1.0, 0.25, 0.25, 0.25, False),
        (2.5, 0.625, 0.25, 1.0, True),
        (6.5, 1.625, 1.25, 2.0, True),
        (9.0, 2.25, 2.25, 2.25, True),
    ] == rows
    assert (1, 9, 10, True) == tuple(
        window[name] for name in ("firstPointIndex", "lastPointIndex", "totalCount", "downsampled")
    )


def test_texts(client: Client) -> None:
    """Texts come all, a page, or the last; ``total`` counts all of them."""
    log("a")

    def values(query: str) -> list[str]:
        reply = client.get(f"/api/runs/ws/p/a/string_series?{query}").json
        assert reply["total"] == (10 if "path=notes" in query else 11)
        return [point["value"] for point in reply["string_series"]]

    assert [f"line {step}" for step in range(10)] + ["x"] == values("")
    assert ["line 3", "line 4"] == values("path=notes&limit=2&offset=3")
    assert ["line 9", "x"] == values("limit=5&offset=9")
    assert ["line 8", "line 9"] == values("tail=2")
    assert "x" == values("tail=11")[-1]
    assert ["line 9"] == values("path=notes&tail=1")
    assert [] == values("limit=0") == values("tail=0") == values("limit=1&offset=99")
    assert 11 == len(values("offset=4"))


@pytest.mark.parametrize(
    "query",
    [
        "limit=1e99",
        "limit=-1",
        "tail=nan",
        f"offset={10**30}",
        "limit=%D9%A3",
        "tail=1_0",
        "limit= 1",
        "tail=--1",
        "limit=&limit=x",
    ],
)
def test_absurd_numbers(client: Client, query: str) -> None:
    """A number that makes no sense is the caller's mistake, and said so."""
    log("a")
    reply = client.get(f"/api/runs/ws/p/a/string_series?{query.replace(' ', '%20')}")

    assert 400 == reply.status
    assert isinstance(reply.json["error"], str)


@pytest.mark.parametrize(
    "query", ["pointCount=3", "path=loss&pointCount=0", "path=loss&pointCount=-3", "path=loss&pointCount=x"]
)
def test_absurd_windows(client: Client, query: str) -> None:
    """Buckets need a metric, and a number of them that is at least one."""
    log("a")

    assert 400 == client.get(f"/api/runs/ws/p/a/metrics?{query}").status


def test_missing(client: Client) -> None:
    """What is not there is a 404 in the reference's words."""
    log("a")
    replies = [client.get(target) for target in ("/api/runs/ws/p/b/configs", "/api/nothing", "/api/runs/a/metrics")]

    assert [404] * 3 == [reply.status for reply in replies]
    assert ["Run not found: ws/p/b", "Not found", "Not found"] == [reply.json["error"] for reply in replies]


def test_trash(client: Client) -> None:
    """A run goes to the trash and comes back, and the next listing says so."""
    path = log("a")

    def is_trashed() -> bool:
        return client.get("/api/runs").json["runs"][0]["trashed"]

    before = is_trashed()
    moved, after = client.change("/api/runs/ws/p/a/trash"), is_trashed()
    again = client.change("/api/runs/ws/p/a/trash")
    restored, at_last = client.change("/api/runs/ws/p/a/trash/restore"), is_trashed()

    assert [False, True, False] == [before, after, at_last]
    assert [{"ok": True}] * 3 == [moved.json, again.json, restored.json]
    assert 404 == client.change("/api/runs/ws/p/b/trash").status
    assert ["a.sqlite"] == [file.name for file in path.parent.iterdir()]


def test_trash_refuses_live_runs(client: Client) -> None:
    """A run that is being written is not moved to the trash."""
    with goodseed.Run(project="ws/p", run_id="a") as run:
        run.log_metrics({"loss": 1.0}, step=0)
        run.flush()
        reply = client.change("/api/runs/ws/p/a/trash")

    assert 409 == reply.status
    assert "running" in reply.json["error"]


def test_long_series_come_whole(client: Client) -> None:
    """An answer of many pieces is one JSON document with every point in its place."""
    with goodseed.Run(project="p", run_id="a") as run:
        for step in range(20_001):
            run.log_metrics({"m": step * 0.5}, step=step)
        for step in range(30):
            run["t"].log("x" * 100_000, step=step)
    points = client.get("/api/runs/p/a/metrics").json["metrics"]
    texts = client.get("/api/runs/p/a/string_series?limit=25&offset=3").json["string_series"]

    assert [step * 0.5 for step in range(20_001)] == [point["value"] for point in points]
    assert [float(step) for step in range(3, 28)] == [point["step"] for point in texts]


def test_damaged_files(client: Client, home: Path) -> None:
    """A run whose file is damaged in a place that only its data show is a 4xx or a cut answer, and hides no other."""
    path = log("a")
    log("b")
    client.get("/api/runs")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE metric_points")
        connection.execute("DROP TABLE string_points")
    connection.close()
    targets = ("metrics", "metrics?path=loss&pointCount=2", "metric-paths", "string_series")
    statuses = {client.get(f"/api/runs/ws/p/a/{target}").status for target in targets}
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)

    assert statuses <= {404, 422}
    assert client.get("/api/runs/ws/p/a/metrics").status in (404, 422)
    assert 200 == client.get("/api/runs/ws/p/b/metrics").status


def test_invalid_text_is_replaced(client: Client) -> None:
    """Bytes in a file that are no UTF-8 come as replacement characters."""
    path = log("a")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE string_points SET value = CAST(x'ff41' AS TEXT)")
    connection.close()
    texts = client.get("/api/runs/ws/p/a/string_series?tail=1").json["string_series"]

    assert ["\ufffdA"] == [point["value"] for point in texts]


def test_a_text_among_the_numbers_is_refused(client: Client) -> None:
    """A window over a metric with a value that is no number says that the file is damaged."""
    path = log("a")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE metric_points SET y = 'many' WHERE step = (SELECT max(step) FROM metric_points)")
    connection.close()

    assert 422 == client.get("/api/runs/ws/p/a/metrics?path=loss&pointCount=1").status
