"""Which code a run ran: facts of its git repository, and what was changed in it and not committed.

The repository is hostile here: nothing that its configuration names is ever executed, and git gets a deadline and a
limit.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from goodseed.sink import Sink

__all__ = ["GitRef", "SourceCode", "collect"]

_logger: Final = logging.getLogger("goodseed")
_DEADLINE_SECONDS: Final = 10.0
_MAX_DIFF_BYTES: Final = 4 << 20
_MAX_FACT_BYTES: Final = 64 << 10

# What keeps a plain ``git diff`` from running programs: filters are listed and switched off one by one besides.
_SAFE_CONFIG: Final = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.sshCommand": "false",
    "core.gitProxy": "",
    "credential.helper": "",
    "diff.external": "",
    "diff.submodule": "short",
    "diff.ignoreSubmodules": "dirty",
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


class GitRef:
    """Where a run's source code is.

    Args:
        repository_path: A directory in the git repository; None for the working directory, else the script's.
    """

    DISABLED: ClassVar[GitRef]

    def __init__(self, repository_path: str | os.PathLike[str] | None = None) -> None:
        self.repository_path: Final = None if repository_path is None else Path(repository_path)

    def __repr__(self) -> str:
        return "GitRef.DISABLED" if self is GitRef.DISABLED else f"GitRef({str(self.repository_path or '.')!r})"


GitRef.DISABLED = GitRef()


class SourceCode:
    """Stores the facts of a run's source code, in a thread of its own."""

    def __init__(self, sink: Sink, git_ref: GitRef | bool | None) -> None:
        """Prepare.

        Args:
            sink: Takes the facts, under ``source_code/``.
            git_ref: Where the repository is; False or `GitRef.DISABLED` for no facts.
        """
        self._sink: Final = sink
        self._is_wanted: Final = git_ref is not False and git_ref is not GitRef.DISABLED
        self._ref: Final = git_ref if isinstance(git_ref, GitRef) else GitRef()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        if not self._is_wanted:
            return
        script = getattr(sys.modules.get("__main__"), "__file__", None)
        if script:
            self._sink.log_configs({"source_code/entrypoint": os.path.abspath(script)})
        root = _find_repository(self._ref, script)
        if root is not None:
            self._thread = threading.Thread(
                target=self._collect, args=(root,), name="goodseed-source-code", daemon=True
            )
            self._thread.start()

    def _collect(self, root: Path) -> None:
        try:
            self._sink.log_configs(collect(root))
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            _logger.warning("goodseed: the git facts of %s could not be read: %s", root, error)

    def stop(self, timeout_seconds: float) -> None:
        """Wait for the facts, at most that long."""
        if self._thread is not None:
            self._thread.join(timeout_seconds)
            self._thread = None


def _find_repository(ref: GitRef, script: str | None) -> Path | None:
    starts = [ref.repository_path] if ref.repository_path is not None else [Path.cwd()]
    if ref.repository_path is None and script:
        starts.append(Path(script).parent)
    for start in starts:
        absolute = Path(os.path.abspath(os.path.expanduser(start)))
        for directory in (absolute, *absolute.parents):
            if (directory / ".git").exists():
                return directory
    return None


def collect(root: Path, *, deadline_seconds: float = _DEADLINE_SECONDS) -> Mapping[str, object]:
    """Return what git tells of the repository at ``root``, by attribute path; what it does not tell is left out.

    Args:
        root: The directory that holds ``.git``.
        deadline_seconds: For all of it together.
    """
    git = _Git(root, time.monotonic() + deadline_seconds)
    facts: dict[str, object] = {"source_code/git/repository_path": str(root)}
    head = git.text("rev-parse", "--verify", "--quiet", "HEAD")
    if head:
        facts["source_code/git/commit_id"] = head
        names = ("commit_message", "commit_author", "commit_date")
        shown = git.text("show", "-s", "--no-show-signature", "--no-color", "--format=%s%x00%an%x00%cI", head) or ""
        facts |= {f"source_code/git/{name}": value for name, value in zip(names, shown.split("\0"), strict=False)}
        diff = git.output(*_DIFF, "HEAD", limit_bytes=_MAX_DIFF_BYTES)
        if diff is not None:
            facts["source_code/git/dirty"] = bool(diff.strip())
            if diff.strip():
                facts["source_code/diff"] = diff
    branch = git.text("symbolic-ref", "--short", "--quiet", "HEAD")
    if branch:
        facts["source_code/git/current_branch"] = branch
    remotes = git.text("config", "--get-regexp", r"^remote\..*\.url$")
    if remotes:
        facts["source_code/git/remotes"] = "\n".join(_remote(line) for line in remotes.splitlines())
    facts |= _upstream(git, head)
    return facts


