"""A PostgreSQL server in a temporary directory, for as long as it is needed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path

import psycopg

_USER = "postgres"  # who runs it where this process is root, which PostgreSQL refuses


def postgres_binaries() -> Path | None:
    """Where the server's programs are; None where they are not installed."""
    candidates = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")), shutil.which("initdb")]
    found = [Path(candidate).parent for candidate in candidates if candidate]
    return found[0] if found else None


class PostgresServer:
    """Runs while it is entered."""

    def __enter__(self) -> PostgresServer:  # noqa: PYI034 - typing.Self came with Python 3.11
        binaries = postgres_binaries()
        assert binaries is not None
        self._binaries = binaries
        self._directory = Path(tempfile.mkdtemp(prefix="postgres-"))
        if os.getuid() == 0:
            user = pwd.getpwnam(_USER)
            os.chown(self._directory, user.pw_uid, user.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        data = self._directory / "data"
        self._run("initdb", "-D", str(data), "-U", "hub", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        return self

    def start(self) -> None:
        """Start it; it was initialised before."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -k {self._directory} -c max_connections=200"
        log = str(self._directory / "log")
        self._run("pg_ctl", "-D", str(self._directory / "data"), "-w", "-o", options, "-l", log, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; ``immediate`` is what a crash is."""
        self._run("pg_ctl", "-D", str(self._directory / "data"), "-m", mode, "-w", "stop")

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def log(self) -> str:
        """What it has logged."""
        return (self._directory / "log").read_text(errors="replace")

    def client(self, program: str, *arguments: str) -> str:
        """What a program of PostgreSQL's prints that works on a database, such as ``pg_dump``."""
        command = [str(self._binaries / program), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://hub@127.0.0.1:{self._port}/{database}"

    def create_database(self) -> str:
        """The address of a new database."""
        name = f"hub_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        demote = {"user": _USER} if os.getuid() == 0 else {}
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", timeout=120, **demote
        )
        if done.returncode:
            log = self._directory / "log"
            raise AssertionError(done.stdout + (log.read_text() if log.exists() else ""))
