"""How fast `goodseed serve` answers, what memory it takes, and whether it slows those who write.

Run it with ``python benchmarks/serving.py [--runs N] [--points N] [--reference PYTHON]``; it makes the runs in a
temporary directory. ``--reference`` is the interpreter of an environment that holds the reference, to compare with.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from catalog import make_runs, write_run
from measuring import size, span, table

import goodseed

_COMPARED_RUNS = 100
_COMPARED_POINTS = 500
_WRITERS = 20
_WRITTEN_POINTS = 20_000
_START_SECONDS = 600.0
_QUIET = {"capture_stdout": False, "capture_stderr": False, "capture_hardware_metrics": False, "git_ref": False}


class Server:
    """A server's process, and a connection to it."""

    def __init__(self, command: list[str], root: Path) -> None:
        self.root = root
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        environment = dict(os.environ)
        if command[0] != sys.executable:
            environment.pop("PYTHONPATH", None)  # it may lead to our sources
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, "serve", str(root), "--port", str(self.port)], stdout=subprocess.DEVNULL, env=environment
        )
        self._connection: http.client.HTTPConnection | None = None
        while True:
            try:
                self.get("/api/projects")
                break
            except ConnectionError:
                if time.perf_counter() - started > _START_SECONDS or self.process.poll() is not None:
                    raise
                time.sleep(0.02)
        self.start_seconds = time.perf_counter() - started

    def get(self, target: str) -> bytes:
        """The body of an answer; the connection is kept where the server keeps it."""
        if self._connection is None or self._connection.sock is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_START_SECONDS)
        self._connection.request("GET", target)
        return self._connection.getresponse().read()

    def post(self, target: str, body: Any, accept: str = "application/json") -> bytes:
        """The answer to a POST, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_START_SECONDS)
        headers = {"Content-Type": "application/json", "Accept": accept}
        connection.request("POST", target, json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"{target}: {response.status} {content[:200]!r}")
        return content

    def timed(self, *targets: str) -> tuple[float, int]:
        """How many seconds the answers take together, and their bytes."""
        start = time.perf_counter()
        count = sum(len(self.get(target)) for target in targets)
        return time.perf_counter() - start, count

    def peak_bytes(self) -> int:
        """The most memory that it has had, as far as the system tells; else what it has."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def stop(self) -> None:
        """End it."""
        if self._connection is not None:
            self._connection.close()
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def serving(root: Path, *command: str) -> Iterator[Server]:
    """A server on ``root``, ours unless ``command`` is another."""
    server = Server(list(command) or [sys.executable, "-m", "goodseed"], root)
    try:
        yield server
    finally:
        server.stop()


def report_listing(home: Path, runs: int) -> None:
    """Time the lists of a directory of many runs, and how soon a new one shows."""
    make_runs(home, runs, 10)
    root, rows = home / "projects", []

    def add(label: str, measured: tuple[float, int], bound: str = "") -> None:
        rows.append([label, span(measured[0]), size(measured[1]), bound])

    with serving(root) as server:
        rows.append(["start, first listing ever", span(server.start_seconds), "", "10 s"])
        add("/api/runs, series read the first time", server.timed("/api/runs"))
    with serving(root) as server:
        rows.append(["start again", span(server.start_seconds), "", ""])
        add("/api/runs, first after a start", server.timed("/api/runs"))
        time.sleep(1.1)
        add("/api/runs, with a new look at the directory", server.timed("/api/runs"), "150 ms")
        time.sleep(1.1)
        add("/api/runs of a project, likewise", server.timed("/api/runs?project=team/project-1"), "150 ms")
        add("/api/projects", server.timed("/api/projects"))
        write_run(home, 10, run_id="one-more")
        start = time.perf_counter()
        while b"one-more" not in server.get("/api/runs?project=team/project-0"):
            time.sleep(0.01)
        add("until a new run shows", (time.perf_counter() - start, 0), "2 s")
        rows.append(["memory at most", size(server.peak_bytes()), "", "150 MiB"])
    table(f"Listing {runs:,} runs", ["", "", "answer", "bound"], rows)


