"""Reads every environment variable of Goodseed, as a run is opened and never at import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from goodseed.errors import ConfigurationError
from goodseed.paths import run_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["DEFAULT_API_URL", "DEFAULT_PROJECT", "Settings", "Storage", "get_run_db_path", "is_web_address"]

DEFAULT_PROJECT: Final = "default"
DEFAULT_API_URL: Final = "https://api.goodseed.ai"


class Storage(str, Enum):
    """Where a run's data goes."""

    DISABLED = "disabled"
    LOCAL = "local"
    CLOUD = "cloud"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def of(cls, value: object, source: str) -> Storage:
        """Return the mode that ``value`` names.

        Raises:
            ConfigurationError: It names none; ``source`` says in the message where it came from.
        """
        try:
            return cls(value.lower() if isinstance(value, str) else value)
        except ValueError:
            modes = ", ".join(repr(mode.value) for mode in cls)
            raise ConfigurationError(f"{source} must be one of {modes}, not {value!r}.") from None


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment asks for; `docs/environment-variables.md` has the list.

    Attributes:
        project: ``GOODSEED_PROJECT``.
        run_id: ``GOODSEED_RUN_ID``.
        api_key: ``GOODSEED_API_KEY``; not shown by ``repr``.
        storage: ``GOODSEED_STORAGE``.
        api_url: ``GOODSEED_API_URL``, the remote's address.
        is_http_allowed: ``GOODSEED_ALLOW_HTTP``: a key may be sent without encryption, to any host.
        is_quiet: ``GOODSEED_QUIET``: the lines at the start and the end of a run are left out.
        is_descriptor_captured: ``GOODSEED_CAPTURE_FD``: what C libraries and child processes print is stored too.
    """

    project: str | None
    run_id: str | None
    api_key: str | None
    storage: Storage | None
    api_url: str
    is_http_allowed: bool
    is_quiet: bool
    is_descriptor_captured: bool

    def __repr__(self) -> str:
        return f"Settings(project={self.project!r}, run_id={self.run_id!r}, storage={self.storage!r})"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read ``environ``, by default the process's; an empty variable counts as none.

        Raises:
            ConfigurationError: ``GOODSEED_STORAGE`` names no mode.
        """
        env = os.environ if environ is None else environ
        storage = env.get("GOODSEED_STORAGE")
        return cls(
            project=env.get("GOODSEED_PROJECT") or None,
            run_id=env.get("GOODSEED_RUN_ID") or None,
            api_key=env.get("GOODSEED_API_KEY") or None,
            storage=Storage.of(storage, "GOODSEED_STORAGE") if storage else None,
            api_url=env.get("GOODSEED_API_URL") or DEFAULT_API_URL,
            is_http_allowed=_is_on(env.get("GOODSEED_ALLOW_HTTP")),
            is_quiet=_is_on(env.get("GOODSEED_QUIET")),
            is_descriptor_captured=_is_on(env.get("GOODSEED_CAPTURE_FD")),
        )


def is_web_address(url: str) -> bool:
    """Whether ``url`` is one of Goodseed's own protocol; another is for a plugin."""
    return url.partition("://")[0].lower() in ("http", "https") or "://" not in url


def _is_on(value: str | None) -> bool:
    return (value or "").lower() in ("1", "true", "yes", "on")


def get_run_db_path(project: str, run_name: str, home_override: str | os.PathLike[str] | None = None) -> Path:
    """Where the file of the run with the id ``run_name`` lies; exporters of other tools call this.

    Raises:
        InvalidValueError: The project or the id would lead out of the home directory.
    """
    return run_files(project, run_name, home=home_override).database
