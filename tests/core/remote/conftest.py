"""A remote of one's own, and an environment that leads there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plain_server import KEY, PlainServer


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlainServer]:
    """A remote that speaks exactly the protocol, has the projects ``ws/p`` and ``default/p``, and is that of the test."""
    server = PlainServer().start()
    monkeypatch.setenv("GOODSEED_API_URL", server.url)
    monkeypatch.setenv("GOODSEED_API_KEY", KEY)
    yield server
    server.shutdown()
    server.server_close()
