"""What a user sees of an upload on a terminal: a real one."""

from __future__ import annotations

import time
from typing import Any

import pytest
from plain_server import PlainServer
from terminals import on_terminal

pytest.importorskip("pty")

SCRIPT = """
import goodseed
run = goodseed.Run(project="ws/p", run_id="r", capture_stdout=False, capture_stderr=False, git_ref=False,
                   capture_hardware_metrics=False, capture_traceback=False)
for step in range(1000):
    run.log_metrics({"loss": 1.0}, step=step)
run.close()
"""


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
