"""Checks the arguments of `goodseed.Run` against one another, and completes them from the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from goodseed.config import DEFAULT_API_URL, DEFAULT_PROJECT, Settings, Storage
from goodseed.credentials import find_key
from goodseed.errors import AuthenticationError, ConfigurationError
from goodseed.paths import check_project, check_run_id
from goodseed.times import time_argument
from goodseed.values import as_step

if TYPE_CHECKING:
    import os
    from datetime import datetime
    from pathlib import Path

    from goodseed.run.backends import Backend

__all__ = ["Opened", "Request", "resolve"]


@dataclass(frozen=True, slots=True)
class Request:
    """The run to open, with all arguments checked and defaults filled in.

    Attributes:
        project: The project.
        run_id: The run's id; None for one to be made up.
        is_resumed: The run must be there already.
        rewind_to: The last step that the resumed run keeps; None keeps all.
        is_read_only: Nothing may be written.
        storage: Where the data goes.
        api_key: The key for the remote; not shown by ``repr``.
        api_url: The remote's address.
        is_http_allowed: The key may be sent without encryption.
        is_key_missing: A remote is configured, and there is no key for it, so that the run stays on this machine.
        home: The base directory; None for the default.
        log_dir: The directory of the file itself; None for the default.
        created_at: ISO 8601 time at which an imported run was made; None for now.
        modified_at: ISO 8601 time of an imported run's last change; None for that of the last write.
        name: The display name; None for none.
        is_quiet: No lines for the user.
        is_descriptor_captured: The console is captured at the file descriptors.
    """

    project: str
    run_id: str | None
    is_resumed: bool
    rewind_to: float | None
    is_read_only: bool
    storage: Storage
    api_key: str | None = field(repr=False)
    api_url: str
    is_http_allowed: bool
    is_key_missing: bool
    home: str | os.PathLike[str] | None
    log_dir: str | os.PathLike[str] | None
    created_at: str | None
    modified_at: str | None
    name: str | None
    is_quiet: bool
    is_descriptor_captured: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """An open run."""

    backend: Backend
    run_id: str
    project: str
    created_at: str
    path: Path | None
    is_new: bool


def resolve(
    *,
    project: str | None,
    run_id: str | None,
    resume_run_id: str | None,
    storage: str | Storage | None,
    api_key: str | None,
    read_only: bool,
    goodseed_home: str | os.PathLike[str] | None,
    log_dir: str | os.PathLike[str] | None,
    created_at: str | datetime | None,
    modified_at: str | datetime | None,
    name: str | None,
    rewind_to: float | None,
) -> Request:
    """Check the arguments of `goodseed.Run`, and fill them up from the environment; nothing is written.

    Raises:
        ConfigurationError: The arguments contradict one another.
        InvalidValueError, InvalidTypeError: One of them is invalid.
        AuthenticationError: ``storage="cloud"`` was asked for, and there is no key.
    """
    settings = Settings.from_env()
    if run_id is not None and resume_run_id is not None:
        raise ConfigurationError("run_id makes a new run and resume_run_id resumes one: give one of the two.")
    if rewind_to is not None and resume_run_id is None:
        raise ConfigurationError("rewind_to takes back a run that is resumed: give its id as resume_run_id.")
    if read_only and resume_run_id is not None:
        raise ConfigurationError("resume_run_id writes to the run: to read it, give run_id with read_only=True.")
    chosen = Storage.of(storage, "storage") if storage is not None else settings.storage
    key = None if chosen in (Storage.LOCAL, Storage.DISABLED) else find_key(settings, api_key)
    if chosen is Storage.CLOUD and key is None:
        raise AuthenticationError(
            'storage="cloud" needs an API key: run goodseed login, set GOODSEED_API_KEY, or give api_key=…; '
            'or use storage="local".'
        )
    effective = Storage.CLOUD if chosen is None and key is not None else chosen or Storage.LOCAL
    wanted = resume_run_id if resume_run_id is not None else run_id if run_id is not None else settings.run_id
    if wanted is not None:
        check_run_id(wanted, "resume_run_id" if resume_run_id is not None else "run_id")
    if read_only and effective is not Storage.DISABLED and wanted is None:
        raise ConfigurationError("read_only=True needs run_id: which run is to be read?")
    return Request(
        project=check_project(project if project is not None else settings.project or DEFAULT_PROJECT),
        run_id=wanted,
        is_resumed=resume_run_id is not None,
        rewind_to=None if rewind_to is None else as_step(rewind_to, "rewind_to"),
        is_read_only=read_only,
        storage=effective,
        api_key=key,
        api_url=settings.api_url,
        is_http_allowed=settings.is_http_allowed,
        is_key_missing=chosen is None and key is None and settings.api_url != DEFAULT_API_URL,
        home=goodseed_home,
        log_dir=log_dir,
        created_at=None if created_at is None else time_argument("created_at", created_at),
        modified_at=None if modified_at is None else time_argument("modified_at", modified_at),
        name=name,
        is_quiet=settings.is_quiet,
        is_descriptor_captured=settings.is_descriptor_captured,
    )
