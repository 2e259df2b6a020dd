"""Sends HTTP requests to one remote: one connection, no redirects, bounded in time and size."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import ipaddress
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from goodseed.errors import ConfigurationError, RemoteError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Response", "Transport"]

_TIMEOUT_SECONDS: Final = 30.0  # without a byte
_TOTAL_SECONDS: Final = 120.0
_CHUNK_BYTES: Final = 1 << 16
_LONGEST_RETRY_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whole.

    Attributes:
        status: The HTTP status.
        content_type: Without its parameters, in lower case.
        retry_after_seconds: What ``Retry-After`` says, at most an hour; None for nothing.
        body: What came.
    """

    status: int
    content_type: str
    retry_after_seconds: float | None
    body: bytes


class Transport:
    """Sends requests to one remote, one at a time; may be used from several threads.

    The key goes to that remote alone: a redirect is an answer like any other.
    """

    def __init__(
        self, api_url: str, key: str, *, is_http_allowed: bool = False, timeout_seconds: float = _TIMEOUT_SECONDS
    ) -> None:
        """Nothing is sent yet.

        Args:
            api_url: The remote's address, ``https://host[:port][/prefix]``.
            key: The API key.
            is_http_allowed: It may be sent without encryption to a host that is not this one.
            timeout_seconds: How long to wait for a connection, or for the next byte.

        Raises:
            ConfigurationError: The address is invalid, or is plain HTTP to another host and that is not allowed.
        """
        self._connection: http.client.HTTPConnection | None = None
        parts = urlsplit(api_url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.username is not None:
            raise ConfigurationError(
                f"GOODSEED_API_URL must be an address such as https://example.org, not {api_url!r:.200}."
            )
        if parts.scheme == "http" and not is_http_allowed and not _is_loopback(parts.hostname):
            raise ConfigurationError(
                f"{api_url} would carry the API key without encryption. Use https, or set GOODSEED_ALLOW_HTTP=1."
            )
        self.api_url: Final = api_url.rstrip("/")
        self._key: Final = key
        self._is_tls: Final = parts.scheme == "https"
        self._host: Final = parts.hostname
        self._port: Final = port
        self._prefix: Final = parts.path.rstrip("/")
        self._timeout_seconds: Final = timeout_seconds
        self._lock: Final = threading.Lock()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"Transport({self.api_url!r})"

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        max_bytes: int,
        total_seconds: float = _TOTAL_SECONDS,
    ) -> Response:
        """Send a request, and return the answer, whatever its status.

        Every request of the protocol may be sent twice, and is where a connection that was kept turns out to be gone.

        Raises:
            RemoteError: There is no answer, it breaks off, or it is longer or takes longer than allowed.
        """
        deadline = time.monotonic() + total_seconds
        with self._lock:
            is_fresh = self._connection is None
            try:
                try:
                    return self._exchange(method, path, body, headers or {}, max_bytes, deadline)
                except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                    if is_fresh or self._is_closed:
                        raise
                    self._drop()
                    return self._exchange(method, path, body, headers or {}, max_bytes, deadline)
            except BaseException as error:
                self._drop()
                if isinstance(error, (OSError, http.client.HTTPException, ValueError)):
                    raise RemoteError(f"{self.api_url} can't be reached: {_reason(error)}.") from error
                raise

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], max_bytes: int, deadline: float
    ) -> Response:
        connection = self._connect()
        connection.request(
            method,
            self._prefix + path,
            body=body,
            headers={"Authorization": f"Bearer {self._key}", "Accept": "application/json", **headers},
        )
        with contextlib.closing(connection.getresponse()) as answer:
            content = _read(answer, max_bytes, deadline)
            if answer.will_close:
                self._drop()
            return Response(
                answer.status,
                (answer.headers.get("Content-Type") or "").partition(";")[0].strip().lower(),
                _retry_after(answer.headers.get("Retry-After")),
                content,
            )

    def _connect(self) -> http.client.HTTPConnection:
        if self._is_closed:
            raise ConnectionAbortedError("the run is closing")
        if self._connection is None:
            scheme = "https" if self._is_tls else "http"
            proxy = None if proxy_bypass(self._host) else getproxies().get(scheme)
            at = urlsplit(proxy if proxy and "//" in proxy else f"//{proxy}") if proxy else None
            host, port = (at.hostname or "", at.port) if at is not None else (self._host, self._port)
            connection: http.client.HTTPConnection
            if self._is_tls:
                context = ssl.create_default_context()
                connection = http.client.HTTPSConnection(host, port, timeout=self._timeout_seconds, context=context)
            else:
                connection = http.client.HTTPConnection(host, port, timeout=self._timeout_seconds)
            if at is not None:
                connection.set_tunnel(self._host, self._port or (443 if self._is_tls else 80))
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def abort(self) -> None:
        """Break off what is being sent, and send nothing more; from any thread."""
        self._is_closed = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(2)

    def __del__(self) -> None:
        self._drop()

    def close(self) -> None:
        """Send nothing more."""
        self._is_closed = True
        with self._lock:
            self._drop()


def _read(answer: http.client.HTTPResponse, max_bytes: int, deadline: float) -> bytes:
    parts, size = [], 0
    while chunk := answer.read1(_CHUNK_BYTES):
        parts.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise ValueError(f"the answer is longer than {max_bytes:,} bytes")
        if time.monotonic() >= deadline:
            raise TimeoutError("the answer takes too long")
    if answer.length:  # read1 says nothing of an answer that broke off
        raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(parts)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return str(error) if str(error) and "timed out" not in str(error) else "no answer in time"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer broke off"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _retry_after(value: str | None) -> float | None:
    if value is None:
        return None
    if value.strip().isdecimal():
        seconds = float(value)
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(0.0, seconds), _LONGEST_RETRY_SECONDS)
