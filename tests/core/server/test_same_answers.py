"""The reference's server and ours, asked the same questions over the same files, say the same."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import goodseed

from .conftest import Client, Serve

QUIET = "capture_stdout=False, capture_stderr=False, capture_hardware_metrics=False, git_ref=False"
# Finite values, times without a fraction, and no sets and datetimes: of those the reference's server makes a 500.
LOGGED = """
run["p"] = {"int": 2**40, "float": 0.1, "bool": True, "null": None, "str": "h\\u00e9\\u4e16", "nested": {"a": 1}}
for step in range(-7, 93):
    run.log_metrics({"loss": (step * 37 % 101) / 7, "deep/er acc": -step}, step=step / 2)
for step in range(12):
    run["notes"].log("line %d \\u00e9" % step, step=step)
    run["more notes"].log("<b>%d</b>" % step, step=step * 1.5)
"""
RUNS = ("theirs", "ours")
QUERIES = (
    "configs",
    "metric-paths",
    "metrics",
    "metrics?path=loss",
    "metrics?path=deep%2Fer%20acc",
    "metrics?path=none",
    "metrics?path=",
    "metrics?pointCount=5",
    "metrics?path=loss&pointCount=x",
    "metrics?path=loss&pointCount=",
    *(f"metrics?path=loss&pointCount={count}" for count in (1, 2, 7, 16, 99, 100, 1000)),
    "metrics?path=none&pointCount=7",
    *(f"metrics?path=loss&pointCount=9&firstPointIndex={first}" for first in (0, 5, 99, 100, 1000, -3)),
    *(f"metrics?path=loss&pointCount=9&lastPointIndex={last}" for last in (0, 5, 99, 100, -3)),
    "metrics?path=loss&pointCount=9&firstPointIndex=20&lastPointIndex=60",
    "metrics?path=loss&pointCount=9&firstPointIndex=x",
    "string_series",
    "string_series?path=notes",
    "string_series?path=none",
    "string_series?limit=5",
    "string_series?limit=5&offset=10",
    "string_series?limit=0",
    "string_series?limit=100&offset=23",
    "string_series?offset=4",
    "string_series?path=notes&limit=5&offset=3",
    "string_series?tail=3",
    "string_series?tail=14",
    "string_series?path=notes&tail=3&limit=1",
    "string_series?tail=1000",
    "string_series?limit=x",
    "nothing",
)


def environment() -> dict[str, str]:
    """The environment of the test, without what would put our package in the place of the reference."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@pytest.fixture
def theirs(home: Path, reference: Path) -> Iterator[Client]:
    """The reference's server, over a run that it wrote and one that ours wrote."""
    script = f"""
import goodseed
run = goodseed.Run(project='ws/p', run_id='theirs', name='the name', storage='local', {QUIET})
{LOGGED}
run.close()
"""
    subprocess.run([str(reference), "-c", script], check=True, capture_output=True, timeout=120, env=environment())
    with goodseed.Run(project="ws/p", run_id="ours", name="our name") as run:
        exec(LOGGED, {"run": run})
    _without_fractions(run.path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(reference.parent / "goodseed"), "serve", str(home / "projects"), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()) as process:
        client = Client(port)
        deadline = time.monotonic() + 30
        while True:
            try:
                client.get("/api/projects")
                break
            except ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield client
        process.kill()


def _without_fractions(path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(path)
    connection.execute("UPDATE metric_points SET ts = CAST(ts AS INTEGER)")
    connection.commit()
    connection.close()


def test_the_same_answers(theirs: Client, serve: Serve) -> None:
    """Every question about a run has the same status and the same JSON."""
    ours = serve()
    differing = {}
    for run_id in (*RUNS, "missing"):
        for query in QUERIES:
            target = f"/api/runs/ws/p/{run_id}/{query}"
            if run_id == "ours" and query == "configs":
                continue  # it holds datetimes
            expected, actual = theirs.get(target), ours.get(target)
            if (expected.status, _rounded(expected.json)) != (actual.status, _rounded(actual.json)):
                differing[target] = (expected.body[:300], actual.body[:300])

    assert {} == differing


def test_the_same_lists(theirs: Client, serve: Serve) -> None:
    """Projects and runs are listed alike; when a project last changed is told by its runs, not by its files."""
    ours = serve()
    for target in ("/api/runs", "/api/runs?project=ws%2Fp", "/api/runs?project=none", "/api/nothing"):
        expected, actual = theirs.get(target), ours.get(target)

        listed = actual.json
        for run in listed.get("runs", []):
            assert ("finished", None) == (run.pop("state"), run.pop("end_reason")), run  # the specification has neither

        assert (expected.status, expected.json) == (actual.status, listed)
    (expected_project,), (project,) = (client.get("/api/projects").json["projects"] for client in (theirs, ours))
    expected_time, actual_time = (
        datetime.fromisoformat(one.pop("last_modified")) for one in (expected_project, project)
    )

    assert expected_project == project
    assert abs((expected_time - actual_time).total_seconds()) < 120


def test_the_same_trash(theirs: Client, serve: Serve) -> None:
    """What one of them moves to the trash, the other shows there and brings back."""
    ours = serve()

    def trashed() -> list[list[str]]:
        lists = (client.get("/api/runs").json["runs"] for client in (theirs, serve()))
        return [[run["run_id"] for run in runs if run["trashed"]] for runs in lists]

    replies = [ours.change("/api/runs/ws/p/theirs/trash"), theirs.change("/api/runs/ws/p/ours/trash")]
    both = trashed()
    replies += [ours.change("/api/runs/ws/p/ours/trash/restore"), theirs.change("/api/runs/ws/p/theirs/trash/restore")]

    assert [["ours", "theirs"]] * 2 == both
    assert [[], []] == trashed()
    assert [(200, {"ok": True})] * 4 == [(reply.status, reply.json) for reply in replies]


def _rounded(value: Any) -> Any:
    """Means may differ in the last digit, as SQLite adds more exactly."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value
