"""Opens the backend that a request asks for: a file to write or to read, the remote, or nothing."""

from __future__ import annotations

import logging
import os
import platform
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goodseed import names
from goodseed.config import Storage
from goodseed.errors import (
    GoodseedError,
    RunExistsError,
    RunInUseError,
    RunNotFoundError,
)
from goodseed.monitoring.facts import job_id
from goodseed.paths import run_files
from goodseed.run.backends import DisabledBackend, ReadOnlyBackend, WriterBackend
from goodseed.run.opening.request import Opened, Request
from goodseed.run.process_end.ending import EXIT_SECONDS
from goodseed.storage.history.last_attempt import HOST, JOB_ID
from goodseed.storage.writing.writer import RunWriter
from goodseed.times import now_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["open_backend"]

_logger: Final = logging.getLogger("goodseed")


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
        from goodseed.run.opening.cloud import open_remote

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
            continue  # another process drew this name
    raise AssertionError("names.candidates() is endless")


def _open_run(request: Request, run_id: str) -> Opened:
    if request.storage is not Storage.CLOUD:
        return _open_file(request, run_id, request.created_at or now_text(), WriterBackend)
    from goodseed.run.opening.cloud import registered

    return registered(request, run_id, _open_file)


def _open_file(
    request: Request, run_id: str, created_at: str, make_backend: Callable[[RunWriter, float], WriterBackend]
) -> Opened:
    meta = {"status": "running", "run_id": run_id, "project": request.project, HOST: platform.node()}
    job = job_id(os.environ)
    if job is not None:
        meta[JOB_ID] = job
    if not request.is_resumed:
        meta["created_at"] = created_at
    if request.name is not None:
        meta["name"] = request.name
    files = run_files(request.project, run_id, home=request.home, log_dir=request.log_dir)
    try:
        writer = RunWriter(
            files,
            meta,
            is_new=not request.is_resumed,
            modification_time=request.modified_at,
            rewind_to=request.rewind_to,
        )
    except RunExistsError as error:
        raise RunExistsError(f"{error}. To resume it, give resume_run_id={run_id!r}; else choose another id.") from None
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
        opened = _open_writer(replace(request, is_resumed=False, rewind_to=None, log_dir=directory))
    except (OSError, sqlite3.Error) as second:
        _logger.warning("goodseed: the run can't be stored anywhere, and is not tracked (%s; %s).", error, second)
        return open_backend(replace(request, storage=Storage.DISABLED))
    _logger.warning(
        "goodseed: the run can't be stored where it should be (%s); it is stored in %s instead.", error, opened.path
    )
    return opened
