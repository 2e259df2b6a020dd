"""Stores what a killed process left in its inbox, before anybody reads the run."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, Final

from goodseed.errors import RunInUseError
from goodseed.storage.batch import Batch, Tables
from goodseed.storage.inbox.records import replay
from goodseed.storage.inbox.segments import HEADER_BYTES, FoundSegment, read_segments
from goodseed.storage.life import last_sign
from goodseed.storage.lock import WriterLock, is_locked
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
from goodseed.times import utc_text

if TYPE_CHECKING:
    from goodseed.paths import RunFiles

__all__ = ["recover", "recover_if_abandoned"]

_logger: Final = logging.getLogger("goodseed")


def recover_if_abandoned(files: RunFiles) -> None:
    """Recover a run that has an inbox and no live writer; does nothing to any other, and never raises.

    Where that fails, as the disk is full or must not be written, `goodseed.storage.inbox.overlay` shows
    what the inbox holds.
    """
    if not files.inbox.exists() or is_locked(files.lock):
        return
    try:
        lock = WriterLock(files.lock)
    except (RunInUseError, OSError):
        return
    try:
        if files.inbox.exists():
            connection = connect_writer(files.database, busy_seconds=1.0)
            try:
                recover(connection, files)
                _note_last_sign(connection, lock.found_seconds)
            finally:
                connection.close()
    except (sqlite3.Error, OSError, ValueError) as error:
        _logger.info("goodseed: %s can't be brought into its run: %s", files.inbox, error)
    finally:
        lock.release()


def _note_last_sign(connection: sqlite3.Connection, heard_seconds: float) -> None:
    """Keep what the lock, which is about to go, says of the writer's last sign of life."""
    (status,) = connection.execute("SELECT value FROM run_meta WHERE key = 'status'").fetchone() or ("running",)
    if status == "running":
        seconds = last_sign(connection, heard_seconds)
        at = utc_text(seconds)
        connection.execute(
            "UPDATE configs SET value = ?1, updated_at = ?1 WHERE path = 'sys/modification_time' AND value < ?1", (at,)
        )


def recover(connection: sqlite3.Connection, files: RunFiles) -> int:
    """Move what the inbox of a dead process holds into the file, and remove the inbox; the caller holds the lock.

    Only whole records are taken, and none behind one that is damaged: what comes out is what was logged up to some
    moment. Doing it twice is harmless.

    Returns:
        How many points and configs were found.

    Raises:
        sqlite3.Error: The file can't be written; the inbox stays.
    """
    migrate(connection, check_version(connection, files.database))
    segments = list(read_segments(files.inbox))
    if not has_inbox_table(connection):  # the file was closed: the inbox is one that was kept elsewhere
        connection.execute("BEGIN IMMEDIATE")
        create_inbox_table(connection)
        set_drained(connection, segments[0].generation - 1 if segments else 0)
        connection.execute("COMMIT")
    tables = Tables(connection)
    drained = drained_generation(connection)
    tables.shapes.load(connection)
    found = 0
    if not segments and files.inbox.stat().st_size:
        _logger.warning("goodseed: %s is no inbox, or damaged; what it held is lost.", files.inbox)
    for segment in segments:
        if segment.generation <= drained:
            continue
        if segment.generation != drained + 1:
            _logger.warning("goodseed: %s has a gap; what was logged after it is lost.", files.inbox)
            break
        batch = Batch(tables)
        end = replay(segment.content, HEADER_BYTES, segment.generation, batch)
        _store(connection, tables, batch)
        found += batch.size
        drained = segment.generation
        if _is_damaged(segment, end):
            _logger.warning("goodseed: %s is damaged; what was logged after the damage is lost.", files.inbox)
            break
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    files.inbox.unlink(missing_ok=True)  # before these tables: without them, it would seem to hold what is not stored
    connection.execute("BEGIN IMMEDIATE")
    drop_inbox_table(connection)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return found


def _store(connection: sqlite3.Connection, tables: Tables, batch: Batch) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        batch.store(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    tables.stored()


def _is_damaged(segment: FoundSegment, end: int) -> bool:
    return end < segment.used
