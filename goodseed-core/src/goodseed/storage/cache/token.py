"""Tells whether a run's files are unchanged since an earlier look: the one token that everything kept is kept with."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.paths import INBOX_SUFFIX, LOCK_SUFFIX

if TYPE_CHECKING:
    from goodseed.paths import RunFiles

__all__ = ["LOG_SUFFIX", "SETTLED_NS", "FileState", "file_token", "rest_token", "settled_token", "state_of"]

LOG_SUFFIX: Final = "-wal"
# A file may change again within the resolution of its time, two seconds on the coarsest of file systems.
SETTLED_NS: Final = 2_000_000_000


class FileState(NamedTuple):
    """What the file system says of a run.

    Attributes:
        token: Another text once the file, its write-ahead log, its lock or its inbox is another.
        is_settled: An equal token means an equal content: the last change was not just now.
        is_at_rest: No process writes the run, and all of it is in the file.
    """

    token: str
    is_settled: bool
    is_at_rest: bool


def state_of(
    database: os.stat_result,
    log: os.stat_result | None,
    inbox: os.stat_result | None,
    now_ns: int,
    *,
    has_lock: bool,
) -> FileState:
    """The state of a run.

    Args:
        database: What the file system says of the file.
        log: What it says of the write-ahead log; None where there is none, as of the ``inbox``.
        inbox: What it says of the inbox.
        now_ns: The time, in nanoseconds since the epoch.
        has_lock: There is a lock file.
    """
    changed_ns = database.st_mtime_ns
    token = f"{changed_ns} {database.st_size} {database.st_ino}"
    is_at_rest = not has_lock
    if log is not None and log.st_size:  # an empty one says nothing
        is_at_rest = False
        changed_ns = max(changed_ns, log.st_mtime_ns)
        token += f" {log.st_mtime_ns} {log.st_size}"
    if has_lock:
        token += LOCK_SUFFIX
    if inbox is not None:  # it changes, and the file does not, where there is no room to store it
        is_at_rest = False
        token += f"{INBOX_SUFFIX} {inbox.st_mtime_ns}"
    return FileState(token, now_ns - changed_ns > SETTLED_NS, is_at_rest)


def rest_token(files: RunFiles) -> str | None:
    """The token of a run at rest; None for one that is written, or may be, or was changed just now."""
    state = _look_at(files)
    return state.token if state is not None and state.is_at_rest and state.is_settled else None


def settled_token(files: RunFiles) -> str | None:
    """The token of any run that was not changed just now; None for one that was, or is gone."""
    state = _look_at(files)
    return state.token if state is not None and state.is_settled else None


def file_token(files: RunFiles) -> str:
    """The token of any run; empty where its file is gone."""
    state = _look_at(files)
    return "" if state is None else state.token


def _look_at(files: RunFiles) -> FileState | None:
    database = str(files.database)
    found = _stat(database)
    if found is None:
        return None
    log, inbox = _stat(database + LOG_SUFFIX), _stat(database + INBOX_SUFFIX)
    return state_of(found, log, inbox, time.time_ns(), has_lock=_stat(database + LOCK_SUFFIX) is not None)


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
