"""Log a workload, and time every call of it: what runs in a measurement's process."""

from __future__ import annotations

import gc
import importlib
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from measuring import Result, clock_nanoseconds
from workloads import names, random_rows

if TYPE_CHECKING:
    from targets import Target

__all__ = ["log_columns", "log_for_caller", "log_to_the_end", "work"]


def _open(opener: str, directory: str) -> Target:
    module, function = opener.split(":")
    target: Target = getattr(importlib.import_module(module), function)(directory)
    return target


def _settle() -> None:
    """Take what was prepared out of the garbage collector's sight: it is no part of what is measured."""
    gc.collect()
    gc.freeze()


def work(loops: int) -> int:
    """Compute in pure Python."""
    number = 1
    for _ in range(loops):
        number = number * 3 % 1_000_003
    return number


def log_for_caller(directory: str, opener: str, calls: int, width: int, work_loops: int = 0) -> Result:
    """The times of a caller that makes a new dictionary for every call, and computes in between if it is told to.

    Returns:
        Nanoseconds ``p50``, ``p99`` and ``max`` of all calls but the ``first``, the clock's own left out, and
        ``timed_p50``, with the clock's.
    """
    paths, rows = names(width), random_rows(calls, width)
    target = _open(opener, directory)
    clock_cost = clock_nanoseconds()
    _settle()
    clock, log = time.perf_counter_ns, target.log
    times = []
    for step, row in enumerate(rows):
        if work_loops:
            work(work_loops)
        data = dict(zip(paths, row))  # noqa: B905 - as short as a loop that trains would be
        started = clock()
        log(data, step)
        times.append(clock() - started)
    target.close()
    result = _times([duration - clock_cost for duration in times])
    return {**result, "timed_p50": result["p50"] + clock_cost}


def _times(nanoseconds: Sequence[float]) -> Result:
    first, *others = nanoseconds
    others.sort()

    def at(part: float) -> float:
        return others[math.ceil(part * len(others)) - 1]

    return {"first": first, "p50": at(0.5), "p99": at(0.99), "max": others[-1]}


def log_columns(directory: str, points: int) -> Result:
    """How long it takes until the columns of one series, arrays of doubles, are on disk and the run is closed."""
    from array import array

    from targets import open_run

    steps, values = array("d", range(points)), array("d", random_rows(1, points)[0])
    run = open_run(directory)
    _settle()
    started = time.perf_counter()
    run.log_points("train/loss", steps, values)
    run.close()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "points": points, "rate": points / seconds}


def log_to_the_end(directory: str, opener: str, calls: int, width: int, seconds: float = math.inf) -> Result:
    """How long it takes until all is on disk and the run is closed; calls stop after ``seconds``.

    Returns:
        ``seconds`` in all, ``points`` that were logged, the median call ``p50`` in nanoseconds, ``is_cut`` when the
        time was up before the end.
    """
    paths = names(width)
    prepared = [dict(zip(paths, row, strict=True)) for row in random_rows(calls, width)]
    target = _open(opener, directory)
    _settle()
    clock, log = time.perf_counter_ns, target.log
    times = []
    started = clock()
    deadline = started + seconds * 1e9
    for step, data in enumerate(prepared):
        before = clock()
        log(data, step)
        after = clock()
        times.append(after - before)
        if after > deadline:
            break
    target.close()
    total = (clock() - started) / 1e9
    return {
        "seconds": total,
        "points": len(times) * width,
        "rate": len(times) * width / total,
        "p50": sorted(times)[len(times) // 2],
        "is_cut": len(times) < calls,
    }
