"""Opens a run's database file for its writer, restores it when it was deleted, and packs it at the end."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from typing import TYPE_CHECKING, Final

from goodseed.paths import make_private_directory
from goodseed.storage.batch import Batch, Tables
from goodseed.storage.forks import GatedConnection
from goodseed.storage.history.attempts import Attempt, attempt_rows, attempts_of
from goodseed.storage.history.last_attempt import HOST, JOB_ID, STEPS, ended_attempt
from goodseed.storage.history.rewinding import rewind
from goodseed.storage.inbox.recovery import recover
from goodseed.storage.life import (
    EARLIER_SECONDS,
    RESUMED_AT,
    earlier_seconds,
    last_sign,
    seconds_of,
    started_seconds,
)
from goodseed.storage.rollup.as_of import Seal, note_live, take_over_nodes
from goodseed.storage.schema import (
    SCHEMA_VERSION,
    check_file,
    check_version,
    connect_writer,
    create_inbox_table,
    create_tables,
    drop_inbox_table,
    migrate,
    read_meta,
    refuse_if_open,
)
from goodseed.times import now_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from goodseed.paths import RunFiles

__all__ = ["END_REASON", "UPSERT_META", "leave_one_file", "open_database", "restored_database", "wal_bytes"]

END_REASON: Final = "sys/end_reason"
UPSERT_META: Final = (
    "INSERT INTO run_meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_BUSY_SECONDS: Final = 0.5  # callers may be waiting, none of them for a second
_COPIED_PAGES: Final = 1_000  # between two looks for a fork
_WORTH_PACKING_BYTES: Final = 256 << 10
_PACKED_BYTES: Final = 64 << 20  # packed in half a second
_PACKED_BYTES_A_SECOND: Final = 8 << 20  # of the run's life: packing makes it a tenth longer at most


def open_database(
    files: RunFiles,
    meta: Mapping[str, str],
    *,
    is_new: bool,
    rewind_to: float | None,
    heard_seconds: float,
    on_progress: Callable[[], None] | None,
) -> tuple[sqlite3.Connection, Tables]:
    """Open the file and write ``meta``: make its tables, or take over what the last writer left.

    Who takes over begins another attempt of the run.

    The arguments are those of `goodseed.storage.writing.session.Session`.

    Raises:
        sqlite3.Error: It can't be opened or written.
        FileFormatError: It is not a run file, or of a newer version.
    """
    if not is_new:
        check_file(files.database)
    connection = connect_writer(files.database, busy_seconds=_BUSY_SECONDS, is_synced_later=is_new)
    try:
        if not is_new:
            version = check_version(connection, files.database)
            if version < SCHEMA_VERSION:
                refuse_if_open(connection, files.database)
            migrate(connection, version)
            if files.inbox.exists():
                recover(connection, files, on_progress)
        connection.execute("BEGIN IMMEDIATE")
        if is_new:
            create_tables(connection)
            tables = Tables(connection, files.database)
        else:
            take_over_nodes(connection, files.database)
            create_inbox_table(connection)
            note_live(connection)
            tables = Tables(connection, files.database)
            _begin_attempt(connection, tables, meta, heard_seconds, rewind_to)
            _resume(connection, heard_seconds)
            connection.execute("DELETE FROM run_meta WHERE key IN ('closed_at', ?, ?, ?)", (HOST, JOB_ID, STEPS))
            _forget_end(connection)
        connection.executemany(UPSERT_META, meta.items())
        connection.execute("COMMIT")
        tables.stored()
        return connection, tables
    except BaseException:
        connection.close()
        raise


def _begin_attempt(
    connection: sqlite3.Connection,
    tables: Tables,
    meta: Mapping[str, str],
    heard_seconds: float,
    rewind_to: float | None,
) -> None:
    """Record the attempt that has ended, and that another one begins, perhaps at an earlier step."""
    now = now_text()
    known = attempts_of(connection.execute("SELECT path, type_tag, value FROM configs"))
    ended = ended_attempt(connection, read_meta(connection), heard_seconds, known)
    begun = Attempt(ended.number + 1, opened_at=now, host=meta.get(HOST), job_id=meta.get(JOB_ID), rewound_to=rewind_to)
    batch = Batch(tables)
    batch.add_configs([*attempt_rows(ended, now), *attempt_rows(begun, now)])
    batch.store(connection)
    if rewind_to is not None:
        rewind(connection, tables, rewind_to)


def _resume(connection: sqlite3.Connection, heard_seconds: float) -> None:
    """Add the time from the run's last start to its end to the time that it lived before."""
    meta = read_meta(connection)
    started = started_seconds(meta, math.inf)
    ended = seconds_of(meta.get("closed_at"), 0.0) or last_sign(connection, heard_seconds)
    lived = earlier_seconds(meta) + max(0.0, ended - started)
    connection.executemany(UPSERT_META, [(EARLIER_SECONDS, f"{lived:.3f}"), (RESUMED_AT, now_text())])


def _forget_end(connection: sqlite3.Connection) -> None:
    """Delete what describes the last end; an end reason that the remote knows becomes null, which is uploaded."""
    connection.execute("DELETE FROM configs WHERE path = 'sys/closed_time'")
    connection.execute("DELETE FROM configs WHERE path = ? AND NOT uploaded", (END_REASON,))
    connection.execute(
        "UPDATE configs SET type_tag = 'null', value = '', updated_at = ?, uploaded = 0 WHERE path = ?",
        (now_text(), END_REASON),
    )


def restored_database(connection: sqlite3.Connection, database: Path) -> sqlite3.Connection:
    """Write the file again, where it was, from what SQLite still holds open; returns a connection to the new file.

    Raises:
        OSError: The directory can't be made.
        sqlite3.Error: The copy failed.
    """
    make_private_directory(database.parent)
    copy_path = database.with_name(f".{database.name}-restored")
    os.close(os.open(copy_path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
    copy = sqlite3.connect(copy_path, factory=GatedConnection)
    try:
        connection.backup(copy, pages=_COPIED_PAGES)
    finally:
        copy.close()
    os.replace(copy_path, database)
    return connect_writer(database, busy_seconds=_BUSY_SECONDS)


def wal_bytes(database: Path) -> int:
    """How long the write-ahead log is."""
    try:
        return os.stat(f"{database}-wal").st_size
    except FileNotFoundError:
        return 0


def leave_one_file(connection: sqlite3.Connection, database: Path, open_seconds: float, nodes_version: int) -> None:
    """Move everything into the database file, packed where that is quick, unless a reader still holds the log.

    Args:
        connection: The writer's; all is stored.
        database: The file.
        open_seconds: How long it was open.
        nodes_version: The `goodseed.storage.rollup.as_of.data_version` as of which the nodes are valid.

    Raises:
        sqlite3.Error: It could not be written.
    """
    seal = Seal(connection, database, nodes_version)
    connection.execute("BEGIN IMMEDIATE")
    drop_inbox_table(connection)
    seal.write()
    connection.execute("COMMIT")
    connection.execute("PRAGMA busy_timeout = 200")
    with contextlib.suppress(sqlite3.OperationalError):  # a reader holds a snapshot: the next to open it does it
        if _is_worth_packing(database, open_seconds):
            connection.execute("VACUUM")
        seal.finish()


def _is_worth_packing(database: Path, open_seconds: float) -> bool:
    """Whether rewriting the file makes it noticeably smaller, in a time that is short beside the run's."""
    size = os.stat(database).st_size + wal_bytes(database)
    return size >= _WORTH_PACKING_BYTES and size <= min(_PACKED_BYTES, _PACKED_BYTES_A_SECOND * open_seconds)
