"""What comes over the wire, however malformed, slow or large: an answer or a closed connection."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

import goodseed
from goodseed.server.http import listener

from .conftest import Client, Serve

HOST = b"Host: localhost\r\n"


def log(project: str = "p", run_id: str = "a") -> None:
    """A small run."""
    with goodseed.Run(project=project, run_id=run_id) as run:
        for step in range(50):
            run.log_metrics({"loss": 1.0}, step=step)


def status_of(received: bytes) -> int | None:
    """The status of an answer; None for a closed connection."""
    return int(received.split(b" ", 2)[1]) if received else None


def test_connections_are_kept(client: Client) -> None:
    """One connection serves many requests, also after errors and streams."""
    log()
    with closing(http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)) as connection:
        statuses = []
        for target in ("/api/runs", "/nothing", "/api/runs/p/a/metrics", "/api/projects"):
            connection.request("GET", target)
            used = connection.sock
            reply = connection.getresponse()
            reply.read()
            statuses.append(reply.status)

            assert used is connection.sock

    assert [200, 404, 200, 200] == statuses


def test_pipelining(client: Client) -> None:
    """Requests sent in one go are answered in their order."""
    request = b"GET /api/projects HTTP/1.1\r\n" + HOST + b"\r\n"
    last = b"GET /nothing HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    received = client.raw(request * 3 + last)

    assert [b"200", b"200", b"200", b"404"] == re.findall(rb"HTTP/1\.1 (\d{3})", received)


def test_head(client: Client) -> None:
    """HEAD has the headers of GET and no body, streams included."""
    log()
    for target in ("/api/runs/p/a/configs", "/api/runs/p/a/metrics", "/"):
        head, get = client.ask("HEAD", target), client.get(target)

        assert (200, b"") == (head.status, head.body)
        assert get.headers.get("content-length") == head.headers.get("content-length")
        assert get.headers["content-type"] == head.headers["content-type"]


def test_methods(client: Client) -> None:
    """A method that an address does not have is a 405 with those that it has."""
    log()
    reply = client.ask("DELETE", "/api/runs/p/a/metrics")
    page = client.ask("POST", "/")

    assert (405, "GET, HEAD, OPTIONS") == (reply.status, reply.headers["allow"])
    assert 405 == page.status == client.get("/api/runs/p/a/trash").status


def test_etags(client: Client) -> None:
    """What has not changed since it was asked for last is a 304; what has is not."""
    log()
    first = client.get("/api/runs/p/a/configs")
    again = client.get("/api/runs/p/a/configs", if_none_match=first.headers["etag"])
    other = client.get("/api/runs/p/a/configs", if_none_match='"other"')

    assert (304, b"", 200) == (again.status, again.body, other.status)


def test_http_1_0(client: Client) -> None:
    """An old client gets a stream without chunks, ended by closing."""
    log()
    received = client.raw(b"GET /api/runs/p/a/metrics HTTP/1.0\r\n" + HOST + b"\r\n")
    head, _, body = received.partition(b"\r\n\r\n")

    assert b"chunked" not in head
    assert 50 == len(json.loads(body)["metrics"])


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n",
        b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: yes\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b\rTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nabcde",
        b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"\r\n" * 40_000,
    ],
)
def test_malformed_heads(client: Client, head: bytes) -> None:
    """What is no request, or could be read as two, is refused, and the connection is closed."""
    again = b"GET /api/projects HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", client.raw(head + again))]

    assert all(400 <= status < 500 or status == 505 for status in statuses[:1])
    # What only the application refuses leaves the connection usable.
    assert len(statuses) <= 1 or b"HTTP/1.1\r\n" in head


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/%252e%252e%252fetc%252fpasswd",
        "/..%5c..%5cetc/passwd",
        "/..\\..\\etc\\passwd",
        "/%c0%ae%c0%ae/%c0%afetc/passwd",
        "/assets/..%2f..%2f..%2fpyproject.toml",
        "/index.html%00.js",
        "//etc/passwd",
        "/%zz",
        "/api/runs/..%2f..%2fhome/a/configs",
        "/api/runs/p/..%2fa/configs",
        "/api/runs/p/%2e%2e/configs",
        "/api/runs/%2fetc/passwd/configs",
        "/api/runs/p/a%00/configs",
        "/api/runs/p/a.sqlite/configs",
        "/api/runs/p/runs%2fa/configs",
        "/api/runs/p/%c1%a1/configs",
        "/api/runs/p/%252e%252e/configs",
    ],
)
def test_paths_lead_nowhere_else(client: Client, path: str) -> None:
    """No spelling of a path reaches a file that is no run and no page."""
    log()
    received = client.raw(f"GET {path} HTTP/1.1\r\nConnection: close\r\n".encode() + HOST + b"\r\n")

    assert status_of(received) in (400, 404)
    assert b"root:" not in received


def test_links_and_pipes_are_no_runs(client: Client, home: Path, tmp_path: Path) -> None:
    """A symbolic link out of the directory, a pipe and a directory are not opened, and hold nothing up."""
    log()
    log("elsewhere", "secret")
    runs = home / "projects" / "p" / "runs"
    secret = home / "projects" / "elsewhere" / "runs" / "secret.sqlite"
    secret.rename(tmp_path / "secret.sqlite")
    (runs / "link.sqlite").symlink_to(tmp_path / "secret.sqlite")
    (home / "projects" / "linked").symlink_to(tmp_path)
    os.mkfifo(runs / "pipe.sqlite")
    (runs / "directory.sqlite").mkdir()
    statuses = {name: client.get(f"/api/runs/p/{name}/metrics").status for name in ("link", "pipe", "directory", "a")}

    assert {"link": 404, "pipe": 404, "directory": 404, "a": 200} == statuses
    assert ["a"] == [run["run_id"] for run in client.get("/api/runs").json["runs"]]


def test_slow_heads_end(serve: Serve) -> None:
    """A client that sends its head a byte at a time is cut off when the time for all of it is over."""
    client = serve(head_seconds=0.5)
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
        with pytest.raises(OSError):
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)  # a byte now and then is what is tested


def test_idle_connections_make_room(serve: Serve) -> None:
    """However many connections wait for nothing, a new client is served."""
    client = serve(max_connections=8)
    idle = [socket.create_connection(("127.0.0.1", client.port), timeout=20) for _ in range(40)]
    try:
        statuses = [client.get("/api/projects").status for _ in range(5)]
    finally:
        for connection in idle:
            connection.close()

    assert [200] * 5 == statuses


def test_readers_that_stall_make_room(serve: Serve) -> None:
    """Clients that ask for much and take none of it do not shut out others."""
    with goodseed.Run(project="p", run_id="a") as run:
        for step in range(100_000):
            run.log_metrics({"m": 1.0}, step=step)
    client = serve(max_connections=4)
    stalled = []
    try:
        for _ in range(8):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", client.port))
            connection.sendall(b"GET /api/runs/p/a/metrics HTTP/1.1\r\n" + HOST + b"\r\n")
            stalled.append(connection)
        deadline = time.monotonic() + 20
        while True:  # they are served until the buffers between are full
            received = client.raw(b"GET /api/projects HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
            if status_of(received) == 200:
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        for connection in stalled:
            connection.close()


def test_leaving_clients_are_silent(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    """A client that leaves in the middle of an answer causes no message and no trouble."""
    with goodseed.Run(project="p", run_id="a") as run:
        for step in range(50_000):
            run.log_metrics({"m": 1.0}, step=step)
    client = serve()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
            connection.sendall(b"GET /api/runs/p/a/metrics HTTP/1.1\r\n" + HOST + b"\r\n")
            connection.recv(100)
    assert 200 == client.get("/api/projects").status
    captured = capfd.readouterr()

    assert ("", "") == (captured.out, captured.err)


def test_many_at_once(client: Client) -> None:
    """Clients that ask at the same time all get their answers."""
    log()
    replies: list[int] = []

    def ask() -> None:
        for _ in range(5):
            replies.append(len(client.get("/api/runs/p/a/metrics").json["metrics"]))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [50] * 60 == replies


def test_compression(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other machines get their answers compressed if they want; this one does not."""
    log()
    client = serve()
    here = client.get("/api/runs/p/a/metrics", accept_encoding="gzip")
    monkeypatch.setattr(listener, "is_loopback", lambda host: False)  # no other machine is at hand
    there = client.get("/api/runs/p/a/metrics", accept_encoding="gzip")
    whole = client.get("/api/openapi.json", accept_encoding="gzip, br")

    assert "content-encoding" not in here.headers
    assert here.body == gzip.decompress(there.body)
    assert "/api/projects" in json.loads(gzip.decompress(whole.body))["paths"]
