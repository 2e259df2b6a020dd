"""Reads facts about a repository with git, and makes configs of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from goodseed.masking import without_credentials
from goodseed.source_code.git import Git

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["collect", "collect_parts"]

_DEADLINE_SECONDS: Final = 5.0


def collect(root: Path, *, deadline_seconds: float = _DEADLINE_SECONDS) -> Mapping[str, object]:
    """Return the facts about the repository at ``root`` by attribute path; what git can't read is left out.

    Args:
        root: The directory that holds ``.git``, or a bare repository.
        deadline_seconds: For all of it together.
    """
    facts: dict[str, object] = {}
    for part in collect_parts(root, deadline_seconds=deadline_seconds):
        facts |= part
    return facts


def collect_parts(root: Path, *, deadline_seconds: float = _DEADLINE_SECONDS) -> Iterator[Mapping[str, object]]:
    """Yield what `collect` returns, the quick facts first: diffs may use up all the time that is left."""
    git = Git(root, time.monotonic() + deadline_seconds)
    head = git.text("rev-parse", "--verify", "--quiet", "HEAD")
    upstream = git.text("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
    base = git.text("merge-base", "HEAD", "@{upstream}") if upstream else None
    yield {
        f"source_code/git/{name}": value
        for name, value in (
            ("repository_path", str(root)),
            ("commit_id", head),
            *zip(("commit_message", "commit_author", "commit_date"), _commit(git, head), strict=False),
            ("current_branch", git.text("symbolic-ref", "--short", "--quiet", "HEAD")),
            ("remotes", _remotes(git)),
            ("upstream_branch", upstream if base else None),
            ("upstream_commit_id", base),
        )
        if value is not None
    }
    if head:
        is_dirty = git.differs("HEAD")
        if is_dirty is not None:
            yield {"source_code/git/dirty": is_dirty}
        diffs = [git.diff("HEAD"), *git.submodule_diffs()]
        yield from _stored("source_code/diff", "".join(diff for diff in diffs if diff))
    if base and base != head:
        yield from _stored(f"source_code/diff_upstream_{base}", git.diff(base))


def _commit(git: Git, commit: str | None) -> list[str]:
    """The first line of its message, its author's name and its date."""
    if commit is None:
        return []
    shown = git.text("show", "-s", "--no-show-signature", "--no-color", "--format=%s%x00%an%x00%cI", commit)
    return shown.split("\0") if shown else []


def _stored(path: str, diff: str | None) -> Iterator[Mapping[str, object]]:
    if diff and diff.strip():
        yield {path: diff}


def _remotes(git: Git) -> str | None:
    """A line for each remote."""
    listed = git.text("config", "-z", "--get-regexp", r"^remote\..*\.url$")
    return "\n".join(_remote(entry) for entry in listed.strip("\0").split("\0")) if listed else None


def _remote(entry: str) -> str:
    """``remote.<name>.url``, a line feed and an address as name and address, without passwords and tokens."""
    key, _, address = entry.partition("\n")
    name = key.removeprefix("remote.").removesuffix(".url")
    return f"{name}\t{without_credentials(address)}"
