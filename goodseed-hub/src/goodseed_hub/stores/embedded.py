"""Stores one run file per run under the data directory; needs nothing set up."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, final

from goodseed.errors import RunNotFoundError
from goodseed.paths import RUN_SUFFIX, RunFiles
from goodseed.storage.reader import RunReader
from goodseed_hub.stores.base import Change, GroupCommit, Outcome, first_meta
from goodseed_hub.stores.run_file import RunFileWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from goodseed_hub.registry.directory import RunRecord

__all__ = ["EmbeddedStore", "files_under"]

_logger: Final = logging.getLogger("goodseed")
_IDLE_SECONDS: Final = 30.0


def files_under(root: Path, run: RunRecord) -> RunFiles:
    """Where the run's file lies under ``root``: ``<workspace>/<project>/runs/<run_id>.sqlite``."""
    return RunFiles(root.joinpath(run.workspace, *run.project.split("/"), "runs", f"{run.run_id}{RUN_SUFFIX}"))


class _Open:
    """A run file that may be open."""

    __slots__ = ("lock", "used_at", "users", "writer")

    def __init__(self) -> None:
        self.lock: Final = threading.Lock()
        self.writer: RunFileWriter | None = None
        self.users = 0
        self.used_at = 0.0


@final
class EmbeddedStore:
    """Run files, of which so many are open for writing at one time; for any number of threads."""

    def __init__(self, root: Path, *, max_open: int = 256, max_series: int = 100_000, is_copy: bool = False) -> None:
        self._root: Final = root
        self._max_open: Final = max_open
        self._max_series: Final = max_series
        self._is_copy: Final = is_copy
        self._groups: Final = GroupCommit(self._commit)
        self._lock: Final = threading.Lock()
        self._open: Final[OrderedDict[str, _Open]] = OrderedDict()

    @property
    def root(self) -> Path:
        """The directory of the projects."""
        return self._root

    @property
    def is_shared(self) -> bool:
        """The files are the data."""
        return False

    def write(self, run: RunRecord, change: Change) -> Outcome:
        """Store a change."""
        return self._groups.write(run, change)

    def exists(self, run: RunRecord) -> bool:
        """Whether it has a file."""
        return files_under(self._root, run).database.is_file()

    def files(self, run: RunRecord) -> RunFiles:
        """The run's file."""
        files = files_under(self._root, run)
        if not files.database.is_file():
            raise RunNotFoundError(f"The file of the run {run.run_id!r} is gone.")
        return files

    def config(self, run: RunRecord, path: str) -> str | None:
        """The value of one config."""
        try:
            with RunReader(self.files(run)) as reader:
                rows = reader.configs(path)
        except RunNotFoundError:
            return None
        return next((row.value for row in rows if row.path == path), None)

    def refresh(self, runs: Iterable[RunRecord]) -> None:
        """The files are the data."""

    def sent(self, run: RunRecord, path: str) -> str | None:
        """What the client last sent of a config that was edited on the page since."""
        with self._writing(run) as opened:
            return self._writer(run, opened).sent(path)

    def close_run(self, run: RunRecord) -> None:
        """Close the run's file, if it is open."""
        with self._writing(run) as opened:
            _close(opened)

    def _commit(self, run: RunRecord, changes: list[Change]) -> list[Outcome]:
        with self._writing(run) as opened:
            writer = self._writer(run, opened)
            try:
                outcomes = writer.write(changes)
            except BaseException:
                _close(opened)
                raise
            if any(change.is_last for change in changes):
                _close(opened)
            return outcomes

    @contextmanager
    def _writing(self, run: RunRecord) -> Iterator[_Open]:
        """A run's file, for this thread alone."""
        opened = self._take(run.id)
        try:
            with opened.lock:
                yield opened
        finally:
            self._give_back(run.id, opened)

    def _writer(self, run: RunRecord, opened: _Open) -> RunFileWriter:
        if opened.writer is None:
            opened.writer = RunFileWriter(
                files_under(self._root, run), first_meta(run), max_series=self._max_series, is_copy=self._is_copy
            )
        return opened.writer

    def _take(self, id_: str) -> _Open:
        with self._lock:
            opened = self._open.pop(id_, None) or _Open()
            self._open[id_] = opened  # at the end: the one that was used last
            opened.users += 1
            return opened

    def _give_back(self, id_: str, opened: _Open) -> None:
        with self._lock:
            opened.users -= 1
            opened.used_at = time.monotonic()
            if opened.writer is None and not opened.users:
                self._open.pop(id_, None)
            over = len(self._open) - self._max_open
        if over > 0:
            self._close_unused(over, idle_seconds=0.0)

    def tend(self) -> None:
        """Close files that were not written to for a while."""
        self._close_unused(len(self._open), idle_seconds=_IDLE_SECONDS)

    def settle(self, runs: Iterable[RunRecord]) -> None:
        """Nothing: SQLite's files are as they are."""

    def _close_unused(self, count: int, *, idle_seconds: float) -> None:
        before = time.monotonic() - idle_seconds
        chosen: list[tuple[str, _Open]] = []
        with self._lock:
            for id_, opened in self._open.items():
                if len(chosen) == count:
                    break
                if not opened.users and opened.used_at <= before:
                    opened.users += 1
                    chosen.append((id_, opened))
        for id_, opened in chosen:
            with opened.lock:
                _close(opened)
            with self._lock:
                opened.users -= 1
                if not opened.users and opened.writer is None:
                    self._open.pop(id_, None)

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            everything = list(self._open.values())
            self._open.clear()
        for opened in everything:
            with opened.lock:
                _close(opened)


def _close(opened: _Open) -> None:
    writer, opened.writer = opened.writer, None
    if writer is not None:
        try:
            writer.close()
        except Exception as error:  # noqa: BLE001 - everything was committed before: what is left is to tidy up
            _logger.warning("goodseed: a run file could not be closed in order: %s", error)
