"""The catalog's memory: what the run files said when they were last read, in one SQLite file that may be deleted."""

from __future__ import annotations

import os
import sqlite3
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.paths import RUN_SUFFIX
from goodseed.storage.forks import GatedConnection
from goodseed.storage.summary import RunSummary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

__all__ = ["INDEX_NAME", "CatalogIndex", "IndexEntry", "ProjectSummary"]

INDEX_NAME: Final = ".goodseed-index.sqlite"
_VERSION: Final = 3
_APPLICATION_ID: Final = 0x67736478
_BUSY_SECONDS: Final = 5.0

# In the order of RunSummary's fields, without those that the path tells. File names need not be valid text: BLOB.
_COLUMNS: Final = """
    project BLOB, name TEXT, state TEXT, created_at TEXT, modified_at TEXT, closed_at TEXT, created_seconds REAL,
    modified_seconds REAL, started_seconds REAL, earlier_seconds REAL, duration_seconds REAL, end_reason TEXT,
    trashed INTEGER, config_count INTEGER, metric_count INTEGER, text_count INTEGER, tags_text TEXT,
    metrics_text TEXT"""
_TABLE: Final = f"""
    CREATE TABLE entry (relative_path BLOB PRIMARY KEY, token TEXT NOT NULL, problem TEXT, {_COLUMNS}) WITHOUT ROWID"""
_TRASHED: Final = 11  # where `trashed` is among the columns after `project`; SQLite has no bool
_UPSERT: Final = f"INSERT OR REPLACE INTO entry VALUES ({', '.join('?' * 21)})"
_PROJECTS: Final = """
    SELECT project, count(*), sum(state = 'running'), sum(trashed), max(modified_seconds)
    FROM entry WHERE problem IS NULL GROUP BY project ORDER BY max(modified_seconds) DESC, project"""


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
            running_count=sum(run.state == "running" for run in runs),
            trashed_count=sum(run.trashed for run in runs),
            modified_seconds=max(run.modified_seconds for run in runs),
        )


class IndexEntry(NamedTuple):
    """What a file said when it was read.

    Attributes:
        relative_path: The file, from the root.
        token: Its fingerprint at that time, or a text that is no file's, if it has to be read again.
        content: The run, or why it is none.
    """

    relative_path: str
    token: str
    content: RunSummary | str


class CatalogIndex:
    """The entries of one root. To be used by one thread at a time; other processes may use the same file.

    Any method raises `sqlite3.Error`, `ValueError` or `TypeError` where the file is damaged.
    """

    def __init__(self, root: Path, *, is_stored: bool) -> None:
        """Open the index of ``root``, or make it.

        Args:
            root: The directory that it is about, and that it lies in.
            is_stored: False to keep it in memory.

        Raises:
            OSError: There can be none in this directory, or the one that is there belongs to somebody else.
            sqlite3.Error: It can't be opened.
        """
        self._root: Final = os.path.join(root, "")
        path = root / INDEX_NAME
        if is_stored:
            _make_private(path)
        self._connection: Final = sqlite3.connect(
            path if is_stored else ":memory:",
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=GatedConnection,
        )
        try:
            if not self._is_current():
                self._make_tables()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _is_current(self) -> bool:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        return (version, application) == (_VERSION, _APPLICATION_ID)

    def _make_tables(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")  # a commit waits for no disk, a reader for no writer
        self._connection.execute("BEGIN IMMEDIATE")
        if not self._is_current():  # another process may just have made them
            self._connection.execute("DROP TABLE IF EXISTS entry")
            self._connection.execute(_TABLE)
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")
        self._connection.execute("COMMIT")

    def version(self) -> int:
        """Another number once another process has changed the index."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def tokens(self) -> dict[str, str]:
        """The token of every entry, by its path from the root."""
        rows = self._connection.execute("SELECT relative_path, token FROM entry")
        return {os.fsdecode(path): token for path, token in rows}

    def running(self) -> set[str]:
        """The paths of the runs that were running when they were read."""
        rows = self._connection.execute("SELECT relative_path FROM entry WHERE state = 'running'")
        return {os.fsdecode(path) for (path,) in rows}

    def entries(self) -> list[IndexEntry]:
        """All of it."""
        return [self._entry(*row) for row in self._connection.execute("SELECT * FROM entry")]

    def _entry(
        self, encoded_path: bytes, token: str, problem: str | None, project: bytes | None, *columns: object
    ) -> IndexEntry:
        path = os.fsdecode(encoded_path)
        if project is None:
            return IndexEntry(path, token, problem or "can't be read")
        run_id = path.rpartition("/")[2].removesuffix(RUN_SUFFIX)
        before, trashed, after = columns[:_TRASHED], bool(columns[_TRASHED]), columns[_TRASHED + 1 :]
        summary = RunSummary(self._root + path, run_id, os.fsdecode(project), *before, trashed, *after)  # type: ignore[call-arg,arg-type]
        return IndexEntry(path, token, summary)

    def projects(self) -> list[ProjectSummary]:
        """The projects, the one that changed last first."""
        return [ProjectSummary(os.fsdecode(name), *rest) for name, *rest in self._connection.execute(_PROJECTS)]

    def update(self, entries: Iterable[IndexEntry], removed: Iterable[str] = ()) -> None:
        """Store ``entries`` in the place of what was there about these files, and forget those ``removed``."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            gone = [(os.fsencode(path),) for path in removed]
            self._connection.executemany("DELETE FROM entry WHERE relative_path = ?", gone)
            self._connection.executemany(_UPSERT, map(_row, entries))
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _row(entry: IndexEntry) -> tuple[object, ...]:
    path, run = os.fsencode(entry.relative_path), entry.content
    if isinstance(run, str):
        return (path, entry.token, run, *[None] * 18)
    return (
        *(path, entry.token, None),
        *(os.fsencode(run.project), run.name, run.state, run.created_at, run.modified_at, run.closed_at),
        *(run.created_seconds, run.modified_seconds, run.started_seconds, run.earlier_seconds, run.duration_seconds),
        *(run.end_reason, run.trashed),
        *(run.config_count, run.metric_count, run.text_count, run.tags_text, run.metrics_text),
    )


def _make_private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
            raise PermissionError(f"{path} is no regular file, or belongs to somebody else.") from None
        if not os.access(path, os.W_OK):
            raise PermissionError(f"{path} can't be written.") from None
