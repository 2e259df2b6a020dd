"""How fast the dashboard's questions are answered: long series, many runs, wide runs, the table.

Run it with ``python benchmarks/reading.py [--points N] [--runs N] [--metrics N] [--reference PYTHON]``; it makes the
runs in a temporary directory. ``--reference`` is the interpreter of an environment that holds the reference.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from catalog import make_runs
from measuring import size, span, table
from serving import Server, serving

import goodseed

_COMPARED_RUNS = 100
_COMPARED_POINTS = 500
_BUCKETS = 1_000
_ROUNDS = 7
_BINARY = "application/x-goodseed-series"
_QUIET = {"capture_stdout": False, "capture_stderr": False, "capture_hardware_metrics": False, "git_ref": False}


def ask(server: Server, target: str, body: Any) -> bytes:
    """The page's answer to a POST."""
    return server.post(f"/api/ui/p/{target}", body, _BINARY)


def timed(server: Server, target: str, body: Any) -> float:
    """How many seconds an answer takes."""
    start = time.perf_counter()
    ask(server, target, body)
    return time.perf_counter() - start


def _write(project: str, run_id: str, home: Path, points: int) -> None:
    with goodseed.Run(project=project, run_id=run_id, storage="local", goodseed_home=home, **_QUIET) as run:  # type: ignore[arg-type]
        for step in range(points):
            run.log_metrics({"loss": (step * 7919 % 1009) / 1009}, step=step)


def report_series(home: Path, points: int, reference: str | None) -> None:
    """Time a long series in buckets, and the same metric of many runs."""
    _write("long", "long", home, points)
    for number in range(_COMPARED_RUNS):
        _write("many", f"run-{number:03}", home, _COMPARED_POINTS)
    time.sleep(2.1)  # a file that has just changed is not trusted to be the same
    long_label, many_label = f"{points:,} points", f"{_COMPARED_RUNS} runs × {_COMPARED_POINTS} points"
    theirs: dict[str, float] = {}
    if reference:
        with serving(home / "projects", str(Path(reference).with_name("goodseed"))) as server:
            asked = {
                long_label: [f"/api/runs/long/long/metrics?path=loss&pointCount={_BUCKETS}"],
                many_label: [f"/api/runs/many/run-{n:03}/metrics?path=loss" for n in range(_COMPARED_RUNS)],
            }
            theirs = {
                label: statistics.median(server.timed(*targets)[0] for _ in range(3))
                for label, targets in asked.items()
            }
    rows = []

    def add(label: str, seconds: float, against: str, bound: str) -> None:
        ratio = f"{theirs[against] / seconds:.0f} ×" if against in theirs else ""
        rows.append([label, span(seconds), ratio, bound])

    series = {"runs": ["long"], "paths": ["loss"], "points": _BUCKETS}
    with serving(home / "projects") as server:
        add(f"{long_label}, the first time", timed(server, "long/-/series", series), long_label, "5 ×")
        # Another number of buckets each time: nothing of an earlier answer serves.
        again = [timed(server, "long/-/series", {**series, "points": _BUCKETS - n}) for n in range(1, _ROUNDS)]
        add(f"{long_label}, with its rollup", statistics.median(again), long_label, "300 ×")
        add(f"{long_label}, asked again", timed(server, "long/-/series", series), long_label, "300 ×")
        for share in (0.5, 0.1, 0.01):
            zoom = {**series, "range": [points * 0.2, points * (0.2 + share)]}
            add(f"{long_label}, zoomed to {share:.0%}", timed(server, "long/-/series", zoom), "", "")
        many = {"runs": [f"run-{n:03}" for n in range(_COMPARED_RUNS)], "paths": ["loss"]}
        add(f"{many_label}, the first time", timed(server, "many/-/series", many), many_label, "20 ×")
        again = [timed(server, "many/-/series", many) for _ in range(_ROUNDS)]
        add(f"{many_label}, again", statistics.median(again), many_label, "20 ×")
        rows.append(["memory at most", size(server.peak_bytes()), "", "150 MiB"])
    with serving(home / "projects") as server:
        add(f"{long_label}, by another server", timed(server, "long/-/series", series), long_label, "300 ×")
        add(f"{many_label}, by another server", timed(server, "many/-/series", many), many_label, "20 ×")
    for label, seconds in theirs.items():
        rows.append([f"{label}, the reference", span(seconds), "", ""])
    table("Series for charts", ["", "", "the reference's", "bound"], rows)


