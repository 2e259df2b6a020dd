"""Holds what the commands that talk to the remote share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodseed.config import Settings
from goodseed.credentials import find_key
from goodseed.errors import AuthenticationError

if TYPE_CHECKING:
    import argparse

    from goodseed.remote.client import Client

__all__ = ["client_of", "connect"]


def client_of(arguments: argparse.Namespace) -> Client:
    """The remote of the environment, with the key of ``--api-key``, the environment, or ``goodseed login``.

    Raises:
        AuthenticationError: There is no key.
        ConfigurationError: The remote's address is invalid.
    """
    settings = Settings.from_env()
    key = find_key(settings, getattr(arguments, "api_key", None))
    if key is None:
        raise AuthenticationError(
            f"There is no API key for {settings.api_url}: run goodseed login, or set GOODSEED_API_KEY."
        )
    return connect(settings, key)


def connect(settings: Settings, key: str) -> Client:
    """The remote of the environment, with this key.

    Raises:
        ConfigurationError: The remote's address is invalid.
    """
    from goodseed.remote import destination  # HTTP and TLS take longer to load than most commands to run

    return destination.connect(settings.api_url, key, is_http_allowed=settings.is_http_allowed)
