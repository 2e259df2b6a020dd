"""What a framework's callbacks cost a whole training: fits that take turns in one process."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measuring import span, table

__all__ = ["report"]


def report(
    title: str,
    callbacks: Callable[[Path], dict[str, Callable[[], list[Any]]]],
    fit: Callable[[Path, list[Any]], Any],
    rounds: int,
) -> None:
    """Print the shortest fit with each kind of callback, against the shortest with the first kind.

    The least of many is what the work takes; a median would also say what else the machine did meanwhile. The
    processor's time is that of all threads of the process.

    Args:
        title: Stands above the table.
        callbacks: Given a directory, how each kind of callback is made.
        fit: Given a directory and callbacks, makes ready and returns what is timed, a function.
        rounds: How many fits of each kind; one more before them loads what all later ones have.
    """
    torch.set_num_threads(1)  # more would wait for whatever else the machine does
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        made = callbacks(home)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
        names = list(made)
        for number in range(rounds + 1):
            for name in names[number % len(names) :] + names[: number % len(names)]:  # none is always the first
                used = made[name]()
                run = fit(home, used)
                gc.collect()
                started, processor = time.perf_counter(), time.process_time()
                run()
                if number:
                    times[name].append((time.perf_counter() - started, time.process_time() - processor))
                for callback in used:
                    if hasattr(callback, "close"):
                        callback.close()
    least = {name: tuple(map(min, zip(*taken, strict=True))) for name, taken in times.items()}
    base = least[names[0]]
    rows = [
        [name, span(taken[0]), *(f"{(one / other - 1) * 100:+.1f} %" for one, other in zip(taken, base, strict=True))]
        for name, taken in least.items()
    ]
    table(title, ["", "time", f"against {names[0]}", "processor"], rows)
