"""A run that logs faster than its disk takes it, for however long: callers wait, nothing is lost, memory stays small."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from terminals import on_terminal

import goodseed
from goodseed.paths import run_files
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.reader import RunReader
from goodseed.storage.writing.writer import RunWriter

SLOW = """
    CREATE TABLE busy AS SELECT value FROM json_each('[{numbers}]');
    CREATE TRIGGER slow AFTER INSERT ON metric_points BEGIN SELECT count(*) FROM busy AS a, busy AS b; END;"""
QUIET = {"git_ref": False, "capture_hardware_metrics": False, "capture_stdout": False, "capture_stderr": False}


def slow_down(database: Path, numbers: int) -> None:
    """Let each point that is stored from now on take some ten nanoseconds for each pair of ``numbers``."""
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.executescript(SLOW.format(numbers=",".join(map(str, range(numbers)))))


def speed_up(database: Path) -> None:
    """Take it back."""
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.executescript("DROP TRIGGER slow; DROP TABLE busy")


def test_close_waits_as_long_as_anything_is_stored(home: Path) -> None:
    """A close is patient with a transaction that takes many times its patience, as long as that goes on."""
    files = run_files("p", "r", home=home)
    writer = RunWriter(files, {"status": "running", "created_at": "2026-01-01T00:00:00Z"}, is_new=True)
    writer.inbox.log_metrics({"loss": 0.0}, 0)
    assert writer.flush()
    slow_down(files.database, 100)
    for step in range(6_000):
        writer.inbox.log_metrics({"loss": step / 2}, step)
    report = writer.close("finished", meta={}, configs=[], timeout_seconds=0.5, is_patient=True)
    speed_up(files.database)
    with RunReader(files) as run:
        stored = run.count(NUMBERS, "loss")

    assert (True, 0) == (report.is_stored, report.dropped)
    assert not files.inbox.exists()
    assert 6_000 == stored


def test_callers_wait_for_room(home: Path) -> None:
    """Texts that come faster than they are stored wait in 64 MiB beside the run; the process does not grow with them."""
    code = f"""
import goodseed, os, sys
run = goodseed.Run(project="p", run_id="r", storage="local", **{QUIET!r})
text = "x" * 200_000
run.log_strings({{"text": text}}, step=0)
run.flush()
def memory(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before, most, inbox = memory(), 0, 0
for step in range(1, 800):
    run.log_strings({{"text": text}}, step=step)
    most = max(most, memory())
    inbox = max(inbox, os.stat(f"{{run.path}}-inbox").st_size)
run.close()
print(most - before, inbox)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    grown, inbox = map(int, done.stdout.split())
    with goodseed.Run(project="p", run_id="r", storage="local", read_only=True) as run:
        stored = len(run.get_string_data("text"))

    assert 800 == stored
    assert inbox <= 66 << 20
    assert grown < 100_000_000
    assert "lost" not in done.stderr


def test_no_file_descriptor_left(home: Path) -> None:
    """A process that has no file descriptor left logs on in memory, and all of it is stored."""
    code = f"""
import goodseed, os, resource
run = goodseed.Run(project="p", run_id="r", storage="local", **{QUIET!r})
run.log_metrics({{"loss": 0.0, "acc": 0.0}}, step=0)
run.flush()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
taken = []
try:
    while True: taken.append(os.dup(0))
except OSError:
    pass
for step in range(1, 100_000): run.log_metrics({{"loss": step / 2, "acc": 1.0}}, step=step)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
for descriptor in taken: os.close(descriptor)
for step in range(100_000, 100_100): run.log_metrics({{"loss": step / 2, "acc": 1.0}}, step=step)
run.close()
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    with goodseed.Run(project="p", run_id="r", storage="local", read_only=True) as run:
        stored = [point["y"] for point in run.get_metric_data("loss")["raw_points"]]

    assert [step / 2 for step in range(100_100)] == stored
    assert "lost" not in done.stderr


def test_bar_of_a_close_that_stores(home: Path) -> None:
    """A close that stores for over two seconds shows a bar on a terminal, and takes it away."""
    pytest.importorskip("pty")
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import goodseed
from test_long_runs import slow_down
run = goodseed.Run(project="p", run_id="r", storage="local", **{QUIET!r})
run.log_metrics({{"loss": 0.0}}, step=0)
run.flush()
slow_down(run.path, 100)
for step in range(40_000): run.log_metrics({{"loss": 1.0}}, step=step)
run.close()
"""
    status, shown = on_terminal("-c", code)

    assert 0 == status
    assert "Storing" in shown
    assert shown.endswith("\r\x1b[K")


def test_callers_go_on_while_nothing_can_be_stored(home: Path) -> None:
    """What is logged while another program locks the file waits beyond 64 MiB; all of it is stored afterwards."""
    with goodseed.Run(project="p", run_id="r", storage="local", **QUIET) as run:  # type: ignore[arg-type]
        run.flush()
        locked, free = threading.Event(), threading.Event()

        def hold() -> None:
            with closing(sqlite3.connect(run.path, isolation_level=None, timeout=30)) as connection:  # type: ignore[arg-type]
                connection.execute("BEGIN IMMEDIATE")
                locked.set()
                free.wait(30)
                connection.execute("ROLLBACK")

        holder = threading.Thread(target=hold)
        holder.start()
        locked.wait(30)
        time.sleep(0.8)  # until the writer has found out
        for step in range(90):
            run.log_strings({"text": "x" * 1_000_000}, step=step)
        free.set()
        holder.join()
    with goodseed.Run(project="p", run_id="r", storage="local", read_only=True) as seen:
        stored = len(seen.get_string_data("text"))

    assert 90 == stored


def test_signal_ends_a_long_close(home: Path) -> None:
    """A signal ends a process whose close is patient with a long transaction; whoever opens the run next has the rest."""
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import goodseed
from test_long_runs import slow_down
run = goodseed.Run(project="p", run_id="r", storage="local", **{QUIET!r})
run.log_metrics({{"loss": 0.0}}, step=0)
run.flush()
slow_down(run.path, 1_000)
for step in range(10_000): run.log_metrics({{"loss": step / 2}}, step=step)
print("closing", flush=True)
run.close()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        status = process.wait(60)
    speed_up(run_files("p", "r", home=home).database)
    with goodseed.Run(project="p", run_id="r", storage="local", read_only=True) as run:
        stored = [point["y"] for point in run.get_metric_data("loss")["raw_points"]]

    assert -signal.SIGTERM == status
    assert [step / 2 for step in range(10_000)] == stored
