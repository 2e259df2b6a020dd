"""A machine that dies leaves half-written files: what can be read is what was logged up to some moment."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

from runs import WORKLOADS, Workload, calls_in, check_file, open_run, read

_DAMAGES = 60


def torn_inbox(home: Path, rng: random.Random, _: int) -> str:
    """The inbox is cut, zeroed or changed at a random place."""
    outcomes = []
    for workload in WORKLOADS[:2]:
        original = _killed(home, workload, f"torn-{workload.width}", seconds=0.4)
        for _ in range(_DAMAGES):
            copy = _copy(original, home)
            _damage(Path(f"{copy}-inbox"), rng)
            outcomes.append(_stored(home, copy, workload))
    return f"{len(outcomes)} damaged inboxes, each a clean prefix of {min(outcomes):,} to {max(outcomes):,} calls"


_UNMOVED_BYTES = 256 << 10  # a run's file before anything is moved into it: its tables alone


def torn_wal(home: Path, rng: random.Random, _: int) -> str:
    """The write-ahead log is cut or changed at a random place."""
    outcomes = []
    for workload in WORKLOADS[:2]:
        seconds, original = 1.2, _killed(home, workload, f"wal-{workload.width}", seconds=1.2)
        while original.stat().st_size > _UNMOVED_BYTES:
            # A log is on the disk itself before any of it is moved into the file: no crash tears what was moved.
            seconds /= 2
            original = _killed(home, workload, f"wal-{workload.width}-{seconds}", seconds)
        for _ in range(_DAMAGES // 2):
            copy = _copy(original, home)
            _damage(Path(f"{copy}-wal"), rng)
            outcomes.append(_stored(home, copy, workload))
    return f"{len(outcomes)} damaged logs, each a clean prefix of {min(outcomes):,} to {max(outcomes):,} calls"


def _killed(home: Path, workload: Workload, run_id: str, seconds: float) -> Path:
    child = os.fork()
    if child == 0:
        try:
            run = open_run(home, run_id=run_id)
            call = 0
            while True:
                workload.log(run, call)
                call += 1
                if call % 50 == 0:
                    time.sleep(0.001)
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return next((home / "projects" / "torture" / "runs").glob(f"{run_id}.sqlite"))


def _copy(original: Path, home: Path) -> Path:
    directory = home / "copy"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for path in original.parent.glob(f"{original.name}*"):
        if not path.name.endswith(("-shm", "-lock")):
            shutil.copyfile(path, directory / path.name)
    return directory / original.name


def _damage(path: Path, rng: random.Random) -> None:
    size = path.stat().st_size
    place = rng.randrange(1, size)
    kind = rng.choice(("cut", "zero", "change"))
    with path.open("r+b") as file:
        if kind == "cut":
            file.truncate(place)
        elif kind == "zero":
            file.seek(place)
            file.write(bytes(size - place))
        else:
            file.seek(place)
            changed = file.read(1)[0] ^ (1 << rng.randrange(8))
            file.seek(place)
            file.write(bytes([changed]))


def _stored(home: Path, database: Path, workload: Workload) -> int:
    run = read(home, database.stem, log_dir=database.parent)
    calls = calls_in(run, workload) if run.get_metric_paths() else 0
    check_file(database)
    return calls
