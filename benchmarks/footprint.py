"""What a run takes: bytes on disk, memory, time to import, to open and to close."""

from __future__ import annotations

import importlib
import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from environments import Peer
from measuring import Job, Result, figure, in_process, in_turns, median, ratio, size, span, table
from targets import open_run
from workloads import WORKLOADS, names, random_rows

__all__ = ["bytes_of", "import_of", "memory_of", "report_disk", "report_memory", "report_start", "runs_of"]

_PACKED_AFTER_SECONDS = 2.2  # shorter runs are not packed when they close
_MEMORY_CALLS, _MEMORY_WIDTH = 50_000, 100
_LOOKS = 50
_MONITORED = {
    "capture_stdout": True,
    "capture_stderr": True,
    "capture_hardware_metrics": True,
    "capture_traceback": True,
}


def bytes_of(directory: str, calls: int, width: int, seconds: float) -> Result:
    """Bytes a point in the file of a run that lasts at least so long, and the inbox's bytes at its start and end."""
    paths, rows = names(width), random_rows(calls, width)
    started = time.monotonic()
    run = open_run(directory)
    inbox = Path(f"{run.path}-inbox")
    at_start = inbox.stat().st_size
    for step, row in enumerate(rows):
        run.log_metrics(dict(zip(paths, row, strict=True)), step)
    time.sleep(max(0.0, seconds - (time.monotonic() - started)))
    run.close()
    files = list(run.path.parent.iterdir())
    return {
        "a_point": sum(path.stat().st_size for path in files) / (calls * width),
        "inbox": at_start,
        "files": len(files),
    }


def report_disk() -> None:
    """Print the bytes a point of each workload."""
    rows = []
    inboxes, files = set(), set()
    for workload in WORKLOADS:
        packed, unpacked = (
            in_process("footprint:bytes_of", calls=workload.calls, width=workload.width, seconds=seconds)
            for seconds in (_PACKED_AFTER_SECONDS, 0.0)
        )
        rows.append([str(workload), figure(packed["a_point"]), figure(unpacked["a_point"]), "≤ 32"])
        inboxes |= {packed["inbox"], unpacked["inbox"]}
        files |= {packed["files"], unpacked["files"]}
    table(
        "Bytes a point on disk, random doubles",
        ["", "a run of 2 s and more", "one closed at once", "bound"],
        rows,
        f"The inbox is {size(max(inboxes))} when the run opens; after closing the run's directory holds "
        f"{max(files):.0f} file (bound: 1, the inbox gone). An empty run's tables are counted as points' bytes, too.",
    )


def memory_of(directory: str, calls: int, width: int) -> Result:
    """Private bytes above what the process had before, by the third of the run and at most, and the shared ones."""
    import psutil

    process = psutil.Process()

    def look() -> tuple[int, int]:
        memory = process.memory_info()
        shared = getattr(memory, "shared", 0)  # only Linux tells
        return memory.rss - shared, shared

    paths, rows = names(width), random_rows(100, width)
    private_before, shared_before = look()
    run = open_run(directory)
    private, shared = [], []
    for step in range(calls):
        run.log_metrics(dict(zip(paths, rows[step % 100], strict=True)), step)
        if (step + 1) % (calls // _LOOKS) == 0:
            now_private, now_shared = look()
            private.append(now_private - private_before)
            shared.append(now_shared - shared_before)
    run.close()
    third = _LOOKS // 3
    return {
        "first": statistics.median(private[:third]),
        "second": statistics.median(private[third : 2 * third]),
        "last": statistics.median(private[2 * third :]),
        "most": max(private),
        "shared": max(shared),
        "closed": look()[0] - private_before,
    }


def report_memory() -> None:
    """Print what a long run that logs as fast as it can adds to a process."""
    result = in_process("footprint:memory_of", calls=_MEMORY_CALLS, width=_MEMORY_WIDTH)
    head = ["", "first third", "second third", "last third", "most", "after closing", "inbox, at most"]
    row = [size(result[key]) for key in ("first", "second", "last", "most", "closed", "shared")]
    table(
        f"Memory that a run adds while {_MEMORY_CALLS * _MEMORY_WIDTH:,} points are logged as fast as the caller can",
        head,
        [["private", *row]],
        "Bound: flat. Medians of each third. The inbox's pages belong to the kernel, and are capped.",
    )


def import_of(directory: str, statement: str) -> Result:
    """The seconds that an import takes, the interpreter's own start left out."""
    started = time.perf_counter()
    exec(compile(statement, "<import>", "exec"), {})  # noqa: S102 - one of the two statements below
    return {"seconds": time.perf_counter() - started}


def runs_of(directory: str, options: dict[str, Any], count: int) -> Result:
    """The seconds from ``Run()`` to the end of ``close()``: of the first in the process, and the rest's median."""
    importlib.import_module("goodseed").Run  # noqa: B018 - loads it: importing is a figure of its own
    times = []
    for number in range(count):
        started = time.perf_counter()
        open_run(directory, **{"run_id": f"run-{number}", **options}).close()
        times.append(time.perf_counter() - started)
    return {"first": times[0], "later": statistics.median(times[1:])}


def report_start(rounds: int, peers: Sequence[Peer]) -> None:
    """Print the times to import, and to open and close an empty run."""
    reference = next((peer for peer in peers if peer.name == "goodseed" and peer.python), None)
    statements = ("import goodseed", "from goodseed import Run")
    jobs: dict[str, Job] = {text: partial(in_process, "footprint:import_of", statement=text) for text in statements}
    if reference is not None:
        python = reference.python or sys.executable
        jobs["reference"] = partial(
            in_process, "footprint:import_of", python=python, statement="from goodseed import Run"
        )
    results = in_turns(jobs, rounds + 1)
    warm = {name: times[1:] for name, times in results.items()}  # the first round may compile
    rows = []
    for text in statements:
        against = f"{figure(100 * ratio(warm[text], warm['reference'], 'seconds'))} %" if reference else "not measured"
        rows.append([text, span(median(warm[text], "seconds")), against, "≤ 60 %"])
    if reference is not None:
        rows.append([f"{reference.label}", span(median(warm["reference"], "seconds")), "", ""])
    table("Import, in a fresh process", ["", "time", "of the reference's", "bound"], rows)

    runs = in_turns(
        {
            "monitoring and git off": partial(in_process, "footprint:runs_of", options={}, count=10),
            "monitoring on, git off": partial(in_process, "footprint:runs_of", options=_MONITORED, count=10),
            "all on": partial(in_process, "footprint:runs_of", options={**_MONITORED, "git_ref": None}, count=10),
        },
        rounds,
    )
    table(
        "An empty run, from Run() to the end of close()",
        ["", "first in a process", "later ones", "bound"],
        [
            [name, span(median(times, "first")), span(median(times, "later")), "≤ 60 ms" if "and" in name else ""]
            for name, times in runs.items()
        ],
        f"Medians of {rounds} processes, each of which has imported goodseed.Run before.",
    )