def report_wide(home: Path, metrics: int) -> None:
    """Time the questions that open a run of very many metrics."""
    with goodseed.Run(project="wide", run_id="wide", storage="local", goodseed_home=home, **_QUIET) as run:  # type: ignore[arg-type]
        for step in range(20):
            run.log_metrics({f"layer{number}/norm": step / (number + 1) for number in range(metrics)}, step=step)
    with serving(home / "projects") as server:
        opening = {
            "run": "/api/ui/p/wide/-/run/wide",
            "its series, a page": "/api/ui/p/wide/-/run/wide/attrs",
            "attributes, a page": "/api/ui/p/wide/-/attrs?limit=200",
            "table": "/api/ui/p/wide/-/runs/query?columns=sys/name&columns=layer7/norm:max",
        }
        rows = [[label, span(server.timed(target)[0]), "1 s"] for label, target in opening.items()]
        rows.append(["memory at most", size(server.peak_bytes()), "150 MiB"])
    table(f"A run of {metrics:,} metrics", ["the first time", "", "bound"], rows)


def report_table(home: Path, runs: int) -> None:
    """Time the table of very many runs."""
    make_runs(home, runs, 10)
    time.sleep(2.1)
    with serving(home / "projects") as server:
        project = json.loads(server.get("/api/ui/projects"))[0]["name"]
        first = json.loads(server.get(f"/api/ui/p/{project}/-/attrs?limit=1000"))["items"]
        metric = next(item["path"] for item in first if item["kind"] == "series")
        config = next(
            item["path"] for item in first if item["kind"] == "config" and not item["path"].startswith("sys/")
        )
        body = {"filter": f"`{config}`:exists not nothing", "columns": [config, metric], "sort": [[metric, "desc"]]}
        rows = [["filtered and sorted, again", "", "150 ms"]]
        timed(server, f"{project}/-/runs/query", body)
        rows[0][1] = span(statistics.median(timed(server, f"{project}/-/runs/query", body) for _ in range(_ROUNDS)))
        extreme = {**body, "columns": [f"{metric}:max"], "sort": [[f"{metric}:max", "desc"]]}
        rows.append(["by a maximum, the first time", span(timed(server, f"{project}/-/runs/query", extreme)), ""])
        rows.append(["by a maximum, again", span(timed(server, f"{project}/-/runs/query", extreme)), "150 ms"])
        rows.append(["what has changed: nothing", span(server.timed(f"/api/ui/p/{project}/-/changes")[0]), ""])
        rows.append(["memory at most", size(server.peak_bytes()), "150 MiB"])
    table(f"The table of {runs:,} runs", ["", "", "bound"], rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Measure what the dashboard asks.")
    parser.add_argument("--points", type=int, default=1_000_000, help="how long the long series is")
    parser.add_argument("--runs", type=int, default=10_000, help="how many runs the table has")
    parser.add_argument("--metrics", type=int, default=50_000, help="how many metrics the wide run has")
    parser.add_argument("--reference", help="an interpreter that has the reference installed")
    arguments = parser.parse_args()
    os.environ["GOODSEED_QUIET"] = "1"
    with tempfile.TemporaryDirectory() as directory:
        report_series(Path(directory), arguments.points, arguments.reference)
    with tempfile.TemporaryDirectory() as directory:
        report_wide(Path(directory), arguments.metrics)
    with tempfile.TemporaryDirectory() as directory:
        report_table(Path(directory), arguments.runs)


if __name__ == "__main__":
    main()
