"""Marks runs that are being written: an OS lock on a file beside the run, released when its process dies."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from goodseed.errors import RunInUseError

if TYPE_CHECKING:
    from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

__all__ = ["WriterLock", "heard_seconds", "is_locked"]

# A reader that asks whether a writer lives holds a shared lock for microseconds: try again that long.
_ACQUIRE_SECONDS: Final = 0.5
_DROP_SECONDS: Final = 0.03
_MOST_AHEAD_SECONDS: Final = 86_400.0  # of another machine's clock


class WriterLock:
    """Held by the one process that writes a run.

    A forked child must call `abandon`: the lock belongs to an open file, which fork shares.
    """

    __slots__ = ("__weakref__", "_descriptor", "_path", "found_seconds")

    found_seconds: float
    """The last sign of life of the previous holder, in seconds since the epoch; 0.0 without one."""

    def __init__(self, path: Path) -> None:
        """Take the lock at ``path``.

        Raises:
            RunInUseError: A live process holds it.
            OSError: The file can't be made.
        """
        self._path: Final = path
        deadline = time.monotonic() + _ACQUIRE_SECONDS
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            if _lock(descriptor, exclusive=True):
                if _is_same_file(descriptor, path):
                    break
                os.close(descriptor)  # its holder removed it between our open and our lock
                continue
            holder = _holder(descriptor)
            os.close(descriptor)
            if time.monotonic() >= deadline:
                raise RunInUseError(f"The run {path.name.split('.sqlite')[0]!r} is being written by {holder}.")
            time.sleep(0.01)
        self._descriptor: int | None = descriptor
        self.found_seconds = _heard_seconds(descriptor)
        with contextlib.suppress(OSError):  # a full disk: the lock itself needs no room, and who holds it stays unknown
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {_host()}\n".encode(), 0)

    def beat(self) -> None:
        """Store that this process is alive now, for the process that finds the lock after a crash."""
        if self._descriptor is not None:
            start = len(f"{os.getpid()} {_host()}\n".encode())
            with contextlib.suppress(OSError):  # a full disk
                os.pwrite(self._descriptor, f"{time.time():.3f}\n".encode(), start)

    def release(self) -> None:
        """Remove the lock file and drop the lock."""
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):  # the directory was removed
            if _is_same_file(self._descriptor, self._path):
                self._path.unlink()
        self.abandon()

    def after_fork_in_child(self) -> None:
        """See `abandon`; for `goodseed.storage.forks.watch_forks`."""
        self.abandon()

    def abandon(self) -> None:
        """Close our handle and leave the file: in a forked child, the lock still belongs to the parent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def heard_seconds(path: Path) -> float:
    """When the holder of the lock at ``path`` was last heard of, in seconds since the epoch; 0.0 for never."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return 0.0
    try:
        return _heard_seconds(descriptor)
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether a live process holds the lock at ``path``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        return not _lock(descriptor, exclusive=False) and not _is_being_dropped(descriptor)
    finally:
        os.close(descriptor)


def _is_being_dropped(descriptor: int) -> bool:
    """Wait for the lock of a process that has just died: Linux drops it some milliseconds later."""
    pid, host = _pid_and_host(descriptor)
    if not pid or host != _host() or _is_alive(pid):
        return False
    deadline = time.monotonic() + _DROP_SECONDS
    while not _lock(descriptor, exclusive=False):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.001)
    return True


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # where signal 0 is no question
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _lock(descriptor: int, *, exclusive: bool) -> bool:
    try:
        if os.name == "nt":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks: one writer a run is then the user's to ensure
        return exclusive
    return True


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _host() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "this machine")


def _pid_and_host(descriptor: int) -> tuple[int, str]:
    try:
        first_line = os.pread(descriptor, 300, 0).decode(errors="replace").partition("\n")[0]
        pid, _, host = first_line.strip().partition(" ")
    except OSError:
        return 0, ""
    return (int(pid), host) if pid.isdecimal() and len(pid) < 10 else (0, "")


def _heard_seconds(descriptor: int) -> float:
    try:
        heard = float(os.pread(descriptor, 300, 0).decode(errors="replace").split("\n")[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return heard if 0.0 < heard < time.time() + _MOST_AHEAD_SECONDS else 0.0


def _holder(descriptor: int) -> str:
    pid, host = _pid_and_host(descriptor)
    return f"the live process {pid} on {host}" if pid else "another process"
