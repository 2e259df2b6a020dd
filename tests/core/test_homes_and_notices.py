"""Where runs go without a home directory, and the lines that a user sees."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import goodseed

SCRIPT = """
import os, sys
import goodseed
arguments = dict(run_id=sys.argv[1], project="team/p", git_ref=False, capture_hardware_metrics=False)
with goodseed.Run(**arguments) as run:
    run.log_metrics({"a": 1}, step=0)
print(run.path)
"""


def in_process(
    directory: Path, *arguments: str, script: str = SCRIPT, **variables: str | None
) -> subprocess.CompletedProcess[str]:
    """Run a script in ``directory``, with these environment variables; None takes one away."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GOODSEED")}
    for name, value in variables.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60)


WITHOUT_HOME = """
import os, pwd
def nobody(*_):
    raise KeyError("no such user")
pwd.getpwuid = nobody
"""


@pytest.mark.parametrize("home_variable", [None, "/nonexistent/proc"])
def test_without_a_home(tmp_path: Path, home_variable: str | None) -> None:
    """Every process of the user finds one private directory, one warning names it, and no '~' is made."""
    if home_variable is not None and os.access("/", os.W_OK):
        pytest.skip("this user can make any directory")
    work, temporary = tmp_path / "work", tmp_path / "tmp"
    work.mkdir()
    temporary.mkdir()
    found = [
        in_process(work, run_id, script=WITHOUT_HOME + SCRIPT, HOME=home_variable, TMPDIR=str(temporary))
        for run_id in ("one", "two")
    ]
    home = temporary / f"goodseed-{os.geteuid()}"

    assert [] == list(work.iterdir())
    assert [str(home / f"projects/team/p/runs/{run_id}.sqlite") for run_id in ("one", "two")] == [
        process.stdout.strip() for process in found
    ], found
    assert 0o700 == home.stat().st_mode & 0o777
    assert [1, 1] == [process.stderr.count("there is no home directory") for process in found]


def test_a_home_that_somebody_else_has_made(tmp_path: Path) -> None:
    """A link in the place of that directory, which may lead anywhere, is not followed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"goodseed-{os.geteuid()}").symlink_to(elsewhere)
    process = in_process(tmp_path, "one", script=WITHOUT_HOME + SCRIPT, HOME=None, TMPDIR=str(tmp_path))

    assert [] == list(elsewhere.iterdir())
    assert Path(process.stdout.strip()).is_file(), process.stderr


def test_a_tilde_that_stands_for_nothing() -> None:
    """A directory of the caller's whose '~' has no meaning is refused, with the remedy, and nothing is written."""
    with pytest.raises(goodseed.ConfigurationError, match="Give an absolute path"):
        goodseed.Run(log_dir="~no-such-user-here/runs", storage="local")


def test_the_two_lines(tmp_path: Path) -> None:
    """One line at the start, one at the end that says how to see the run, nothing of keys."""
    process = in_process(tmp_path, "r", HOME=str(tmp_path))
    path = tmp_path / ".goodseed/projects/team/p/runs/r.sqlite"

    assert [
        f"goodseed: Run r in project team/p: {path}",
        "goodseed: Closed run r (finished). To see it: goodseed serve",
    ] == process.stderr.splitlines()


def test_the_lines_of_another_home(tmp_path: Path) -> None:
    """The command that shows the run names the directory where it is not the usual one."""
    script = SCRIPT.replace('project="team/p"', f'project="team/p", goodseed_home={str(tmp_path / "other home")!r}')
    process = in_process(tmp_path, "r", script=script, HOME=str(tmp_path))

    assert process.stderr.splitlines()[1].endswith(f"To see it: goodseed serve '{tmp_path}/other home/projects'")


def test_a_key_is_missed_where_one_was_expected(tmp_path: Path) -> None:
    """With a hub configured and no key for it, a line says so."""
    process = in_process(tmp_path, "r", HOME=str(tmp_path), GOODSEED_API_URL="http://127.0.0.1:9")

    assert 3 == len(process.stderr.splitlines())
    assert "No API key for http://127.0.0.1:9, so the run stays on this machine." in process.stderr
