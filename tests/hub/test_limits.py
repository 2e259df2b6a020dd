"""Every limit: what is beyond it is refused, and nothing of it is stored."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hub_process import HubProcess, MakeHub, point


def headers(hub: HubProcess, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {hub.key}", "Content-Type": "application/json", **more}


def connect(hub: HubProcess) -> socket.socket:
    parts = urlsplit(hub.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)


@pytest.fixture(scope="module")
def small(store: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    """A hub that takes bodies of a megabyte."""
    database = request.getfixturevalue("postgres").create_database() if store == "postgres" else None
    hub = HubProcess(tmp_path_factory.mktemp("small") / "data", database, "--max-body-mb", "1")
    yield hub
    hub.stop()


@pytest.mark.parametrize("kind", ["plain", "bomb", "announced", "chunked"])
def test_bodies_have_a_size(small: HubProcess, kind: str) -> None:
    """Too large before or after gunzip is a 413 that arrives, and nothing is stored."""
    run = small.make_run(f"size-{kind}")
    path = f"/api/v1/runs/{run}/ingest"
    large = json.dumps({"points": [point("m", 0, 1), point("t", 0, text="x" * (2 << 20))]}).encode()
    if kind == "bomb":
        status, _, answer = small.raw(
            "POST", path, gzip.compress(large), headers(small, **{"Content-Encoding": "gzip"})
        )
    elif kind == "chunked":
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {small.key}\r\nTransfer-Encoding: chunked\r\n\r\n"
        with connect(small) as connection:
            connection.sendall(head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large))
            received = b""
            while b"}" not in received:
                received += connection.recv(65536)
        status, answer = int(received.split()[1]), received.partition(b"\r\n\r\n")[2]
    else:
        body = large if kind == "plain" else b" " * (3 << 20)
        status, _, answer = small.raw("POST", path, body, headers(small))

    assert (413, "Request.TooLarge") == (status, json.loads(answer)["error_code"])
    assert [] == small.pairs(run, "m")


DAMAGED: dict[str, tuple[bytes, str, int]] = {
    "cut": (b"{", "", 400),
    "array": (b"[]", "", 400),
    "number": (b'{"points": 5}', "", 400),
    "deep": (b"[" * 100_000, "", 400),
    "not-utf-8": (b"\xff\xfe", "", 400),
    "not-gzip": (b"not gzip", "gzip", 400),
    "cut-gzip": (gzip.compress(b'{"points": []}')[:-4], "gzip", 400),
    "unknown-encoding": (b'{"points": []}', "br", 415),
    "two-members": (gzip.compress(b'{"poi') + gzip.compress(b'nts": []}'), "gzip", 200),
    "many-members": (gzip.compress(b"") * 50_000 + gzip.compress(b'{"points": []}'), "gzip", 400),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_bodies(hub: HubProcess, kind: str) -> None:
    """A damaged body is answered with a 4xx in the protocol's form."""
    body, encoding, status = DAMAGED[kind]
    run = hub.make_run("damaged")
    more = {"Content-Encoding": encoding} if encoding else {}
    found, _, answer = hub.raw("POST", f"/api/v1/runs/{run}/ingest", body, headers(hub, **more))

    assert status == found
    assert status == 200 or {"error_code", "title", "detail"} == set(json.loads(answer))


def test_pages_and_numbers_of_a_query(hub: HubProcess) -> None:
    """Pages have a size, and what should be a number is one."""
    run = hub.make_run("queries")
    data = f"/api/v1/runs/{run}/data"
    bad = [
        f"{data}/strings?path=t&limit=10001",
        f"{data}/strings?path=t&limit=-1",
        f"{data}/strings?path=t&offset=1e3",
        f"{data}/strings",
        f"{data}/metrics?path=m&max_points=0",
        f"{data}/metrics?path=m&max_points=10001",
        f"{data}/metrics?path=m&step_min=nan",
        f"{data}/metrics?path=m&step_max=%FF",
        f"{data}/metrics?path=%FF",
    ]

    assert [400] * len(bad) == [hub.ask("GET", path)[0] for path in bad]


