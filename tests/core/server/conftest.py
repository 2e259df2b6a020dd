"""Real servers, over real sockets, on the runs of a test."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from goodseed.server.http.app import Application
from goodseed.server.http.listener import Server
from goodseed.server.http.security import Policy
from goodseed.server.http.static import Pages
from goodseed.server.store import CatalogStore


@dataclass
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON without anything that JSON does not have."""

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is no JSON")

        return json.loads(self.body, parse_constant=refuse)


@dataclass
class Client:
    """Asks one server."""

    port: int
    policy: Policy = field(default_factory=Policy)

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Reply:
        """One request on a connection of its own; ``_`` in the name of a header stands for ``-``."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            content = json.dumps(body) if body is not None else None
            connection.request(method, target, content, sent)
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())

    def get(self, target: str, **headers: str) -> Reply:
        """A GET."""
        return self.ask("GET", target, **headers)

    def change(self, target: str) -> Reply:
        """A POST by somebody who holds the token."""
        return self.ask("POST", target, authorization=f"Bearer {self.policy.token}")

    def raw(self, data: bytes, *, timeout_seconds: float = 20) -> bytes:
        """Everything that the server sends back until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_seconds) as connection:
            received = b""
            try:
                connection.sendall(data)
                while chunk := connection.recv(65536):
                    received += chunk
            except ConnectionError:
                pass  # closed with some of ours unread
            return received


Serve = Callable[..., Client]


@pytest.fixture
def serve(home: Path) -> Iterator[Serve]:
    """Starts servers on the home of the test, and stops them."""
    started = []

    def start(policy: Policy | None = None, *, web: Path | None = None, **options: Any) -> Client:
        chosen = policy or Policy()
        store = CatalogStore(home / "projects")
        pages = Pages(web or home / "no-dashboard")
        server = Server(("127.0.0.1", 0), Application(store, chosen, pages), **options)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, store, thread))
        return Client(server.server_port, chosen)

    yield start
    for server, store, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()
        store.close()


@pytest.fixture
def client(serve: Serve) -> Client:
    """A server as `goodseed serve` makes one."""
    return serve()
