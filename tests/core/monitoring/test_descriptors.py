"""Capture of file descriptors, in processes of their own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors are captured on POSIX only")


def test_child_processes_and_c_libraries_are_captured(run_monitored: Callable[[str], Any]) -> None:
    """What anybody writes to descriptors 1 and 2 is stored and passed on, each line once."""
    seen = run_monitored(
        """
import ctypes, subprocess
m = monitor(capture_fd=True)
print("python", flush=True)
subprocess.run([sys.executable, "-c", "import sys; print('child'); print('child error', file=sys.stderr)"])
os.write(1, b"raw\\n")
m.stop()
print("after")
sink.save()
"""
    )

    assert seen.stored["lines"] == {"stdout": ["python", "child", "raw"], "stderr": ["child error"]}
    assert seen.stdout == "python\nchild\nraw\nafter\n"
    assert seen.stderr == "child error\n"


def test_text_that_python_still_buffers_is_stored(run_monitored: Callable[[str], Any]) -> None:
    """Lines that wait in Python's buffer are captured at the end, those from before the start are not."""
    seen = run_monitored(
        """
print("before")
m = monitor(capture_fd=True)
print("during")
m.stop()
sink.save()
"""
    )

    assert seen.stored["lines"] == {"stdout": ["during"]}
    assert seen.stdout == "before\nduring\n"


def test_two_runs_share_the_descriptors(run_monitored: Callable[[str], Any]) -> None:
    """Each run stores what was written while it was open, and the last one restores the descriptors."""
    seen = run_monitored(
        """
a = monitor(capture_fd=True, namespace="m/a", stderr=False)
os.write(1, b"1\\n")
lines = {}
a.flush()
b = monitor(capture_fd=True, namespace="m/b", stdout=False)
os.write(2, b"2\\n")
a.stop()
os.write(1, b"3\\n")
b.stop()
sink.save()
"""
    )

    assert seen.stored["lines"] == {"stdout": ["1"], "stderr": ["2"]}
    assert seen.stdout == "1\n3\n"


def test_a_child_that_outlives_the_capture_still_writes(run_monitored: Callable[[str], Any]) -> None:
    """A process that holds the pipe after the end is passed through, and the end does not wait for it."""
    seen = run_monitored(
        """
import subprocess
m = monitor(capture_fd=True)
child = subprocess.Popen([sys.executable, "-c", "input(); print('late')"], stdin=subprocess.PIPE)
m.stop()
child.communicate(b"\\n")
sink.save()
import time
time.sleep(0.1)
"""
    )

    assert seen.stored["lines"] == {}
    assert seen.stdout == "late\n"


def test_a_forked_child_writes_to_the_terminal(run_monitored: Callable[[str], Any]) -> None:
    """The prints of a forked child pass by the parent's pipe."""
    seen = run_monitored(
        """
m = monitor(capture_fd=True)
pid = os.fork()
if pid == 0:
    print("child", flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print("parent")
m.stop()
sink.save()
"""
    )

    assert seen.stored["lines"]["stdout"] == ["parent"]
    assert sorted(seen.stdout.split()) == ["child", "parent"]


def test_a_terminal_stays_a_terminal(run_monitored: Callable[[str], Any]) -> None:
    """Where the descriptor was a terminal, child processes still see one, and it shows the same bytes."""
    seen = run_monitored(
        """
import pty
shown, screen = pty.openpty()
os.dup2(screen, 1)
m = monitor(capture_fd=True)
os.system(f"{sys.executable} -c 'import os; print(os.isatty(1))'")
m.stop()
sink.save()
sys.stderr.write(repr(os.read(shown, 100)))
"""
    )

    assert seen.stored["lines"] == {"stdout": ["True"]}
    assert seen.stderr == repr(b"True\r\n")


def test_a_file_put_there_meanwhile_is_kept(run_monitored: Callable[[str], Any]) -> None:
    """A descriptor that somebody has pointed elsewhere is not pointed back."""
    seen = run_monitored(
        """
m = monitor(capture_fd=True)
os.dup2(os.open(os.environ["SEEN"] + ".log", os.O_CREAT | os.O_RDWR), 1)
m.stop()
os.write(1, b"kept")
os.lseek(1, 0, 0)
sys.stderr.write(os.read(1, 10).decode())
sink.save()
"""
    )

    assert (seen.stdout, seen.stderr) == ("", "kept")
