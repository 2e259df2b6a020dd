"""How a process ends whose remote does not answer."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from plain_server import PlainServer

SCRIPT = """
import goodseed, time
run = goodseed.Run(project="ws/p", run_id="r", git_ref=False)
print("ready", flush=True)
for step in range(100_000):
    run.log_metrics({"loss": step}, step=step)
    time.sleep(0.001)
    if step == 500 and FAILS:
        raise ValueError("diverged")
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, None])
def test_remote_that_hangs_holds_no_exit(remote: PlainServer, home: Path, how: signal.Signals | None) -> None:
    """SIGTERM, Ctrl-C and an exception end the process in seconds, with everything kept and the line to upload it."""

    def hang(handler: Any, path: str) -> bool:
        if path.endswith("ingest"):
            time.sleep(30)  # the remote hangs
            handler.close_connection = True
            return True
        return False

    remote.misbehave = hang
    command = [sys.executable, "-c", SCRIPT.replace("FAILS", str(how is None))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
        time.sleep(1.0)  # so that an upload is under way
        if how is not None:
            process.send_signal(how)
        _, said = process.communicate(timeout=15)  # it would be 20 s and more
    connection = sqlite3.connect(home / "projects/ws/p/runs/r.sqlite")
    (status,) = connection.execute("SELECT value FROM run_meta WHERE key = 'status'").fetchone()
    (kept,) = connection.execute(
        "SELECT count(*) FROM metric_points WHERE uploaded = 0 AND series_id = "
        "(SELECT id FROM metric_series WHERE path = 'loss')"
    ).fetchone()
    connection.close()

    assert (-how if how is not None else 1) == process.returncode
    assert "failed" == status
    assert kept > 100
    assert "goodseed upload -p ws/p --run-id r" in said
