"""What a user sees of an upload on a terminal: a real one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest
from plain_server import PlainServer

pty = pytest.importorskip("pty")

SCRIPT = """
import goodseed
run = goodseed.Run(project="ws/p", run_id="r", capture_stdout=False, capture_stderr=False, git_ref=False,
                   capture_hardware_metrics=False, capture_traceback=False)
for step in range(1000):
    run.log_metrics({"loss": 1.0}, step=step)
run.close()
"""


def on_terminal(*command: str) -> tuple[int, str]:
    """The exit status of a command, and what it writes to stderr, which is a terminal."""
    ours, its = pty.openpty()
    with subprocess.Popen([sys.executable, *command], stderr=its, stdout=subprocess.DEVNULL) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    return process.returncode, shown.decode()


@pytest.mark.parametrize("seconds", [0.0, 3.0])
def test_bar_of_a_close(remote: PlainServer, seconds: float) -> None:
    """A close whose upload takes over two seconds shows a bar, and takes it away; a quick one shows nothing."""

    def slow(handler: Any, path: str) -> bool:
        if path.endswith("ingest"):
            time.sleep(seconds)  # the remote is slow
        return False

    remote.misbehave = slow
    status, shown = on_terminal("-c", SCRIPT)

    assert 0 == status
    assert (seconds > 0) == ("Uploading" in shown)
    assert shown == "" or shown.endswith("\r\x1b[K")
    assert 1000 == remote.rows("SELECT count(*) FROM point")[0][0]
