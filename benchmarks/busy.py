"""How much a main thread that computes in pure Python is slowed, by our thread and by a process that does the same."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from calls import work
from measuring import Result, figure, in_process, in_turns, ratio, table
from targets import Target, open_goodseed
from workloads import names

__all__ = ["open_nothing", "open_other_process", "report_busy"]

# (what is logged, metrics a call, seconds of computing between two calls)
_RATES = (
    ("1 metric every 0.1 ms", 1, 1e-4),
    ("100 metrics every 5 ms", 100, 5e-3),
    ("100 metrics every ms", 100, 1e-3),
)
_LOOP_SECONDS = 1.0
_HEAD = struct.Struct("=qI")  # step, count


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
        step, count = _HEAD.unpack(head)
        if count != len(paths):
            paths = names(count)
        target.log(dict(zip(paths, struct.unpack(f"={count}d", stdin.read(8 * count)), strict=True)), step)
    target.close()


def loops_for(directory: str, seconds: float) -> Result:
    """How many loops of `calls.work` take so long."""
    best = min(_seconds_of(100_000) for _ in range(10))
    return {"loops": int(100_000 * seconds / best)}


def _seconds_of(loops: int) -> float:
    started = time.perf_counter()
    work(loops)
    return time.perf_counter() - started


def report_busy(rounds: int) -> None:
    """Print a line a rate."""
    rounds = 2 * rounds - 1  # differences are small here
    rows = []
    for label, width, seconds in _RATES:
        loops = int(in_process("busy:loops_for", seconds=seconds)["loops"])
        size: dict[str, Any] = {"calls": int(_LOOP_SECONDS / seconds), "width": width, "work_loops": loops}
        nothing, thread, process = in_turns(
            {
                opener: partial(in_process, "calls:log_while_busy", opener=opener, **size)
                for opener in ("busy:open_nothing", "targets:open_goodseed", "busy:open_other_process")
            },
            rounds,
        ).values()
        rows.append(
            [
                label,
                f"{figure(ratio(thread, nothing, 'seconds'))} ×",
                f"{figure(ratio(process, nothing, 'seconds'))} ×",
                f"{figure(ratio(thread, process, 'seconds'))} ×",
                "≤ 1",
            ]
        )
    table(
        "A main thread busy in pure Python, against one that logs nothing",
        ["", "our thread", "a process that stores", "thread ÷ process", "bound"],
        rows,
        f"Loops of about {_LOOP_SECONDS:.0f} s in {rounds} rounds, after the run was opened; closing left out.",
    )
