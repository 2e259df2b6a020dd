"""Facts of the git repository, also of an odd one."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
from pathlib import Path

import pytest

import goodseed
from goodseed.source_code import collect

from .conftest import GIT, git


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


def test_large_diffs_are_cut(repository: Path) -> None:
    """A diff of over 4 MiB is cut, and says how much is missing."""
    (repository / "train.py").write_text("x" * 99 + "\n" + ("y" * 99 + "\n") * 100_000)
    diff = str(collect(repository)["source_code/diff"])

    assert re.search(r"\n\[goodseed: cut at 4 MiB, [56],\d{3},\d{3} bytes are missing\]\n$", diff)
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


def test_kinds_of_repositories(repository: Path, tmp_path: Path) -> None:
    """A bare repository, a shallow one, a linked working tree and a detached head give the facts that they have."""
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "clone", "-q", "--bare", str(repository), str(tmp_path / "bare"))
    git(repository, "clone", "-q", "--depth=1", f"file://{repository}", str(tmp_path / "shallow"))
    git(repository, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    (tmp_path / "linked" / "train.py").write_text("lr = 4\n")
    bare, shallow, linked = (collect(tmp_path / name) for name in ("bare", "shallow", "linked"))

    assert {head} == {facts["source_code/git/commit_id"] for facts in (bare, shallow, linked)}
    assert "source_code/git/dirty" not in bare
    assert shallow["source_code/git/dirty"] is False
    assert "-lr = 1\n+lr = 4\n" in str(linked["source_code/diff"])
    assert "source_code/git/current_branch" not in linked


def test_a_repository_of_somebody_else(repository: Path) -> None:
    """A repository that git does not trust, as another user owns it, gives its path and no exception."""
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    for path in (repository, repository / ".git"):
        os.chown(path, 12345, 12345)

    assert {"source_code/git/repository_path": str(repository)} == collect(repository)


def test_odd_encodings(repository: Path) -> None:
    """Names, messages and contents in other encodings come as text."""
    (repository / os.fsdecode(b"caf\xe9.py")).write_bytes(b"\xe9\n")
    git(repository, "add", ".")
    git(repository, "-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-qm", os.fsdecode("Café".encode("latin-1")))
    (repository / os.fsdecode(b"caf\xe9.py")).write_bytes(b"\xe8\n")
    facts = collect(repository)

    assert "Café" == facts["source_code/git/commit_message"]
    assert "-\ufffd\n+\ufffd\n" in str(facts["source_code/diff"])


def test_large_files_are_only_told(repository: Path) -> None:
    """A huge untracked file costs nothing, and a large tracked one is only told to differ."""
    with (repository / "untracked.bin").open("wb") as file:
        file.truncate(64 << 30)
    (repository / "train.py").write_text("x = 1\n" * (4 << 20))
    facts = collect(repository)

    assert "Binary files a/train.py and b/train.py differ" in str(facts["source_code/diff"])
    assert "untracked.bin" not in str(facts)


def test_a_slow_diff_leaves_the_other_facts(repository: Path) -> None:
    """Where there is no time for the diff, the facts that are quickly had are there, and that something differs."""
    with (repository / "train.py").open("wb") as file:
        file.truncate(64 << 30)
    facts = collect(repository, deadline_seconds=2)

    assert git(repository, "rev-parse", "HEAD") == facts["source_code/git/commit_id"]
    assert facts["source_code/git/dirty"] is True
    assert "source_code/diff" not in facts


def test_a_run_without_a_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run whose working directory is gone starts, and says once that the facts are missing."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with goodseed.Run(git_ref=True) as run:
        run.log_metrics({"loss": 1.0}, step=0)
    monkeypatch.chdir(tmp_path)

    assert ["loss"] == run.get_metric_paths()
    assert 1 == sum("facts of the source code" in record.message for record in caplog.records)


def test_a_reference_that_leads_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A GitRef to a directory without a repository is told once, and the run goes on."""
    with goodseed.Run(git_ref=goodseed.GitRef(tmp_path / "nothing")) as run:
        pass

    assert 1 == sum("no git repository" in record.message for record in caplog.records)
    assert not any(row["path"].startswith("source_code/git") for row in run.get_configs())


def test_references_travel_between_processes(tmp_path: Path) -> None:
    """A GitRef can be pickled, and DISABLED stays DISABLED."""
    copied = pickle.loads(pickle.dumps(goodseed.GitRef(tmp_path)))

    assert tmp_path == copied.repository_path
    assert goodseed.GitRef.DISABLED is pickle.loads(pickle.dumps(goodseed.GitRef.DISABLED))


def test_deadline(repository: Path) -> None:
    """Without time there are no facts, and no exception."""
    assert {"source_code/git/repository_path": str(repository)} == collect(repository, deadline_seconds=0)


@pytest.mark.parametrize("change", ["file", "deep", "hostile"])
def test_a_changed_submodule(repository: Path, tmp_path: Path, change: str) -> None:
    """A change in a submodule makes the run dirty and is in the diff; no submodule shows another repository."""
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "model.py").write_text("width = 1\n")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "Inner")
    middle = tmp_path / "middle"
    subprocess.run([*GIT, "clone", "-q", str(inner), str(middle)], check=True, capture_output=True)
    local = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(middle, *local, str(inner), "deep")
    git(middle, "commit", "-qm", "Middle")
    git(repository, *local, str(middle), "lib")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "With a submodule")
    clean = collect(repository)
    if change == "hostile":
        (repository / "lib" / ".git").write_text(f"gitdir: {inner / '.git'}\n")
        (repository / "lib" / "model.py").unlink()
    else:
        path = "lib/model.py" if change == "file" else "lib/deep/model.py"
        (repository / path).write_text("width = 2\n")
    found = collect(repository)

    assert (False, None) == (clean["source_code/git/dirty"], clean.get("source_code/diff"))
    if change == "hostile":
        assert "width" not in str(found)
    else:
        assert found["source_code/git/dirty"] is True
        assert f"--- a/{path}\n+++ b/{path}\n" in str(found["source_code/diff"])
