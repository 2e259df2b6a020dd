"""Reads requests from a socket within limits of time and size."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket

__all__ = ["HeadError", "RequestReader"]

_RECEIVE_BYTES: Final = 65536


class HeadError(Exception):
    """The request line or the headers are larger than allowed, or malformed; ``status`` is the answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status: Final = status


class RequestReader:
    """The requests of one connection, one after the other; bytes of the next one are kept for it.

    It is the ``rfile`` of `http.server.BaseHTTPRequestHandler`, as far as that uses it.
    """

    def __init__(self, connection: socket.socket, *, max_head_bytes: int) -> None:
        self._connection: Final = connection
        self._max_head_bytes: Final = max_head_bytes
        self._buffer = bytearray()
        self._head_bytes = 0
        self._deadline = 0.0

    def begin(self, *, idle_seconds: float, head_seconds: float) -> bool:
        """Wait for the next request; False when none has come within ``idle_seconds``, or never will.

        Args:
            idle_seconds: How long its first byte may take.
            head_seconds: How long the whole of its head may take from then on.
        """
        self._head_bytes = 0
        self._deadline = time.monotonic() + idle_seconds
        while True:
            if not self._buffer and not self._receive():
                return False
            if self._buffer[0] not in b"\r\n":  # empty lines before a request are allowed
                break
            del self._buffer[:1]
            self._count(1)
        self._deadline = time.monotonic() + head_seconds
        return True

    def readline(self, limit: int = -1) -> bytes:
        """A line of the head, with its end; less at the end of the stream.

        Raises:
            HeadError: The head is larger than allowed, or holds a character that none may hold.
            TimeoutError: It takes too long.
        """
        while (end := self._buffer.find(b"\n")) < 0:
            self._check_size(len(self._buffer))
            if not self._receive():
                end = len(self._buffer) - 1
                break
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        self._count(len(line))
        # A lone CR ends a line for some readers and not for others: one request must not be two.
        if b"\r" in line.removesuffix(b"\r\n") or b"\0" in line:
            raise HeadError(400, "The head of the request is malformed")
        return line

    def read_body(self, count: int, *, seconds: float) -> bytes:
        """``count`` bytes.

        Raises:
            ConnectionError: The stream ends before that.
            TimeoutError: It takes longer than ``seconds``.
        """
        self._deadline = time.monotonic() + seconds
        while len(self._buffer) < count:
            if not self._receive():
                raise ConnectionError("the body is shorter than announced")
        body = bytes(self._buffer[:count])
        del self._buffer[:count]
        return body

    def close(self) -> None:
        """Nothing to do: the socket belongs to the server."""

    def _count(self, count: int) -> None:
        self._head_bytes += count
        self._check_size(0)

    def _check_size(self, coming: int) -> None:
        if self._head_bytes + coming > self._max_head_bytes:
            raise HeadError(431, "The head of the request is too large")

    def _receive(self) -> bool:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the request takes too long")
        self._connection.settimeout(remaining)
        received = self._connection.recv(_RECEIVE_BYTES)
        self._buffer += received
        return bool(received)
