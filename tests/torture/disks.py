"""Disks and neighbours that misbehave: training goes on, one warning says so, and what was kept can be read."""

from __future__ import annotations

import logging
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

from runs import open_run, read


class _Warnings(logging.Handler):
    """Collects what goodseed warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def __enter__(self) -> list[str]:
        logger = logging.getLogger("goodseed")
        logger.addHandler(self)
        logger.propagate = False
        return self.messages

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger("goodseed")
        logger.removeHandler(self)
        logger.propagate = True


class _Caller:
    """Logs points, and remembers the longest call."""

    def __init__(self, run: object) -> None:
        self._run = run
        self.step = 0
        self.longest = 0.0

    def log(self, seconds: float, pause: float = 0.0) -> None:
        """Log for that long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            started = time.perf_counter()
            self._run.log_metrics({"loss": self.step * 0.5}, step=self.step)  # type: ignore[attr-defined]
            self.longest = max(self.longest, time.perf_counter() - started)
            self.step += 1
            if pause:
                time.sleep(pause)

    def summary(self) -> str:
        """What to look at: no call should take as long as anybody would notice."""
        return f"longest call {self.longest * 1000:.0f} ms"


def _steps(run: object) -> list[int]:
    points = run.get_metric_data("loss")["raw_points"]  # type: ignore[attr-defined]
    assert all(point["y"] == point["step"] * 0.5 for point in points)
    return [int(point["step"]) for point in points]


def disk_full_and_room_again(home: Path, _: random.Random, __: int) -> str:
    """A file system of 6 MiB fills up; then it gets room."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(home)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        return "skipped: this needs the right to mount a file system"
    try:
        with _Warnings() as messages:
            run = open_run(home, run_id="full")
            caller = _Caller(run)
            caller.log(4.0)
            filled = caller.step
            (home / "filler").write_bytes(b"")
            subprocess.run(["mount", "-o", "remount,size=600m", str(home)], check=True, capture_output=True)
            time.sleep(6.0)
            first_after = caller.step
            caller.log(0.2)
            run.close()
        kept = _steps(read(home, "full"))
        assert kept[:1000] == list(range(1000))
        assert kept[-(caller.step - first_after) :] == list(range(first_after, caller.step)), "logging did not go on"
        assert messages, "nothing was said"
        assert len(messages) <= 4, messages
        return f"{len(kept):,} of {caller.step:,} kept ({filled:,} until it was full), {caller.summary()}"
    finally:
        subprocess.run(["umount", "-l", str(home)], capture_output=True)


def home_that_cannot_be_written(home: Path, _: random.Random, __: int) -> str:
    """The home is a file: the run goes elsewhere, and says where."""
    blocked = home / "file"
    blocked.write_text("not a directory")
    with _Warnings() as messages:
        run = open_run(blocked / "home", run_id="elsewhere")
        caller = _Caller(run)
        caller.log(0.1)
        run.close()
    assert run.path is not None
    assert len(messages) == 1, messages
    assert str(run.path) in messages[0]
    kept = _steps(read(home, "elsewhere", log_dir=run.path.parent))
    shutil.rmtree(run.path.parent)
    assert kept == list(range(caller.step))
    return f"{len(kept):,} points in a temporary directory, {caller.summary()}"


def foreign_lock(home: Path, _: random.Random, __: int) -> str:
    """Another program locks the database for 8 s."""
    with _Warnings() as messages:
        run = open_run(home, run_id="locked")
        caller = _Caller(run)
        caller.log(0.3)
        hold = (
            "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
            "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); time.sleep(8)"
        )
        with subprocess.Popen([sys.executable, "-c", hold, str(run.path)], stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            caller.log(7.5)
        caller.log(0.2)
        run.close()
    kept = _steps(read(home, "locked"))
    assert kept == list(range(caller.step)), f"{caller.step - len(kept)} lost"
    assert len(messages) == 1, messages
    return f"{len(kept):,} points, none lost, {caller.summary()}"


def deleted_directory(home: Path, _: random.Random, __: int) -> str:
    """Somebody removes the directory of the runs."""
    with _Warnings() as messages:
        run = open_run(home, run_id="deleted")
        caller = _Caller(run)
        caller.log(0.5)
        shutil.rmtree(home / "projects")
        caller.log(3.0, pause=0.0001)
        run.close()
    kept = _steps(read(home, "deleted"))
    assert kept == list(range(caller.step)), f"{caller.step - len(kept)} lost"
    assert len(messages) == 1, messages
    return f"{len(kept):,} points, none lost, {caller.summary()}"


def reader_holds_a_snapshot(home: Path, _: random.Random, __: int) -> str:
    """A reader keeps a transaction open while much is written: the log stays bounded by the data, and close ends."""
    run = open_run(home, run_id="held")
    caller = _Caller(run)
    caller.log(0.6)
    reader = sqlite3.connect(run.path, isolation_level=None)  # type: ignore[arg-type]
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM metric_points").fetchone()
    stop = threading.Event()
    wide = {f"wide/{index}": float(index) for index in range(100)}

    def log_wide() -> None:
        step = 0
        while not stop.wait(0.005):
            run.log_metrics(wide, step=step)
            step += 1

    thread = threading.Thread(target=log_wide)
    thread.start()
    caller.log(30.0, pause=0.001)
    stop.set()
    thread.join()
    log_bytes = os.path.getsize(f"{run.path}-wal")
    started = time.monotonic()
    run.close()
    closing = time.monotonic() - started
    reader.execute("COMMIT")
    reader.close()
    kept = _steps(read(home, "held"))
    assert kept == list(range(caller.step))
    assert log_bytes < 128 << 20, log_bytes
    return f"log of {log_bytes / 2**20:.0f} MiB, closed in {closing:.2f} s, {caller.summary()}"
