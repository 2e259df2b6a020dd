"""How long a run has lived, and which words say how it ended: the same everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import goodseed
from goodseed.storage.catalog import Catalog

CRASH = """
import os, sys, time
import goodseed
arguments = {"resume_run_id": "r"} if "resume" in sys.argv else {"run_id": "r"}
run = goodseed.Run(storage="local", capture_hardware_metrics=False, git_ref=False, **arguments)
time.sleep(2.2)
os.kill(os.getpid(), 9)
"""


def listed() -> dict[str, object]:
    """The run as `goodseed.list_runs` has it."""
    (run,) = goodseed.list_runs("default", storage="local")
    return run


def crash(*arguments: str) -> float:
    """Let a process that logs nothing be killed while it writes the run; its end, in seconds since the epoch."""
    subprocess.run([sys.executable, "-c", CRASH, *arguments], timeout=60, env=dict(os.environ), check=False)
    return time.time()


def test_to_the_last_sign_of_life(home: Path) -> None:
    """A run that was killed has lived until then, also where it logged nothing and is looked at much later."""
    crash()
    first = listed()
    time.sleep(1.5)  # how long a run lasts is what is tested
    second = listed()

    assert "crashed" == first["state"]
    assert 1.0 <= first["duration_seconds"]  # type: ignore[operator]
    assert first["duration_seconds"] == second["duration_seconds"]


def test_without_the_time_in_between(home: Path) -> None:
    """A run that is resumed has lived as long as its lives took together."""
    crash()
    first = listed()["duration_seconds"]
    time.sleep(3.0)  # the pause does not count
    with goodseed.Run(resume_run_id="r", storage="local"):
        time.sleep(0.1)  # how long a run lasts is what is tested
        during = listed()
    last = listed()
    with Catalog(home / "projects", is_exact=True) as catalog:
        run = catalog.find("default", "r")

    assert ("running", "finished") == (during["state"], last["state"])
    assert first + 0.1 <= during["duration_seconds"] + 0.01  # type: ignore[operator]
    assert during["duration_seconds"] <= last["duration_seconds"] + 0.01  # type: ignore[operator]
    assert run.modified_seconds - run.created_seconds - run.duration_seconds >= 2.9


def test_of_a_run_that_was_closed_twice(home: Path) -> None:
    """The lives of a run that was closed, resumed and closed again add up."""
    with goodseed.Run(run_id="r", storage="local"):
        time.sleep(0.2)  # how long a run lasts is what is tested
    time.sleep(0.5)  # the pause does not count
    for _ in range(2):
        with goodseed.Run(resume_run_id="r", storage="local"):
            time.sleep(0.2)  # how long a run lasts is what is tested
    with Catalog(home / "projects", is_exact=True) as catalog:
        run = catalog.find("default", "r")

    assert run.duration_seconds >= 0.55
    assert run.modified_seconds - run.created_seconds - run.duration_seconds >= 0.45


def test_one_vocabulary(home: Path) -> None:
    """Python, the command and the specification's field tell of a crash, a failure and a pruned trial alike."""

    class TrialPruned(Exception):
        """As Optuna has it."""

    crash()
    goodseed.Run(run_id="closed", storage="local").close("failed")
    for run_id, error in (("failed", ValueError("no")), ("pruned", TrialPruned())):
        with pytest.raises(type(error)), goodseed.Run(run_id=run_id, storage="local"):
            raise error
    expected = {
        "r": ("crashed", None),
        "closed": ("failed", None),
        "failed": ("failed", "ValueError: no"),
        "pruned": ("finished", "pruned"),
    }
    command = [sys.executable, "-m", "goodseed", "list", str(home / "projects"), "-p", "default"]
    printed = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with goodseed.Run(run_id="r", read_only=True, storage="local") as run:
        state = {row["path"]: row["value"] for row in run.get_configs()}["sys/state"]

    assert expected == {
        run["run_id"]: (run["state"], run["end_reason"]) for run in goodseed.list_runs("default", storage="local")
    }
    assert expected == {run["run_id"]: (run["state"], run["end_reason"]) for run in json.loads(printed)["runs"]}
    assert "finished (pruned)" in table
    assert "failed" == state  # the specification has three words
