"""Keeps API keys on this machine, one a remote, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from goodseed.config import is_web_address
from goodseed.errors import ConfigurationError, InvalidTypeError, InvalidValueError
from goodseed.paths import home_directory, make_private_directory

if TYPE_CHECKING:
    from pathlib import Path

    from goodseed.config import Settings

__all__ = ["check_key", "credentials_path", "find_key", "forget_key", "keep_key", "kept_key"]

_FILE: Final = ".credentials.json"
_MAX_BYTES: Final = 1 << 20


def credentials_path() -> Path:
    """Where keys are kept."""
    return home_directory() / _FILE


def check_key(key: str, source: str) -> str:
    """Return ``key`` without white space around it.

    Raises:
        InvalidValueError: It can't be sent in an HTTP header; ``source`` says where it came from. It is not shown.
    """
    stripped = key.strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise InvalidValueError(f"{source} is not an API key: a key is printable ASCII without spaces.")
    return stripped


def kept_key(api_url: str) -> str | None:
    """The key that is kept for the remote at ``api_url``; None for none.

    Raises:
        ConfigurationError: The file is damaged.
    """
    return _read().get(api_url.rstrip("/"))


def find_key(settings: Settings, given: str | None = None) -> str | None:
    """The key to use: ``given``, else that of the environment, else that which is kept; None for none.

    A plugin's destination needs no key of ours: without one, its key is empty.

    Raises:
        InvalidTypeError, InvalidValueError: It can't be one.
        ConfigurationError: The file of keys is damaged.
    """
    if given is not None and not isinstance(given, str):
        raise InvalidTypeError(f"api_key must be a string, not {type(given).__name__}.")
    if given:
        return check_key(given, "api_key")
    if settings.api_key:
        return check_key(settings.api_key, "GOODSEED_API_KEY")
    kept = kept_key(settings.api_url)
    return kept if kept is not None or is_web_address(settings.api_url) else ""


def keep_key(api_url: str, key: str) -> Path:
    """Keep ``key`` for the remote at ``api_url``, and return the file that it is in (0600).

    Raises:
        ConfigurationError: The file is damaged.
        OSError: It can't be written.
    """
    return _write({**_read(), api_url.rstrip("/"): key})


def forget_key(api_url: str) -> bool:
    """Forget the key for the remote at ``api_url``; returns whether there was one.

    Raises:
        ConfigurationError: The file is damaged.
        OSError: It can't be written.
    """
    keys = _read()
    if keys.pop(api_url.rstrip("/"), None) is None:
        return False
    _write(keys)
    return True


def _read() -> dict[str, str]:
    path = credentials_path()
    try:
        with path.open("rb") as file:
            keys = json.loads(file.read(_MAX_BYTES))
    except OSError:  # there is none, or a home that can't be read: the run goes elsewhere, and says so
        return {}
    except ValueError as error:
        raise ConfigurationError(f"{path} can't be read ({error}): remove it, and log in again.") from None
    if not isinstance(keys, dict):
        raise ConfigurationError(f"{path} holds no keys: remove it, and log in again.")
    return {url: key for url, key in keys.items() if isinstance(key, str)}


def _write(keys: dict[str, str]) -> Path:
    path = credentials_path()
    make_private_directory(path.parent)
    draft = path.with_name(f"{_FILE}-{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, json.dumps(keys, indent=2).encode())
    finally:
        os.close(descriptor)
    os.replace(draft, path)
    return path
