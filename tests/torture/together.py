"""Many at once: threads, and processes."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

from runs import check_file, open_run, read

import goodseed


def threads_log_while_another_closes(home: Path, rng: random.Random, _: int) -> str:
    """What a call accepted before the close is in the file; what came after raised."""
    accepted_in_all = 0
    for number in range(40):
        run = open_run(home, run_id=f"race-{number}")
        accepted = [0] * 4
        started = threading.Barrier(5)

        def log(thread: int, run: goodseed.Run = run, accepted: list[int] = accepted) -> None:
            started.wait()
            try:
                while True:
                    run.log_metrics({f"thread/{thread}": float(accepted[thread])}, step=accepted[thread])
                    accepted[thread] += 1
            except goodseed.RunClosedError:
                return

        threads = [threading.Thread(target=log, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        started.wait()
        threading.Event().wait(rng.random() * 0.05)
        run.close()
        for thread in threads:
            thread.join()
        stored = read(home, f"race-{number}")
        for thread_number, count in enumerate(accepted):
            points = stored.get_metric_data(f"thread/{thread_number}")["raw_points"]
            assert len(points) == count, f"{count} accepted, {len(points)} stored"
        assert run.path is not None
        check_file(run.path)
        accepted_in_all += sum(accepted)
    return f"40 closes, {accepted_in_all:,} accepted calls, all stored"


def eight_processes_start_at_once(home: Path, _: random.Random, __: int) -> str:
    """Eight processes start a run each, and then all try the same id."""
    children = []
    for _number in range(8):
        child = os.fork()
        if child == 0:
            try:
                with open_run(home) as run:
                    for step in range(100):
                        run.log_metrics({"loss": step}, step=step)
                try:
                    shared = open_run(home, run_id="shared")
                except (goodseed.RunExistsError, goodseed.RunInUseError):
                    os._exit(0)
                shared.close()
                os._exit(10)
            finally:
                os._exit(1)
        children.append(child)
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert codes == [0] * 7 + [10], codes
    files = list((home / "projects" / "torture" / "runs").glob("*.sqlite"))
    assert len(files) == 9, len(files)
    for path in files:
        check_file(path)
    return "8 runs under 8 ids; of one id that all wanted, one was made"