def _upstream(git: _Git, head: str | None) -> dict[str, object]:
    """What has been changed since the commit that the upstream branch has too."""
    upstream = git.text("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
    base = git.text("merge-base", "HEAD", "@{upstream}") if upstream else None
    if not base:
        return {}
    facts: dict[str, object] = {
        "source_code/git/upstream_branch": upstream,
        "source_code/git/upstream_commit_id": base,
    }
    if base != head:
        diff = git.output(*_DIFF, base, limit_bytes=_MAX_DIFF_BYTES)
        if diff and diff.strip():
            facts[f"source_code/diff_upstream_{base}"] = diff
    return facts


def _remote(line: str) -> str:
    """``remote.<name>.url <address>`` as name and address, without whatever may be a password or a token."""
    key, _, address = line.partition(" ")
    name = key.removeprefix("remote.").removesuffix(".url")
    # The greedy part takes all up to the last @ before the path: a password may hold an @ itself.
    without_user = re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*(?:::[^/]*)?://)[^/]*@", r"\1", address)
    without_user = re.sub(r"^[^/@:]+:[^/@]*@(?=[^/]+:)", "", without_user)
    return f"{name}\t{re.sub(r'[?#].*$', '', without_user)}"


class _Git:
    """Runs git so that it runs nothing else."""

    def __init__(self, root: Path, deadline: float) -> None:
        self._root: Final = root
        self._deadline: Final = deadline
        # Variables such as GIT_DIR or GIT_EXTERNAL_DIFF would point git elsewhere, or make it run something.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        self._environment: dict[str, str] = {**inherited, **_SAFE_ENVIRONMENT, **_config_variables(_SAFE_CONFIG)}
        self._environment |= _config_variables({**_SAFE_CONFIG, **self._filters()})

    def _filters(self) -> dict[str, str]:
        """The clean filters that the repository or the user names, to be switched off."""
        listed = self.output("config", "-z", "--name-only", "--get-regexp", r"^filter\.", limit_bytes=_MAX_FACT_BYTES)
        off: dict[str, str] = {}
        for key in (listed or "").split("\0"):
            driver, _, variable = key.rpartition(".")
            if variable in ("clean", "smudge", "process", "required"):
                off |= {f"{driver}.clean": "", f"{driver}.process": "", f"{driver}.required": "false"}
        return off

    def text(self, *arguments: str) -> str | None:
        """The stripped output of a git command; None where it fails or says nothing."""
        output = self.output(*arguments, limit_bytes=_MAX_FACT_BYTES)
        return output.strip() or None if output is not None else None

    def output(self, *arguments: str, limit_bytes: int) -> str | None:
        """The output of a git command, cut at ``limit_bytes`` with a note; None where it fails or takes too long."""
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            return None
        try:
            process = subprocess.Popen(
                ["git", "--no-pager", "--no-replace-objects", *arguments],
                cwd=self._root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:  # no git on this machine
            return None
        timer = threading.Timer(remaining, process.kill)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdout is not None
            with process.stdout as stream:
                content = stream.read(limit_bytes + 1)
            is_cut = len(content) > limit_bytes
            if is_cut:
                process.kill()
            status = process.wait()
        finally:
            timer.cancel()
        if is_cut:
            return f"{content[:limit_bytes].decode(errors='replace')}\n[goodseed: cut at {limit_bytes >> 20} MiB]\n"
        return content.decode(errors="replace") if status == 0 else None


def _config_variables(config: Mapping[str, str]) -> dict[str, str]:
    """Git's way of passing configuration that has the last word."""
    variables = {"GIT_CONFIG_COUNT": str(len(config))}
    pairs: Sequence[tuple[str, str]] = list(config.items())
    for index, (key, value) in enumerate(pairs):
        variables |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return variables
