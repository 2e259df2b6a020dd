"""How long it takes until all is on disk and the run is closed, against raw SQLite and the peers."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from environments import Peer
from measuring import Job, MeasurementError, Result, figure, in_process, in_turns, median, progress, ratio, span, table
from workloads import WORKLOADS, Workload, random_rows

__all__ = ["report_end_to_end", "store_raw"]

_COLUMN_POINTS = 2_000_000
_PEER_SECONDS = 5.0
_PEER_ROUNDS = 3  # each takes seconds
_SPECIFIED_TABLE = """
    CREATE TABLE metric_points (
        series_id INTEGER, step REAL, y REAL, ts INTEGER, uploaded INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (series_id, step)
    )"""
# What the project asks of itself, by workload: against raw SQLite and against the reference.
_BOUNDS = {"W1": ("", "> 1"), "W2": ("≥ 2", "≥ 12"), "W3": ("", "> 1")}


def store_raw(directory: str, calls: int, width: int) -> Result:
    """Store a ready list with one ``executemany`` in one transaction, and close the database."""
    now = int(time.time())
    points = [
        (series, float(step), value, now)
        for step, row in enumerate(random_rows(calls, width))
        for series, value in enumerate(row, 1)
    ]
    connection = sqlite3.connect(f"{directory}/raw.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(_SPECIFIED_TABLE)
    started = time.perf_counter()
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO metric_points (series_id, step, y, ts) VALUES (?, ?, ?, ?)", points)
    connection.execute("COMMIT")
    connection.close()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "points": calls * width, "rate": calls * width / seconds}


def _ours(workload: Workload) -> Job:
    return partial(
        in_process,
        "calls:log_to_the_end",
        opener="targets:open_goodseed",
        calls=workload.calls,
        width=workload.width,
    )


def report_end_to_end(rounds: int, peers: Sequence[Peer]) -> None:
    """Print a table a workload."""
    for workload in WORKLOADS:
        size: dict[str, Any] = {"calls": workload.calls, "width": workload.width}
        peer_rounds = min(rounds, _PEER_ROUNDS)
        results = in_turns(
            {"ours": _ours(workload), "raw": partial(in_process, "end_to_end:store_raw", **size)}, 2 * rounds
        )
        ours, raw = results["ours"], results["raw"]
        against_raw, against_reference = _BOUNDS[workload.name]
        rows = [
            ["goodseed", figure(median(ours, "rate")), "", "", span(median(ours, "p50") / 1e9)],
            ["raw executemany", figure(median(raw, "rate")), f"{figure(ratio(ours, raw, 'rate'))} ×", against_raw, ""],
            *(
                _peer_row(peer, workload, peer_rounds, against_reference if peer.name == "goodseed" else "> 1")
                for peer in peers
            ),
        ]
        table(
            f"End to end, {workload}",
            ["", "points a second", "goodseed is faster by", "bound", "p50 of a call"],
            rows,
            f"* stopped after {_PEER_SECONDS:.0f} s of calls: points a second are those of what it logged until then."
            if any("*" in row[0] for row in rows)
            else "",
        )
    _report_columns(rounds)


def _report_columns(rounds: int) -> None:
    """Print a table of ``log_points``, beside raw SQLite in as many statements of one row."""
    jobs = {
        "ours": partial(in_process, "calls:log_columns", points=_COLUMN_POINTS),
        "raw": partial(in_process, "end_to_end:store_raw", calls=_COLUMN_POINTS, width=1),
    }
    ours, raw = in_turns(jobs, rounds).values()
    rows = [
        ["goodseed, log_points", figure(median(ours, "rate")), ""],
        ["raw executemany", figure(median(raw, "rate")), f"{figure(ratio(ours, raw, 'rate'))} ×"],
    ]
    columns = ["", "points a second", "goodseed is faster by"]
    table(f"End to end, columns of {_COLUMN_POINTS:,} points of one metric", columns, rows, "")


def _peer_row(peer: Peer, workload: Workload, rounds: int, bound: str) -> list[str]:
    """A peer's figures, its ratio made of rounds of its own, in which it and ours take turns."""
    if peer.python is None:
        return [peer.label, "can't be installed", peer.problem[:60], bound, ""]
    theirs = partial(
        in_process,
        "calls:log_to_the_end",
        python=peer.python,
        opener=peer.opener,
        calls=workload.calls,
        width=workload.width,
        seconds=_PEER_SECONDS,
    )
    try:
        results = in_turns({f"goodseed, {workload.name}": _ours(workload), peer.label: theirs}, rounds)
    except MeasurementError as error:
        progress("")
        return [peer.label, "failed", str(error)[:60], bound, ""]
    ours, other = results.values()
    label = f"{peer.label} *" if any(result["is_cut"] for result in other) else peer.label
    faster = f"{figure(ratio(ours, other, 'rate'))} ×"
    return [label, figure(median(other, "rate")), faster, bound, span(median(other, "p50") / 1e9)]
