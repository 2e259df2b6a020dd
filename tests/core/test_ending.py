"""How a process ends, and what its run says afterwards: real processes, real signals."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import goodseed

PROLOGUE = """
import os, signal, sys, threading, time
import goodseed
def open_run(**arguments):
    return goodseed.Run(run_id="r", storage="local", capture_hardware_metrics=False, git_ref=False, **arguments)
"""


def start(script: str) -> subprocess.Popen[str]:
    """Run a script in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(script)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip


def finish(process: subprocess.Popen[str], home: Path, expected_points: int | None = 3) -> tuple[int, str, str, str]:
    """The exit code, the state and its reason, and what the process printed to stderr."""
    _, error = process.communicate(timeout=60)
    run = goodseed.Run(run_id="r", read_only=True, storage="local")
    fields = {row["path"]: row["value"] for row in run.get_configs()}
    if expected_points is not None:
        assert expected_points == len(run.get_metric_data("a")["raw_points"])
        assert [path.name for path in run.path.parent.iterdir()] == ["r.sqlite"], error  # type: ignore[union-attr]
    return process.returncode, fields["sys/state"], fields.get("sys/end_reason", ""), error


LOG = "for step in range(3): run.log_metrics({'a': step}, step=step)\n"


@pytest.mark.parametrize(
    ("script", "code", "state", "reason"),
    [
        ("run = open_run()\n" + LOG, 0, "finished", ""),
        ("run = open_run()\n" + LOG + "sys.exit(0)", 0, "finished", ""),
        ("with open_run() as run:\n  " + LOG.replace("\n", "\n  ") + "sys.exit()", 0, "finished", ""),
        ("with open_run() as run:\n  " + LOG.replace("\n", "\n  ") + "sys.exit(3)", 3, "failed", "SystemExit: 3"),
        ("with open_run() as run:\n  " + LOG.replace("\n", "\n  ") + "1/0", 1, "failed", "ZeroDivisionError: division by zero"),
        ("run = open_run()\n" + LOG + "raise ValueError('no')", 1, "failed", "ValueError: no"),
        ("run = open_run()\n" + LOG + "raise KeyboardInterrupt", -2, "failed", "KeyboardInterrupt"),
        ("run = open_run()\n" + LOG + "os._exit(7)", 7, "failed", "os._exit(7)"),
        (
            "run = open_run()\n" + LOG + "t = threading.Thread(target=lambda: 1/0); t.start(); t.join()",
            0, "failed", "ZeroDivisionError: division by zero",
        ),
        ("run = open_run()\n" + LOG + "run.close('failed')", 0, "failed", ""),
    ],
)  # fmt: skip
def test_ends(home: Path, script: str, code: int, state: str, reason: str) -> None:
    """Every end leaves the right status, all points, one file, and the exit code that it would have had."""
    assert (code, state, reason) == finish(start(script), home)[:3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_without_a_handler(home: Path, number: signal.Signals) -> None:
    """A signal that nobody handles ends the process as it would have, in under 5 s, with the tail saved."""
    process = start(
        "run = open_run()\n"
        + LOG
        + "print('the last line'); print('ready', file=sys.stderr, flush=True)\ntime.sleep(60)"
    )
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        pass
    process.send_signal(number)

    assert (-number, "failed", number.name) == finish(process, home)[:3]
    run = goodseed.Run(run_id="r", read_only=True, storage="local")
    (path,) = [path for path in run.get_string_paths() if path.endswith("/stdout")]
    assert ["the last line"] == [point["value"] for point in run.get_string_data(path)]


def test_signal_with_a_handler(home: Path) -> None:
    """A handler of the user's is called, alone, and the process ends as it says."""
    script = "signal.signal(signal.SIGTERM, lambda *_: (run['a'].log(9, step=9), sys.exit(5)))\nrun = open_run()\n"
    process = start(script + LOG + "print('ready', file=sys.stderr, flush=True)\ntime.sleep(60)")
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)

    assert (5, "failed", "SystemExit: 5") == finish(process, home, expected_points=4)[:3]


IN_C = "import hashlib\ndef in_c(rounds): hashlib.pbkdf2_hmac('sha256', b'', b'', rounds)\n"
READY = "print('ready', file=sys.stderr, flush=True)\n"


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    """Return when the script is where it says so."""
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        pass


def test_signal_in_the_middle_of_a_call_into_c(home: Path) -> None:
    """A process that is stuck in C can be ended as it could without us, and its run says how it ended."""
    process = start(IN_C + "run = open_run()\n" + LOG + READY + "in_c(2**31 - 1)")
    wait_until_ready(process)
    time.sleep(0.2)  # no event tells that it is inside C
    process.terminate()

    assert (-signal.SIGTERM, "failed", "SIGTERM") == finish(process, home)[:3]


