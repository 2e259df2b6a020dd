"""How long a directory of 10,000 runs takes to list: the first time, again, and after one of them has changed.

Run it with ``python benchmarks/catalog.py [runs] [metrics]``; it makes the runs in a temporary directory.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import goodseed
from goodseed.paths import run_files
from goodseed.storage.catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

_PROJECTS = 10
_STEPS = 100


def write_run(home: Path, metrics: int, *, run_id: str) -> Path:
    """Log a small run, and return its file."""
    names = [f"train/metric-{number}" for number in range(metrics)]
    with goodseed.Run(
        "baseline",
        project="team/project-0",
        run_id=run_id,
        storage="local",
        goodseed_home=home,
        capture_hardware_metrics=False,
        git_ref=False,
    ) as run:
        run["parameters"] = {"lr": 0.001, "batch_size": 32}
        for step in range(_STEPS):
            run.log_metrics(dict.fromkeys(names, 1 / (step + 1)), step)
    return run_files("team/project-0", run_id, home=home).database


def make_runs(home: Path, runs: int, metrics: int) -> None:
    """Write one run and copy its file."""
    first = write_run(home, metrics, run_id="run-00000")
    for number in range(1, runs):
        copy = run_files(f"team/project-{number % _PROJECTS}", f"run-{number:05}", home=home).database
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(first, copy)
    time.sleep(2.5)  # what was written within two seconds of a look is read again at the next, to be sure


def report(label: str, action: Callable[[], Sized]) -> None:
    """Print how long ``action`` takes, and how much it gives."""
    start = time.perf_counter()
    result = action()
    print(f"{label:<58}{(time.perf_counter() - start) * 1000:>10,.1f} ms   {len(result):,} lines")


def in_a_process(*arguments: str) -> list[bytes]:
    """The lines that the command line prints."""
    done = subprocess.run([sys.executable, "-m", "goodseed", *arguments], check=True, capture_output=True)
    return done.stdout.splitlines()


def main(runs: int, metrics: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        make_runs(home, runs, metrics)
        root = home / "projects"
        print(f"{runs:,} runs of {metrics} metrics and {_STEPS} steps in {_PROJECTS} projects")
        with Catalog(root) as catalog:
            report("first listing ever: every run is read", catalog.runs)
        with Catalog(root) as catalog:
            report("second listing, all of it from the index", catalog.runs)
            report("third listing by the same catalog (a server's case)", catalog.runs)
            report("the projects, by the same catalog", catalog.projects)
            write_run(home, metrics, run_id="one-more")
            report("one run more", catalog.runs)
        report("goodseed --version, a process", lambda: in_a_process("--version"))
        report("goodseed list, a process", lambda: in_a_process("list", str(root)))
        report("goodseed list -p …, a process", lambda: in_a_process("list", str(root), "-p", "team/project-1"))
        report(
            "goodseed list -p … --json, a process",
            lambda: in_a_process("list", str(root), "-p", "team/project-1", "--json"),
        )


if __name__ == "__main__":
    main(*(int(argument) for argument in (sys.argv[1:] + ["10000", "10"][len(sys.argv) - 1 :])))
