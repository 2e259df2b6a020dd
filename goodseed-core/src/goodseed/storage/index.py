"""The catalog's memory: what the run files said when they were last read, in one SQLite file that may be deleted."""

from __future__ import annotations

import os
import sqlite3
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goodseed.storage.summary import RunSummary, decode_summary, encode_summary

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["INDEX_NAME", "CatalogIndex", "IndexEntry", "ProjectSummary"]

INDEX_NAME: Final = ".goodseed-index.sqlite"
_VERSION: Final = 1
_APPLICATION_ID: Final = 0x67736478
_BUSY_SECONDS: Final = 5.0

_TABLE: Final = """
    CREATE TABLE entry (
        path BLOB PRIMARY KEY,
        token TEXT NOT NULL,
        project BLOB,
        state TEXT,
        trashed INTEGER,
        modified_seconds REAL,
        summary TEXT,
        problem TEXT
    ) WITHOUT ROWID"""
_UPSERT: Final = "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
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


@dataclass(frozen=True, slots=True)
class IndexEntry:
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

    What any method raises beside what it says is `sqlite3.Error`, `ValueError` or `TypeError` for a file that is
    damaged: the caller makes a new one.
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
        self._root: Final = root
        path = root / INDEX_NAME
        if is_stored:
            _make_private(path)
        self._connection: Final = sqlite3.connect(
            path if is_stored else ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
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
        return {os.fsdecode(path): token for path, token in self._connection.execute("SELECT path, token FROM entry")}

    def running(self) -> set[str]:
        """The paths of the runs that were running when they were read."""
        rows = self._connection.execute("SELECT path FROM entry WHERE state = 'running'")
        return {os.fsdecode(path) for (path,) in rows}

    def entries(self) -> list[IndexEntry]:
        """All of it."""
        rows = self._connection.execute("SELECT path, token, summary, problem FROM entry")
        return [self._entry(os.fsdecode(path), *rest) for path, *rest in rows]

    def _entry(self, path: str, token: str, summary: str | None, problem: str | None) -> IndexEntry:
        if problem is not None:
            return IndexEntry(path, token, problem)
        return IndexEntry(path, token, decode_summary(summary or "", self._root / path))

    def projects(self) -> list[ProjectSummary]:
        """The projects, the one that changed last first."""
        return [ProjectSummary(os.fsdecode(name), *rest) for name, *rest in self._connection.execute(_PROJECTS)]

    def update(self, entries: Iterable[IndexEntry], removed: Iterable[str] = ()) -> None:
        """Store ``entries`` in the place of what was there about these files, and forget those ``removed``."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany("DELETE FROM entry WHERE path = ?", [(os.fsencode(path),) for path in removed])
            self._connection.executemany(_UPSERT, map(_row, entries))
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _row(entry: IndexEntry) -> tuple[object, ...]:
    path, content = os.fsencode(entry.relative_path), entry.content
    if isinstance(content, str):
        return (path, entry.token, None, None, None, None, None, content)
    return (
        path,
        entry.token,
        os.fsencode(content.project),
        content.state,
        content.trashed,
        content.modified_seconds,
        encode_summary(content),
        None,
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


def remove_index(root: Path) -> None:
    """Remove the index file of ``root``, if there is one.

    Raises:
        OSError: It can't be removed.
    """
    (root / INDEX_NAME).unlink(missing_ok=True)