def test_ones_own_handler_waits_for_c(home: Path) -> None:
    """A handler that was set after the run was opened is called when Python would call it; we do nothing."""
    own = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
    process = start(IN_C + "run = open_run()\n" + LOG + own + READY + "while True: in_c(5_000_000)")
    wait_until_ready(process)
    time.sleep(0.2)  # no event tells that it is inside C
    process.terminate()

    assert (5, "failed", "SystemExit: 5") == finish(process, home)[:3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_signal_to_a_forked_child_is_the_childs(home: Path) -> None:
    """A child that is ended as soon as it begins, or that handles signals itself, does not end its parent."""
    script = """
        import multiprocessing
        own = multiprocessing.get_context("fork")
        for _ in range(30):
            child = own.Process(target=time.sleep, args=(60,))
            child.start()
            child.terminate()
            child.join()
        def handle():
            signal.signal(signal.SIGTERM, lambda *_: os._exit(3))
            os.kill(os.getpid(), signal.SIGTERM)
        handling = own.Process(target=handle)
        handling.start()
        in_c(6_000_000)
        handling.join()
        run["code"] = handling.exitcode
    """
    code, state, reason, error = finish(start(IN_C + "run = open_run()\n" + LOG + textwrap.dedent(script)), home)
    run = goodseed.Run(run_id="r", read_only=True, storage="local")

    assert (0, "finished", "") == (code, state, reason), error
    assert "3" == {row["path"]: row["value"] for row in run.get_configs()}["code"]


def test_wakeup_descriptor_of_somebody_else(home: Path) -> None:
    """Who listens for signals before a run is opened, or begins while it is open, goes on listening."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    found = []
    signal.set_wakeup_fd(writing)
    goodseed.Run().close()
    found.append(signal.set_wakeup_fd(-1))
    with goodseed.Run():
        before = signal.set_wakeup_fd(writing)
    found.append(signal.set_wakeup_fd(-1))
    goodseed.Run().close()
    found.append(signal.set_wakeup_fd(-1))
    os.close(reading)
    os.close(writing)

    assert [writing, writing, -1] == found
    assert -1 == before


def test_ctrl_c_twice(home: Path) -> None:
    """A second Ctrl-C while the run is closed loses nothing."""
    script = "run = open_run()\n" + LOG + "print('ready', file=sys.stderr, flush=True)\ntime.sleep(60)"
    process = start(script)
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)  # the second one comes while the first is handled
    process.send_signal(signal.SIGINT)
    code, state, _, _ = finish(process, home)

    assert code != 0
    assert "failed" == state


def test_killed_run_can_be_resumed(home: Path) -> None:
    """A killed run shows as failed, and can be resumed at once, by anyone."""
    process = start("run = open_run()\n" + LOG + "os.kill(os.getpid(), signal.SIGKILL)")
    killed = finish(process, home, expected_points=None)[:2]
    with goodseed.Run(resume_run_id="r") as run:
        state = {row["path"]: row["value"] for row in run.get_configs()}["sys/state"]
        run["a"].log(3, step=3)

    assert (-9, "failed") == killed
    assert "running" == state
    assert 4 == len(run.get_metric_data("a")["raw_points"])


def test_closed_while_somebody_holds_the_file(home: Path) -> None:
    """A close that can't write gives up in seconds; the end that it had to write is there once somebody looks."""
    run = goodseed.Run(run_id="r")
    run["a"].log(1.0, step=0)
    assert run.path is not None
    holder = sqlite3.connect(run.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    run["a"].log(2.0, step=1)
    run.close()
    holder.execute("ROLLBACK")
    holder.close()
    with goodseed.Run(run_id="r", read_only=True, storage="local") as seen:
        state = {row["path"]: row["value"] for row in seen.get_configs()}["sys/state"]

    assert "finished" == state
    assert [1.0, 2.0] == [point["y"] for point in seen.get_metric_data("a")["raw_points"]]


def test_inbox_that_is_none(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An inbox of a dead process that can't be read is warned of, and the run is read."""
    process = start("run = open_run()\n" + LOG + "run.flush(); os.kill(os.getpid(), signal.SIGKILL)")
    process.communicate(timeout=30)
    (inbox,) = home.rglob("*-inbox")
    inbox.write_bytes(b"\x17" * 100_000)
    with goodseed.Run(run_id="r", read_only=True, storage="local") as run:
        points = run.get_metric_data("a")["raw_points"]

    assert 3 == len(points)
    assert [str(inbox)] == [str(inbox) for record in caplog.records if str(inbox) in record.getMessage()]


def test_logging_in_a_signal_handler(home: Path) -> None:
    """A signal handler may log while the main thread logs; nothing is lost, nothing hangs."""
    script = """
        run = open_run()
        done, busy = [0], []
        def handler(*_):
            if busy:
                return  # handlers may interrupt one another
            busy.append(1)
            run.log_metrics({"handler": done[0], "other": 1}, step=done[0])
            run["text"].log("x" * 20000, step=done[0])
            done[0] += 1
            busy.clear()
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for step in range(100000):
            run.log_metrics({"a": step}, step=step)
        signal.setitimer(signal.ITIMER_REAL, 0)
        run["done"] = done[0]
    """
    code, state, _, error = finish(start(script), home, expected_points=100_000)
    run = goodseed.Run(run_id="r", read_only=True, storage="local")
    done = int({row["path"]: row["value"] for row in run.get_configs()}["done"])

    assert (0, "finished") == (code, state), error
    assert done == len(run.get_metric_data("handler")["raw_points"]) == len(run.get_string_data("text"))
    assert done > 10
