"""Finds the run files under a directory, and whether they have changed."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from goodseed.errors import InvalidValueError
from goodseed.paths import INBOX_SUFFIX, LOCK_SUFFIX, RUN_SUFFIX, check_run_id
from goodseed.storage.cache.token import LOG_SUFFIX, state_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FoundRun", "Scan", "scan"]

_RUNS: Final = "runs"


@dataclass(slots=True)
class FoundRun:
    """A file that may be a run.

    Attributes:
        relative_path: From the root, with ``/`` between the parts.
        token: Its state, see `goodseed.storage.cache.token.FileState`.
        is_settled: An equal token means an equal content.
    """

    relative_path: str
    token: str
    is_settled: bool

    @property
    def project(self) -> str | None:
        """The project that its place names; None outside of a ``runs`` directory."""
        *parts, directory = self.relative_path.split("/")[:-1] or [""]
        return "/".join(parts) if directory == _RUNS and parts else None


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies under a directory.

    Attributes:
        runs: Each file that may be a run, by its path from the root.
        problems: Why something that is named like a run, or a directory, was left out, by its path from the root.
    """

    runs: dict[str, FoundRun]
    problems: dict[str, str]


def scan(root: Path) -> Scan:
    """Look through ``root`` and what is below it; nothing is opened, and no symbolic link is followed.

    What starts with a dot is left out. A directory that does not exist holds nothing.
    """
    result = Scan({}, {})
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        files = {}
        try:
            with os.scandir(os.path.join(root, prefix)) as listing:
                for entry in listing:
                    name = entry.name
                    if name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{prefix}{name}/")
                        if name.endswith(RUN_SUFFIX) and prefix.endswith(f"{_RUNS}/"):
                            result.problems[prefix + name] = "is a directory, and no run"
                    else:
                        files[name] = entry
        except FileNotFoundError:
            continue  # there is no root, or the directory was removed
        except OSError as error:
            result.problems[prefix.rstrip("/")] = f"can't be looked into: {error.strerror}"
            continue
        _look_at_files(prefix, files, result)
    return result


def _look_at_files(prefix: str, files: dict[str, os.DirEntry[str]], result: Scan) -> None:
    now_ns = time.time_ns()
    for name, entry in files.items():
        if not name.endswith(RUN_SUFFIX):
            continue
        path = prefix + name
        try:
            found = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                kind = "a symbolic link, which is not followed" if entry.is_symlink() else "not a regular file"
                result.problems[path] = f"is {kind}"
                continue
            check_run_id(name.removesuffix(RUN_SUFFIX))
            log, inbox = files.get(name + LOG_SUFFIX), files.get(name + INBOX_SUFFIX)
            state = state_of(
                found,
                None if log is None else log.stat(follow_symlinks=False),
                None if inbox is None else inbox.stat(follow_symlinks=False),
                now_ns,
                has_lock=name + LOCK_SUFFIX in files,
            )
        except OSError:
            continue  # removed since, or just being closed: the next look has it
        except InvalidValueError:
            result.problems[path] = "has a name that can be no run id; rename it"
            continue
        result.runs[path] = FoundRun(path, state.token, state.is_settled)
