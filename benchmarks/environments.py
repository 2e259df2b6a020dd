"""A virtual environment for each peer, made once and kept."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from measuring import MeasurementError, progress
from peers import PEERS

__all__ = ["Peer", "prepare"]

_INSTALL_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Peer:
    """A tracker to be compared with.

    Attributes:
        name: Its distribution's name.
        label: Name and version.
        opener: The function of `peers` that opens it.
        python: The interpreter of its environment; None when it can't be installed.
        problem: Why it can't.
    """

    name: str
    label: str
    opener: str
    python: str | None
    problem: str = ""


def prepare(cache: Path, wanted: list[str]) -> list[Peer]:
    """Install what is wanted and not there yet; what can't be installed comes with the reason."""
    return [
        _peer(cache, requirement, opener)
        for requirement, opener in PEERS.items()
        if not wanted or requirement.partition("==")[0] in wanted or requirement in wanted
    ]


def _peer(cache: Path, requirement: str, opener: str) -> Peer:
    name = requirement.partition("==")[0]
    python_version = f"{sys.version_info.major}.{sys.version_info.minor}"
    environment = cache / f"{requirement.replace('==', '-')}-py{python_version}"
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    try:
        if not (environment / "installed").exists():
            progress(f"installing {requirement} into {environment}")
            maker = "virtualenv" if importlib.util.find_spec("virtualenv") else "venv"
            _run([sys.executable, "-m", maker, str(environment)])
            _run([str(python), "-m", "pip", "install", "--quiet", requirement])
            (environment / "installed").touch()
        version = _run([str(python), "-c", "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))", name])
    except (OSError, subprocess.SubprocessError, MeasurementError) as error:
        return Peer(name, requirement, opener, None, str(error))
    return Peer(name, f"{name} {version}", opener, str(python))


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise MeasurementError(lines[-1] if lines else f"{command[-1]} can't be installed")
    return done.stdout.strip()
