"""Writes run files for the hub: the client's tables, each commit synced to the disk."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from itertools import repeat
from typing import TYPE_CHECKING, Final, final

from goodseed.paths import make_private_directory
from goodseed.storage.batch import Batch, Tables, Upsert
from goodseed.storage.edits import Edited
from goodseed.storage.inbox.recovery import recover_if_abandoned
from goodseed.storage.kinds import NUMBERS, kind_of, kinds_in
from goodseed.storage.lock import WriterLock
from goodseed.storage.rollup.changes import begin_changes, note_changes
from goodseed.storage.schema import (
    check_version,
    connect_writer,
    create_tables,
    drop_inbox_table,
    migrate,
    refuse_if_open,
)
from goodseed_hub.errors import ApiError
from goodseed_hub.stores.base import Change, Outcome, admitted, resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from goodseed.columns import Points
    from goodseed.paths import RunFiles
    from goodseed.storage.kinds import Kind

__all__ = ["RunFileWriter"]

_logger: Final = logging.getLogger("goodseed")
_BUSY_SECONDS: Final = 10.0
_CHECKPOINT_BYTES: Final = 8 << 20
_UPSERT_META: Final = (
    "INSERT INTO run_meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_META: Final = "SELECT key, value FROM run_meta"
_CONFIG: Final = "SELECT type_tag, value FROM configs WHERE path = ?"
_HAS_TABLES: Final = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'run_meta'"


@final
class RunFileWriter:
    """The hub's only connection for writing to a run's file; to be used by one thread at a time."""

    def __init__(
        self,
        files: RunFiles,
        meta: Mapping[str, str] | None = None,
        *,
        max_series: int,
        is_copy: bool = False,
    ) -> None:
        """Open the file for writing, or make it.

        Args:
            files: Where it lies.
            meta: What ``run_meta`` holds in a new file. Its ``hub_run`` is that of an old one too, if that has one.
            max_series: How many series it may have.
            is_copy: It can be made again: no commit waits for the disk, and what it is given has been resolved.

        Raises:
            RunInUseError: Another process writes it.
            ApiError: The file is another run's, as on a file system for which ``A`` and ``a`` are one name.
            FileFormatError: It is not a run file, or of a newer version.
            OSError, sqlite3.Error: The disk refuses.
        """
        self._files: Final = files
        self._notes_changes = False
        self._max_series: Final = max_series
        directory = files.database.parent
        make_private_directory(directory)
        is_new = not files.database.exists()
        if not is_new:
            recover_if_abandoned(files)
        self._lock: Final = WriterLock(files.lock)
        try:
            if is_new:
                os.close(os.open(files.database, os.O_CREAT | os.O_WRONLY, 0o600))
            self._connection: Final = connect_writer(files.database, busy_seconds=_BUSY_SECONDS, any_thread=True)
        except BaseException:
            self._lock.release()
            raise
        try:
            # FULL: a commit is on the disk itself before it is answered.
            self._connection.execute(f"PRAGMA synchronous = {'OFF' if is_copy else 'FULL'}")
            self._prepare(meta or {})
            if is_new and not is_copy:
                _sync_directories(directory)
            self._tables: Final = Tables(self._connection)
            self._known: Final = {
                (kind.name, path)
                for kind in kinds_in(self._connection)
                for (path,) in self._connection.execute(f"SELECT path FROM {kind.series_table}")
            }
            # Edits are merged where the data is; a copy takes the result as it is.
            self._edited: Final = None if is_copy else Edited(dict(self._connection.execute(_META)))
        except BaseException:
            self._connection.close()
            self._lock.release()
            raise

    def _prepare(self, meta: Mapping[str, str]) -> None:
        if not self._connection.execute(_HAS_TABLES).fetchone()[0]:  # new, or made by a hub that was killed just then
            self._connection.execute("BEGIN IMMEDIATE")
            create_tables(self._connection)
            drop_inbox_table(self._connection)
            self._connection.executemany(_UPSERT_META, meta.items())
            self._connection.execute("COMMIT")
            return
        version = check_version(self._connection, self._files.database)
        if version < 2:
            refuse_if_open(self._connection, self._files.database)
        migrate(self._connection, version)
        found = self._connection.execute("SELECT value FROM run_meta WHERE key = 'hub_run'").fetchone()
        if found is not None and meta.get("hub_run", found[0]) != found[0]:
            raise ApiError(409, "Run.Taken", "Name taken", "The run's file is another run's: use another run_id.")

    def write(self, changes: Sequence[Change]) -> list[Outcome]:
        """Store ``changes``, in order, in one transaction.

        Raises:
            sqlite3.Error: Nothing of them is stored.
        """
        outcomes = [self._admit(change) for change in changes]
        batch = Batch(self._tables)
        columns = self._by_id(admitted(changes, outcomes))
        configs, meta = self._resolved(changes)
        batch.add_configs(configs)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            batch.store(self._connection)
            for kind, series in columns.items():
                self._store_points(kind, series)
            if not self._notes_changes:
                begin_changes(self._connection)
            touched = [
                ((id_,), min(points.steps), max(points.steps))
                for id_, points in columns.get(NUMBERS, ())
                if points.steps
            ]
            note_changes(self._connection, touched)
            for key, value in meta.items():
                if value is None:
                    self._connection.execute("DELETE FROM run_meta WHERE key = ?", (key,))
                else:
                    self._connection.execute(_UPSERT_META, (key, value))
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself
                    self._connection.execute("ROLLBACK")
            raise
        self._notes_changes = True
        self._tables.stored()
        self._checkpoint_if_long()
        return outcomes

    def _resolved(self, changes: Sequence[Change]) -> tuple[list[tuple[str, str, str, str]], Mapping[str, str | None]]:
        """The configs and the ``run_meta`` that ``changes`` bring."""
        edited = self._edited
        if edited is None:
            configs = [row for change in changes for row in change.configs]
            return configs, {key: value for change in changes for key, value in change.meta.items()}
        paths = {path for change in changes if change.edits is not None for path in change.edits.paths}
        rows = {path: self._connection.execute(_CONFIG, (path,)).fetchone() for path in paths.union(edited.paths())}
        return resolved(changes, edited, {path: row for path, row in rows.items() if row is not None})

    def sent(self, path: str) -> str | None:
        """What the client last sent of a config that was edited on the page since; None for any other."""
        return None if self._edited is None else self._edited.sent(path)

    def _by_id(self, several: Iterable[Points]) -> dict[Kind, list[tuple[int, Points]]]:
        """The points by kind, each with the id of its series."""
        found: dict[Kind, list[tuple[int, Points]]] = {}
        for points in several:
            kind = kind_of(points.kind)
            if kind is None:  # of a hub that knows more: the database keeps them
                _logger.warning("goodseed: %r is of the unknown kind %r; it is left out.", points.path, points.kind)
                continue
            found.setdefault(kind, []).append((self._tables.ids[kind.name][points.path], points))
        return found

    def _store_points(self, kind: Kind, series: list[tuple[int, Points]]) -> None:
        upsert = Upsert(self._connection, kind)
        for id_, points in sorted(series, key=lambda entry: entry[0]):
            upsert.add(repeat(id_, len(points.steps)), points.steps, points.values, points.times)
        upsert.finish()

    def _admit(self, change: Change) -> Outcome:
        """Count the new series, and refuse those for which there is no room."""
        refused: set[tuple[str, str]] = set()
        for points in change.points:
            name = points.kind, points.path
            if name not in self._known:
                if len(self._known) >= self._max_series:
                    refused.add(name)
                else:
                    self._known.add(name)
        return Outcome(frozenset(refused))

    def _checkpoint_if_long(self) -> None:
        try:
            size = os.stat(f"{self._files.database}-wal").st_size
        except FileNotFoundError:
            return
        if size >= _CHECKPOINT_BYTES:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the file; one file is left, unless a reader has it open."""
        try:
            self._connection.close()
        finally:
            self._lock.release()


def _sync_directories(directory: os.PathLike[str]) -> None:
    """Make sure that the names of a new file and of its new directories are on the disk too."""
    current = os.path.abspath(directory)
    for _ in range(8):
        descriptor = os.open(current, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        parent = os.path.dirname(current)
        if parent == current:
            return
        current = parent
