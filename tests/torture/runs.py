"""What the scenarios share: a quiet run, the three workloads, and the reading of what is left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import goodseed

QUIET = {
    "capture_stdout": False,
    "capture_stderr": False,
    "capture_hardware_metrics": False,
    "capture_traceback": False,
    "git_ref": False,
    "storage": "local",
    "project": "torture",
}


@dataclass(frozen=True)
class Workload:
    """So many metrics a call, and besides a text and a config every so many calls."""

    name: str
    width: int

    def paths(self) -> list[str]:
        """The metrics' paths."""
        return [f"metric/{index}" for index in range(self.width)]

    def log(self, run: goodseed.Run, call: int) -> None:
        """The call number ``call``: its points' values follow from it."""
        run.log_metrics({path: value_of(call, index) for index, path in enumerate(self.paths())}, step=call)
        if call % 10 == 0:
            run["text"].log(f"line {call} é", step=call)
            run["last/call"] = call


WORKLOADS = (Workload("1 metric", 1), Workload("100 metrics", 100), Workload("10,000 metrics", 10_000))


def value_of(call: int, index: int) -> float:
    """What the point of this call and metric must hold."""
    return call * 0.5 + index


def open_run(home: Path, **arguments: object) -> goodseed.Run:
    """A run with nothing beside it."""
    return goodseed.Run(**{**QUIET, "goodseed_home": home, **arguments})  # type: ignore[arg-type]


def read(home: Path, run_id: str, log_dir: Path | None = None) -> goodseed.Run:
    """The run, for reading; what a killed process left is brought in."""
    return goodseed.Run(
        run_id=run_id, read_only=True, storage="local", project="torture", goodseed_home=home, log_dir=log_dir
    )


def check_file(path: Path) -> None:
    """The file is sound, and alone once nobody writes it."""
    connection = sqlite3.connect(path)
    try:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()
    assert verdict == "ok", verdict
    left = [other.name for other in path.parent.glob(f"{path.name}-*")]
    assert not left, left


def calls_in(run: goodseed.Run, workload: Workload) -> int:
    """How many calls are in the file whole; fails where they are no prefix, or a value is not what was logged."""
    present: list[set[int]] = []
    for index, path in _sampled(workload):
        points = run.get_metric_data(path)["raw_points"]
        for point in points:
            assert point["y"] == value_of(int(point["step"]), index), (path, point)
        present.append({int(point["step"]) for point in points})
    counts = {len(steps) for steps in present}
    for steps in present:
        assert steps == set(range(len(steps))), f"no prefix: {sorted(set(range(max(steps) + 1)) - steps)[:5]}"
    assert len(counts) == 1, f"a call is there in part: {counts}"
    return counts.pop()


def _sampled(workload: Workload) -> Iterator[tuple[int, str]]:
    paths = workload.paths()
    for index in range(0, len(paths), max(1, len(paths) // 50)):
        yield index, paths[index]
