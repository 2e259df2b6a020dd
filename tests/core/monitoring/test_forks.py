"""Forked children inherit nothing and never hang."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks on this platform")


def test_the_prints_of_forked_children_are_shown_and_not_stored(run_script: Callable[..., Any]) -> None:
    """A child inherits no capture; the parent's goes on."""
    seen = run_script(
        """
import goodseed, os
run = goodseed.Run()
print("before", flush=True)
pid = os.fork()
if pid == 0:
    print("child", flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print("after")
run.close()
"""
    )

    assert seen.stored.series["stdout"] == ["before", "after"]
    assert sorted(seen.stdout.split()) == ["after", "before", "child"]


def test_many_forks_amid_prints_never_hang(run_script: Callable[..., Any]) -> None:
    """Children forked while threads print and lines are stored end by themselves."""
    seen = run_script(
        """
import goodseed, os, threading
run = goodseed.Run()
stop = threading.Event()
def chatter():
    while not stop.is_set():
        print("noise")
        run.flush(0)
threads = [threading.Thread(target=chatter) for _ in range(2)]
for thread in threads: thread.start()
codes = []
for _ in range(25):
    pid = os.fork()
    if pid == 0:
        import psutil, uuid
        os._exit(7)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
stop.set()
for thread in threads: thread.join()
run.close()
print(len(codes), set(codes))
"""
    )

    assert seen.stdout.splitlines()[-1] == "25 {7}"


def test_a_pool_of_worker_processes_works(run_script: Callable[..., Any]) -> None:
    """Workers started by fork print, import and end as they would without a run."""
    seen = run_script(
        """
import goodseed, multiprocessing
def work(number):
    print(f"worker {number}", flush=True)
    return number * number
if __name__ == "__main__":
    with goodseed.Run() as run:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(sum(pool.map(work, range(10))))
"""
    )

    assert seen.stored.series["stdout"] == ["285"]
    assert seen.stdout.count("worker") == 10
    assert seen.stored.status == "finished"
