"""The command `goodseed serve`: what it prints, where it listens, and how it ends."""

from __future__ import annotations

import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import goodseed
from goodseed.cli.main import main

from .conftest import Client

COMMAND = """
import signal, sys
from goodseed.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
sys.exit(main())
"""


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``goodseed`` with these arguments, and the line that it prints once it listens."""
    command = [sys.executable, "-c", COMMAND, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], 30)
        assert readable, "it prints nothing"
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def port_of(line: str) -> int:
    """The port in the line."""
    found = re.search(r"http://[^/ ]+:(\d+)/", line)
    assert found, line
    return int(found[1])


def free_port() -> int:
    """A port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_start_and_stop(home: Path, end: signal.Signals) -> None:
    """One line with the address, then answers, then a silent end at once, with a client still connected."""
    with goodseed.Run(project="p", run_id="a"):
        pass
    with serving("serve", "--port", "0") as (process, line):
        port = port_of(line)
        runs = Client(port).get("/api/runs").json["runs"]
        with socket.create_connection(("127.0.0.1", port)):
            process.send_signal(end)
            out, errors = process.communicate(timeout=10)

    assert f"http://127.0.0.1:{port}/" in line
    assert ["a"] == [run["run_id"] for run in runs]
    assert (0, "", "") == (process.returncode, out, errors)


@pytest.mark.parametrize("directory", [".", "projects", "projects/p", "projects/p/runs"])
def test_directories(home: Path, directory: str) -> None:
    """A home, its projects, a project, or any directory with runs can be served."""
    with goodseed.Run(project="p", run_id="a"):
        pass
    with serving("serve", str(home / directory), "--port", "0") as (_, line):
        runs = Client(port_of(line)).get("/api/runs").json["runs"]
        replies = [Client(port_of(line)).get(f"/api/runs/{run['project']}/a/configs").status for run in runs]

    assert ["a"] == [run["run_id"] for run in runs]
    assert [200] == replies


def test_nothing_there_yet(home: Path) -> None:
    """A home that does not exist yet is served, and its first run shows."""
    with serving("serve", "--port", "0") as (_, line):
        client = Client(port_of(line))
        before = client.get("/api/runs").json["runs"]
        with goodseed.Run(project="p", run_id="a"):
            pass
        deadline = time.monotonic() + 20
        while not client.get("/api/runs").json["runs"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    assert [] == before


def test_taken_port(home: Path) -> None:
    """A taken port gives the next free one, and says so."""
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        with serving("serve", "--port", str(port)) as (process, line):
            used = port_of(line)
            process.terminate()
            _, errors = process.communicate(timeout=10)

    assert used > port
    assert f"port {port} is taken; using {used}" in errors


def test_other_machines_need_the_token(home: Path) -> None:
    """With a host that other machines reach, the line is a link with the token, and nothing goes without it."""
    with serving("serve", "--host", "0.0.0.0", "--port", "0") as (_, line):
        client = Client(port_of(line))
        found = re.search(r"/(\?token=\S+)", line)
        assert found
        without, with_link = client.get("/api/runs").status, client.get(f"/{found[1]}")

    assert (401, 303) == (without, with_link.status)


@pytest.mark.parametrize("arguments", [["--port", "x"], ["--port", "70000"], ["--port", "-1"], ["/does/not/exist"]])
def test_bad_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that make no sense end with 2 and one line."""
    assert 2 == main(["serve", *arguments])
    printed = capsys.readouterr()

    assert ("", 1) == (printed.out, printed.err.count("\n"))


def test_bad_origin(capsys: pytest.CaptureFixture[str]) -> None:
    """An origin that is none ends with 1 and says what one looks like."""
    assert 1 == main(["serve", "--cors-origin", "example.org"])
    assert "https://example.org" in capsys.readouterr().err


def test_unusable_host(capsys: pytest.CaptureFixture[str]) -> None:
    """An address of another machine ends with 1 and one line."""
    assert 1 == main(["serve", "--host", "192.0.2.1"])
    assert "can't listen at 192.0.2.1" in capsys.readouterr().err
