"""Runs Python with a terminal for its messages."""

from __future__ import annotations

import os
import subprocess
import sys


def on_terminal(*command: str) -> tuple[int, str]:
    """The exit status of a command, and what it writes to stderr, which is a terminal."""
    import pty  # Windows has none

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
