"""Every install and start command of README and docs works as it is written, from a clone and from built wheels."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DISTRIBUTIONS = ("core", "hub", "lightning", "hf", "keras")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("goodseed-*/README.md")),
    *sorted(ROOT.glob("goodseed-*/Dockerfile")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
_COMMAND = re.compile(r"\bpip install ((?:(?!&&|`)[^\n])+)")
_NAMES = {"core": "goodseed", **{name: f"goodseed-{name}" for name in ("hub", "lightning", "hf", "keras")}}
_LARGE = ("hf", "keras")  # what these depend on takes minutes: they are installed beside what is there


def _commands() -> dict[str, str]:
    """What follows ``pip install`` on the pages, and a page that has it."""
    found = {}
    for page in PAGES:
        for match in _COMMAND.finditer(page.read_text(encoding="utf-8")):
            arguments = match[1].split("  #")[0].strip().rstrip("\\").strip()
            if not arguments.startswith("nox"):
                found.setdefault(arguments, str(page.relative_to(ROOT)))
    return found


COMMANDS = _commands()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone as a user has it, with the wheels of all packages, and of what the hub needs, in ``dist``."""
    clone = tmp_path_factory.mktemp("clone")
    for name in (*(f"goodseed-{name}" for name in DISTRIBUTIONS), "examples"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
        shutil.copytree(ROOT / name, clone / name, ignore=ignored)
    for name in DISTRIBUTIONS:
        command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(clone / "dist"), f"goodseed-{name}"]
        subprocess.run(command, cwd=clone, check=True, capture_output=True, timeout=300)
    hub = next((clone / "dist").glob("goodseed_hub-*.whl"))
    download = [sys.executable, "-m", "pip", "download", "-q", "-d", "dist", "--find-links", "dist", f"{hub}[postgres]"]
    subprocess.run(download, cwd=clone, check=True, capture_output=True, timeout=300)
    return clone


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The programs of a fresh environment."""
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", str(tmp_path / "env")], check=True, timeout=120)
    return tmp_path / "env" / "bin"


def run(programs: Path, home: Path, command: list[str], cwd: Path, **options: str) -> str:
    """What a command prints, run as in a fresh shell."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GOODSEED", "VIRTUAL"))}
    variables = {**kept, "PATH": f"{programs}{os.pathsep}{kept.get('PATH', '')}", "GOODSEED_HOME": str(home), **options}
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=300)
    assert 0 == done.returncode, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("arguments", COMMANDS, ids=[f"{page}: {command}" for command, page in COMMANDS.items()])
def test_every_install_command(folder: Path, environment: Path, tmp_path: Path, arguments: str) -> None:
    """A command as it is written installs this version of all that it names, and of the core with it."""
    words = shlex.split(arguments.replace("/dist", "dist"))
    if any(f"goodseed-{name}" in word for name in _LARGE for word in words):
        words = ["--no-deps", *words]
    pip = [str(environment / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run(environment, tmp_path, [*pip, *words], folder)
    listed = json.loads(run(environment, tmp_path, [str(environment / "pip"), "list", "--format", "json"], folder))
    ours = {entry["name"]: entry["version"] for entry in listed if entry["name"].startswith("goodseed")}

    expected = {name: _version(part) for part, name in _NAMES.items() if name in ours}
    named = {_NAMES[part] for part in DISTRIBUTIONS for word in words if f"goodseed-{part}" in word}
    assert {"goodseed", *named} == set(expected)
    assert expected == {name: ours[name] for name in expected}


def _version(part: str) -> str:
    """The version that a package's source names."""
    (source,) = (ROOT / f"goodseed-{part}" / "src").glob("*/__init__.py")
    found = re.search(r'^__version__ = "(.+)"', source.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, source
    return found[1]


def test_first_steps(folder: Path, environment: Path, tmp_path: Path) -> None:
    """With nothing but the core, the commands under "First steps" make a run, list it and show it."""
    run(environment, tmp_path, ["pip", "install", "-q", "./goodseed-core"], folder)
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    script = re.findall(r"^```\n(python -c .+?)^```", page, re.MULTILINE | re.DOTALL)[0]
    first, listing, serving = script.splitlines()
    run(environment, tmp_path, shlex.split(first), tmp_path)
    listed = run(environment, tmp_path, shlex.split(listing), tmp_path)

    assert "default" in listed
    with _served(environment, tmp_path, [*shlex.split(serving), "--port", "0"], r"at (http://\S+)") as address:
        assert b"<title>Goodseed" in urllib.request.urlopen(address, timeout=30).read()


def test_a_hub_from_the_folder_alone(folder: Path, environment: Path, tmp_path: Path) -> None:
    """Offline, a hub and a client are installed from the folder, and a run that is logged there is at the hub."""
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    command = next(line for line in page.splitlines() if "--no-index" in line)
    run(environment, tmp_path, shlex.split(command), folder, PIP_NO_INDEX="1")
    serve = ["goodseed", "hub", "serve", "--data", str(tmp_path / "hub"), "--port", "0"]
    with _served(environment, tmp_path, serve, r"(?s)(gsk_\S+).*?(http://\S+)|(http://\S+).*?(gsk_\S+)") as found:
        key, address = re.findall(r"gsk_\S+", found)[0], re.findall(r"http://[^\s,)]+", found)[0]
        script = (
            "import goodseed\nwith goodseed.Run(project='default', run_id='x') as run: run['loss'].log(1.0, step=0)"
        )
        variables = {"GOODSEED_API_URL": address, "GOODSEED_API_KEY": key}
        run(environment, tmp_path, ["python", "-c", script], tmp_path, **variables)
        script = "import goodseed; print([r['run_id'] for r in goodseed.list_runs('default', storage='cloud')])"

        assert "['x']\n" == run(environment, tmp_path, ["python", "-c", script], tmp_path, **variables)


class _served:
    """A server's process; what it says at its start."""

    def __init__(self, programs: Path, home: Path, command: list[str], pattern: str) -> None:
        variables = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "GOODSEED_HOME": str(home)}
        variables["PYTHONUNBUFFERED"] = "1"
        self._pattern = pattern
        self._process = subprocess.Popen(
            [str(programs / command[0]), *command[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=variables,
            cwd=home,
        )

    def __enter__(self) -> str:
        said = ""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said += line
            found = re.search(self._pattern, said)
            if found:
                return found[1] if self._process.args[1] == "serve" else said  # type: ignore[index]
        raise AssertionError(said)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)


def test_the_container_file_is_that_of_the_docs() -> None:
    """docs/hub.md shows the Dockerfile as it is."""
    shown = re.findall(r"^```dockerfile\n(.*?)^```", (ROOT / "docs" / "hub.md").read_text(), re.MULTILINE | re.DOTALL)

    assert [(ROOT / "goodseed-hub" / "Dockerfile").read_text()] == shown
