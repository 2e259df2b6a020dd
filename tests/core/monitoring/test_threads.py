"""Trials in threads: what a thread prints and raises belongs to the run that it has opened."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import goodseed

pytestmark = pytest.mark.monitored


def open_run(run_id: str) -> goodseed.Run:
    """A run whose console is captured."""
    return goodseed.Run(run_id=run_id, storage="local", capture_hardware_metrics=False, git_ref=False)


def console(run_id: str) -> list[str]:
    """The lines that the run has of stdout."""
    with goodseed.Run(run_id=run_id, read_only=True, storage="local") as run:
        paths = [path for path in run.get_string_paths() if path.endswith("/stdout")]
        return [point["value"] for path in paths for point in run.get_string_data(path)]


def in_thread(action: Callable[[], object]) -> None:
    """Do something in a thread of its own."""
    thread = threading.Thread(target=action)
    thread.start()
    thread.join()


def test_each_run_holds_its_own_threads_lines(home: Path) -> None:
    """Of two trials that run at once, and the run around them, each holds what its own thread has printed."""
    barrier = threading.Barrier(2)

    def trial(number: int) -> None:
        with open_run(f"trial-{number}"):
            for step in range(20):
                barrier.wait(10)
                print(f"trial {number} step {step}")
            barrier.wait(10)

    with open_run("study"):
        print("before")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(trial, range(2)))
            list(pool.map(trial, range(2, 4)))  # in the same threads
        print("after")

    assert ["before", "after"] == console("study")
    for number in range(4):
        assert [f"trial {number} step {step}" for step in range(20)] == console(f"trial-{number}")


def test_helpers_are_heard_by_all(home: Path) -> None:
    """A thread that has opened no run is heard by every run, as it may work for any of them."""
    with open_run("outer"):
        in_thread(lambda: print("helper"))
        with open_run("inner"):
            print("main")
            in_thread(lambda: print("helper of both"))

    assert ["helper", "main", "helper of both"] == console("outer")
    assert ["main", "helper of both"] == console("inner")


def test_a_run_that_was_opened_by_a_thread_that_has_ended(home: Path) -> None:
    """Who opens runs in a helper thread, and uses them in another, finds the other's lines in them."""
    opened: list[goodseed.Run] = []
    in_thread(lambda: opened.append(open_run("r")))
    for name in ("from a second", "from a third"):  # not the main one, which may have opened others by now
        in_thread(lambda name=name: print(name))
    opened[0].close()

    assert ["from a second", "from a third"] == console("r")


TRIAL_THAT_RAISES = """
import threading
import goodseed
def open_run(run_id):
    return goodseed.Run(run_id=run_id, storage="local", capture_hardware_metrics=False, git_ref=False)
def trial():
    open_run("trial")
    raise ValueError("no")
study = open_run("study")
thread = threading.Thread(target=trial)
thread.start()
thread.join()
"""


def test_an_exception_ends_the_run_of_its_thread(home: Path) -> None:
    """An exception that ends a thread fails the run that this thread has opened, and no other's."""
    subprocess.run([sys.executable, "-c", TRIAL_THAT_RAISES], check=True, timeout=60, stderr=subprocess.DEVNULL)
    found = {run["run_id"]: (run["state"], run["end_reason"]) for run in goodseed.list_runs("default", storage="local")}

    assert {"trial": ("failed", "ValueError: no"), "study": ("finished", None)} == found
