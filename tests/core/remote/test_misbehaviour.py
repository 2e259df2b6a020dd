"""Every rule of "what a client must do right", against a remote that breaks it."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from plain_server import PlainServer
from test_sync import pending, points

import goodseed


def hang(handler: Any) -> None:
    """Say nothing for a while, and never an answer."""
    time.sleep(3)  # the remote hangs
    handler.close_connection = True


def reset(handler: Any) -> None:
    """Break the connection off."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.close_connection = True


def close_in_the_body(handler: Any) -> None:
    """Promise more than comes."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def web_page(handler: Any) -> None:
    """Answer as the login page of a network does."""
    handler.answer(200, b"<html>Welcome to the hotel</html>", "text/html")


def web_page_without_a_type(handler: Any) -> None:
    """The same, calling itself JSON."""
    handler.answer(200, b"<html>Welcome to the hotel</html>")


def wrong_json(handler: Any) -> None:
    """JSON, but not that of the protocol."""
    handler.answer(200, b"[1, 2")


def server_error(handler: Any) -> None:
    """An error that may pass."""
    handler.answer(500, b"oops", "text/plain")


def busy(handler: Any) -> None:
    """An error that says when to come again."""
    handler.answer(503, b"{}", Retry_After="1")


def too_many(handler: Any) -> None:
    """The same, of another name."""
    handler.answer(429, b"{}", Retry_After="1")


@pytest.mark.parametrize(
    "trouble",
    [hang, reset, close_in_the_body, web_page, web_page_without_a_type, wrong_json, server_error, busy, too_many],
)
def test_nothing_is_marked_that_was_not_taken(remote: PlainServer, trouble: Callable[[Any], None]) -> None:
    """Whatever goes wrong with the answer, the points stay pending, no call is slowed, and they arrive afterwards."""
    run = goodseed.Run(project="ws/p")
    run.wait(10)
    is_bad = threading.Event()
    is_bad.set()
    seen: list[int] = []

    def misbehave(handler: Any, path: str) -> bool:
        if path.endswith("ingest") and is_bad.is_set():
            trouble(handler)
            seen.append(len(points(remote)))
            is_bad.clear()
            return True
        return False

    remote.misbehave = misbehave
    for step in range(20):
        run["loss"].log(1.0, step=step)
    run.sync()
    is_all = run.wait(30)
    run.close()

    assert [0] == seen
    assert is_all
    assert 20 == len(points(remote))
    assert 0 == pending(run)


def test_slow_body_does_not_hold_a_close(remote: PlainServer) -> None:
    """A remote that sends its answer byte by byte delays a close no longer than the close was told."""
    done: list[bool] = []

    def drip(handler: Any, path: str) -> bool:
        if not path.endswith("ingest"):
            return False
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)  # a byte now and then is what is tested
        done.append(True)
        return True

    remote.misbehave = drip
    run = goodseed.Run(project="ws/p")
    run["loss"].log(1.0, step=0)
    run.close(timeout=1.0)
    is_still_dripping = not done

    assert is_still_dripping
    assert 1 <= pending(run)


def test_retry_after_is_honoured(remote: PlainServer) -> None:
    """A remote that asks to be left alone for two seconds is left alone for two seconds."""
    run = goodseed.Run(project="ws/p")
    run.wait(10)
    times: list[float] = []

    def misbehave(handler: Any, path: str) -> bool:
        if not path.endswith("ingest"):
            return False
        times.append(time.monotonic())
        if len(times) == 1:
            handler.answer(429, b"{}", Retry_After="2")
        return len(times) == 1

    remote.misbehave = misbehave
    run["loss"].log(1.0, step=0)
    run.wait(30)
    run.close()

    assert times[1] - times[0] >= 2.0


def test_redirect_is_not_followed(remote: PlainServer, caplog: pytest.LogCaptureFixture) -> None:
    """A redirect is no answer, and the key goes to no other server."""
    caught: list[str] = []

    class Thief(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            caught.append(str(self.headers))
            self.send_error(500)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    thief = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Thief)
    threading.Thread(target=thief.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{thief.server_port}/api/v1/runs"
    remote.misbehave = lambda handler, path: handler.answer(307, b"", Location=address) is None
    run = goodseed.Run(project="ws/p")
    run["loss"].log(1.0, step=0)
    run.close(timeout=0.5)
    thief.shutdown()
    thief.server_close()

    assert [] == caught
    assert 1 <= pending(run)
    assert "redirect" in caplog.records[0].getMessage()


def test_too_large_is_split(remote: PlainServer) -> None:
    """A request that is too large goes in parts; what is too large by itself stays here, and blocks nothing."""
    sizes: list[int] = []

    def check(point: dict[str, Any]) -> None:
        from plain_server import RefusedError

        sizes.append(len(point.get("text", "")))
        if sum(sizes) > 1000:
            sizes.clear()
            raise RefusedError(413, "Body.TooLarge")

    def begin(handler: Any, path: str) -> bool:
        sizes.clear()
        return False

    remote.misbehave = begin
    remote.check_point = check
    with goodseed.Run(project="ws/p") as run:
        for step in range(20):
            run["text"].log("x" * 300, step=step)
        run["text"].log("y" * 2000, step=20)

    assert [float(step) for step in range(20)] == [s for (s,) in remote.rows("SELECT step FROM point ORDER BY step")]
    assert 0 == pending(run)


def test_remote_that_refuses_everything(remote: PlainServer, caplog: pytest.LogCaptureFixture) -> None:
    """A remote that refuses whatever it is sent is broken: the points stay pending, all but the few that were tried."""

    def check(point: dict[str, Any]) -> None:
        from plain_server import RefusedError

        raise RefusedError(400, "Bad.Mood")

    remote.check_point = check
    run = goodseed.Run(project="ws/p")
    for step in range(1000):
        run["loss"].log(1.0, step=step)
    run.close(timeout=1.0)

    assert 900 < pending(run)
    assert any("whatever is sent" in record.getMessage() for record in caplog.records)


def test_rejected_points_of_an_accepted_request(remote: PlainServer, caplog: pytest.LogCaptureFixture) -> None:
    """A remote that takes a request and names points that it left out is believed."""
    bodies: list[bytes] = []

    def misbehave(handler: Any, path: str) -> bool:
        if not path.endswith("ingest"):
            return False
        bodies.append(b"")
        body = {"accepted": 2, "rejected": [{"index": 1, "detail": "Not \x1b[31mthis one."}]}
        handler.answer(200, json.dumps(body).encode())
        return True

    remote.misbehave = misbehave
    with goodseed.Run(project="ws/p") as run:
        for step in range(3):
            run["loss"].log(1.0, step=step)

    assert 1 == len(bodies)
    assert 0 == pending(run)
    assert ["Not  [31mthis one" in record.getMessage() for record in caplog.records] == [True]


def test_one_request_at_a_time(remote: PlainServer) -> None:
    """A run has never more than one request under way."""
    under_way, most = [0], [0]
    lock = threading.Lock()
    begun = threading.Semaphore(0)

    def slow(handler: Any, path: str) -> bool:
        begun.release()
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.02)  # uploads overlap, if they may
        with lock:
            under_way[0] -= 1
        return False

    remote.misbehave = slow
    with goodseed.Run(project="ws/p") as run:
        for step in range(30):
            run["loss"].log(1.0, step=step)
            run.sync()
            assert begun.acquire(timeout=20)  # the next sync comes while this request is under way

    assert 1 == most[0]


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_packed_points_that_are_refused_go_as_json(remote: PlainServer, status: int) -> None:
    """A remote that announces packed points, and something before it that lets none through, still gets every point."""
    types: list[str] = []

    def misbehave(handler: Any, path: str) -> bool:
        if path.endswith("capabilities"):
            handler.answer(200, json.dumps({"server": "x", "packed_points": True}).encode())
            return True
        kind = handler.headers.get("Content-Type", "")
        if path.endswith("ingest"):
            types.append(kind)
        if kind != "application/x-goodseed-points":
            return False
        handler.answer(status, b"{}")
        return True

    remote.misbehave = misbehave
    with goodseed.Run(project="ws/p") as run:
        for step in range(50):
            run.log_metrics({"loss": step / 2, "acc": 1.0}, step=step)

    assert {"application/x-goodseed-points", "application/json"} <= set(types)
    assert [(float(step), step / 2) for step in range(50)] == [tuple(row) for row in points(remote)]
    assert 0 == pending(run)
