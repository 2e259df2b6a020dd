"""Shows readers what is in the inbox while it can't be stored: the disk is full, or may not be written.

Everything happens in the temporary schema of the reader's own connection, which SQLite keeps in memory. Tables there
hide those of the same name in the file: small ones are copied, and points become a view of both.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from goodseed.storage.batch import Batch, Tables
from goodseed.storage.inbox.records import first_time, replay
from goodseed.storage.inbox.segments import HEADER_BYTES, read_headers, read_segments
from goodseed.storage.kinds import kinds, kinds_in
from goodseed.storage.lock import is_locked
from goodseed.storage.schema import drained_generation, has_inbox_table

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable

    from goodseed.paths import RunFiles
    from goodseed.storage.inbox.segments import FoundSegment
    from goodseed.storage.kinds import Kind

__all__ = ["show_unstored"]

_OVERDUE_SECONDS: Final = 1.0  # a writer that can store does so four times a second
_PEEK_BYTES: Final = 4 << 10
_COPIED: Final = {
    "configs": "path TEXT PRIMARY KEY, type_tag TEXT, value TEXT, updated_at TEXT, uploaded INTEGER DEFAULT 0",
    "run_meta": "key TEXT PRIMARY KEY, value TEXT",
}


def show_unstored(
    files: RunFiles, connection: sqlite3.Connection, segments: Iterable[FoundSegment] | None = None
) -> bool:
    """Let ``connection`` see what the run's inbox holds and its file does not; returns whether there is anything.

    Args:
        files: Where the run lies.
        connection: A reader's, outside of any transaction.
        segments: What is known not to be in the file; None to look into the inbox. There, what a live writer will
            store within the second is left to it.

    Raises:
        sqlite3.Error: The file is damaged.
    """
    if segments is None:
        if not files.inbox.exists() or not _is_worth_reading(files, connection):
            return False
        drained = drained_generation(connection)
        segments = [segment for segment in read_segments(files.inbox) if segment.generation > drained]
    else:
        segments = list(segments)
    if not segments:
        return False
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("BEGIN")
    try:
        in_file = kinds_in(connection)
        _make_tables(connection, in_file)
        batch = _replayed(connection, segments)
        batch.store(connection)
        for kind in in_file:
            table, columns = kind.point_table, f"series_id, step, {kind.column}, ts, uploaded"
            connection.execute(f"ALTER TABLE temp.{table} RENAME TO unstored_{table}")
            connection.execute(
                f"""CREATE TEMP VIEW {table} AS
                SELECT {columns} FROM main.{table} AS stored WHERE NOT EXISTS (
                    SELECT 1 FROM temp.unstored_{table} AS newer
                    WHERE newer.series_id = stored.series_id AND newer.step = stored.step)
                UNION ALL SELECT {columns} FROM temp.unstored_{table}"""
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return True


def _is_worth_reading(files: RunFiles, connection: sqlite3.Connection) -> bool:
    """Whether nobody will store what the inbox holds, or somebody should have done so by now."""
    if not is_locked(files.lock):
        return True
    drained = drained_generation(connection)
    try:
        descriptor = os.open(files.inbox, os.O_RDONLY)
    except OSError:
        return False
    try:
        headers = [header for header in read_headers(descriptor) if header.generation > drained]
        if not headers:
            return False
        oldest = min(headers, key=lambda header: header.generation)
        content = memoryview(os.pread(descriptor, _PEEK_BYTES, oldest.offset))
    finally:
        os.close(descriptor)
    logged_at = first_time(content, HEADER_BYTES, oldest.generation)
    return logged_at is not None and time.time() - logged_at > _OVERDUE_SECONDS


def _make_tables(connection: sqlite3.Connection, in_file: Collection[Kind]) -> None:
    """Tables for what is to be stored; those of a kind of which the file has none are all there is of it."""
    series = {kind.series_table: "id INTEGER PRIMARY KEY, path TEXT UNIQUE" for kind in in_file}
    for table, columns in {**_COPIED, **series}.items():
        connection.execute(f"CREATE TEMP TABLE {table} ({columns})")
        connection.execute(f"INSERT INTO temp.{table} SELECT * FROM main.{table}")
    connection.execute("CREATE TEMP TABLE inbox_shapes (number INTEGER PRIMARY KEY, paths TEXT)")
    if has_inbox_table(connection):
        connection.execute("INSERT INTO temp.inbox_shapes SELECT * FROM main.inbox_shapes")
    for kind in kinds():
        connection.execute(
            f"""CREATE TEMP TABLE {kind.point_table} (
                series_id INTEGER, step REAL, {kind.column}, ts INTEGER, uploaded INTEGER DEFAULT 0,
                PRIMARY KEY (series_id, step)) WITHOUT ROWID"""
        )
        if kind not in in_file:
            connection.execute(f"CREATE TEMP TABLE {kind.series_table} (id INTEGER PRIMARY KEY, path TEXT UNIQUE)")


def _replayed(connection: sqlite3.Connection, segments: Iterable[FoundSegment]) -> Batch:
    tables = Tables(connection)
    tables.shapes.load(connection)
    batch = Batch(tables)
    for segment in segments:
        end = replay(segment.content, HEADER_BYTES, segment.generation, batch)
        if end < segment.used:  # what comes behind damage is not taken by whoever brings it in, either
            break
    return batch
