"""Shows readers what is in the inbox while it can't be stored: the disk is full, or may not be written.

Everything happens in the temporary schema of the reader's own connection. Tables there hide those of the same name in
the file: small ones are copied, and points become a view of both. SQLite keeps little of it in memory, and much in a
file without a name.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from itertools import chain
from typing import TYPE_CHECKING, Final

from goodseed.storage.batch import Tables
from goodseed.storage.inbox.portions import portions
from goodseed.storage.inbox.records import first_time
from goodseed.storage.inbox.segments import HEADER_BYTES, headers_of, read_segments
from goodseed.storage.kinds import kinds, kinds_in
from goodseed.storage.lock import is_locked
from goodseed.storage.rollup.as_of import NODES_AS_OF
from goodseed.storage.schema import drained_generation, has_inbox_table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from goodseed.paths import RunFiles
    from goodseed.storage.inbox.segments import FoundSegment
    from goodseed.storage.kinds import Kind

__all__ = ["show_unstored"]

_OVERDUE_SECONDS: Final = 1.0  # a writer that can store does so four times a second
_PEEK_BYTES: Final = 4 << 10
_IN_MEMORY_BYTES: Final = 4 << 20
_MOST_BYTES: Final = 64 << 20
_COPIED: Final = {
    "configs": "path TEXT PRIMARY KEY, type_tag TEXT, value TEXT, updated_at TEXT, uploaded INTEGER DEFAULT 0",
    "run_meta": "key TEXT PRIMARY KEY, value TEXT",
}


def show_unstored(
    files: RunFiles,
    connection: sqlite3.Connection,
    segments: Iterable[FoundSegment] | None = None,
    *,
    is_last_enough: bool = False,
) -> bool:
    """Let ``connection`` see what the run's inbox holds and its file does not; returns whether there is anything.

    Args:
        files: Where the run lies.
        connection: A reader's, outside of any transaction.
        segments: What is known not to be in the file; None to look into the inbox. There, what a live writer will
            store within the second is left to it.
        is_last_enough: Of each series, only the last point is to be seen.

    Raises:
        sqlite3.Error: The file is damaged.
    """
    if segments is not None:
        return _show(connection, segments, "MEMORY", is_last_enough=is_last_enough)
    drained = drained_generation(connection)
    if not files.inbox.exists() or not _is_worth_reading(files, drained):
        return False
    left_bytes = sum(header.used or header.size for header in headers_of(files.inbox, drained))
    if left_bytes > _IN_MEMORY_BYTES:
        with contextlib.suppress(sqlite3.OperationalError):  # there is no room for temporary files
            return _show(connection, _oldest(files, drained), "FILE", is_last_enough=is_last_enough)
    return _show(connection, _oldest(files, drained), "MEMORY", is_last_enough=is_last_enough)


def _show(
    connection: sqlite3.Connection, segments: Iterable[FoundSegment], temp_store: str, *, is_last_enough: bool
) -> bool:
    remaining = iter(segments)
    first = next(remaining, None)
    if first is None:
        return False
    connection.execute(f"PRAGMA temp_store = {temp_store}")
    connection.execute("BEGIN")
    try:
        in_file = kinds_in(connection)
        _make_tables(connection, in_file)
        connection.execute("DELETE FROM temp.run_meta WHERE key = ?", (NODES_AS_OF,))  # they lack what is shown
        tables = Tables(connection)
        tables.shapes.load(connection)
        for portion in portions(chain([first], remaining), tables):
            if is_last_enough:
                portion.batch.keep_last()
            portion.batch.store(connection)
            tables.stored()
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


def _oldest(files: RunFiles, drained: int) -> Iterator[FoundSegment]:
    """What is read at once: what this version lets wait, and of a larger inbox of an earlier one the oldest part."""
    read = 0
    for segment in read_segments(files.inbox, drained):
        if read and read + len(segment.content) > _MOST_BYTES:
            return
        read += len(segment.content)
        yield segment


def _is_worth_reading(files: RunFiles, drained: int) -> bool:
    """Whether no process is there to store what the inbox holds, or its writer is overdue."""
    if not is_locked(files.lock):
        return True
    headers = headers_of(files.inbox, drained)
    if not headers:
        return False
    try:
        with files.inbox.open("rb") as inbox:
            inbox.seek(headers[0].offset)
            content = memoryview(inbox.read(_PEEK_BYTES))
    except OSError:
        return False
    logged_at = first_time(content, HEADER_BYTES, headers[0].generation)
    # A point may have been given another time than that of its call: then the reader looks for itself.
    return logged_at is not None and not 0 <= time.time() - logged_at <= _OVERDUE_SECONDS


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
