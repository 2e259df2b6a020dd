"""A forked child owns none of its parent's runs."""

from __future__ import annotations

import ast
import contextlib
import multiprocessing
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import goodseed
from goodseed.storage.forks import GatedConnection

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


def everything_that_reads(stop: threading.Event) -> list[Callable[[], None]]:
    """Loops that use SQLite in every way in which Goodseed does, on other threads than the one that forks."""
    run = goodseed.Run(run_id="read", storage="local")
    for step in range(3_000):
        run.log_metrics({"a": step, "b": step}, step=step)
    run.flush()
    path = run.path
    run.close()

    def loop(action: Callable[[], object]) -> Callable[[], None]:
        def work() -> None:
            while not stop.is_set():
                action()

        return work

    def through_a_run() -> None:
        with goodseed.Run(run_id="read", read_only=True, storage="local") as reader:
            reader.get_metric_data("a")
            reader.get_metric_data("b", max_points=50)

    def row_by_row() -> None:
        with contextlib.closing(sqlite3.connect(path, factory=GatedConnection)) as connection:  # type: ignore[arg-type]
            for _ in connection.execute("SELECT * FROM metric_points"):
                pass
            connection.execute("SELECT * FROM metric_points").fetchone()  # the rest is given up

    def copy() -> None:
        with (
            contextlib.closing(sqlite3.connect(path, factory=GatedConnection)) as source,  # type: ignore[arg-type]
            contextlib.closing(sqlite3.connect(":memory:", factory=GatedConnection)) as target,
        ):
            source.backup(target, pages=5)
            target.execute("BEGIN")
            target.executemany("INSERT INTO run_meta VALUES (?, ?)", [(f"k{n}", "v") for n in range(500)])
            target.commit()

    def list_runs() -> None:
        goodseed.list_runs("default", storage="local")

    return [loop(action) for action in (through_a_run, row_by_row, copy, list_runs)]


def test_no_fork_catches_a_reader_inside_sqlite(home: Path) -> None:
    """Whatever other threads read, and however, a child reaches the end of its own calls of SQLite."""
    stop = threading.Event()
    threads = [threading.Thread(target=work, daemon=True) for work in everything_that_reads(stop)]
    for thread in threads:
        thread.start()
    codes = set()
    for _ in range(60):
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(3)
            connection = sqlite3.connect(":memory:")
            connection.execute("CREATE TABLE t (a)")
            connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(50)])
            connection.execute("SELECT * FROM t").fetchall()
            connection.close()
            os._exit(0)
        codes.add(os.waitpid(child, 0)[1])
    stop.set()
    for thread in threads:
        thread.join(10)

    assert {0} == codes
    assert not any(thread.is_alive() for thread in threads)


def test_a_fork_waits_for_no_long_query(home: Path) -> None:
    """A query that takes minutes steps aside for a fork, and goes on after it."""
    connection = sqlite3.connect(":memory:", check_same_thread=False, factory=GatedConnection)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
    ended: list[str] = []

    def query() -> None:
        try:
            connection.execute(endless)
        except sqlite3.OperationalError as error:
            ended.append(str(error))

    thread = threading.Thread(target=query, daemon=True)
    thread.start()
    children = []
    for _ in range(5):
        child = os.fork()
        if child == 0:
            os._exit(0)
        children.append(os.waitpid(child, 0)[1])
    still = thread.is_alive()
    connection.interrupt()
    thread.join(10)
    connection.close()

    assert [0] * 5 == children
    assert still
    assert ["interrupted"] == ended


def test_every_connection_is_gated() -> None:
    """No file of ours opens a database in a way that a fork could catch."""
    root = Path(__file__).parent.parent.parent
    calls = [
        (str(path), ast.unparse(node))
        for path in sorted(root.glob("goodseed-*/src/**/*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sqlite3.connect", "sqlite3.Connection")
    ]

    assert calls
    assert [] == [call for call in calls if "factory=GatedConnection" not in call[1]]