def report_reading(home: Path, points: int, reference: str | None) -> None:
    """Time 100 runs' series and a long one, against the reference where there is one."""
    for number in range(_COMPARED_RUNS):
        _write("many", f"run-{number:03}", home, _COMPARED_POINTS)
    _write("long", "long", home, points)
    targets = {
        f"{_COMPARED_RUNS} runs × one metric × {_COMPARED_POINTS} points": [
            f"/api/runs/many/run-{number:03}/metrics?path=loss" for number in range(_COMPARED_RUNS)
        ],
        f"{points:,} points as 1,000 buckets": ["/api/runs/long/long/metrics?path=loss&pointCount=1000"],
        f"{points:,} points, all of them": ["/api/runs/long/long/metrics?path=loss"],
    }
    commands = {"ours": []} | ({"reference": [str(Path(reference).with_name("goodseed"))]} if reference else {})
    seconds: dict[str, dict[str, float]] = {}
    memory = {}
    for name, command in commands.items():
        with serving(home / "projects", *command) as server:
            seconds[name] = {
                label: statistics.median(server.timed(*asked)[0] for _ in range(3)) for label, asked in targets.items()
            }
            memory[name] = server.peak_bytes()
    rows = [
        [label, *(span(times[label]) for times in seconds.values())]
        + ([f"{seconds['reference'][label] / seconds['ours'][label]:.1f} ×"] if reference else [])
        for label in targets
    ]
    rows.append(["memory at most", *(size(peak) for peak in memory.values())] + [""] * bool(reference))
    table("Reading series", ["", *commands, *(["ratio"] if reference else [])], rows)


def _write(project: str, run_id: str, home: Path, points: int) -> None:
    with goodseed.Run(project=project, run_id=run_id, storage="local", goodseed_home=home, **_QUIET) as run:  # type: ignore[arg-type]
        for step in range(points):
            run.log_metrics({"loss": (step * 7919 % 1009) / 1009}, step=step)


def report_writers(home: Path) -> None:
    """Time 20 runs that write at once, with nobody reading and with a client that reads all the time."""
    root = home / "projects"
    with serving(root) as server:
        rows = []
        for label, is_read in (("nobody reads", False), ("a client reads", True), ("nobody reads, again", False)):
            latencies: list[float] = []
            stop = threading.Event()
            reader = threading.Thread(target=_read_until, args=(server, stop, latencies))
            process = subprocess.Popen([sys.executable, __file__, "--write", str(home)], stdout=subprocess.PIPE)
            if is_read:
                reader.start()
            output, _ = process.communicate()
            stop.set()
            if is_read:
                reader.join()
            result = json.loads(output)
            worst = f"{span(statistics.median(latencies))}, {span(max(latencies))}" if latencies else ""
            rows.append([label, span(result["seconds"]), worst])
    head = ["", "writing takes", "latency: median, worst"]
    table(f"{_WRITERS} runs that write {_WRITTEN_POINTS:,} points each", head, rows)


def _read_until(server: Server, stop: threading.Event, latencies: list[float]) -> None:
    number = 0
    while not stop.is_set():
        metrics = f"/api/runs/writers/w{number % _WRITERS}/metrics?path=m0&pointCount=200"
        for target in ("/api/runs?project=writers", metrics):
            latencies.append(server.timed(target)[0])
        number += 1
        stop.wait(0.05)


def write_many(home: Path) -> None:
    """Write 20 runs, a call of ten metrics to each in turn, and print how long that took."""
    runs = []
    for number in range(_WRITERS):
        (home / "projects" / "writers" / "runs" / f"w{number}.sqlite").unlink(missing_ok=True)
        runs.append(
            goodseed.Run(project="writers", run_id=f"w{number}", storage="local", goodseed_home=home, **_QUIET)  # type: ignore[arg-type]
        )
    start = time.perf_counter()
    for step in range(_WRITTEN_POINTS // 10):
        values = {f"m{number}": step / 7 for number in range(10)}
        for run in runs:
            run.log_metrics(values, step=step)
        time.sleep(0.001)  # a training that does something else, too
    for run in runs:
        run.close()
    print(json.dumps({"seconds": time.perf_counter() - start}))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Measure goodseed serve.")
    parser.add_argument("--runs", type=int, default=10_000, help="how many runs to list (default: 10,000)")
    parser.add_argument("--points", type=int, default=1_000_000, help="how long the long series is")
    parser.add_argument("--reference", help="an interpreter that has the reference installed")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["GOODSEED_QUIET"] = "1"
    if arguments.write is not None:
        write_many(arguments.write)
        return
    with tempfile.TemporaryDirectory() as directory:
        report_listing(Path(directory), arguments.runs)
    with tempfile.TemporaryDirectory() as directory:
        report_reading(Path(directory), arguments.points, arguments.reference)
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "projects").mkdir()
        report_writers(Path(directory))


if __name__ == "__main__":
    main()
