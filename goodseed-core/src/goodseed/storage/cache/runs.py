"""Keeps what each run file said of its run when it was last read: the catalog's index."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from goodseed.paths import RUN_SUFFIX
from goodseed.storage.cache.file import Table
from goodseed.storage.summary import RunSummary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from goodseed.storage.cache.file import CacheFile

__all__ = ["IndexEntry", "ProjectSummary", "RunIndex"]

_BUSY_SECONDS: Final = 5.0

# In the order of RunSummary's fields, without the token and those that the path tells. File names need not be valid
# text: BLOB.
_COLUMNS: Final = """
    project BLOB, name TEXT, state TEXT, created_at TEXT, modified_at TEXT, closed_at TEXT, created_seconds REAL,
    modified_seconds REAL, started_seconds REAL, earlier_seconds REAL, duration_seconds REAL, end_reason TEXT,
    trashed INTEGER, config_count INTEGER, series_counts TEXT, tags_text TEXT, metrics_text TEXT"""
_TABLE: Final = Table("run", f"path BLOB PRIMARY KEY, token TEXT NOT NULL, problem TEXT, {_COLUMNS}")
_TRASHED: Final = 11  # where `trashed` is among the columns after `project`; SQLite has no bool
_COUNTS: Final = 13  # where `series_counts` is, which are stored as JSON
_UPSERT: Final = f"INSERT OR REPLACE INTO run VALUES ({', '.join('?' * 20)})"
_PROJECTS: Final = """
    SELECT project, count(*), sum(state = 'running'), sum(trashed), max(modified_seconds)
    FROM run WHERE problem IS NULL GROUP BY project ORDER BY max(modified_seconds) DESC, project"""


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """A project, as a list of projects shows it.

    Attributes:
        name: Its name, with slashes between its parts.
        run_count: How many runs it has, those in the trash included.
        running_count: How many of them are being written.
        trashed_count: How many of them are in the trash.
        modified_seconds: When one of them was last changed, in seconds since the epoch.
    """

    name: str
    run_count: int
    running_count: int
    trashed_count: int
    modified_seconds: float

    @classmethod
    def of(cls, name: str, runs: Collection[RunSummary]) -> ProjectSummary:
        """The project of these runs, of which there is at least one."""
        return cls(
            name,
            run_count=len(runs),
            running_count=_running(runs),
            trashed_count=_trashed(runs),
            modified_seconds=max(run.modified_seconds for run in runs),
        )

    def after(self, before: Collection[RunSummary], now: Collection[RunSummary]) -> ProjectSummary | None:
        """The same project, some of whose runs have changed; None where only all of them tell when the last one did."""
        was, latest = (max(run.modified_seconds for run in runs) for runs in (before, now))
        if latest < was:
            return None
        return replace(
            self,
            running_count=self.running_count + _running(now) - _running(before),
            trashed_count=self.trashed_count + _trashed(now) - _trashed(before),
            modified_seconds=max(self.modified_seconds, latest),
        )


def _running(runs: Collection[RunSummary]) -> int:
    return sum(run.state == "running" for run in runs)


def _trashed(runs: Collection[RunSummary]) -> int:
    return sum(run.trashed for run in runs)


class IndexEntry(NamedTuple):
    """What a file said when it was read.

    Attributes:
        relative_path: The file, from the root.
        token: Its token at that time, or a text that is not a file's, if it has to be read again.
        content: The run, or why it is not a run.
    """

    relative_path: str
    token: str
    content: RunSummary | str


@final
class RunIndex:
    """The entries of one root. To be used by one thread at a time; other processes may use the same file.

    Any method raises `sqlite3.Error`, `ValueError` or `TypeError` where the file is damaged, and `OSError` where there
    can be none: see `CacheFile.recover`.
    """

    def __init__(self, file: CacheFile) -> None:
        """They are kept in ``file``."""
        self._file: Final = file
        self._root: Final = os.path.join(file.root, "")
        file.add(_TABLE)

    def tokens(self) -> dict[str, str]:
        """The token of every entry, by its path from the root."""
        return {os.fsdecode(path): token for path, token in self._rows("SELECT path, token FROM run")}

    def running(self) -> set[str]:
        """The paths of the runs that were running when they were read."""
        return {os.fsdecode(path) for (path,) in self._rows("SELECT path FROM run WHERE state = 'running'")}

    def entries(self) -> list[IndexEntry]:
        """All of it."""
        counts: dict[str, dict[str, int]] = {}  # most runs have as many series as another one: one object is enough
        return [self._entry(counts, *row) for row in self._rows("SELECT * FROM run")]

    def _entry(
        self,
        counts: dict[str, dict[str, int]],
        encoded_path: bytes,
        token: str,
        problem: str | None,
        project: bytes | None,
        *columns: Any,
    ) -> IndexEntry:
        path = os.fsdecode(encoded_path)
        if project is None:
            return IndexEntry(path, token, problem or "can't be read")
        run_id = path.rpartition("/")[2].removesuffix(RUN_SUFFIX)
        fields = list(columns)
        fields[_TRASHED] = bool(fields[_TRASHED])
        text = fields[_COUNTS]
        fields[_COUNTS] = counts[text] if text in counts else counts.setdefault(text, json.loads(text))
        fields.append(token)
        return IndexEntry(path, token, RunSummary(self._root + path, run_id, os.fsdecode(project), *fields))

    def projects(self) -> list[ProjectSummary]:
        """The projects, the one that changed last first."""
        return [ProjectSummary(os.fsdecode(name), *rest) for name, *rest in self._rows(_PROJECTS)]

    def update(self, entries: Iterable[IndexEntry], removed: Iterable[str] = ()) -> None:
        """Replace the entries of these files with ``entries``, and delete those ``removed``."""
        gone = [(os.fsencode(path),) for path in removed]
        with self._file.connection(_BUSY_SECONDS) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM run WHERE path = ?", gone)
            connection.executemany(_UPSERT, map(_row, entries))
            connection.execute("COMMIT")

    def _rows(self, query: str) -> list[Any]:
        with self._file.connection(_BUSY_SECONDS) as connection:
            return connection.execute(query).fetchall()


def _row(entry: IndexEntry) -> tuple[object, ...]:
    path, run = os.fsencode(entry.relative_path), entry.content
    if isinstance(run, str):
        return (path, entry.token, run, *[None] * 17)
    return (
        *(path, entry.token, None),
        *(os.fsencode(run.project), run.name, run.state, run.created_at, run.modified_at, run.closed_at),
        *(run.created_seconds, run.modified_seconds, run.started_seconds, run.earlier_seconds, run.duration_seconds),
        *(run.end_reason, run.trashed),
        *(run.config_count, json.dumps(run.series_counts), run.tags_text, run.metrics_text),
    )
