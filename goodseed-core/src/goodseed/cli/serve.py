"""Runs ``goodseed serve``: shows the runs under a directory in a browser."""

from __future__ import annotations

import argparse
import contextlib
import errno
import ipaddress
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from goodseed.cli.command import Command
from goodseed.errors import ConfigurationError
from goodseed.terminal import no_directory, printable, show_progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from goodseed.server.http.listener import Server
    from goodseed.server.http.security import Policy
    from goodseed.server.store import CatalogStore

__all__ = ["COMMAND"]

_DEFAULT_PORT: Final = 8765
_TRIED_PORTS: Final = 100
_DESCRIPTION: Final = """\
Serve the runs under a directory over HTTP, on this machine only, until Ctrl-C.

  goodseed serve                      the runs in ~/.goodseed/projects
  goodseed serve ./results --open     whatever runs lie under ./results, in the browser
  goodseed serve --host 0.0.0.0       for other machines too: it prints a link with a token

On a server that you reach with ssh, rather forward the port: ssh -L 8765:localhost:8765 HOST
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", nargs="?", help="where to look (default: projects in GOODSEED_HOME, or ~/.goodseed)")
    parser.add_argument(
        "--port", type=_port, help=f"the port (default: {_DEFAULT_PORT}); a taken one gives the next that is free"
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: 127.0.0.1)")
    parser.add_argument("-v", "--verbose", action="store_true", help="say which projects are served")
    parser.add_argument("--open", action="store_true", help="open the browser")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which browsers may call this server; may be given several times",
    )
    parser.add_argument(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let only pages of this origin read the JSON API, instead of any; may be given several times",
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port must be an integer from 0 to 65535, not {text!r}")
    return int(text)


def _run(arguments: argparse.Namespace) -> int:
    from goodseed.server.store import CatalogStore

    store = CatalogStore(arguments.dir)
    if arguments.dir is not None and not store.root.is_dir():
        print(f"goodseed serve: {printable(no_directory(arguments.dir))}", file=sys.stderr)
        return 2
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = None
    with contextlib.closing(store):
        try:
            server, link = _start(store, arguments)
            store.look(show_progress)
            print(f"Goodseed serves {printable(str(store.root))} at {link} (Ctrl-C stops it)", flush=True)
            if arguments.verbose:
                _say_what_is_served(store)
            if arguments.open:
                _open_browser(link)
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
        finally:
            if server is not None:
                server.server_close()
            signal.signal(signal.SIGTERM, before)
    return 0


def _say_what_is_served(store: CatalogStore) -> None:
    for project in store.projects():
        print(f"  {printable(project.name)}: {project.run_count:,} runs, {project.running_count:,} of them running")
    sys.stdout.flush()


def _start(store: CatalogStore, arguments: argparse.Namespace) -> tuple[Server, str]:
    """A server that listens, and the link to it."""
    from goodseed.server.http.app import ROUTES, Application
    from goodseed.server.http.listener import Server
    from goodseed.server.http.static import Pages
    from goodseed.server.plugin_routes import plugin_route

    pages = Pages()
    routes = (*ROUTES, plugin_route(store.root))
    host = arguments.host.removeprefix("[").removesuffix("]")
    wanted = _DEFAULT_PORT if arguments.port is None else arguments.port
    for port in _ports(wanted):
        policy = _policy(host, port, arguments)
        try:
            server = Server((host, port), Application(store, policy, pages, routes))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise OSError(f"can't listen at {host}, port {port}: {error.strerror or error}.") from error
            continue
        if wanted and port != wanted:
            print(f"goodseed serve: port {wanted} is taken; using {port}.", file=sys.stderr)
        return server, _link(host, server.server_port, policy)
    raise OSError(f"the ports from {wanted} to {port} are taken; name another with --port.")


def _ports(wanted: int) -> Iterator[int]:
    yield from range(wanted, min(wanted + _TRIED_PORTS, 65536) if wanted else 1)


def _policy(host: str, port: int, arguments: argparse.Namespace) -> Policy:
    from goodseed.server.http.security import Policy, is_loopback

    names = frozenset(name.lower().rstrip(".") for name in arguments.allowed_host)
    if not is_loopback(host):
        names |= {host.lower()}
    return Policy(
        is_token_required=not is_loopback(host),
        allowed_hosts=names,
        cors_origins=frozenset(map(_origin, arguments.cors_origin)),
        cookie=f"goodseed-{port}",
    )


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
        raise ConfigurationError(f"--cors-origin takes an origin such as https://example.org, not {text!r}.")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _link(host: str, port: int, policy: Policy) -> str:
    """What to open; with the token where one is needed."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host
    else:
        name = socket.gethostname() if address.is_unspecified else f"[{host}]" if address.version == 6 else host
    return f"http://{name}:{port}/" + (f"?token={policy.token}" if policy.is_token_required else "")


def _open_browser(link: str) -> None:
    import webbrowser

    if not webbrowser.open(link):
        print("goodseed serve: there is no browser to open.", file=sys.stderr)


COMMAND: Final = Command("serve", "show runs in the browser", _DESCRIPTION, _add_arguments, _run)
