"""Bounds how many connections are open, and picks which one to close."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Final

__all__ = ["Connections"]


class Connections:
    """The open connections; each is either waiting for its client or being served."""

    def __init__(self, max_count: int) -> None:
        self._max_count: Final = max_count
        self._lock: Final = threading.Lock()
        self._waiting_since: Final[dict[socket.socket, float | None]] = {}

    def add(self, connection: socket.socket) -> bool:
        """Count ``connection``; False when there are too many, all of them being served.

        Otherwise the one that has waited for its client longest makes room.
        """
        with self._lock:
            if len(self._waiting_since) >= self._max_count and not self._evict():
                return False
            self._waiting_since[connection] = time.monotonic()
            return True

    def set_waiting(self, connection: socket.socket, is_waiting: bool) -> None:
        """Say whether ``connection`` waits for its client, to send or to take, or is being served."""
        with self._lock:
            if connection in self._waiting_since:
                self._waiting_since[connection] = time.monotonic() if is_waiting else None

    def remove(self, connection: socket.socket) -> None:
        """Stop counting ``connection``."""
        with self._lock:
            self._waiting_since.pop(connection, None)

    def close_all(self, timeout_seconds: float) -> None:
        """End every connection, and wait that long for their threads to close them."""
        with self._lock:
            connections = list(self._waiting_since)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + timeout_seconds
        while self._waiting_since and time.monotonic() < deadline:
            time.sleep(0.005)

    def _evict(self) -> bool:
        waiting = [(since, index) for index, since in enumerate(self._waiting_since.values()) if since is not None]
        if not waiting:
            return False
        connection = list(self._waiting_since)[min(waiting)[1]]
        del self._waiting_since[connection]
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)  # its thread wakes, and closes it
        return True
