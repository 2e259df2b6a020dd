"""What monitoring costs: a share of a training loop, a share of a core, time at the start and at the end.

Phases of a loop with a monitored run, with one that is not, and with one that is not once more, take turns in one
process; each is cut into short slices. What the two kinds that do the same differ by is the noise of the machine.
Run it with ``python benchmarks/monitoring.py [--seconds 60]``, with nothing else to do for the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import goodseed

if TYPE_CHECKING:
    from collections.abc import Callable

_OFF: dict[str, Any] = {
    "capture_stdout": False,
    "capture_stderr": False,
    "capture_hardware_metrics": False,
    "capture_traceback": False,
}
_PHASES: dict[str, dict[str, Any]] = {"monitored": {}, "not": _OFF, "not again": _OFF}
_SETTLE_SECONDS = 0.5  # what a start gathers is a figure of its own
_SLICE_SECONDS = 0.01
_SLICES = 60


def main() -> None:
    """Measure everything and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each loop")
    seconds = parser.parse_args().seconds
    os.environ["GOODSEED_QUIET"] = "1"
    with tempfile.TemporaryDirectory() as home:
        for name, step in _loops().items():
            medians = _medians(home, step, seconds)
            cost, noise = (medians[phase] / medians["not"] - 1 for phase in ("monitored", "not again"))
            print(f"loop of {name}: {100 * cost:+.2f} % (noise {100 * noise:+.2f} %)")
        print(f"threads: {100 * _share_of_a_core(home, seconds / 2):.3f} % of a core, after the first second")
        added, close = _start_and_close(home)
        print(f"start: {1e3 * added:+.2f} ms, close: {1e3 * close:+.2f} ms, against a run that is not monitored")
        print(f"a printed line: {_line_microseconds(home):+.2f} µs")


def _loops() -> dict[str, Callable[[], object]]:
    loops: dict[str, Callable[[], object]] = {"python": lambda: sum(number * number for number in range(2000))}
    # One thread: more would wait for whatever else the machine does.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with contextlib.suppress(ImportError):
        import numpy as np

        matrix = np.random.default_rng(0).random((128, 128))
        loops["numpy"] = lambda: np.tanh(matrix @ matrix).sum()
    return loops


def _run(home: str, options: dict[str, Any]) -> goodseed.Run:
    return goodseed.Run(storage="local", goodseed_home=home, git_ref=False, **options)


def _seconds_for(step: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        step()
    return time.perf_counter() - started


def _medians(home: str, step: Callable[[], object], seconds: float) -> dict[str, float]:
    """The median slice of each kind of phase."""
    _seconds_for(step, 100)
    count = max(1, int(_SLICE_SECONDS / min(_seconds_for(step, 10) / 10 for _ in range(20))))
    slices: dict[str, list[float]] = {phase: [] for phase in _PHASES}
    order = list(_PHASES)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        random.shuffle(order)  # a phase must not always come after the same other one
        for phase in order:
            with _run(home, _PHASES[phase]):
                time.sleep(_SETTLE_SECONDS)
                slices[phase] += [_seconds_for(step, count) for _ in range(_SLICES)]
    return {phase: statistics.median(times) for phase, times in slices.items()}


def _share_of_a_core(home: str, seconds: float) -> float:
    """What all threads of a run use while the script sleeps, those that store included."""
    with _run(home, {}):
        time.sleep(1.0)
        before, started = time.process_time(), time.monotonic()
        time.sleep(seconds)
        return (time.process_time() - before) / (time.monotonic() - started)


def _start_and_close(home: str) -> tuple[float, float]:
    """The seconds that monitoring adds to ``Run()`` and to ``close()``, medians of ten."""
    starts: dict[str, list[float]] = {phase: [] for phase in _PHASES}
    closes: dict[str, list[float]] = {phase: [] for phase in _PHASES}
    for _ in range(10):
        for phase, options in _PHASES.items():
            started = time.perf_counter()
            run = _run(home, options)
            starts[phase].append(time.perf_counter() - started)
            time.sleep(_SETTLE_SECONDS)
            started = time.perf_counter()
            run.close()
            closes[phase].append(time.perf_counter() - started)
    return _added(starts), _added(closes)


def _added(times: dict[str, list[float]]) -> float:
    return statistics.median(times["monitored"]) - statistics.median(times["not"])


def _line_microseconds(home: str) -> float:
    """What a captured ``print`` costs more than one that is not, its storing left out."""
    stdout, count = sys.stdout, 1000
    costs = []
    with Path(os.devnull).open("w", encoding="utf-8") as sys.stdout:
        for options in (_OFF, {**_OFF, "capture_stdout": True}):
            with _run(home, options):
                costs.append(min(_seconds_for(lambda: print("epoch 1 loss 0.123"), count) for _ in range(20)))
    sys.stdout = stdout
    return 1e6 * (costs[1] - costs[0]) / count


if __name__ == "__main__":
    main()
