"""How much a main thread that computes in pure Python is slowed, by our thread and by a process that does the same."""

from __future__ import annotations

import random
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from calls import work
from measuring import Result, figure, in_process, progress, table
from targets import Target, open_goodseed
from workloads import names, random_rows

__all__ = ["report_busy", "slowdowns_of", "store_from_pipe"]

# (what is logged, metrics a call, seconds of computing between two calls)
_RATES = (
    ("1 metric every 0.1 ms", 1, 1e-4),
    ("100 metrics every 5 ms", 100, 5e-3),
    ("100 metrics every ms", 100, 1e-3),
)
_LOOP_SECONDS = 0.4
_WARM_SECONDS = 0.2  # before each of them: by then the writer is at work
_REST_SECONDS = 0.15  # after each of them: by then it has stored what was logged
_OPENING_SECONDS = 1.0  # for what goes on in the background once a run is open
_HEAD = struct.Struct("=qI")  # step, how many values


def open_nothing(directory: str) -> Target:
    """Nothing is logged."""
    return Target(lambda data, step: None, lambda: None)


def open_other_process(directory: str) -> Target:
    """Each call's values go through a pipe to a process that logs them to a run of its own."""
    script = "import sys, busy; busy.store_from_pipe(sys.argv[1])"
    child = subprocess.Popen(
        [sys.executable, "-c", script, directory], stdin=subprocess.PIPE, bufsize=0, cwd=Path(__file__).parent
    )
    pipe = child.stdin
    assert pipe is not None
    packers: dict[int, struct.Struct] = {}
    _widen(pipe.fileno())

    def log(data: dict[str, float], step: int) -> None:
        packer = packers.get(len(data)) or packers.setdefault(len(data), struct.Struct(f"=qI{len(data)}d"))
        pipe.write(packer.pack(step, len(data), *data.values()))

    def close() -> None:
        pipe.close()
        child.wait()

    return Target(log, close)


def _widen(descriptor: int) -> None:
    """Let the pipe hold a megabyte, where the system can: the loop is not to wait for the other process."""
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(descriptor, 1031, 1 << 20)  # F_SETPIPE_SZ


def store_from_pipe(directory: str) -> None:
    """What the other process does."""
    target = open_goodseed(directory)
    stdin = sys.stdin.buffer
    paths: list[str] = []
    while head := stdin.read(_HEAD.size):
        step, width = _HEAD.unpack(head)
        if width != len(paths):
            paths = names(width)
        target.log(dict(zip(paths, struct.unpack(f"={width}d", stdin.read(8 * width)), strict=True)), step)
    target.close()


def slowdowns_of(directory: str, width: int, work_seconds: float, rounds: int) -> Result:
    """How much longer a loop takes that logs after each ``work_seconds`` of computing; the kinds take turns here.

    Returns:
        Medians over the rounds: of ``thread`` and ``process`` to nothing, and of the one to the other, ``between``.
    """
    loops = int(100_000 * work_seconds / min(_seconds_of(100_000) for _ in range(10)))
    targets = {"nothing": open_nothing(directory)}
    for name, opener in (("thread", open_goodseed), ("process", open_other_process)):
        home = Path(directory, name)
        home.mkdir()
        targets[name] = opener(str(home))
    time.sleep(_OPENING_SECONDS)
    seconds: dict[str, list[float]] = {name: [] for name in targets}
    steps = count()
    order = list(targets)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            _loop(targets[name], steps, width, loops, int(_WARM_SECONDS / work_seconds))
            seconds[name].append(_loop(targets[name], steps, width, loops, int(_LOOP_SECONDS / work_seconds)))
            time.sleep(_REST_SECONDS)
    for target in targets.values():
        target.close()
    return {
        "thread": _median_ratio(seconds["thread"], seconds["nothing"]),
        "process": _median_ratio(seconds["process"], seconds["nothing"]),
        "between": _median_ratio(seconds["thread"], seconds["process"]),
    }


def _seconds_of(loops: int) -> float:
    started = time.perf_counter()
    work(loops)
    return time.perf_counter() - started


def _loop(target: Target, steps: Iterator[int], width: int, loops: int, calls: int) -> float:
    paths, row = names(width), random_rows(1, width)[0]
    started = time.perf_counter()
    for step in islice(steps, calls):
        work(loops)
        target.log(dict(zip(paths, row)), step)  # noqa: B905 - as short as a loop that trains would be
    return time.perf_counter() - started


def _median_ratio(some: list[float], others: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(some, others, strict=True))


def report_busy(rounds: int) -> None:
    """Print a line a rate."""
    rounds *= 2  # the differences are small here
    rows = []
    for label, width, seconds in _RATES:
        progress(f"a busy main thread: {label}")
        result = in_process("busy:slowdowns_of", width=width, work_seconds=seconds, rounds=rounds)
        rows.append([label, *(f"{figure(result[key])} ×" for key in ("thread", "process", "between")), "≤ 1"])
    table(
        "A main thread busy in pure Python, against one that logs nothing",
        ["", "our thread", "a process that stores", "thread ÷ process", "bound"],
        rows,
        f"Medians of {rounds} rounds, in which loops of {_LOOP_SECONDS} s take turns; opening and closing left out.",
    )
