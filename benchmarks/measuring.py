"""How a figure is made: every measurement in a process of its own, in turns, compared within a round."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

__all__ = [
    "Job",
    "MeasurementError",
    "Result",
    "clock_nanoseconds",
    "figure",
    "in_process",
    "in_turns",
    "median",
    "progress",
    "ratio",
    "size",
    "span",
    "table",
]

_CHILD = Path(__file__).with_name("child.py")
_TIMEOUT_SECONDS = 300.0
_FORGOTTEN = ("GOODSEED_", "WANDB_", "NEPTUNE_", "MLFLOW_", "TRACKIO_", "HF_", "COVERAGE_")

Result: TypeAlias = "dict[str, float]"
Job: TypeAlias = "Callable[[], Result]"


class MeasurementError(Exception):
    """A measurement's process did not give a result; the message is the last line that it wrote."""


def in_process(function: str, *, python: str = sys.executable, **arguments: Any) -> Result:
    """What ``module:function`` returns in a fresh process.

    Args:
        function: A function of a module beside this one; it gets ``directory``, an empty one, and ``arguments``.
        python: The interpreter.
        **arguments: Whatever JSON can hold.

    Raises:
        MeasurementError: The process failed, or took over five minutes.
    """
    with tempfile.TemporaryDirectory(prefix="goodseed-bench-", ignore_cleanup_errors=True) as directory:
        errors = Path(directory, "errors.txt")
        home = Path(directory, "home")
        home.mkdir()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_FORGOTTEN)}
        environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home), "GOODSEED_QUIET": "1", "HF_HUB_OFFLINE": "1"}
        if python != sys.executable:
            environment.pop("PYTHONPATH", None)  # it may lead to our sources, where a peer wants its own
        job = json.dumps({"directory": str(home), **arguments})
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                [python, str(_CHILD), function, job],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                cwd=home,
                start_new_session=True,
            )
            try:
                output, _ = process.communicate(timeout=_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                raise MeasurementError(f"took over {_TIMEOUT_SECONDS:.0f} s") from None
            finally:
                _end(process)
        if process.returncode or not output:
            lines = errors.read_text(errors="replace").strip().splitlines()
            raise MeasurementError(lines[-1] if lines else f"exit status {process.returncode}")
    result: Result = json.loads(output)
    return result


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and the servers that it may have left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def in_turns(jobs: Mapping[str, Job], rounds: int) -> dict[str, list[Result]]:
    """The results of every job, one a round: the jobs take turns, so that the machine's moods hit them alike."""
    results: dict[str, list[Result]] = {name: [] for name in jobs}
    for number in range(rounds):
        for name, job in jobs.items():
            progress(f"round {number + 1} of {rounds}: {name}")
            results[name].append(job())
    progress("")
    return results


def progress(text: str) -> None:
    """Say on a terminal what is being measured."""
    if sys.stderr.isatty():
        print(f"\r{text:<70}\r", end="", file=sys.stderr, flush=True)


def median(results: Sequence[Result], key: str) -> float:
    """The median of one figure over the rounds."""
    return statistics.median(result[key] for result in results)


def ratio(ours: Sequence[Result], other: Sequence[Result], key: str) -> float:
    """The median over the rounds of one figure's ratio within a round."""
    return statistics.median(mine[key] / its[key] for mine, its in zip(ours, other, strict=True))


def figure(value: float) -> str:
    """A number with three significant digits."""
    if value == 0 or abs(value) >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def span(seconds: float) -> str:
    """A time with three significant digits, in the unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1:
            return f"{figure(seconds * scale)} {unit}"
    return f"{figure(seconds * 1e9)} ns"


def size(count: float) -> str:
    """A number of bytes, in the unit that suits it."""
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(count) >= scale:
            return f"{figure(count / scale)} {unit}"
    return f"{count:.0f} B"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], notes: str = "") -> None:
    """Print a table, its first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    print(f"\n{title}\n")
    for row in (head, ["-" * width for width in widths], *rows):
        first, *others = (
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())
    if notes:
        print(f"\n{notes}")
    sys.stdout.flush()


def clock_nanoseconds() -> float:
    """What reading the clock twice costs, which every timed call contains."""
    clock = time.perf_counter_ns
    return statistics.median(-clock() + clock() for _ in range(2001))
