"""What the tests of the core share: the reference implementation, in an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import goodseed
from goodseed.storage.catalog import Catalog

sys.path.insert(0, str(Path(__file__).parent))  # for what tests in sub-folders and processes of their own share

_VERSION = "0.4.0"


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the reference, unmodified."""
    directory = tmp_path_factory.mktemp("reference")
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", str(directory)], check=True, timeout=120)
    python = directory / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", f"goodseed=={_VERSION}"]
    subprocess.run(install, check=True, timeout=300)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    asked = [str(python), "-c", "import goodseed; print(goodseed.__file__)"]
    where = subprocess.run(asked, check=True, capture_output=True, text=True, env=environment, timeout=60).stdout
    assert str(directory) in where, where
    return python


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


def configs(run: goodseed.Run) -> dict[str, str]:
    """The configs of a run as they are stored, without those that it makes itself."""
    return {
        row["path"]: row["value"] for row in run.get_configs() if not row["path"].startswith(("sys/", "monitoring/"))
    }


def field(run: goodseed.Run, path: str) -> str | None:
    """One config as any reader sees it."""
    return {row["path"]: row["value"] for row in run.get_configs()}.get(path)


@pytest.fixture
def root(home: Path) -> Path:
    """Where runs go; it is not made yet."""
    return home / "projects"


def write_run(run_id: str, project: str = "digits", **metrics: float) -> Path:
    """Make a finished run with one point in each of ``metrics``, and return its file."""
    with goodseed.Run(project=project, run_id=run_id) as run:
        if metrics:
            run.log_metrics(metrics, step=1)
    return run.path


def age(path: Path, seconds: float = 3600) -> None:
    """Let the file have been changed for the last time ``seconds`` ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def run_ids(root: Path, project: str | None = None) -> list[str]:
    """The ids that a new catalog of ``root`` lists, sorted."""
    with Catalog(root) as catalog:
        return sorted(run.run_id for run in catalog.runs(project))


PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")


QUIET = 'storage="local", capture_hardware_metrics=False, git_ref=False'


def example(heading: str) -> str:
    """The code under a heading of the page."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)


class Machine:
    """A home, and a directory of packages that Python finds."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.packages = directory / "packages"
        self.packages.mkdir()
        path = [str(self.packages), str(Path(goodseed.__file__).parent.parent)]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GOODSEED_")},
            "PYTHONPATH": os.pathsep.join(path),
            "GOODSEED_HOME": str(self.home),
            "GOODSEED_QUIET": "1",
        }

    def install(self, code: str, name: str = "acme") -> None:
        """As pip would."""
        info = self.packages / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[console_scripts]\nx = y:z\n\n[goodseed]\n{name} = {name}_plugin\n")
        (self.packages / f"{name}_plugin.py").write_text(code)

    def run(self, *arguments: str, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """What Python does with the arguments."""
        done = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == status, done.stderr
        return done

    def script(self, body: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """What a training script does whose run is `run`."""
        lines = "\n    ".join(body.strip().splitlines())
        text = f"import goodseed\nwith goodseed.Run(run_id='one', project='p', {QUIET}) as run:\n    {lines}\n"
        return self.run("-c", text, **environment)

    def stored(self, run_id: str = "one") -> goodseed.Run:
        """A run, to be read."""
        return goodseed.Run(project="p", run_id=run_id, read_only=True, storage="local", goodseed_home=self.home)

    def configs(self, run_id: str = "one") -> dict[str, object]:
        """The configs of a run."""
        return {config["path"]: config["value"] for config in self.stored(run_id).get_configs()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
