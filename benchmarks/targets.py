"""What takes points: Goodseed through its public API, and the floor that it is measured against."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["Target", "open_field", "open_floor", "open_goodseed", "open_run"]

_UNMONITORED: Mapping[str, object] = {
    "storage": "local",
    "capture_stdout": False,
    "capture_stderr": False,
    "capture_hardware_metrics": False,
    "capture_traceback": False,
    "git_ref": False,
}


class Target(NamedTuple):
    """Something that is logged to: one call a step, and an end after which all is on disk."""

    log: Callable[[dict[str, float], int], object]
    close: Callable[[], object]


def open_run(directory: str, **options: object) -> Any:
    """A local run with monitoring and git off; with the ``goodseed`` of this environment, whichever it is."""
    goodseed = importlib.import_module("goodseed")
    return goodseed.Run(**{"project": "bench", "run_id": "run", "goodseed_home": directory, **_UNMONITORED, **options})


def open_goodseed(directory: str) -> Target:
    """``run.log_metrics(data, step)``."""
    run = open_run(directory)
    return Target(run.log_metrics, run.close)


def open_field(directory: str) -> Target:
    """``run[path].log(value, step=step)`` for each metric."""
    run = open_run(directory)

    def log(data: dict[str, float], step: int) -> None:
        for path, value in data.items():
            run[path].log(value, step=step)

    return Target(log, run.close)


def open_floor(directory: str) -> Target:
    """A list that gets a tuple a point: the least that anything that keeps points in Python could do."""
    points: list[tuple[str, int, float]] = []

    def log(data: dict[str, float], step: int) -> None:
        for path, value in data.items():
            points.append((path, step, value))

    return Target(log, points.clear)
