"""Pickles runs: the run itself in the process that holds it, a handle that reads it in any other."""

from __future__ import annotations

import os
import uuid
import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goodseed.config import Storage
from goodseed.errors import ReadOnlyError
from goodseed.paths import RunFiles
from goodseed.run.backends import DisabledBackend, ReadOnlyBackend
from goodseed.run.opening.request import Opened

if TYPE_CHECKING:
    from goodseed.run.backends import Backend
    from goodseed.run.opening.request import Request
    from goodseed.run.source import Source

__all__ = ["PickledRun", "held_run", "opened_elsewhere", "pickled"]

_held: Final[weakref.WeakValueDictionary[str, object]] = weakref.WeakValueDictionary()
_tokens: Final[weakref.WeakKeyDictionary[object, str]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class PickledRun:
    """What a pickle says of a run; no API key."""

    token: str
    process: int
    request: Request
    run_id: str
    project: str
    created_at: str
    path: os.PathLike[str] | None


def pickled(run: object, request: Request, opened: Opened) -> PickledRun:
    """What to pickle of ``run``."""
    token = _tokens.setdefault(run, uuid.uuid4().hex)
    _held[token] = run
    return PickledRun(
        token,
        os.getpid(),
        replace(request, api_key=None, is_read_only=True),
        opened.run_id,
        opened.project,
        opened.created_at,
        opened.path,
    )


def held_run(given: PickledRun) -> object | None:
    """The run that was pickled, where this process holds it."""
    return _held.get(given.token)


def opened_elsewhere(given: PickledRun) -> Opened:
    """What a process opens that does not hold the run: it can read it, and can't write to it."""
    path = None if given.path is None else Path(given.path)
    return Opened(_backend(given), given.run_id, given.project, given.created_at, path, is_new=False)


def _backend(given: PickledRun) -> Backend:
    if given.request.storage is Storage.DISABLED:
        return DisabledBackend()
    reason = (
        f"The run {given.run_id!r} belongs to process {given.process}, and this is process {os.getpid()}: a run is "
        "written by the process that has opened it. Return what is to be logged to that process, or open another run "
        "here."
    )
    return ReadOnlyBackend(_source(given), reason)


def _source(given: PickledRun) -> Source:
    if given.path is None:
        return _NoSource(given.run_id)  # type: ignore[return-value]
    from goodseed.run.source import LocalRun

    return LocalRun(RunFiles(Path(given.path)))


class _NoSource:
    """In the place of what a run is read from, where only its key's holder can read it."""

    def __init__(self, run_id: str) -> None:
        self._run_id: Final = run_id

    def __getattr__(self, name: str) -> object:
        raise ReadOnlyError(
            f"The run {self._run_id!r} is the remote's, and its API key is not in the pickle. Open it here: "
            f"goodseed.Run(run_id={self._run_id!r}, read_only=True)."
        )
