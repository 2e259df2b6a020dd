"""Finds the run files under a directory, and which of them have changed since the last look."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

from goodseed.errors import InvalidValueError
from goodseed.paths import INBOX_SUFFIX, LOCK_SUFFIX, RUN_SUFFIX, check_run_id
from goodseed.storage.cache.token import LOG_SUFFIX, SETTLED_NS, state_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FoundRun", "Scan", "Scanner", "scan"]

_RUNS: Final = "runs"
_WHOLE_SECONDS: Final = 30.0  # between two looks at each file: one that was written over in place shows in no directory
_WHOLE_SHARE: Final = 0.005  # of the time may go into those


@dataclass(slots=True)
class FoundRun:
    """A file that may be a run.

    Attributes:
        relative_path: From the root, with ``/`` between the parts.
        token: Its state, see `goodseed.storage.cache.token.FileState`.
        is_settled: An equal token means an equal content.
        is_at_rest: Nobody writes it: to begin, a writer makes a file beside it.
    """

    relative_path: str
    token: str
    is_settled: bool
    is_at_rest: bool

    @property
    def project(self) -> str | None:
        """The project that its place names; None outside of a ``runs`` directory."""
        *parts, directory = self.relative_path.split("/")[:-1] or [""]
        return "/".join(parts) if directory == _RUNS and parts else None


@dataclass(slots=True)
class _Directory:
    """One directory as it was when it was last listed."""

    token: tuple[int, int] | None = None  # of its own time; None where that was too young to be relied upon
    directories: list[str] = field(default_factory=list)
    runs: dict[str, FoundRun] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    restless: list[str] = field(default_factory=list)  # the runs that may change without a change of the directory


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies under a directory.

    Attributes:
        runs: Each file that may be a run, by its path from the root.
        problems: Why something that is named like a run, or a directory, was left out, by its path from the root.
        changed: The runs that are new, or may have changed, since the look before.
        removed: Those that are gone since.
    """

    runs: dict[str, FoundRun]
    problems: dict[str, str]
    changed: set[str]
    removed: set[str]


def scan(root: Path) -> Scan:
    """Look through ``root`` and what is below it once; see `Scanner.look`."""
    return Scanner(root).look()


@final
class Scanner:
    """Looks through a directory again and again, at the cost of what may have changed.

    A directory's time says whether files were made or removed in it, which beginning and ending to write a run do, as
    does any other program that writes a run through SQLite. Where it has not changed, only the runs are looked at that
    were being written, or had just been. A file that is written over in place, as ``cp`` does, shows in neither: every
    half a minute, or less often where that takes long, each file is looked at.
    """

    def __init__(self, root: Path) -> None:
        """Nothing is looked at yet."""
        self._root: Final = str(root)
        self._known: dict[str, _Directory] = {}
        self._runs: Final[dict[str, FoundRun]] = {}
        self._whole_at = 0.0

    def look(self) -> Scan:
        """Look through the directory and what is below it; nothing is opened, and no symbolic link is followed.

        What starts with a dot is left out. A directory that does not exist holds nothing.
        """
        started_at = time.monotonic()
        is_whole = started_at >= self._whole_at
        found: dict[str, _Directory] = {}
        changed: set[str] = set()
        removed: set[str] = set()
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            before = self._known.get(prefix)
            token = _time_of(os.path.join(self._root, prefix))
            if before is not None and not is_whole and token is not None and token == before.token:
                directory = before
                self._look_again(prefix, directory, changed)
            else:
                directory = self._list(prefix, token)
                known = {} if before is None else before.runs
                changed |= {path for path, run in directory.runs.items() if _may_differ(known.get(path), run)}
                removed |= known.keys() - directory.runs.keys()
                self._runs.update(directory.runs)
            found[prefix] = directory
            waiting += directory.directories
        for prefix in self._known.keys() - found.keys():
            removed |= self._known[prefix].runs.keys()
        self._known = found
        for path in removed:
            self._runs.pop(path, None)
        if is_whole:
            took = time.monotonic() - started_at
            self._whole_at = started_at + max(_WHOLE_SECONDS, took / _WHOLE_SHARE)
        problems = {path: why for directory in found.values() for path, why in directory.problems.items()}
        return Scan(self._runs, problems, changed, removed)

    def _list(self, prefix: str, token: tuple[int, int] | None) -> _Directory:
        directory = _Directory(token)
        files = {}
        try:
            with os.scandir(os.path.join(self._root, prefix)) as listing:
                for entry in listing:
                    name = entry.name
                    if name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        directory.directories.append(f"{prefix}{name}/")
                        if name.endswith(RUN_SUFFIX) and prefix.endswith(f"{_RUNS}/"):
                            directory.problems[prefix + name] = "is a directory, and no run"
                    else:
                        files[name] = entry
        except FileNotFoundError:
            return _Directory()  # there is no root, or the directory was removed
        except OSError as error:
            return _Directory(problems={prefix.rstrip("/"): f"can't be looked into: {error.strerror}"})
        _look_at_files(prefix, files, directory)
        directory.restless = [path for path, run in directory.runs.items() if _is_restless(run)]
        return directory

    def _look_again(self, prefix: str, directory: _Directory, changed: set[str]) -> None:
        if not directory.restless:
            return
        now_ns = time.time_ns()
        for path in directory.restless:
            try:
                run = _found(path, os.path.join(self._root, path), now_ns)
            except OSError:
                continue  # just being closed, or removed: the next look has it
            if _may_differ(directory.runs[path], run):
                changed.add(path)
            self._runs[path] = directory.runs[path] = run
        directory.restless = [path for path in directory.restless if _is_restless(directory.runs[path])]


def _is_restless(run: FoundRun) -> bool:
    return not run.is_at_rest or not run.is_settled


def _may_differ(before: FoundRun | None, now: FoundRun) -> bool:
    return before is None or before.token != now.token or not before.is_settled


def _time_of(directory: str) -> tuple[int, int] | None:
    """The directory's own time; None where it can't be relied upon: it is gone, or has changed just now."""
    try:
        found = os.stat(directory)
    except OSError:
        return None
    is_settled = time.time_ns() - found.st_mtime_ns > SETTLED_NS
    return (found.st_mtime_ns, found.st_ino) if is_settled else None


def _found(path: str, place: str, now_ns: int) -> FoundRun:
    state = state_of(
        os.stat(place, follow_symlinks=False),
        _stat(place + LOG_SUFFIX),
        _stat(place + INBOX_SUFFIX),
        now_ns,
        has_lock=_stat(place + LOCK_SUFFIX) is not None,
    )
    return FoundRun(path, state.token, state.is_settled, state.is_at_rest)


def _stat(place: str) -> os.stat_result | None:
    try:
        return os.stat(place, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _look_at_files(prefix: str, files: dict[str, os.DirEntry[str]], directory: _Directory) -> None:
    now_ns = time.time_ns()
    for name, entry in files.items():
        if not name.endswith(RUN_SUFFIX):
            continue
        path = prefix + name
        try:
            found = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                kind = "a symbolic link, which is not followed" if entry.is_symlink() else "not a regular file"
                directory.problems[path] = f"is {kind}"
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
            directory.token = None  # removed since, or just being closed: the next look has it
            continue
        except InvalidValueError:
            directory.problems[path] = "has a name that can be no run id; rename it"
            continue
        directory.runs[path] = FoundRun(path, state.token, state.is_settled, state.is_at_rest)
