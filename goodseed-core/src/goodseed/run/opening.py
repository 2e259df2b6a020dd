"""How a run is opened: what the arguments and the environment ask for, and the backend that follows from it."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goodseed import names
from goodseed.config import DEFAULT_API_URL, DEFAULT_PROJECT, Settings, Storage
from goodseed.credentials import find_key
from goodseed.errors import (
    AuthenticationError,
    ConfigurationError,
    GoodseedError,
    RunExistsError,
    RunInUseError,
    RunNotFoundError,
)
from goodseed.paths import check_project, check_run_id, run_files
from goodseed.run.backends import Backend, DisabledBackend, ReadOnlyBackend, WriterBackend
from goodseed.run.process_end.ending import EXIT_SECONDS
from goodseed.storage.writer import RunWriter
from goodseed.times import now_text, time_argument

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from datetime import datetime

__all__ = ["Opened", "Request", "open_backend", "resolve"]

_logger: Final = logging.getLogger("goodseed")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be opened, checked and complete.

    Attributes:
        project: The project.
        run_id: The run's id; None for one to be made up.
        is_resumed: The run must be there already.
        is_read_only: Nothing is to be written.
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


def open_backend(request: Request) -> Opened:
    """Open what was asked for.

    Where the disk refuses, the run goes to a temporary directory, with a warning; where that one refuses too, nowhere.

    Raises:
        RunExistsError, RunInUseError, RunNotFoundError, FileFormatError: See `RunWriter`.
    """
    if request.storage is Storage.DISABLED:
        run_id = request.run_id or next(names.candidates())
        return Opened(DisabledBackend(), run_id, request.project, now_text(), None, is_new=False)
    if request.is_read_only:
        return _open_reader(request)
    try:
        return _open_writer(request)
    except GoodseedError:
        raise
    except (OSError, sqlite3.Error) as error:
        return _open_elsewhere(request, error)


def _open_reader(request: Request) -> Opened:
    assert request.run_id is not None
    if request.storage is Storage.CLOUD:
        from goodseed.run.cloud import open_remote

        return Opened(open_remote(request), request.run_id, request.project, "", None, is_new=False)
    files = run_files(request.project, request.run_id, home=request.home, log_dir=request.log_dir)
    if not files.database.is_file():
        raise RunNotFoundError(
            f"There is no run {request.run_id!r} in project {request.project!r}: {files.database} does not exist. "
            f"goodseed list -p {request.project} shows the runs that there are."
        )
    from goodseed.run.source import LocalRun

    return Opened(ReadOnlyBackend(LocalRun(files)), request.run_id, request.project, "", files.database, is_new=False)


def _open_writer(request: Request) -> Opened:
    if request.run_id is not None:
        return _open_run(request, request.run_id)
    for candidate in names.candidates():
        try:
            return _open_run(request, candidate)
        except (RunExistsError, RunInUseError):
            continue  # somebody else drew this name
    raise AssertionError("names.candidates() has no end")


def _open_run(request: Request, run_id: str) -> Opened:
    if request.storage is not Storage.CLOUD:
        return _open_file(request, run_id, request.created_at or now_text(), WriterBackend)
    from goodseed.run.cloud import registered

    return registered(request, run_id, _open_file)


def _open_file(
    request: Request, run_id: str, created_at: str, make_backend: Callable[[RunWriter, float], WriterBackend]
) -> Opened:
    meta = {"status": "running", "run_id": run_id, "project": request.project}
    if not request.is_resumed:
        meta["created_at"] = created_at
    if request.name is not None:
        meta["name"] = request.name
    files = run_files(request.project, run_id, home=request.home, log_dir=request.log_dir)
    try:
        writer = RunWriter(files, meta, is_new=not request.is_resumed, modification_time=request.modified_at)
    except RunExistsError as error:
        raise RunExistsError(
            f"{error}. To go on with it, give resume_run_id={run_id!r}; else choose another id."
        ) from None
    return Opened(
        make_backend(writer, EXIT_SECONDS),
        run_id,
        request.project,
        created_at,
        files.database,
        is_new=not request.is_resumed,
    )


def _open_elsewhere(request: Request, error: Exception) -> Opened:
    """Promise 1: a disk that refuses does not stop a training."""
    import tempfile

    try:
        directory = Path(tempfile.mkdtemp(prefix="goodseed-"))
        opened = _open_writer(replace(request, is_resumed=False, log_dir=directory))
    except (OSError, sqlite3.Error) as second:
        _logger.warning("goodseed: the run can't be stored anywhere, and is not tracked (%s; %s).", error, second)
        return open_backend(replace(request, storage=Storage.DISABLED))
    _logger.warning("goodseed: the run can't be stored where it should (%s); it goes to %s.", error, opened.path)
    return opened
