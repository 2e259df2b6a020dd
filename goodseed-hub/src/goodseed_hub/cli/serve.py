"""Runs ``goodseed hub serve``."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import math
import sys
from dataclasses import replace
from typing import Any, Final

from goodseed.terminal import printable
from goodseed_hub.cli.common import add_command, place
from goodseed_hub.errors import HubError
from goodseed_hub.limits import Limits

__all__ = ["add_commands"]

_PORT: Final = 8766
_FILES_A_RUN: Final = 4
_MMAP_THRESHOLD: Final = -3  # M_MMAP_THRESHOLD of glibc, which without it raises it to what was freed last
_LARGE_BLOCK_BYTES: Final = 4 << 20
_DESCRIPTION: Final = """\
Serve the wire protocol and the dashboard, until Ctrl-C.

  goodseed hub serve                                      this machine only; data in ~/.goodseed/hub
  goodseed hub serve --host 0.0.0.0 --data /srv/goodseed  for others too: put a proxy with TLS before it
  goodseed hub serve --database postgresql://hub@db/hub   any number of hubs on one database

The first start makes a workspace, an admin and a key, and prints the key once.
"""


_LIMITS: Final[dict[str, tuple[type, tuple[str, ...], str]]] = {
    "--max-body-mb": (int, ("max_body_bytes", "max_plain_bytes"), "megabytes of a body, compressed or not"),
    "--max-series": (int, ("max_series",), "series of a run"),
    "--max-connections": (int, ("max_connections",), "connections at one time"),
    "--requests-a-second": (float, ("requests_a_second",), "requests a second of one key, twice as many at once"),
    "--head-seconds": (float, ("head_seconds",), "seconds for the head of a request"),
    "--body-seconds": (float, ("body_seconds",), "seconds for its body"),
    "--stalled-seconds": (float, ("stalled_seconds",), "seconds that a client may take nothing of its answer"),
}


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = add_command(commands, "serve", "serve the protocol and the dashboard", _serve, _DESCRIPTION)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=_PORT, help=f"the port (default: {_PORT}; 0 for any)")
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a proxy whose X-Forwarded-For and X-Forwarded-Proto are believed; several may be named",
    )
    parser.add_argument(
        "--crashed-after", type=float, default=60.0, metavar="SECONDS", help="silence that makes a run crashed"
    )
    parser.add_argument(
        "--no-new-projects",
        action="store_true",
        help="refuse a run for a project that there is not, instead of making it",
    )
    limits = parser.add_argument_group("limits")
    for option, (kind, fields, what) in _LIMITS.items():
        known = getattr(Limits(), fields[0])
        shown = known >> 20 if option == "--max-body-mb" else known
        limits.add_argument(option, type=kind, metavar="N", help=f"{what} (default: {shown:g})")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError("a port must be an integer from 0 to 65535")
    return int(text)


def _limits(arguments: argparse.Namespace) -> Limits:
    limits = Limits()
    for option, (_, fields, _) in _LIMITS.items():
        value = getattr(arguments, option.removeprefix("--").replace("-", "_"))
        if value is None:
            continue
        if not 0 < value < math.inf:
            raise HubError(f"{option} must be a number above 0, not {value}.")
        value = value << 20 if option == "--max-body-mb" else value
        limits = replace(limits, **dict.fromkeys(fields, value))
    if arguments.requests_a_second is not None:
        limits = replace(limits, burst=max(1, round(2 * limits.requests_a_second)))
    return limits


def _serve(arguments: argparse.Namespace) -> int:
    from goodseed_hub.opening import enter_files, make_first, open_hub
    from goodseed_hub.web.app import make_app
    from goodseed_hub.web.page.dashboard import Dashboard
    from goodseed_hub.web.server import Server, listen

    directory, database_url = place(arguments)
    limits = _limits(arguments)
    _raise_file_limit(limits.max_connections)
    _give_large_blocks_back()
    listener = listen(arguments.host, arguments.port)  # before a first key is made, which would be printed in vain
    hub_options = {"silence_seconds": arguments.crashed_after, "makes_projects": not arguments.no_new_projects}
    with listener, open_hub(directory, database_url, limits=limits, **hub_options) as hub:
        first_key = make_first(hub.database, hub.access, hub.directory)
        if database_url is None:
            enter_files(hub)
        shown = printable(str(directory)).replace("{", "{{").replace("}", "}}")
        greeting = [f"Goodseed hub at {{url}} (data in {shown}; Ctrl-C stops it)"]
        if first_key is not None:
            greeting += [
                f"The first admin's key, shown this once: {first_key}",
                "  export GOODSEED_API_URL={url}",
                f"  export GOODSEED_API_KEY={first_key}",
            ]
        with contextlib.closing(Dashboard(hub)) as dashboard, contextlib.closing(make_app(hub, dashboard)) as app:
            server = Server(
                app,
                limits,
                listener,
                trusted_proxies=arguments.trusted_proxy,
                greeting=greeting,
            )
            hub.start()
            dashboard.start()
            return server.serve_until_stopped()


def _give_large_blocks_back() -> None:
    """Let the system have the memory of a large body back at once; else each thread keeps that of its largest."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no C library with this call
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)


def _raise_file_limit(max_connections: int) -> None:
    """Allow as many open files as connections and run files may need."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max_connections + 256 * _FILES_A_RUN + 512
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        if limit < wanted:
            print(f"goodseed hub: only {limit} files may be open; {wanted} are wanted (ulimit -n).", file=sys.stderr)
