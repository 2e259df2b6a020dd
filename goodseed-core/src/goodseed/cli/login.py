"""Runs ``goodseed login``, ``logout`` and ``whoami``: stores, removes and checks the API key of this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from goodseed.cli.command import Command
from goodseed.cli.remote import client_of, connect
from goodseed.config import Settings
from goodseed.credentials import check_key, forget_key, keep_key
from goodseed.terminal import printable

if TYPE_CHECKING:
    import argparse

    from goodseed.remote.messages import Identity

__all__ = ["LOGIN", "LOGOUT", "WHOAMI"]

_LOGIN: Final = """\
Keep an API key for the remote at GOODSEED_API_URL on this machine, after trying it. It is
asked for without being shown; in a script, send it through stdin:

  goodseed login
  goodseed login < key.txt

GOODSEED_API_KEY, where it is set, wins over the key that is kept.
"""
_LOGOUT: Final = """\
Forget the API key that goodseed login keeps for the remote at GOODSEED_API_URL.
"""
_WHOAMI: Final = """\
Say whose API key is in use, and at which remote.
"""


def _no_arguments(_: argparse.ArgumentParser) -> None:
    """There are none."""


def _login(_: argparse.Namespace) -> int:
    settings = Settings.from_env()
    key = check_key(_ask(f"API key for {settings.api_url}: "), "What was typed")
    client = connect(settings, key)
    try:
        identity = client.me()
    finally:
        client.close()
    path = keep_key(settings.api_url, key)
    print(f"Logged in to {printable(settings.api_url)} as {_shown(identity)}. The key is in {printable(str(path))}.")
    return 0


def _shown(identity: Identity) -> str:
    """The user and the workspace; only the workspace if the remote does not name the user."""
    user, workspace = printable(identity.user or ""), printable(identity.workspace)
    return f"{user} (workspace {workspace})" if user else workspace


def _ask(prompt: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    import getpass

    return getpass.getpass(prompt)


def _logout(_: argparse.Namespace) -> int:
    settings = Settings.from_env()
    if forget_key(settings.api_url):
        print(f"The key for {printable(settings.api_url)} is forgotten.")
    else:
        print(f"There is no key for {printable(settings.api_url)}.")
    return 0


def _whoami(arguments: argparse.Namespace) -> int:
    client = client_of(arguments)
    try:
        print(f"{_shown(client.me())} at {printable(client.api_url)}")
    finally:
        client.close()
    return 0


def _key_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--api-key", metavar="KEY", help="the API key")


LOGIN: Final = Command("login", "keep an API key on this machine", _LOGIN, _no_arguments, _login)
LOGOUT: Final = Command("logout", "forget the API key of this machine", _LOGOUT, _no_arguments, _logout)
WHOAMI: Final = Command("whoami", "say whose API key is in use", _WHOAMI, _key_argument, _whoami)
