"""Uploading: points a second against the reference's client, what a live upload costs the training, what a cycle costs.

``python benchmarks/syncing.py [--reference PYTHON] [--points N] [--plain]``; on loopback. The server is a hub, which
takes packed points; with ``--plain`` it is that of the tests, which speaks the protocol and nothing more. Both clients
upload to the same server.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calls import work
from measuring import figure, progress, span, table

_SERVER = Path(__file__).parent.parent / "tests" / "core" / "remote" / "plain_server.py"
_KEY = "gsk_right"
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "hub"))
_is_plain = False
_LOG = """
import sys, goodseed
off = dict(capture_stdout=False, capture_stderr=False, capture_hardware_metrics=False, git_ref=False, storage="local")
run = goodseed.Run(project="ws/p", run_id=sys.argv[1], **off)
for step in range(int(sys.argv[2]) // 100):
    run.log_metrics({f"metric/{number}": step * 0.1 + number for number in range(100)}, step=step)
run.close()
"""


@contextmanager
def _server(directory: str) -> Iterator[dict[str, str]]:
    """A remote in a process of its own, and the environment that leads there."""
    with _plain() if _is_plain else _hub(directory) as (url, key):
        home = str(Path(directory, "home"))
        yield {"GOODSEED_API_URL": url, "GOODSEED_API_KEY": key, "GOODSEED_HOME": home, "GOODSEED_QUIET": "1"}


@contextmanager
def _plain() -> Iterator[tuple[str, str]]:
    process = subprocess.Popen([sys.executable, str(_SERVER)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), _KEY
    finally:
        process.kill()
        process.wait()


@contextmanager
def _hub(directory: str) -> Iterator[tuple[str, str]]:
    from hub_process import HubProcess

    hub = HubProcess(Path(directory, "hub"))
    try:
        hub.command("workspaces", "create", "ws")
        hub.command("projects", "create", "ws/p")
        yield hub.url, hub.key
    finally:
        hub.stop()


def _environment(extra: dict[str, str], python: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOODSEED_")}
    if python != sys.executable:
        kept.pop("PYTHONPATH", None)
    return {**kept, **extra}


def _upload_seconds(python: str, points: int) -> float:
    """How long ``goodseed upload`` takes for a local run of so many points."""
    with tempfile.TemporaryDirectory() as directory, _server(directory) as extra:
        environment = _environment(extra, python)
        subprocess.run([python, "-c", _LOG, "r", str(points)], env=environment, check=True, stdout=subprocess.DEVNULL)
        started = time.perf_counter()
        subprocess.run(
            [python, "-m", "goodseed.cli" if python != sys.executable else "goodseed", "upload", "-p", "ws/p"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - started
        with sqlite3.connect(Path(directory, "home", "projects", "ws", "p", "runs", "r.sqlite")) as connection:
            (taken,) = connection.execute("SELECT count(*) FROM metric_points WHERE uploaded = 1").fetchone()
        connection.close()
        assert taken == points, f"{taken} of {points} were taken"
        return seconds


def report_throughput(reference: str | None, points: int, rounds: int) -> None:
    """Print how many points a second arrive."""
    ours, theirs = [], []
    few = max(points // 10, 10_000)  # the reference takes minutes for more
    for number in range(rounds):
        progress(f"upload, round {number + 1} of {rounds}")
        ours.append(points / _upload_seconds(sys.executable, points))
        if reference is not None:
            theirs.append(few / _upload_seconds(reference, few))
    rows = [["goodseed", figure(statistics.median(ours)), "", ""]]
    if theirs:
        ratio = statistics.median(mine / its for mine, its in zip(ours, theirs, strict=True))
        rows.append(["the reference", figure(statistics.median(theirs)), f"{figure(ratio)} ×", "≥ 10"])
    note = f"{points:,} points of 100 metrics, the start of the process included ({few:,} for the reference)."
    where = "a server of the plain protocol" if _is_plain else "a hub"
    table(
        f"goodseed upload to {where}, loopback", ["", "points a second", "goodseed is faster by", "bound"], rows, note
    )


def report_training(rounds: int) -> None:
    """Print how much longer a training loop takes whose run is synced, against one whose run is not."""
    import goodseed

    off = {"capture_stdout": False, "capture_stderr": False, "capture_hardware_metrics": False, "git_ref": False}
    with tempfile.TemporaryDirectory() as directory, _server(directory) as extra:
        os.environ.update(extra)
        runs = {
            name: goodseed.Run(project="ws/p", run_id=name, storage=name, capture_traceback=False, **off)
            for name in ("local", "cloud")
        }
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        step = 0
        order = list(runs)
        for number in range(rounds):
            progress(f"training, round {number + 1} of {rounds}")
            random.shuffle(order)
            for name in order:
                started = time.perf_counter()
                until = started + 4.0
                loops = 0
                while time.perf_counter() < until:  # 10 metrics every 10 ms: 1,000 points a second
                    work(60_000)
                    runs[name].log_metrics({f"m/{metric}": float(step) for metric in range(10)}, step=step)
                    step += 1
                    loops += 1
                seconds[name].append((time.perf_counter() - started) / loops)
                runs["cloud"].wait(10)
        for run in runs.values():
            run.close()
    ratio = statistics.median(c / i for c, i in zip(seconds["cloud"], seconds["local"], strict=True))
    rows = [
        ["pure Python, 10 metrics a step", span(statistics.median(seconds["cloud"])), f"{figure(ratio)} ×", "< 1.02"]
    ]
    table("A training loop whose run is synced", ["", "a step", "÷ that of a local run", "bound"], rows)


def report_cycle(uploaded: int) -> None:
    """Print what it costs to find and mark 100 points that wait beside very many that do not."""
    from goodseed.paths import RunFiles
    from goodseed.storage.outbox import UPLOADED, LiveOutbox, Mark, ensure_pending_indexes

    with tempfile.TemporaryDirectory() as directory:
        progress(f"cycle: {uploaded:,} points")
        environment = _environment({"GOODSEED_HOME": directory, "GOODSEED_QUIET": "1"}, sys.executable)
        subprocess.run([sys.executable, "-c", _LOG, "r", str(uploaded)], env=environment, check=True)
        files = RunFiles(Path(directory, "projects", "ws", "p", "runs", "r.sqlite"))
        connection = sqlite3.connect(files.database, isolation_level=None)
        ensure_pending_indexes(connection)
        connection.execute("UPDATE metric_points SET uploaded = 1 WHERE step >= 1 OR series_id > 100")
        outbox = LiveOutbox(connection)
        times = []
        for _ in range(20):
            connection.execute("UPDATE metric_points SET uploaded = 0 WHERE step = 5 AND series_id BETWEEN 1 AND 100")
            connection.execute("UPDATE metric_points SET uploaded = 1 WHERE step = 0 AND series_id BETWEEN 1 AND 100")
            started = time.perf_counter()
            pending = outbox.chunks("metric", 20_000, 1 << 20)
            Mark(UPLOADED, chunks=pending).apply(connection)
            times.append(time.perf_counter() - started)
            assert sum(len(chunk.steps) for chunk in pending) == 100
        connection.close()
    rows = [[f"{uploaded:,} uploaded, 100 waiting", span(statistics.median(times)), "milliseconds"]]
    table("A cycle of the upload, without the network", ["", "read and marked in", "bound"], rows)


def main() -> None:
    """Print all three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", metavar="PYTHON", help="an interpreter that has goodseed 0.4.0")
    parser.add_argument("--points", type=int, default=2_000_000)
    parser.add_argument("--uploaded", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="a server of the plain protocol instead of a hub")
    arguments = parser.parse_args()
    global _is_plain
    _is_plain = arguments.plain
    report_throughput(arguments.reference, arguments.points, arguments.rounds)
    report_training(3 * arguments.rounds)
    report_cycle(arguments.uploaded)


if __name__ == "__main__":
    main()
