"""Stores what a killed process left in its inbox, before the run is read."""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import TYPE_CHECKING, Final

from goodseed.errors import RunInUseError
from goodseed.storage.batch import Tables
from goodseed.storage.forks import watch_forks
from goodseed.storage.history.overwritten import Overwritten
from goodseed.storage.inbox.portions import Portion, portions
from goodseed.storage.inbox.segments import FoundSegment, headers_of, read_segments
from goodseed.storage.life import last_sign
from goodseed.storage.lock import WriterLock, is_locked
from goodseed.storage.rollup.as_of import Seal, data_version, kept_nodes, note_live, stamp_log, take_over_nodes
from goodseed.storage.rollup.changes import changes_in, note_changes
from goodseed.storage.schema import (
    check_version,
    connect_writer,
    create_inbox_table,
    drained_generation,
    drop_inbox_table,
    has_inbox_table,
    migrate,
    set_drained,
)
from goodseed.terminal import Progress
from goodseed.threads import signals_kept_out
from goodseed.times import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from goodseed.paths import RunFiles

__all__ = ["QUICK_BYTES", "recover", "recover_if_abandoned", "recover_soon"]

_logger: Final = logging.getLogger("goodseed")
QUICK_BYTES: Final = 4 << 20  # recovered at once, even when many runs are listed
_POLLED_SECONDS: Final = 10.0


def recover_if_abandoned(files: RunFiles, max_bytes: int | None = None) -> None:
    """Recover a run that has an inbox and no live writer; does nothing to any other, and never raises.

    If that fails, because the disk is full or read-only, `goodseed.storage.inbox.overlay` shows
    what the inbox holds.

    Args:
        files: Where it lies.
        max_bytes: Leave a larger inbox to a caller who can wait; None for any size.
    """
    if not _is_abandoned(files) or (max_bytes is not None and _size(files) > max_bytes):
        return
    try:
        lock = WriterLock(files.lock)
    except (RunInUseError, OSError):
        return
    watch_forks(lock)
    try:
        if files.inbox.exists():
            connection = connect_writer(files.database, busy_seconds=1.0)
            try:
                recover(connection, files)
                with kept_nodes(connection, files.database):
                    _note_last_sign(connection, lock.found_seconds)
            finally:
                connection.close()
    except (sqlite3.Error, OSError, ValueError) as error:
        _logger.info("goodseed: %s can't be brought into its run: %s", files.inbox, error)
    finally:
        lock.release()


class _Background:
    """The thread of this process that brings in a large inbox: one at a time."""

    def __init__(self) -> None:
        self._is_busy = threading.Lock()
        self._current: tuple[Path, threading.Thread] | None = None
        watch_forks(self)

    def recover(self, files: RunFiles) -> None:
        """Begin with ``files``, if nothing else goes on, and wait some seconds for its end; never raises."""
        if _is_abandoned(files) and self._is_busy.acquire(blocking=False):
            thread = threading.Thread(target=self._work, args=(files,), name="goodseed-recovery", daemon=True)
            self._current = files.database, thread
            with signals_kept_out():
                thread.start()
        current = self._current
        if current is not None and current[0] == files.database:
            current[1].join(_POLLED_SECONDS)

    def after_fork_in_child(self) -> None:
        """The thread is the parent's."""
        self._is_busy = threading.Lock()
        self._current = None

    def _work(self, files: RunFiles) -> None:
        try:
            recover_if_abandoned(files)
        finally:
            self._current = None
            self._is_busy.release()


_background: Final = _Background()


def recover_soon(files: RunFiles) -> None:
    """As `recover_if_abandoned`, for callers that poll: a thread recovers a large inbox, and is waited for a while."""
    recover_if_abandoned(files, QUICK_BYTES)
    if files.inbox.exists():
        _background.recover(files)


def _is_abandoned(files: RunFiles) -> bool:
    return files.inbox.exists() and not is_locked(files.lock)


def _size(files: RunFiles) -> int:
    try:
        return files.inbox.stat().st_size
    except OSError:
        return 0


