"""Runs the HTTP server: sockets, threads and limits around `goodseed.server.http.app`."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import socketserver
import sys
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from goodseed.server.http.app import Call, Response
from goodseed.server.http.connections import Connections
from goodseed.server.http.requests import HeadError, RequestReader
from goodseed.server.http.security import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from goodseed.server.http.app import Application

__all__ = ["MAX_BODY_BYTES", "MAX_CONNECTIONS", "MAX_HEAD_BYTES", "Server"]

MAX_CONNECTIONS: Final = 128
MAX_HEAD_BYTES: Final = 32 << 10
MAX_BODY_BYTES: Final = 1 << 20
_IDLE_SECONDS: Final = 30.0
_HEAD_SECONDS: Final = 10.0
_BODY_SECONDS: Final = 20.0
_SEND_SECONDS: Final = 20.0  # for each piece of `_PIECE_BYTES`: a client may be slow, but not idle
_PIECE_BYTES: Final = 256 << 10
_CLOSE_SECONDS: Final = 1.0
_COMPRESSED: Final = re.compile(r"text/|application/(json|javascript)|image/svg")
_MIN_COMPRESSED_BYTES: Final = 1024
_LIVE: Final = "text/event-stream"
_DIGITS: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_OUT_OF_ROOM: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nRetry-After: 1\r\n"
    b"Connection: close\r\n\r\n"
)
_logger: Final = logging.getLogger("goodseed")


class Server(ThreadingHTTPServer):
    """Serves an application at an address until `shutdown`; `server_close` then ends the connections."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name != "nt"  # where it would let two servers share a port
    request_queue_size = MAX_CONNECTIONS

    def __init__(
        self,
        address: tuple[str, int],
        application: Application,
        *,
        max_connections: int = MAX_CONNECTIONS,
        head_seconds: float = _HEAD_SECONDS,
    ) -> None:
        """Bind to ``address``; port 0 is any free one. A client has ``head_seconds`` to send the head of a request.

        Raises:
            OSError: The address is taken, or not one of this machine.
        """
        self.application: Final = application
        self.connections: Final = Connections(max_connections)
        self.head_seconds: Final = head_seconds
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without asking a name server for the name of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def server_close(self) -> None:
        """Close the port and every connection."""
        super().server_close()
        self.connections.close_all(_CLOSE_SECONDS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection in a thread of its own, if there is room for one more."""
        if self.connections.add(request):
            super().process_request(request, client_address)
            return
        request.settimeout(0.1)
        with contextlib.suppress(OSError):
            request.sendall(_OUT_OF_ROOM)
        self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        super().shutdown_request(request)
        self.connections.remove(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong with a connection, unless its client has just left."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            _logger.error("goodseed: a connection failed: %r", error, exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    """One connection. `parse_request` is the standard library's; what it lets through is looked at once more."""

    protocol_version = "HTTP/1.1"
    server: Server
    rfile: RequestReader  # type: ignore[assignment]

    def setup(self) -> None:
        self.connection: socket.socket = self.request
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rfile = RequestReader(self.connection, max_head_bytes=MAX_HEAD_BYTES)

    def finish(self) -> None:
        """The server closes the socket."""

    def handle(self) -> None:
        """Serve one request after the other, until the client leaves, is too slow, or sends an invalid request."""
        self.close_connection = False
        with contextlib.suppress(OSError):
            while not self.close_connection:
                self._wait(True)
                if not self.rfile.begin(idle_seconds=_IDLE_SECONDS, head_seconds=self.server.head_seconds):
                    return
                self.close_connection = True
                try:
                    self._serve()
                except HeadError as error:
                    self.send_error(error.status, str(error))

    def _serve(self) -> None:
        self.raw_requestline = self.rfile.readline()
        if not self.parse_request():
            return
        fault = self._fault()
        if fault is not None:
            self.send_error(*fault)
            return
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read_body(length, seconds=_BODY_SECONDS) if length else b""
        self._wait(False)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.application.respond(Call(self.command, self.path, headers, body)))

    def _fault(self) -> tuple[int, str] | None:
        """What makes the request unsafe to read: above all, whatever two readers could take for two requests."""
        headers = self.headers
        if self.request_version not in ("HTTP/1.0", "HTTP/1.1"):
            return 505, "HTTP/1.0 and HTTP/1.1 are understood"
        if headers.defects or any("\n" in value for value in headers.values()):
            return 400, "The headers are malformed"
        lengths = headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in headers:
            return (400 if lengths else 411), "A body needs a Content-Length, and no Transfer-Encoding"
        if len(lengths) > 1 or not all(map(_DIGITS.fullmatch, lengths)):
            return 400, "The Content-Length is malformed"
        if lengths and int(lengths[0]) > MAX_BODY_BYTES:
            return 413, f"A body must have at most {MAX_BODY_BYTES} bytes"
        if len(headers.get_all("Host", [])) > 1:
            return 400, "There is more than one Host"
        return None

    # -- answers --------------------------------------------------------------------------------------------------

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer an invalid request with a JSON error, and close."""
        self.close_connection = True
        self.command = getattr(self, "command", None) or "GET"
        self._send(self.server.application.fault(int(code), message or self.responses[code][0]))

    def _send(self, response: Response) -> None:
        content = response.content
        try:
            self._send_content(response)
        finally:
            if not isinstance(content, bytes):
                content.close()

    def _send_content(self, response: Response) -> None:
        content: bytes | Iterator[bytes] = response.content
        headers = response.headers
        is_compressed = self._is_compressed(response)
        if is_compressed:
            headers |= {"Content-Encoding": "gzip", "Vary": _joined(headers.get("Vary"), "Accept-Encoding")}
            content = _gzip(iter((content,)) if isinstance(content, bytes) else content)
        if isinstance(content, bytes):
            if response.status not in (204, 304):
                headers["Content-Length"] = str(len(content))
            self._send_pieces(self._head(response) + (b"" if self.command == "HEAD" else content))
            return
        is_chunked = self.request_version == "HTTP/1.1"
        headers |= {"Transfer-Encoding": "chunked"} if is_chunked else {}
        self.close_connection = self.close_connection or not is_chunked
        self._send_pieces(self._head(response))
        if self.command == "HEAD":
            return
        try:
            self._send_chunks(content, is_chunked=is_chunked, is_live=headers.get("Content-Type") == _LIVE)
        except OSError:
            raise  # the client has left
        except Exception as error:  # noqa: BLE001 - logged; the status has gone out
            # The status has gone out: a connection that ends too early is all that can still say it.
            self.close_connection = True
            _logger.warning("goodseed: %s ended in the middle of its answer: %s", self.path[:200], error)

    def _send_chunks(self, chunks: Iterator[bytes], *, is_chunked: bool, is_live: bool) -> None:
        for chunk in chunks:
            if chunk:
                self._wait(True)
                self._send_pieces(b"%x\r\n%b\r\n" % (len(chunk), chunk) if is_chunked else chunk)
                self._wait(is_live)  # one that is open for news may go when there are too many
        if is_chunked:
            self._send_pieces(b"0\r\n\r\n")

    def _send_pieces(self, data: bytes) -> None:
        self._wait(True)
        view = memoryview(data)
        for start in range(0, len(view), _PIECE_BYTES):
            self.connection.settimeout(_SEND_SECONDS)
            self.connection.sendall(view[start : start + _PIECE_BYTES])

    def _head(self, response: Response) -> bytes:
        phrase = self.responses.get(response.status, ("",))[0]
        headers = {"Server": "goodseed", "Date": self.date_time_string(), **response.headers}
        if self.close_connection:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _is_compressed(self, response: Response) -> bool:
        """Over the loopback compressing takes longer than sending; elsewhere it pays."""
        if is_loopback(self.client_address[0].removeprefix("::ffff:")) or "Content-Encoding" in response.headers:
            return False
        if "gzip" not in self.headers.get("Accept-Encoding", "") or response.status != 200:
            return False
        is_large = not isinstance(response.content, bytes) or len(response.content) >= _MIN_COMPRESSED_BYTES
        return is_large and bool(_COMPRESSED.match(response.headers.get("Content-Type", "")))

    def _wait(self, is_waiting: bool) -> None:
        self.server.connections.set_waiting(self.connection, is_waiting)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the standard library's
        """A line a request would bury the one line that tells the address."""


def _gzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(5, wbits=31)
    for chunk in chunks:
        yield compressor.compress(chunk) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()


def _joined(first: str | None, second: str) -> str:
    return f"{first}, {second}" if first else second
