"""What a hostile git repository can't do: run commands, leak credentials, or leave its directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goodseed.source_code import collect

from .conftest import git


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("https://user:secret@example.com/x.git", "https://example.com/x.git"),
        ("https://secret@example.com/x.git", "https://example.com/x.git"),
        ("https://user:se@cret@example.com/x.git", "https://example.com/x.git"),
        ("https://example.com/x.git?token=secret#secret", "https://example.com/x.git"),
        ("ssh://git:secret@example.com:22/x.git", "ssh://example.com:22/x.git"),
        ("git@example.com:x.git", "git@example.com:x.git"),
        ("user:secret@example.com:x.git", "example.com:x.git"),
    ],
)
def test_no_credentials(repository: Path, address: str, stored: str) -> None:
    """Passwords and tokens in the addresses of remotes are not stored."""
    git(repository, "config", "remote.origin.url", address)
    facts = collect(repository)

    assert f"origin\t{stored}" == facts["source_code/git/remotes"]
    assert "secret" not in str(facts)


def test_no_credentials_behind_odd_names(repository: Path) -> None:
    """The name of a remote does not hide the password in its address."""
    git(repository, "config", "remote.a b.url", "https://user:secret@example.com/x.git")

    assert "a b\thttps://example.com/x.git" == collect(repository)["source_code/git/remotes"]


def test_nothing_that_the_repository_configures_is_executed(repository: Path, tmp_path: Path) -> None:
    """Filters, external diffs, textconv, fsmonitor, hooks, pagers and signature programs of a repository never run."""
    marker = tmp_path / "executed"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $0 $* >> {marker}\ncat\n")
    program.chmod(0o755)
    for key in (
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.command",
        "diff.evil.textconv", "diff.external", "core.fsmonitor", "core.pager", "core.sshCommand", "core.editor",
        "gpg.program", "credential.helper", "core.alternateRefsCommand", "pager.diff", "interactive.diffFilter",
    ):  # fmt: skip
        git(repository, "config", key, str(program))
    git(repository, "config", "filter.evil.required", "true")
    git(repository, "config", "log.showSignature", "true")
    (repository / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    (repository / ".git" / "info" / "attributes").write_text("*.py filter=evil diff=evil\n")
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (hooks / name).write_text(program.read_text())
        (hooks / name).chmod(0o755)
    os.utime(repository / "train.py")
    facts = collect(repository)

    assert not marker.exists(), marker.read_text()
    assert "+lr = 2" in str(facts["source_code/diff"])


@pytest.mark.parametrize("name", [b"filter.with=sign", b"filter." + b"x" * 70_000], ids=["equals sign", "long"])
def test_no_diff_where_a_filter_cannot_be_switched_off(repository: Path, tmp_path: Path, name: bytes) -> None:
    """A filter whose name hides it from being switched off never runs: there is no diff, and the other facts are."""
    marker = tmp_path / "executed"
    driver = name.partition(b".")[2].decode()
    with (repository / ".git" / "config").open("a") as file:
        file.write(f'[filter "{driver}"]\n\tclean = touch {marker}\n')
    (repository / ".gitattributes").write_text(f"*.py filter={driver}\n")
    facts = collect(repository)

    assert not marker.exists()
    assert "source_code/diff" not in facts
    assert git(repository, "rev-parse", "HEAD") == facts["source_code/git/commit_id"]


def test_filters_with_names_in_no_encoding(repository: Path, tmp_path: Path) -> None:
    """A filter whose name is not UTF-8 is switched off as well."""
    marker = tmp_path / "executed"
    with (repository / ".git" / "config").open("ab") as file:
        file.write(b'[filter "\xff"]\n\tclean = touch ' + os.fsencode(marker) + b"\n")
    (repository / ".gitattributes").write_bytes(b"*.py filter=\xff\n")
    facts = collect(repository)

    assert not marker.exists()
    assert "+lr = 2" in str(facts["source_code/diff"])


def test_missing_objects_are_not_fetched(repository: Path, tmp_path: Path) -> None:
    """A partial clone that lacks what the diff needs does not make git run the remote's programs."""
    marker = tmp_path / "executed"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    blob = git(repository, "rev-parse", "HEAD:train.py")
    for key, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "evil"),
        ("remote.evil.promisor", "true"),
        ("remote.evil.url", str(repository)),
        ("remote.evil.uploadpack", str(program)),
    ):
        git(repository, "config", key, value)
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    facts = collect(repository)

    assert not marker.exists()
    assert "source_code/git/commit_id" in facts


def test_the_diff_stays_in_the_repository(repository: Path, tmp_path: Path) -> None:
    """A repository that names another directory as its working tree does not get that one's files into the diff."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "train.py").write_text("password = 1\n")
    git(repository, "config", "core.worktree", str(tmp_path / "private"))
    facts = collect(repository)

    assert "password" not in str(facts)
    assert "+lr = 2" in str(facts["source_code/diff"])


def test_git_is_not_taken_from_the_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program named git in the repository does not run, also with the working directory in PATH."""
    marker = tmp_path / "executed"
    (repository / "git").write_text(f"#!/bin/sh\ntouch {marker}\n")
    (repository / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.environ['PATH']}")
    for directory in (repository, tmp_path):
        monkeypatch.chdir(directory)
        collect(repository)

    assert not marker.exists()
