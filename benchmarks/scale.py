"""How costs grow: runs in a directory, lines of a console, metrics of a run, points of a metric.

Run it with ``python benchmarks/scale.py [--largest SHARE] [--only NAME ...]``; it makes what it reads in a temporary
directory. Costs are seconds of the server's processor time, for each of three sizes a power of ten apart, and the
exponent between the two larger ones: 0 does not grow, 1 grows as the size does.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psutil
from measuring import progress, span, table
from serving import Server, serving

import goodseed
from goodseed.paths import run_files

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUIET = {"capture_stdout": False, "capture_stderr": False, "capture_hardware_metrics": False, "git_ref": False}
_RUNS, _LINES, _METRICS, _POINTS = 100_000, 5_000_000, 100_000, 10_000_000
_SETTLED_SECONDS = 2.5  # what has changed just now is looked at again
_POLLS = 20
_CHUNK = 100_000
_LEAST_SECONDS = 0.01  # what the system's clock of processes tells apart

# What is asked: an answer that is a number is what it has cost, in seconds of another process.
Question = Callable[[Server], object]


def write_run(home: Path, run_id: str, project: str = "p") -> Path:
    """A run with ten metrics and twenty configs."""
    with goodseed.Run(project=project, run_id=run_id, storage="local", goodseed_home=home, **_QUIET) as run:  # type: ignore[arg-type]
        run.log_configs({f"config/c{number}": number for number in range(20)})
        for step in range(5):
            run.log_metrics({f"metric/{number}": float(number * step) for number in range(10)}, step=step)
    return run_files(project, run_id, home=home).database


def make_runs(home: Path, count: int) -> None:
    """Many runs, of which all but one are links to it: what a look at a file costs is the same."""
    first = write_run(home, "run-0")
    for number in range(1, count):
        os.link(first, first.with_name(f"run-{number}.sqlite"))


def make_lines(home: Path, count: int) -> None:
    """A run that has printed so many lines."""
    path = write_run(home, "run-0")
    with closing(sqlite3.connect(path)) as connection:
        number = connection.execute("INSERT INTO string_series (path) VALUES (?)", (_CONSOLE,)).lastrowid
        texts = (f"step {step} loss {step * 7919 % 1009 / 1009:.4f}" for step in range(count))
        lines = ((number, step, text, step / 100) for step, text in enumerate(texts))
        connection.executemany("INSERT INTO string_points (series_id, step, value, ts) VALUES (?, ?, ?, ?)", lines)
        connection.commit()


def make_metrics(home: Path, count: int) -> None:
    """A run with so many metrics."""
    with goodseed.Run(project="p", run_id="run-0", storage="local", goodseed_home=home, **_QUIET) as run:  # type: ignore[arg-type]
        for start in range(0, count, 10_000):
            numbers = range(start, min(count, start + 10_000))
            run.log_metrics({f"block{number // 1000}/layer{number}/norm": float(number) for number in numbers}, step=1)


def make_points(home: Path, count: int) -> None:
    """A run with a metric of so many points."""
    with goodseed.Run(project="p", run_id="run-0", storage="local", goodseed_home=home, **_QUIET) as run:  # type: ignore[arg-type]
        for start in range(0, count, _CHUNK):
            steps = range(start, min(count, start + _CHUNK))
            run.log_points("loss", steps, [(step * 7919 % 1009) / 1009 for step in steps])


def make_foreign_points(home: Path, count: int) -> None:
    """The same without what our writer stores beside the points."""
    make_points(home, count)
    with closing(sqlite3.connect(run_files("p", "run-0", home=home).database)) as connection:
        connection.execute("DROP TABLE IF EXISTS metric_nodes")


_CONSOLE = "monitoring/0/stdout"
_PROJECT = "/api/ui/p/p/-"
_LOGS = f"{_PROJECT}/run/run-0/logs?stream=out"


def _page(target: str) -> Question:
    return lambda server: server.get(target)


def _post(target: str, body: dict[str, Any]) -> Question:
    return lambda server: server.post(target, body)


def _idle(server: Server) -> None:
    """A page that asks once a second whether anything has changed."""
    tag = ""
    for _ in range(_POLLS):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        connection.request("GET", f"{_PROJECT}/changes", headers={"If-None-Match": tag})
        response = connection.getresponse()
        response.read()
        connection.close()
        tag = response.headers["ETag"] or tag
        time.sleep(1.0)


def _after(target: str, address: str) -> Question:
    """The page that follows the first one of a list."""
    return lambda server: server.get(f"{address}&cursor={quote(json.loads(server.get(target))['next'] or '')}")


def _follow(server: Server) -> None:
    cursor = json.loads(server.get(f"{_LOGS}&from=-500"))["cursor"]
    server.get(f"{_LOGS}&cursor={cursor}")


def _home(server: Server) -> Path:
    return server.root.parent


def _whole_chart(server: Server) -> None:
    """As a page does: ask until all points have been read."""
    while "building" in json.loads(server.post(f"{_PROJECT}/series", _CHART))["series"][0]:
        pass


def _buckets(server: Server) -> float:
    """The same series in Python, in this process."""
    started = time.process_time()
    with goodseed.Run(project="p", run_id="run-0", storage="local", goodseed_home=_home(server), read_only=True) as run:
        run.get_metric_data("loss", max_points=1000)
    return time.process_time() - started


def _live(server: Server) -> None:
    """The run is resumed, and a page that shows it gets a point that has come with each of its polls."""
    with goodseed.Run(
        project="p",
        resume_run_id="run-0",
        storage="local",
        goodseed_home=_home(server),
        **_QUIET,  # type: ignore[arg-type]
    ) as run:
        last = int(run.get_metric_data("loss", max_points=1)["buckets"][0]["step_last"])
        cursor = ""
        for step in range(last + 1, last + 1 + _POLLS):
            run.log_metrics({"loss": 0.5}, step=step)
            run.flush()
            since = {"since": {"run-0/loss": cursor}} if cursor else {}
            cursor = json.loads(server.post(f"{_PROJECT}/series", {**_CHART, **since}))["series"][0]["cursor"]


_CHART = {"runs": ["run-0"], "paths": ["loss"], "points": 1000}
_ATTRIBUTES = f"{_PROJECT}/attrs?kind=series&limit=200"
_SERIES = f"{_PROJECT}/run/run-0/attrs?limit=200"
_QUESTIONS: dict[str, tuple[int, Callable[[Path, int], None], dict[str, Question]]] = {
    "runs": (
        _RUNS,
        make_runs,
        {
            "the first page of the table": _post(f"{_PROJECT}/runs/query", {"columns": ["sys/name", "config/c1"]}),
            "the same again": _post(f"{_PROJECT}/runs/query", {"columns": ["sys/name", "config/c1"]}),
            f"an idle page, {_POLLS} s": _idle,
        },
    ),
    "lines": (
        _LINES,
        make_lines,
        {
            "the first page of the console": _page(f"{_LOGS}&limit=500"),
            "its end, and a look for more": _follow,
            "the first hits of a search": _page(f"{_LOGS}&limit=1&q=loss&search_from=0"),
            "a search to the end": _page(f"{_LOGS}&limit=1&q=nothing"),
        },
    ),
    "metrics": (
        _METRICS,
        make_metrics,
        {
            "a page of a run's series, and the next": _after(_SERIES, _SERIES),
            "the first page of a project's attributes": _page(_ATTRIBUTES),
            "the same, and the next": _after(_ATTRIBUTES, _ATTRIBUTES),
            "a chart": _post(f"{_PROJECT}/series", {"runs": ["run-0"], "paths": ["block0/layer7/norm"]}),
        },
    ),
    "points": (
        _POINTS,
        make_points,
        {
            "the first chart": _post(f"{_PROJECT}/series", _CHART),
            "another range": _post(f"{_PROJECT}/series", {**_CHART, "range": [100, 50_000]}),
            "its lowest value in the table": _post(f"{_PROJECT}/runs/query", {"columns": ["loss:min"]}),
            "pointCount=1000": _page("/api/runs/p/run-0/metrics?path=loss&pointCount=1000"),
            "get_metric_data(max_points=1000)": _buckets,
            f"{_POLLS} polls while it goes on": _live,
            "the chart after its end": _post(f"{_PROJECT}/series", _CHART),
        },
    ),
    "foreign": (
        _POINTS,
        make_foreign_points,
        {
            "the first answer": _post(f"{_PROJECT}/series", _CHART),
            "until all is read": _whole_chart,
            "the chart again": _post(f"{_PROJECT}/series", {**_CHART, "points": 999}),
        },
    ),
}


def _costs(make: Callable[[Path, int], None], count: int, questions: dict[str, Question]) -> Iterator[float]:
    with tempfile.TemporaryDirectory(prefix="goodseed-scale-") as directory:
        progress(f"making {count:,}")
        make(Path(directory), count)
        time.sleep(_SETTLED_SECONDS)
        with serving(Path(directory, "projects")) as server:
            process = psutil.Process(server.process.pid)
            for label, question in questions.items():
                progress(f"{count:,}: {label}")
                before = process.cpu_times()
                cost = question(server)
                after = process.cpu_times()
                yield cost if isinstance(cost, float) else after.user + after.system - before.user - before.system
    progress("")


def report(name: str, share: float) -> None:
    """Print the table of one kind of size."""
    largest, make, questions = _QUESTIONS[name]
    counts = [max(1, int(largest * share)) // divisor for divisor in (100, 10, 1)]
    costs = [list(_costs(make, count, questions)) for count in counts]
    rows = []
    for place, label in enumerate(questions):
        row = [max(_LEAST_SECONDS, cost[place]) for cost in costs]
        exponent = max(0.0, math.log10(row[2] / row[1]))
        shown = ["< 10 ms" if seconds <= _LEAST_SECONDS else span(seconds) for seconds in row]
        rows.append([label, *shown, f"{exponent:.1f}"])
    table(f"Processor time of the server, by {name}", ["", *(f"{count:,}" for count in counts), "exponent"], rows)


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=float, default=1.0, metavar="SHARE", help="of the sizes (default: all)")
    parser.add_argument("--only", nargs="+", choices=_QUESTIONS, default=list(_QUESTIONS), metavar="NAME")
    options = parser.parse_args()
    os.environ["GOODSEED_QUIET"] = "1"
    for name in options.only:
        report(name, options.largest)


if __name__ == "__main__":
    main()
