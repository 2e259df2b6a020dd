"""Runs uvicorn within the hub's limits."""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, final

import uvicorn

from goodseed_hub.web.connections import make_protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.types import ASGIApp

    from goodseed_hub.limits import Limits

__all__ = ["Server", "listen"]

_KEEP_ALIVE_SECONDS: Final = 30
_SHUTDOWN_SECONDS: Final = 10
_MAX_HEAD_BYTES: Final = 64 << 10
_BACKLOG: Final = 2048


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address; port 0 is any free one.

    Raises:
        OSError: The address is unavailable.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # Taken over by what it accepts. asyncio sets it for sockets of its own alone, and without it an answer waits
        # 40 ms for the client to acknowledge its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise OSError(f"can't listen at {host}, port {port}: {error.strerror or error}.") from error


@final
class Server(uvicorn.Server):
    """Serves an application until SIGINT or SIGTERM, and says where once it listens."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        listener: socket.socket,
        *,
        trusted_proxies: Sequence[str] = (),
        greeting: Sequence[str] = (),
    ) -> None:
        """Nothing is answered yet.

        Args:
            app: What answers.
            limits: Of connections.
            listener: What `listen` gave.
            trusted_proxies: Addresses whose forwarded headers are believed.
            greeting: What to print once it listens; ``{url}`` stands for the address.
        """
        super().__init__(
            uvicorn.Config(
                app,
                http=make_protocol(limits),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
                h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
                backlog=_BACKLOG,
            )
        )
        self._listener: Final = listener
        self._greeting: Final = greeting

    async def startup(self, sockets: Any = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        if not self.started or self.should_exit:
            return
        host, port = self._listener.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        for line in self._greeting:
            print(line.format(url=f"http://{host}:{port}"))
        sys.stdout.flush()

    def serve_until_stopped(self) -> int:
        """Serve; returns the exit status."""
        with _quiet_signals():
            try:
                self.run([self._listener])
            except KeyboardInterrupt:
                return 0
            except SystemExit:  # it could not begin, and has said why
                return 1
        return 0 if self.started else 1


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """Uvicorn raises the signal that stopped it once more, to end the process; ours is to close its files first."""

    def ignore(number: int, frame: Any) -> None:
        pass

    before = {number: signal.signal(number, ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
