"""What the tests of the hub share: hubs with either store, and a PostgreSQL of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from hub_process import HubProcess, MakeHub
from postgres_server import PostgresServer, postgres_binaries

STORES = ("embedded", "postgres")
_VERSION = "0.4.0"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, empty, on this machine's loopback."""
    if postgres_binaries() is None:
        pytest.skip("there is no PostgreSQL")
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=STORES, scope="session")
def store(request: pytest.FixtureRequest) -> str:
    """Which store."""
    return str(request.param)


@pytest.fixture
def make_hub(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeHub]:
    """Starts hubs with options of their own; each with a database of its own, where the store is one."""
    made: list[HubProcess] = []

    def make(*options: str, data: Path | None = None, database: str | None = None, key: str = "") -> HubProcess:
        if store == "postgres" and database is None:
            database = request.getfixturevalue("postgres").create_database()
        hub = HubProcess(data or tmp_path / f"hub-{len(made)}", database, *options, key=key)
        made.append(hub)
        return hub

    yield make
    for hub in made:
        hub.stop()


@pytest.fixture(scope="session")
def hub(store: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[HubProcess]:
    """A hub that many tests share; each uses runs of its own."""
    database = request.getfixturevalue("postgres").create_database() if store == "postgres" else None
    process = HubProcess(tmp_path_factory.mktemp("hub") / "data", database)
    yield process
    assert 0 == process.stop(), "".join(process.lines)


@pytest.fixture(scope="session")
def reference() -> Iterator[Path]:
    """The Python of an environment that holds the reference, unmodified."""
    directory = Path(tempfile.mkdtemp(prefix="reference-"))
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", str(directory)], check=True, timeout=120)
    python = directory / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", f"goodseed=={_VERSION}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(install, check=True, timeout=300, env=environment)
    yield python
    shutil.rmtree(directory)