def test_names_that_can_be_none(hub: HubProcess) -> None:
    """A run's id, a project's and a workspace's name can be those of files, and lead nowhere else."""
    asked = {"workspace": "default", "project": "default", "experiment_name": None}
    ids = ["../x", ".hidden", "a/b", "x" * 129, "a\nb", " a", "\ud800", "a\0b"]
    found = [hub.ask("POST", "/api/v1/runs", {**asked, "run_id": run_id})[0] for run_id in ids]
    projects = [
        hub.ask("POST", "/api/v1/workspaces/default/projects", {"name": name})[0] for name in ("..", "a//b", "")
    ]
    long_name = hub.ask("POST", "/api/v1/runs", {**asked, "run_id": "ok", "experiment_name": "x" * 201})[0]
    time = hub.ask("POST", "/api/v1/runs", {**asked, "run_id": "ok", "created_at": "yesterday"})[0]

    assert [400] * len(ids) == found
    assert ([400] * 3, 400, 400) == (projects, long_name, time)


def test_a_slow_head_and_a_slow_body_end(make_hub: MakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends its request too slowly is cut off, and others are answered meanwhile."""
    hub = make_hub("--head-seconds", "1", "--body-seconds", "1")
    run = hub.make_run("slow")
    with connect(hub) as head, connect(hub) as body:
        head.sendall(b"GET / HTT")
        body.sendall(
            f"POST /api/v1/runs/{run}/ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hub.key}\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
        meanwhile = hub.ask("GET", "/api/v1/capabilities")[0]
        with contextlib.suppress(ConnectionResetError):
            assert b"" == head.recv(100)
        answer = body.recv(1000)

    assert 200 == meanwhile
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_connections_have_a_number(make_hub: MakeHub) -> None:
    """One connection too many is told to come again; when another ends, there is room."""
    hub = make_hub("--max-connections", "3")
    others = [connect(hub) for _ in range(3)]
    for other in others:
        other.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert other.recv(1000).startswith(b"HTTP/1.1 200")
    status, sent, answer = hub.raw("GET", "/healthz")
    for other in others:
        other.close()
    deadline = time.monotonic() + 10
    while hub.raw("GET", "/healthz")[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert (503, "2", "Server.Full") == (status, sent["retry-after"], json.loads(answer)["error_code"])
    assert 200 == hub.raw("GET", "/healthz")[0]


def test_a_key_may_ask_so_often(make_hub: MakeHub) -> None:
    """Beyond that it is told when to come again; another key is not."""
    hub = make_hub("--requests-a-second", "2")
    other = hub.ask("POST", "/api/v1/keys", {})[1]["key"]
    answers = [hub.raw("GET", "/api/v1/capabilities", headers=headers(hub)) for _ in range(30)]
    refused = [answer for answer in answers if answer[0] == 429]

    assert refused
    assert {"Rate.Exceeded"} == {json.loads(answer[2])["error_code"] for answer in refused}
    assert all(int(answer[1]["retry-after"]) >= 1 for answer in refused)
    assert 200 == hub.ask("GET", "/api/v1/capabilities", key=other)[0]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of another process's memory")
def test_small_bodies_that_become_large(make_hub: MakeHub) -> None:
    """Many requests at once of 30 kB that hold 30 MB of blanks, or of empty points, take no gigabyte of memory."""
    hub = make_hub()
    run = hub.make_run("r")
    blanks = gzip.compress(b'{"points":' + b" " * (31 << 20) + b"[]}")
    nothing = gzip.compress(b'{"points":[' + b"{}," * (10 << 20) + b"{}]}")
    headers = {"Authorization": f"Bearer {hub.key}", "Content-Encoding": "gzip"}
    with ThreadPoolExecutor(24) as pool:
        asked = [
            pool.submit(hub.raw, "POST", f"/api/v1/runs/{run}/ingest", body, headers)
            for body in [blanks] * 20 + [nothing] * 4
        ]
    statuses = {request.result()[0] for request in asked}
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{hub.pid}/status").read_text())

    assert {200, 400} == statuses
    assert peak is not None
    assert int(peak[1]) < 600_000


def test_a_run_has_so_many_series(make_hub: MakeHub) -> None:
    """Points of series beyond that are named in the answer; all others are stored, and go on being."""
    hub = make_hub("--max-series", "3")
    run = hub.make_run("series")
    first = hub.ingest(run, [point("a", 0, 1), point("b", 0, 1)])
    second = hub.ingest(run, [point("a", 1, 1), point("c", 0, 1), point("d", 0, 1), point("/d", 1, 1)])
    third = hub.ingest(run, [point("c", 1, 1), point("e", 0, text="z")])
    _, paths = hub.ask("GET", f"/api/v1/runs/{run}/paths")

    assert {} == first
    assert [2, 3] == [item["index"] for item in second["rejected"]]
    assert [1] == [item["index"] for item in third["rejected"]]
    assert ["a", "b", "c"] == sorted(path["path"] for path in paths)


def test_readers_that_take_nothing_are_cut_off(make_hub: MakeHub) -> None:
    """A client that asks for much and reads nothing does not hold the hub up."""
    hub = make_hub("--stalled-seconds", "1")
    run = hub.make_run("large")
    for start in range(0, 400_000, 100_000):
        hub.ingest(run, [point("m", step, step) for step in range(start, start + 100_000)])
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        parts = urlsplit(hub.url)
        slow.connect((parts.hostname, parts.port))
        slow.sendall(
            f"GET /api/v1/runs/{run}/data/metrics?path=m HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {hub.key}\r\n\r\n".encode()
        )
        slow.settimeout(120)
        received = len(slow.recv(1))  # the answer has begun
        port = slow.getsockname()[1]
        deadline = time.monotonic() + 120
        while port in hub.clients():
            assert time.monotonic() < deadline, "it is still connected"
            time.sleep(0.1)
        with contextlib.suppress(ConnectionResetError):
            while chunk := slow.recv(1 << 20):
                received += len(chunk)

    assert received < 15_000_000
    assert 200 == hub.ask("GET", "/api/v1/capabilities")[0]


@pytest.mark.parametrize("length", ["9999999999999999", "9" * 20, "9" * 5000])
def test_a_length_without_bounds_is_refused_at_once(hub: HubProcess, length: str) -> None:
    """A body that is announced as larger than anything is not waited for."""
    run = hub.make_run("announced")
    with connect(hub) as connection:
        connection.sendall(
            f"POST /api/v1/runs/{run}/ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hub.key}\r\n"
            f"Content-Length: {length}\r\n\r\n{{".encode()
        )
        status = int(connection.recv(4096).split()[1])
    assert status in (400, 413)


def test_clients_that_send_nothing_more_stop_nobody(make_hub: MakeHub) -> None:
    """Bodies count as they come: what is announced and never sent takes no room from others."""
    hub = make_hub()
    run = hub.make_run("r")
    head = (
        f"POST /api/v1/runs/{run}/ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hub.key}\r\n"
        f"Content-Length: {32 << 20}\r\n\r\n{{"
    ).encode()
    with contextlib.ExitStack() as open_:
        for _ in range(20):
            open_.enter_context(connect(hub)).sendall(head)
        time.sleep(0.5)  # the hub takes the connections in
        hub.ingest(run, [point("m", 0, 1)])
    assert [(0, 1.0)] == hub.pairs(run, "m")


@pytest.mark.parametrize("piece", ["{}", "[]", "1"])
def test_a_small_body_that_holds_much_is_refused(hub: HubProcess, piece: str) -> None:
    """What takes little to send and much to decode is too large, where a name or two are wanted."""
    body = gzip.compress(f'{{"a": [{",".join([piece] * 5_000_000)}]}}'.encode())
    status, _, answer = hub.raw("POST", "/api/v1/runs", body, headers(hub, **{"Content-Encoding": "gzip"}))
    assert 413 == status, answer
    run = hub.make_run("much")
    path = f"/api/v1/runs/{run}/configs"
    assert 413 == hub.raw("POST", path, body, headers(hub, **{"Content-Encoding": "gzip"}))[0]
