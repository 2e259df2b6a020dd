"""Facts of the git repository, and what a hostile one can't make of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import goodseed
from goodseed.source_code import collect

GIT = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"]


def git(directory: Path, *arguments: str) -> str:
    """Run git as a user does."""
    return subprocess.run([*GIT, *arguments], cwd=directory, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit and one change."""
    directory = tmp_path / "repository"
    directory.mkdir()
    git(directory, "init", "-q")
    (directory / "train.py").write_text("lr = 1\n")
    git(directory, "add", ".")
    git(directory, "commit", "-qm", "First try\n\nWith a body.")
    (directory / "train.py").write_text("lr = 2\n")
    return directory


def test_facts(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit, author, date, branch and the uncommitted diff are stored with the run."""
    monkeypatch.chdir(repository)
    with goodseed.Run(git_ref=True) as run:
        pass
    facts = {row["path"]: row["value"] for row in run.get_configs() if row["path"].startswith("source_code/")}

    assert git(repository, "rev-parse", "HEAD") == facts["source_code/git/commit_id"]
    assert ("First try", "Ada", "main", "true") == tuple(
        facts[f"source_code/git/{name}"] for name in ("commit_message", "commit_author", "current_branch", "dirty")
    )
    assert "-lr = 1\n+lr = 2\n" in facts["source_code/diff"]
    assert str(repository) == facts["source_code/git/repository_path"]


def test_points_elsewhere_or_off(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitRef points to another repository, and DISABLED switches the facts off."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with goodseed.Run(git_ref=goodseed.GitRef(repository)) as pointed:
        pass
    monkeypatch.chdir(repository)
    with goodseed.Run(git_ref=goodseed.GitRef.DISABLED) as off:
        pass

    assert any(row["path"] == "source_code/git/commit_id" for row in pointed.get_configs())
    assert not any(row["path"].startswith("source_code/") for row in off.get_configs())


def test_upstream_diff(repository: Path, tmp_path: Path) -> None:
    """What differs from the commit that the upstream branch has is stored as well."""
    git(repository, "clone", "-q", "--bare", str(repository), str(tmp_path / "origin.git"))
    git(repository, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(repository, "fetch", "-q", "origin")
    git(repository, "branch", "-q", "--set-upstream-to=origin/main")
    base = git(repository, "rev-parse", "HEAD")
    git(repository, "commit", "-qam", "Second")
    (repository / "train.py").write_text("lr = 3\n")
    facts = collect(repository)

    assert "-lr = 1\n+lr = 3\n" in str(facts[f"source_code/diff_upstream_{base}"])
    assert "-lr = 2\n+lr = 3\n" in str(facts["source_code/diff"])
    assert "origin/main" == facts["source_code/git/upstream_branch"]


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


def test_nothing_that_the_repository_configures_is_executed(repository: Path, tmp_path: Path) -> None:
    """Filters, external diffs, textconv, fsmonitor, hooks, pagers and signature programs of a repository never run."""
    marker = tmp_path / "executed"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $0 $* >> {marker}\ncat\n")
    program.chmod(0o755)
    for key in (
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "filter.with=sign.clean", "diff.evil.command",
        "diff.evil.textconv", "diff.external", "core.fsmonitor", "core.pager", "core.sshCommand", "core.editor",
        "gpg.program", "credential.helper", "core.alternateRefsCommand", "pager.diff", "interactive.diffFilter",
    ):  # fmt: skip
        git(repository, "config", key, str(program))
    git(repository, "config", "filter.evil.required", "true")
    git(repository, "config", "log.showSignature", "true")
    (repository / ".gitattributes").write_text("*.py filter=evil diff=evil\n*.txt filter=with=sign\n")
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


def test_large_diffs_are_cut(repository: Path) -> None:
    """A diff of over 4 MiB is cut, and says so."""
    (repository / "train.py").write_text("x" * 99 + "\n" + ("y" * 99 + "\n") * 100_000)
    diff = str(collect(repository)["source_code/diff"])

    assert diff.endswith("[goodseed: cut at 4 MiB]\n")
    assert len(diff) < (4 << 20) + 100


def test_odd_repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No commits, a detached head, a broken repository, or no git at all: what there is, and no exception."""
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    broken = tmp_path / "broken"
    (broken / ".git").mkdir(parents=True)
    without_commit = collect(empty)
    from_broken = collect(broken)
    monkeypatch.setenv("PATH", "")
    without_git = collect(empty)

    assert "main" == without_commit["source_code/git/current_branch"]
    assert "source_code/git/commit_id" not in without_commit
    assert {"source_code/git/repository_path": str(broken)} == from_broken
    assert {"source_code/git/repository_path": str(empty)} == without_git


def test_deadline(repository: Path) -> None:
    """Without time there are no facts, and no exception."""
    assert {"source_code/git/repository_path": str(repository)} == collect(repository, deadline_seconds=0)
