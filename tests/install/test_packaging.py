"""The distribution: what a wheel and an sdist bring."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import goodseed

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the sdist."""
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(directory), str(ROOT / "goodseed-core")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return directory


def test_licence_and_types_come_along(built: Path) -> None:
    """Wheel and sdist carry the licence, and the wheel the marker for type checkers."""
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = archive.namelist()
    with tarfile.open(sdist) as archive:
        in_sdist = archive.getnames()

    assert f"goodseed-{goodseed.__version__}.dist-info/licenses/LICENSE" in in_wheel
    assert "goodseed/py.typed" in in_wheel
    assert f"goodseed-{goodseed.__version__}/LICENSE" in in_sdist
    assert (ROOT / "LICENSE").read_text() == (ROOT / "goodseed-core" / "LICENSE").read_text()


@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_installs_with_two_dependencies(built: Path, tmp_path: Path, pattern: str) -> None:
    """In a fresh environment it brings psutil and pluggy, nothing else, and the command works."""
    (distribution,) = built.glob(pattern)
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", str(tmp_path / "env")], check=True, timeout=120)
    python = tmp_path / "env" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", str(distribution)]
    subprocess.run(install, check=True, timeout=300)
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    version = subprocess.run([str(python.parent / "goodseed"), "--version"], capture_output=True, text=True, check=True)

    packages = {line.split("==")[0].lower() for line in listed.stdout.split()}
    assert {"goodseed", "psutil", "pluggy"} == packages - {"pip", "setuptools", "wheel"}
    assert goodseed.__version__ in version.stdout
