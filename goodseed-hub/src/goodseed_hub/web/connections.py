"""Bounds uvicorn's connections: their number, slow request heads, stalled readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from goodseed_hub.limits import Limits

__all__ = ["make_protocol"]

_FULL_BODY: Final = b'{"error_code":"Server.Full","title":"Too many connections","detail":"Try again in a moment."}'
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 2\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_FULL_BODY), _FULL_BODY)
)


def make_protocol(limits: Limits) -> type[H11Protocol]:
    """The class of a server's connections."""

    class LimitedProtocol(H11Protocol):
        """One connection."""

        _head_timer: asyncio.TimerHandle | None = None
        _stall_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            """A client has connected."""
            super().connection_made(transport)
            if len(self.connections) > limits.max_connections:
                transport.write(_FULL)
                transport.close()
                return
            self._begin_head()

        def connection_lost(self, exc: Exception | None) -> None:
            """The connection has ended."""
            self._end_head()
            self._end_stall()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            """More data has arrived."""
            super().data_received(data)
            if self.conn.their_state is h11.IDLE:
                if self._head_timer is None and self.conn.trailing_data[0]:  # of the next request
                    self._begin_head()
            else:
                self._end_head()

        def pause_writing(self) -> None:
            """The client does not take what is sent."""
            super().pause_writing()
            if self._stall_timer is None:
                self._stall_timer = self.loop.call_later(limits.stalled_seconds, self._abort)

        def resume_writing(self) -> None:
            """It takes it again."""
            self._end_stall()
            super().resume_writing()

        def _begin_head(self) -> None:
            self._head_timer = self.loop.call_later(limits.head_seconds, self._abort)

        def _end_head(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _end_stall(self) -> None:
            if self._stall_timer is not None:
                self._stall_timer.cancel()
                self._stall_timer = None

        def _abort(self) -> None:
            self.transport.abort()  # closing would wait for a client that does not read

    return LimitedProtocol
