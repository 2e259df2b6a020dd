"""Lists the projects and runs under a directory."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, final

from goodseed.errors import GoodseedError, RunNotFoundError
from goodseed.paths import RunFiles, home_directory
from goodseed.storage.cache.file import CacheFile
from goodseed.storage.cache.runs import IndexEntry, ProjectSummary, RunIndex
from goodseed.storage.cache.series import SeriesCache
from goodseed.storage.lock import is_locked
from goodseed.storage.scan import FoundRun, Scan, Scanner
from goodseed.storage.summary import RunSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

__all__ = ["Catalog", "Problem", "ProjectSummary", "RunSummary"]

_logger: Final = logging.getLogger("goodseed")
_BATCH_SECONDS: Final = 1.0  # an interrupted first listing loses no more than this
_PROGRESS_SECONDS: Final = 0.1
_MANY: Final = 100  # files that are worth threads
_READERS: Final = 2
_Answer = TypeVar("_Answer")
_PROJECTS: Final = "projects"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something under the directory that looks like a run, or may hold runs, and can't be read.

    Attributes:
        path: The file or directory.
        reason: Why, in words that follow on from the path.
    """

    path: Path
    reason: str


@final
class Catalog:
    """The projects and runs under a directory; may be used from several threads.

    A run is a ``*.sqlite`` file. The run in ``<root>/<project>/runs/<run_id>.sqlite`` belongs to ``<project>``, of
    however many names that is; one in any other place to the project that it names itself. What was read is kept in
    ``<root>/.goodseed-cache.sqlite``, so that only what has changed is read again. That file may be deleted at any
    time, and where it can't be written, the catalog keeps it in memory.

    Use it as a context manager, or `close` it.

    Attributes:
        root: The directory.
        cache: The cache file, for anything else to keep about these runs.
        series: The series of these runs, as far as they have been read.
    """

    def __init__(
        self, root: str | os.PathLike[str] | None = None, *, is_exact: bool = False, max_age_seconds: float = 0.0
    ) -> None:
        """Nothing is read yet.

        Args:
            root: The directory; by default ``projects`` in the home directory of Goodseed. It need not exist. A
                directory that is given and holds no other than ``projects`` is taken for a home directory.
            is_exact: It is not: a workspace may be called that.
            max_age_seconds: How long a call may answer from the last look at the directory before it takes another.
        """
        chosen = Path(os.path.realpath(home_directory() / _PROJECTS if root is None else root))
        self.root: Final = chosen if is_exact or root is None else _root_of(chosen)
        self._max_age_seconds: Final = max_age_seconds
        self._lock: Final = threading.Lock()
        self.cache: Final = CacheFile(self.root)
        self._index: Final = RunIndex(self.cache)
        self.series: Final = SeriesCache(self.cache)
        self._is_open = False
        self._index_version = (-1, -1)
        self._tokens: dict[str, str] = {}
        self._entries: dict[str, IndexEntry] = {}
        self._running: set[str] = set()
        self._scanner: Final = Scanner(self.root)
        self._scan = Scan({}, {}, set(), set())
        self._is_compared = False  # the tokens, with all that the scanner has found; else only with what has changed
        self._is_loaded = False  # the entries are those of all tokens
        self._unread: set[str] = set()
        self._newest_first: list[RunSummary] | None = None
        self._running_places: list[int] = []
        self._looked_at: float | None = None

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the cache; calling it twice is harmless, and any other call opens it again."""
        with self._lock:
            self._forget()
            self.series.close()
            self.cache.close()

    def projects(self, *, on_progress: Callable[[int, int], None] | None = None) -> list[ProjectSummary]:
        """The projects that have runs, the one that changed last first.

        Args:
            on_progress: Called now and then with how many of how many changed runs have been read.
        """
        with self._lock:
            return self._ask(self._index.projects, on_progress) or []

    def runs(
        self, project: str | None = None, *, on_progress: Callable[[int, int], None] | None = None
    ) -> list[RunSummary]:
        """The runs of ``project``, or of all projects, the newest first; the list is not to be changed.

        Args:
            project: The project; None for all.
            on_progress: Called now and then with how many of how many changed runs have been read.
        """
        with self._lock:
            return self._ask(lambda: self._select(project), on_progress) or []

    def find(self, project: str, run_id: str) -> RunSummary:
        """The run ``run_id`` of ``project``; of two with these names the one whose place says so.

        Raises:
            RunNotFoundError: There is no such run.
        """
        found = [run for run in self.runs(project) if run.run_id == run_id]
        if not found:
            raise RunNotFoundError(f"There is no run {run_id!r} in project {project!r} under {self.root}.")
        return min(found, key=lambda run: run.files.database.parent.name != "runs")

    def problems(self) -> list[Problem]:
        """What can't be read, by path."""
        with self._lock:
            self._ask(self._load_entries, None)
            reasons = dict(self._scan.problems)
            for path, entry in self._entries.items():
                if isinstance(entry.content, str):
                    reasons[path] = entry.content
        return [Problem(self.root / path, reason) for path, reason in sorted(reasons.items())]

    # -- the index: asked, and replaced when it fails -------------------------------------------------------------

    def _ask(self, question: Callable[[], _Answer], on_progress: Callable[[int, int], None] | None) -> _Answer | None:
        """Look at the directory, and answer; None where it holds no file that may be a run."""
        while True:
            try:
                self._look(on_progress)
                return question() if self._is_open else None
            except (OSError, sqlite3.Error, ValueError, TypeError) as error:
                self._forget()
                if not self.cache.recover(error, is_needed=True):
                    raise

    def _forget(self) -> None:
        self._is_open = False
        self._index_version = (-1, -1)
        self._tokens, self._entries, self._running = {}, {}, set()
        self._is_compared = self._is_loaded = False
        self._newest_first = None
        self._looked_at = None

    def _open(self) -> None:
        """Read the tokens of the index, where another process has changed it since."""
        self._is_open = True
        version = self.cache.version
        if version != self._index_version:
            self._tokens, self._running = self._index.tokens(), self._index.running()
            self._is_compared = self._is_loaded = False
            self._newest_first = None
            self._index_version = version

    def _select(self, project: str | None) -> list[RunSummary]:
        self._load_entries()
        if self._newest_first is None:
            found = [entry.content for entry in self._entries.values() if isinstance(entry.content, RunSummary)]
            self._newest_first = sorted(found, key=lambda run: (-run.created_seconds, run.run_id))
            self._running_places = [place for place, run in enumerate(self._newest_first) if run.state == "running"]
        runs = self._newest_first
        if self._running_places:
            now = time.time()
            runs = runs.copy()
            for place in self._running_places:
                runs[place] = runs[place].at(now)
        return runs if project is None else [run for run in runs if run.project == project]

    def _load_entries(self) -> None:
        """Bring `_entries` up to date with `_tokens`."""
        if self._is_loaded:
            return
        stale = [
            path
            for path, token in self._tokens.items()
            if (entry := self._entries.get(path)) is None or entry.token != token
        ]
        if stale:
            self._entries = {entry.relative_path: entry for entry in self._index.entries()}
            self._tokens = {path: entry.token for path, entry in self._entries.items()}
        for path in self._entries.keys() - self._tokens.keys():
            del self._entries[path]
        self._is_loaded = True
        self._newest_first = None

    # -- the directory --------------------------------------------------------------------------------------------

    def _look(self, on_progress: Callable[[int, int], None] | None) -> None:
        if self._looked_at is not None and time.monotonic() - self._looked_at < self._max_age_seconds:
            return
        started_at = time.monotonic()
        if self._is_open or self.cache.is_there:
            self._open()
        was_compared = self._is_compared
        known = set() if was_compared else set(self._tokens)  # what another process adds meanwhile is not removed
        self._scan = self._scanner.look()
        if self._scan.runs or self._is_open:
            self._open()
            is_another = was_compared and not self._is_compared  # another process has changed the index meanwhile
            changed = self._changed()
            removed = self._scan.removed if was_compared else known - self._scan.runs.keys()
            self._is_compared = False
            self._store(self._read(changed, on_progress), removed=removed & self._tokens.keys())
            self._is_compared = not is_another
        self._looked_at = started_at

    def _changed(self) -> list[FoundRun]:
        runs = self._scan.runs
        candidates = self._scan.changed | (self._unread & runs.keys()) if self._is_compared else runs.keys()
        changed = {path for path in candidates if self._tokens.get(path) != runs[path].token}
        self._unread = set()
        for path in self._running & runs.keys():
            if path not in changed and not is_locked(RunFiles(self.root / path).lock):
                changed.add(path)  # its writer has died since, and left everything as it was
        return [runs[path] for path in sorted(changed)]

    def _read(self, changed: list[FoundRun], on_progress: Callable[[int, int], None] | None) -> Iterator[IndexEntry]:
        reported_at = time.monotonic()
        for count, (run, entry) in enumerate(self._read_all(changed), start=1):
            if entry is None:
                self._unread.add(run.relative_path)
            else:
                yield entry
            if on_progress is not None and (
                count == len(changed) or time.monotonic() - reported_at >= _PROGRESS_SECONDS
            ):
                reported_at = time.monotonic()
                on_progress(count, len(changed))

    def _read_all(self, runs: list[FoundRun]) -> Iterator[tuple[FoundRun, IndexEntry | None]]:
        """Each run with what its file says; of many runs, read by two threads, as half of the time is SQLite's."""
        if len(runs) < _MANY:
            yield from ((run, self._read_one(run)) for run in runs)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_READERS, "goodseed-listing") as pool:
            for start in range(0, len(runs), _MANY):  # what was read is stored now and then, also when this is ended
                some = runs[start : start + _MANY]
                yield from zip(some, pool.map(self._read_one, some), strict=True)

    def _read_one(self, run: FoundRun, *, is_second_try: bool = False) -> IndexEntry | None:
        """What the file says; None for nothing yet, as it is just being made, or gone."""
        from goodseed.storage.summarizing import read_summary  # takes longer to load than a list of known runs takes

        files = RunFiles(self.root / run.relative_path)
        token = run.token if run.is_settled else f"read at {time.time_ns()}"
        content: RunSummary | str
        try:
            content = replace(read_summary(files, run.project), token=token)
        except FileNotFoundError:
            return None
        except (GoodseedError, OSError) as error:
            if is_locked(files.lock):
                return None
            if not is_second_try:  # it may have been made, and its run closed, since it was opened
                return self._read_one(run, is_second_try=True)
            content = str(error)
        except Exception as error:  # a file can be damaged in more ways than one can list, and must not hide the others
            _logger.info("goodseed: %s can't be read", files.database, exc_info=True)
            content = f"can't be read: {error!r}"
        return IndexEntry(run.relative_path, token, content)

    def _store(self, entries: Iterable[IndexEntry], removed: set[str]) -> None:
        for path in removed:
            self._tokens.pop(path, None)
            self._entries.pop(path, None)
            self._running.discard(path)
            self._newest_first = None
        batch: list[IndexEntry] = []
        stored_at = time.monotonic()
        if removed:
            self._index.update([], removed)
            self.series.forget(str(self.root / path) for path in removed)
        for entry in entries:
            batch.append(entry)
            if time.monotonic() - stored_at >= _BATCH_SECONDS:
                self._store_batch(batch)
                batch, stored_at = [], time.monotonic()
        if batch:
            self._store_batch(batch)

    def _store_batch(self, batch: list[IndexEntry]) -> None:
        self._index.update(batch)
        for entry in batch:
            self._entries[entry.relative_path] = entry
            self._tokens[entry.relative_path] = entry.token
            is_running = isinstance(entry.content, RunSummary) and entry.content.state == "running"
            (self._running.add if is_running else self._running.discard)(entry.relative_path)
        self._newest_first = None


def _root_of(root: Path) -> Path:
    try:
        with os.scandir(root) as listing:
            names = [entry.name for entry in listing if not entry.name.startswith(".")]
    except OSError:
        return root
    return root / _PROJECTS if names == [_PROJECTS] else root
