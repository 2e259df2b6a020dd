"""What the tests of the core share: the reference implementation, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
