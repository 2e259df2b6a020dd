"""The hub: many runs that write at once, points a second through HTTP, bytes a point, and what the dashboard waits for.

``python benchmarks/hub.py [--stores embedded postgres] [--runs N] [--seconds N]``; the hub is a process of its own, the
clients are another, all on this machine. PostgreSQL is started in a temporary directory.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import http.client
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from measuring import figure, progress, span, table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "hub"))

from hub_process import HubProcess
from postgres_server import PostgresServer

_METRICS = 10
_DAY_MS = 1_790_000_000_000


def body(first_step: int, steps: int, seed: int, metrics: int = _METRICS) -> bytes:
    """A compressed ingest of so many steps of some metrics: falling curves with noise, as trainings have them."""
    noise = random.Random(seed)
    points = [
        f'{{"path":"train/metric_{metric}","step":{step},"timestampMs":{_DAY_MS + 100 * step},'
        f'"number":{math.exp(-step / 5000) + noise.gauss(0, 0.01)!r}}}'
        for metric in range(metrics)
        for step in range(first_step, first_step + steps)
    ]
    return gzip.compress(f'{{"points":[{",".join(points)}]}}'.encode(), 1)


def _head(run: str, key: str, size: int) -> bytes:
    return (
        f"POST /api/v1/runs/{run}/ingest HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {size}\r\n\r\n"
    ).encode()


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, run: str, key: str, content: bytes) -> None:
    writer.write(_head(run, key, len(content)) + content)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    answer = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200") or answer != b"{}":
        raise RuntimeError(f"{head!r} {answer!r}")


def write_at_once(url: str, key: str, runs: list[str], seconds: int, points_a_second: int) -> list[float]:
    """Every run sends so many points each second, over a connection of its own; how long each request took."""
    bodies = [
        body(second * points_a_second // _METRICS, points_a_second // _METRICS, second) for second in range(seconds)
    ]
    taken: list[float] = []

    async def one(run: str, start: float) -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for second, content in enumerate(bodies):
            await asyncio.sleep(max(0.0, start + second - time.monotonic()))
            began = time.monotonic()
            await _post(reader, writer, run, key, content)
            taken.append(time.monotonic() - began)
        writer.close()

    async def everybody() -> None:
        now = time.monotonic() + 0.5
        await asyncio.gather(*(one(run, now + number / len(runs)) for number, run in enumerate(runs)))

    asyncio.run(everybody())
    return taken


def write_as_fast_as_taken(url: str, key: str, runs: list[str], requests: int, points: int) -> float:
    """Every run sends request after request; how many seconds they all took."""
    bodies = [body(number * points // _METRICS, points // _METRICS, number) for number in range(requests)]

    async def one(run: str) -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for content in bodies:
            await _post(reader, writer, run, key, content)
        writer.close()

    async def everybody() -> None:
        await asyncio.gather(*(one(run) for run in runs))

    began = time.monotonic()
    asyncio.run(everybody())
    return time.monotonic() - began


def in_another_process(function: Any, *arguments: Any) -> Any:
    """What ``function`` returns there: the clients' time is not the hub's."""
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def cpu_seconds(process: int) -> float:
    """How long a process has computed."""
    import psutil

    times = psutil.Process(process).cpu_times()
    return float(times.user + times.system)


def count_points(hub: HubProcess, runs: list[str]) -> int:
    """How many points the hub gives back."""
    total = 0
    for run in runs:
        for metric in range(_METRICS):
            answer = hub.metric(run, f"train/metric_{metric}", max_points=1)
            total += sum(bucket["count"] for bucket in answer.get("buckets", ())) or len(answer.get("raw_points", ()))
    return total


def report_many_runs(hub: HubProcess, store: str, count: int, seconds: int) -> list[str]:
    """The row about many runs that write at once."""
    progress(f"{store}: {count} runs at once")
    runs = [hub.make_run(f"load-{number:04d}") for number in range(count)]
    before = cpu_seconds(hub.pid)
    taken = sorted(in_another_process(write_at_once, hub.url, hub.key, runs, seconds, 1000))
    computed = (cpu_seconds(hub.pid) - before) / seconds
    lost = count * seconds * 1000 - count_points(hub, runs)
    assert lost == 0, f"{lost} points are lost"
    return [
        store, f"{count} × 1,000 points/s, {seconds} s", span(statistics.median(taken)),
        span(taken[int(len(taken) * 0.99)]), span(taken[-1]), str(lost), f"{computed:.2f}",
    ]  # fmt: skip


def report_throughput(hub: HubProcess, store: str, rounds: int) -> list[str]:
    """The row about points a second."""
    found = []
    computed = []
    for number in range(rounds):
        progress(f"{store}: throughput, round {number + 1} of {rounds}")
        runs = [hub.make_run(f"fast-{number}-{run}") for run in range(8)]
        before = cpu_seconds(hub.pid)
        seconds = in_another_process(write_as_fast_as_taken, hub.url, hub.key, runs, 20, 10_000)
        computed.append((cpu_seconds(hub.pid) - before) / (8 * 20 * 10_000))
        found.append(8 * 20 * 10_000 / seconds)
    return [store, figure(statistics.median(found)), f"{statistics.median(computed) * 1e6:.2f} µs", "≥ 200,000"]


def bytes_a_point(server: PostgresServer, hub: HubProcess) -> list[str]:
    """The row about the room that points take in PostgreSQL, after compaction, indexes included."""
    import psycopg

    progress("postgres: compaction")
    deadline = time.monotonic() + 120
    with psycopg.connect(hub.database or "", autocommit=True) as connection:

        def number(query: str) -> int:
            return int(connection.execute(query).fetchall()[0][0])  # type: ignore[arg-type]

        _, runs = hub.ask("GET", "/api/v1/workspaces/default/projects/default/runs")
        for run in runs:
            hub.ask("POST", f"/api/v1/runs/{run['id']}/status", {"status": "finished"})
        while number("SELECT count(*) FROM hub_segment") and time.monotonic() < deadline:
            time.sleep(0.5)
        for name in ("hub_block", "hub_segment"):
            connection.execute(f"VACUUM FULL {name}")  # type: ignore[arg-type]
        points = number("SELECT sum(points) FROM hub_block")
        size = sum(number(f"SELECT pg_total_relation_size('{name}')") for name in ("hub_block", "hub_segment"))
    return [f"{points:,}", figure(size / points), "≤ 12"]


def fill_project(hub: HubProcess, project: str, count: int, steps: int) -> None:
    """Finished runs with one metric and a config each."""
    hub.ask("POST", "/api/v1/workspaces/default/projects", {"name": project})
    for number in range(count):
        run = hub.make_run(f"run-{number:04d}", f"default/{project}")
        headers = {"Authorization": f"Bearer {hub.key}", "Content-Encoding": "gzip"}
        hub.raw("POST", f"/api/v1/runs/{run}/ingest", body(0, steps, number, metrics=1), headers)
        config = {"path": "config/lr", "type_tag": "float", "value": str(number / 1000)}
        hub.ask("POST", f"/api/v1/runs/{run}/configs", {"configs": [config]})
        hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})


def timed(hub: HubProcess, path: str, contents: list[Any]) -> tuple[float, float]:
    """How long a POST of the dashboard takes over an open connection: the first one, and the median of others."""
    parts = urlsplit(hub.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {
        "Authorization": f"Bearer {hub.key}",
        "Content-Type": "application/json",
        "Accept": "application/x-goodseed-series, application/json",  # as the page asks
    }
    taken = []
    for content in contents:
        began = time.perf_counter()
        connection.request("POST", path, json.dumps(content), headers)
        answer = connection.getresponse()
        found = answer.read()
        taken.append(time.perf_counter() - began)
        assert answer.status == 200, found
    connection.close()
    return taken[0], statistics.median(taken[1:])


def report_reading(hub: HubProcess, store: str) -> list[list[str]]:
    """The rows about what the dashboard waits for."""
    progress(f"{store}: filling projects to read")
    fill_project(hub, "charts", 100, 500)
    fill_project(hub, "table", 1000, 20)
    time.sleep(15)  # the hub reads ahead what has ended some seconds ago
    hub.ask("GET", "/api/ui/projects")  # whoever opens a project has seen the list
    runs = [f"run-{number:04d}" for number in range(100)]
    series = {"items": [{"run": run, "path": "train/metric_0"} for run in runs], "points": 1000}
    rows = [
        {"filter": f"config/lr > {number / 100}", "sort": [["train/metric_0:last", "desc"]], "limit": 100,
         "columns": ["sys/name", "config/lr", "train/metric_0:last"]}
        for number in range(12)
    ]  # fmt: skip
    charts = timed(hub, "/api/ui/p/default/charts/-/series", [series] * 12)
    listed = timed(hub, "/api/ui/p/default/table/-/runs/query", rows)
    return [
        [store, "100 runs × 500 points of one metric", *map(span, charts), "≤ 100 ms"],
        [store, "table of 1,000 runs, filtered and sorted", *map(span, listed), "≤ 50 ms"],
    ]


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="+", choices=("embedded", "postgres"), default=["embedded", "postgres"])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    many: list[list[str]] = []
    fast: list[list[str]] = []
    room: list[list[str]] = []
    read: list[list[str]] = []
    os.environ["GOODSEED_QUIET"] = "1"
    for store in arguments.stores:
        with tempfile.TemporaryDirectory() as directory, PostgresServer() as server:
            database = server.create_database() if store == "postgres" else None
            hub = HubProcess(Path(directory, "data"), database, "--requests-a-second", "100000")
            try:
                many.append(report_many_runs(hub, store, arguments.runs, arguments.seconds))
                fast.append(report_throughput(hub, store, arguments.rounds))
                if store == "postgres":
                    room.append(bytes_a_point(server, hub))
                read += report_reading(hub, store)
            finally:
                hub.stop()
    titles = ["", "load", "p50", "p99 (bound 1 s)", "longest", "points lost", "cores of the hub"]
    table("Many runs that write at once", titles, many)
    table(
        "Ingest through HTTP, 8 clients, 10,000 points a request", ["", "points a second", "CPU a point", "bound"], fast
    )
    if room:
        table("PostgreSQL after compaction", ["points", "bytes a point", "bound"], room)
    table("What the dashboard waits for", ["", "", "the first time", "then", "bound"], read)


if __name__ == "__main__":
    main()
