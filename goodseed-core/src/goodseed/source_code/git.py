"""Runs git in a repository that may be hostile: nothing that its configuration names is executed.

Git gets a deadline and a limit, no network, no input, and no say of the repository's in where its files are.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Git"]

_MAX_DIFF_BYTES: Final = 4 << 20
_MAX_FACT_BYTES: Final = 64 << 10
_CHUNK_BYTES: Final = 1 << 20
_MAX_INDEX_BYTES: Final = 64 << 20
_MAX_DEPTH: Final = 4

# What keeps a plain ``git diff`` from running programs: filters are listed and switched off one by one besides.
_SAFE_CONFIG: Final = {
    "core.bigFileThreshold": "16m",  # a larger file is reported as different, and is not read into memory
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.sshCommand": "false",
    "core.gitProxy": "",
    "credential.helper": "",
    "diff.external": "",
    "diff.submodule": "short",
    "diff.ignoreSubmodules": "dirty",
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "protocol.allow": "never",
}
_SAFE_ENVIRONMENT: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_SSH_COMMAND": "false",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}
_DIFF: Final = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=dirty")


@dataclass(frozen=True, slots=True)
class _Output:
    """The output of a git command."""

    content: bytes
    status: int
    missing_bytes: int  # the output beyond the limit, as far as it was read

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    @property
    def is_whole(self) -> bool:
        return self.status == 0 and self.missing_bytes == 0


class Git:
    """Runs git so that it runs nothing else."""

    def __init__(self, root: Path, deadline: float, depth: int = 0) -> None:
        """Look for git, and for the settings to switch off.

        Args:
            root: The repository.
            deadline: When to give up, on the monotonic clock.
            depth: In how many others it is a submodule.
        """
        self._root: Final = root
        self._depth: Final = depth
        self._deadline: Final = deadline
        found = shutil.which("git")
        # A relative one, from a relative entry of PATH, would be looked for in the repository.
        self._program: Final = found if found and os.path.isabs(found) else None
        # Variables such as GIT_DIR or GIT_EXTERNAL_DIFF would point git elsewhere, or make it run something.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        self._environment: Final = {**inherited, **_SAFE_ENVIRONMENT}
        if os.path.exists(root / ".git"):
            # Else core.worktree of a repository could name another directory, whose files the diff would show.
            self._environment["GIT_WORK_TREE"] = str(root)
        self._config = dict(_SAFE_CONFIG)
        filters = self._filters()
        self._may_diff: Final = filters is not None
        self._config |= filters or {}

    def _filters(self) -> dict[str, str] | None:
        """What switches off the filters that are configured; None where they can't all be switched off."""
        listed = self._run(("config", "-z", "--name-only", "--get-regexp", r"^filter\."), _MAX_FACT_BYTES)
        if listed is None or not (listed.is_whole or listed.status == 1):  # 1: there are none
            return None
        off: dict[str, str] = {}
        for key in os.fsdecode(listed.content).split("\0"):
            driver, _, variable = key.rpartition(".")
            if variable in ("clean", "smudge", "process", "required"):
                if "=" in driver:  # git takes what follows it for the value
                    return None
                off |= {f"{driver}.clean": "", f"{driver}.process": "", f"{driver}.required": "false"}
        return off

    def text(self, *arguments: str) -> str | None:
        """The stripped output of a git command; None where it fails, says nothing or says too much."""
        output = self._run(arguments, _MAX_FACT_BYTES)
        return output.text.strip() or None if output is not None and output.is_whole else None

    def differs(self, commit: str) -> bool | None:
        """Whether anything differs from a commit, in submodules too; None where it is unknown, or unsafe to ask."""
        output = self._run((*_DIFF, "--quiet", commit), _MAX_FACT_BYTES) if self._may_diff else None
        if output is None or output.status not in (0, 1):
            return None
        if output.status:
            return True
        answers = [None if git is None else git.differs("HEAD") for _, git in self._submodules]
        return True if True in answers else None if None in answers else False

    @cached_property
    def _submodules(self) -> list[tuple[str, Git | None]]:
        """The submodules that are checked out, by path; None for one that is unsafe to look into.

        Git itself would look into them with their own configuration, which may name programs.
        """
        if self._depth >= _MAX_DEPTH:
            return [("", None)]
        listed = self._run(("ls-files", "--stage", "-z"), _MAX_INDEX_BYTES)
        if listed is None or not listed.is_whole:
            return [("", None)]
        entries = [entry.partition("\t") for entry in os.fsdecode(listed.content).split("\0")]
        paths = [path for head, _, path in entries if head.startswith("160000 ")]
        found = [path for path in paths if os.path.exists(self._root / path / ".git")]
        return [(path, self._submodule(path)) for path in found]

    def _submodule(self, path: str) -> Git | None:
        root = self._root / path
        own = os.path.realpath(self._root)
        git = Git(root, self._deadline, self._depth + 1)
        directory = git.text("rev-parse", "--absolute-git-dir")
        common = self.text("rev-parse", "--path-format=absolute", "--git-common-dir")
        # Else a hostile repository could have the objects of any other shown.
        places = [os.path.realpath(place) + os.sep for place in (own, common) if place]
        is_inside = os.path.realpath(root).startswith(own + os.sep)
        is_own = directory is not None and os.path.realpath(directory).startswith(tuple(places))
        return git if is_inside and is_own else None

    def diff(self, commit: str) -> str | None:
        """What differs from a commit, cut at 4 MiB with a note; None where that is unknown, or unsafe to ask."""
        return self._diff((*_DIFF, commit))

    def submodule_diffs(self, prefix: str = "") -> Iterator[str]:
        """What differs in each submodule from the commit that is checked out there, with paths from the top."""
        for path, git in self._submodules:
            place = f"{prefix}{path}/"
            if git is not None:
                diff = git._diff((*_DIFF, f"--src-prefix=a/{place}", f"--dst-prefix=b/{place}", "HEAD"))
                if diff:
                    yield diff
                yield from git.submodule_diffs(place)

    def _diff(self, command: tuple[str, ...]) -> str | None:
        output = self._run(command, _MAX_DIFF_BYTES) if self._may_diff else None
        if output is None or output.is_whole:
            return None if output is None else output.text
        if not output.missing_bytes:
            return None
        at_least = "" if output.status == 0 else "at least "
        size = f"{_MAX_DIFF_BYTES >> 20} MiB, {at_least}{output.missing_bytes:,} bytes are missing"
        return f"{output.text}\n[goodseed: cut at {size}]\n"

    def _run(self, arguments: tuple[str, ...], limit_bytes: int) -> _Output | None:
        """Run a git command; None where there is no git or no time left."""
        if self._program is None or time.monotonic() >= self._deadline:
            return None
        # On the command line and not in GIT_CONFIG_COUNT, which git before 2.31 does not know.
        config = [word for key, value in self._config.items() for word in ("-c", f"{key}={value}")]
        try:
            process = subprocess.Popen(
                [self._program, *config, "--no-pager", "--no-replace-objects", *arguments],
                cwd=self._root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:  # it can't be run, or the directory is gone
            return None
        try:
            content, missing_bytes = self._read(process, limit_bytes)
        finally:
            process.kill()  # it has ended, or the deadline has passed
            process.wait()
        return _Output(content, process.returncode, missing_bytes)

    def _read(self, process: subprocess.Popen[bytes], limit_bytes: int) -> tuple[bytes, int]:
        """What a process says, up to the limit or the deadline, and how many bytes there were beyond the limit."""
        content, missing_bytes = bytearray(), 0
        assert process.stdout is not None
        with process.stdout as stream, selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while selector.select(max(0.0, self._deadline - time.monotonic())):
                chunk = os.read(stream.fileno(), _CHUNK_BYTES)
                if not chunk:
                    self._await_end(process)
                    break
                kept = chunk[: limit_bytes - len(content)]
                content += kept
                missing_bytes += len(chunk) - len(kept)
        return bytes(content), missing_bytes

    def _await_end(self, process: subprocess.Popen[bytes]) -> None:
        """Let a process whose output is complete exit, so that its status tells whether it succeeded."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, self._deadline - time.monotonic()))
