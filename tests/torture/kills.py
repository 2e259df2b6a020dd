"""``kill -9`` at random moments: what a call had accepted is there."""

from __future__ import annotations

import os
import random
import signal
import struct
import time
from pathlib import Path

from runs import WORKLOADS, Workload, calls_in, check_file, open_run, read

_ACKNOWLEDGED = struct.Struct("=q")


def killed_at_random_moments(home: Path, rng: random.Random, kills: int) -> str:
    """Each process logs as fast as it can, says of each call that it has returned, and is killed."""
    shares = {1: 0.45, 100: 0.45, 10_000: 0.1}
    total = calls = 0
    for workload in WORKLOADS:
        for number in range(max(1, int(kills * shares[workload.width]))):
            calls += _one_kill(home, f"{workload.width}-{number}", workload, rng)
            total += 1
    return f"{total:,} processes killed, {calls:,} acknowledged calls, none lost, every file sound"


def _one_kill(home: Path, run_id: str, workload: Workload, rng: random.Random) -> int:
    acknowledged = os.open(home, os.O_TMPFILE | os.O_RDWR)
    os.pwrite(acknowledged, _ACKNOWLEDGED.pack(-1), 0)
    child = os.fork()
    if child == 0:
        _log_for_ever(home, run_id, workload, acknowledged)
    deadline = time.monotonic() + 30
    while _last_acknowledged(acknowledged) < 0 and time.monotonic() < deadline:
        time.sleep(0.0005)
    time.sleep(rng.choice((0.0, 0.002, 0.02, 0.06)) * rng.random() * (4 if rng.random() < 0.05 else 1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    returned = _last_acknowledged(acknowledged) + 1
    os.close(acknowledged)
    assert returned > 0, "the process never logged"
    run = read(home, run_id)
    stored = calls_in(run, workload)
    assert stored in (returned, returned + 1), f"{returned} calls returned, {stored} are there"
    _check_the_rest(run, returned)
    assert run.path is not None
    check_file(run.path)
    run.path.unlink()
    return int(returned)


def _last_acknowledged(descriptor: int) -> int:
    return int(_ACKNOWLEDGED.unpack(os.pread(descriptor, _ACKNOWLEDGED.size, 0))[0])


def _check_the_rest(run: object, returned: int) -> None:
    texts = [point["value"] for point in run.get_string_data("text")]  # type: ignore[attr-defined]
    expected = [f"line {call} é" for call in range(0, returned - 1, 10)]
    assert texts[: len(expected)] == expected
    configs = {config["path"]: config["value"] for config in run.get_configs()}  # type: ignore[attr-defined]
    assert configs["sys/state"] == "failed", configs["sys/state"]
    if returned > 1:
        assert int(configs["last/call"]) >= (returned - 2) // 10 * 10


def _log_for_ever(home: Path, run_id: str, workload: Workload, acknowledged: int) -> None:
    try:
        run = open_run(home, run_id=run_id)
        call = 0
        while True:
            workload.log(run, call)
            os.pwrite(acknowledged, _ACKNOWLEDGED.pack(call), 0)
            call += 1
    finally:
        os._exit(1)