def _note_last_sign(connection: sqlite3.Connection, heard_seconds: float) -> None:
    """Keep what the lock, which is about to go, says of the writer's last sign of life."""
    (status,) = connection.execute("SELECT value FROM run_meta WHERE key = 'status'").fetchone() or ("running",)
    if status == "running":
        seconds = last_sign(connection, heard_seconds)
        at = utc_text(seconds)
        connection.execute(
            "UPDATE configs SET value = ?1, updated_at = ?1 WHERE path = 'sys/modification_time' AND value < ?1", (at,)
        )


def recover(connection: sqlite3.Connection, files: RunFiles, on_progress: Callable[[], None] | None = None) -> int:
    """Move what the inbox of a dead process holds into the file, and remove the inbox; the caller holds the lock.

    Only whole records are taken, and none behind one that is damaged: what comes out is what was logged up to some
    moment. It is done in portions, with a bar on a terminal; the next process goes on where one was interrupted.
    Doing it twice is harmless.

    Args:
        connection: To the file, for writing.
        files: Where the run lies.
        on_progress: Called all the time.

    Returns:
        How many points and configs were found.

    Raises:
        sqlite3.Error: The file can't be written; the inbox stays.
    """
    migrate(connection, check_version(connection, files.database))
    connection.execute("BEGIN IMMEDIATE")
    version = data_version(connection)
    take_over_nodes(connection, files.database)
    if not has_inbox_table(connection):  # the file was closed: the inbox is one that was kept elsewhere
        first = next(iter(headers_of(files.inbox)), None)
        create_inbox_table(connection)
        note_live(connection)
        set_drained(connection, first.generation - 1 if first is not None else 0)
    connection.execute("COMMIT")
    found = _store_all(connection, files, version, on_progress)
    files.inbox.unlink(missing_ok=True)  # before these tables: without them, it would seem to hold what is not stored
    seal = Seal(connection, files.database, version)
    connection.execute("BEGIN IMMEDIATE")
    drop_inbox_table(connection)
    seal.write()
    connection.execute("COMMIT")
    seal.finish()
    return found


def _store_all(
    connection: sqlite3.Connection, files: RunFiles, version: int, on_progress: Callable[[], None] | None
) -> int:
    drained = drained_generation(connection)
    headers = headers_of(files.inbox)
    if not headers and files.inbox.stat().st_size:
        _logger.warning("goodseed: %s is not an inbox, or is damaged; what it held is lost.", files.inbox)
    tables = Tables(connection, files.database)
    tables.shapes.load(connection)
    overwritten = Overwritten(connection, tables)
    total = sum(header.used or header.size for header in headers if header.generation > drained)
    progress = Progress(f"Storing what was left of {files.database.stem}:", total >> 20, "MiB")
    found = done = 0

    def tell() -> None:
        progress.show(done >> 20)
        if on_progress is not None:
            on_progress()

    try:
        for portion in portions(_without_gap(files, drained), tables):
            number = _store(connection, tables, portion, overwritten, tell)
            if number:
                stamp_log(connection, files.database, number, version)
            found += portion.batch.size
            done += portion.byte_count
            tell()
            if portion.is_damaged:
                _logger.warning("goodseed: %s is damaged; what was logged after the damage is lost.", files.inbox)
    finally:
        progress.end()
    return found


def _without_gap(files: RunFiles, drained: int) -> Iterator[FoundSegment]:
    for segment in read_segments(files.inbox, drained):
        drained += 1
        if segment.generation != drained:
            _logger.warning("goodseed: %s has a gap; what was logged after it is lost.", files.inbox)
            return
        yield segment


def _store(
    connection: sqlite3.Connection,
    tables: Tables,
    portion: Portion,
    overwritten: Overwritten,
    tell: Callable[[], None],
) -> int:
    """Store one portion in a transaction; returns the number under which its changes are noted, 0 without one."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        portion.batch.store(connection, tell)
        kept = overwritten.keep()
        tables.note_written(kept)
        touched = [*portion.batch.touched(), *kept]
        number = note_changes(connection, touched) if changes_in(connection) is not None else 0
        if portion.generation:
            set_drained(connection, portion.generation)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    tables.stored()
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return number
