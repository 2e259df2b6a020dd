"""A forked child owns none of its parent's runs."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import threading
from pathlib import Path

import pytest

import goodseed

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


def in_child(action: object) -> int:
    """Call ``action`` in a forked child that ends as a script does; its exit code."""
    process = multiprocessing.get_context("fork").Process(target=action)  # type: ignore[arg-type]
    process.start()
    process.join(30)
    assert process.exitcode is not None, "the child hangs"
    return process.exitcode


def test_child_cannot_write(home: Path) -> None:
    """A child's writes to its parent's run raise with the remedy; its close and its end change nothing."""
    run = goodseed.Run()
    run["a"].log(1.0, step=0)

    def child() -> None:
        for write in (
            lambda: run["a"].log(2.0, step=1),
            lambda: run.log_metrics({"new": 2.0, "other": 1.0}, step=1),
            lambda: run.__setitem__("b", 1),
            lambda: run["t"].log("x", step=0),
        ):
            with pytest.raises(goodseed.ForkedRunError, match="in the child"):
                write()
        assert not run.flush()
        run.close("failed")

    code = in_child(child)
    run["a"].log(3.0, step=2)
    run.close()

    assert 0 == code
    assert [0.0, 2.0] == [point["step"] for point in run.get_metric_data("a")["raw_points"]]
    connection = sqlite3.connect(run.path)  # type: ignore[arg-type]
    assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()


def test_child_may_open_its_own(home: Path) -> None:
    """A child may open, write and close a run of its own, also while its parent's threads log."""
    run = goodseed.Run(run_id="parent")
    stop = threading.Event()

    def log() -> None:
        step = 0
        while not stop.is_set():
            run.log_metrics({f"m/{index}": step for index in range(50)}, step=step)
            step += 1

    threads = [threading.Thread(target=log, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()

    def child() -> None:
        with goodseed.Run(run_id=f"child-{os.getpid()}") as own:
            for step in range(100):
                own.log_metrics({"a": step}, step=step)

    codes = [in_child(child) for _ in range(10)]
    stop.set()
    for thread in threads:
        thread.join()
    run.close()

    assert [0] * 10 == codes
    children = sorted(home.rglob("child-*.sqlite"))
    assert 10 == len(children)
    for path in children:
        own = goodseed.Run(run_id=path.stem, read_only=True, storage="local")
        assert 100 == len(own.get_metric_data("a")["raw_points"])


def test_parent_dies_before_its_child(home: Path) -> None:
    """A run whose process was killed can be resumed although a forked child lives on."""
    read_end, write_end = os.pipe()
    parent = os.fork()
    if parent == 0:
        run = goodseed.Run(run_id="r")
        run["a"].log(1.0, step=0)
        child = os.fork()
        if child == 0:
            threading.Event().wait(20)
            os._exit(0)
        os.write(write_end, str(child).encode())
        os.kill(os.getpid(), 9)
    os.waitpid(parent, 0)
    child = int(os.read(read_end, 20))
    os.close(read_end)
    os.close(write_end)
    try:
        with goodseed.Run(resume_run_id="r") as run:
            run["a"].log(2.0, step=1)
    finally:
        os.kill(child, 9)

    assert [1.0, 2.0] == [point["y"] for point in run.get_metric_data("a")["raw_points"]]
