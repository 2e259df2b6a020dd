"""Defines the run file's tables, opens connections to it, and migrates older files.

`docs/file-format.md` describes the tables for those who read them without Goodseed.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from goodseed.errors import FileFormatError, RunInUseError
from goodseed.storage.forks import GatedConnection
from goodseed.storage.kinds import kinds
from goodseed.storage.rollup.changes import begin_changes, end_changes

if TYPE_CHECKING:
    from pathlib import Path

    from goodseed.storage.kinds import Kind

__all__ = [
    "CHECKPOINT_BYTES",
    "SCHEMA_VERSION",
    "check_file",
    "check_version",
    "connect_read_only",
    "connect_writer",
    "create_inbox_table",
    "create_series_tables",
    "create_tables",
    "drained_generation",
    "drop_inbox_table",
    "has_inbox_table",
    "lenient_text",
    "migrate",
    "read_meta",
    "refuse_if_open",
    "set_drained",
]

SCHEMA_VERSION: Final = 2
CHECKPOINT_BYTES: Final = 16 << 20  # a write-ahead log of this length is moved into the database, and begins again
_CACHED_STATEMENTS: Final = 64
_FIRST_QUERY_SECONDS: Final = 10.0
_STEPS_BETWEEN_LOOKS: Final = 100_000

# Columns and meanings are the specification's; `goodseed.storage.kinds` has the tables of the series.
_OTHER_TABLES: Final = (
    "CREATE TABLE run_meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    """
        CREATE TABLE configs (
            path TEXT PRIMARY KEY,
            type_tag TEXT NOT NULL,
            value TEXT,
            updated_at TEXT NOT NULL,
            uploaded INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID""",
)
# A view may be a query without end, and a trigger runs with every write.
_DISGUISED: Final = """
    SELECT 1 FROM sqlite_master
    WHERE lower(tbl_name) IN ({names})
        AND (type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%')"""
# There while a run is written: what the numbers in the inbox mean and, under 0, which of its segments are stored.
_INBOX_TABLE: Final = "CREATE TABLE inbox_shapes (number INTEGER PRIMARY KEY, paths TEXT NOT NULL)"


def lenient_text(stored: bytes) -> str:
    """A text of a file that may be damaged or foreign: invalid UTF-8 becomes replacement characters."""
    return stored.decode("utf-8", "replace")


def connect_writer(
    path: Path, *, busy_seconds: float, any_thread: bool = False, is_synced_later: bool = False
) -> sqlite3.Connection:
    """Open the file for writing, in WAL mode and with transactions begun by hand.

    Args:
        path: The file.
        busy_seconds: How long to wait for a lock of another process.
        any_thread: It is used by several threads, one at a time.
        is_synced_later: The file is new, and a checkpoint brings it to the disk before anything is promised of it.

    Raises:
        sqlite3.Error: It can't be opened, or is no database.
    """
    connection = sqlite3.connect(
        path,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=not any_thread,
        cached_statements=_CACHED_STATEMENTS,
        factory=GatedConnection,
    )
    try:
        if is_synced_later:
            connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL: a commit survives the death of the process; `RunWriter.flush` makes it survive that of the machine.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer does it between transactions
        # A log that begins again is cut to less than a checkpoint needs: its file's size tells when one is due.
        connection.execute(f"PRAGMA journal_size_limit = {CHECKPOINT_BYTES - 1}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_read_only(path: Path, *, is_at_rest: bool, busy_seconds: float = 5.0) -> sqlite3.Connection:
    """Open the file for reading; it is never changed, made, or checkpointed.

    Args:
        path: The file.
        is_at_rest: No process writes it: it is read without locks, and without the two files that a reader of WAL
            leaves beside it. Close it soon, as a process may begin to write it.
        busy_seconds: How long to wait for a lock of another process.

    Raises:
        FileFormatError: It is not a run file, or of a newer version.
        sqlite3.Error: It can't be opened.
    """
    from urllib.parse import quote

    immutable = "mode=ro&immutable=1"  # immutable alone would create a file that was just removed
    for mode in (immutable,) if is_at_rest else ("mode=ro", immutable):
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(path.absolute()))}?{mode}",
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            factory=GatedConnection,
        )
        # A hostile file may hold an endless view in place of a table.
        connection.set_progress_handler(_Deadline(_FIRST_QUERY_SECONDS), _STEPS_BETWEEN_LOOKS)
        try:
            check_version(connection, path)
            connection.set_progress_handler(None, 0)
            return connection
        except sqlite3.OperationalError:
            # A directory that can't be written to has no place for the shared memory of WAL.
            connection.close()
            if mode == immutable:
                raise
        except BaseException:
            connection.close()
            raise
    raise AssertionError("unreachable")


class _Deadline:
    """Ends a query that takes longer than that."""

    def __init__(self, seconds: float) -> None:
        self._deadline: Final = time.monotonic() + seconds

    def __call__(self) -> bool:
        return time.monotonic() > self._deadline


def check_file(path: Path) -> None:
    """Make sure that ``path`` is a run file that this version can write, without changing it.

    Raises:
        FileFormatError: It is not a run file.
    """
    connect_read_only(path, is_at_rest=False).close()


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the file's schema version.

    Raises:
        FileFormatError: It is not a run file, or of a newer version.
        sqlite3.OperationalError: It can't be read.
    """
    series = [name for kind in kinds() for name in (kind.series_table, kind.point_table)]
    disguised = _DISGUISED.format(
        names=", ".join(f"'{name}'" for name in ("run_meta", "configs", "metric_nodes", *series))
    )
    try:
        if connection.execute(disguised).fetchone() is not None:
            raise FileFormatError(f"{path} has a view, a trigger or a virtual table where a run has tables.")
        text = read_meta(connection).get("schema_version") or "1"
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        raise FileFormatError(f"{path} is a database, but not a Goodseed run.") from error
    except sqlite3.DatabaseError as error:
        raise FileFormatError(f"{path} is damaged, or not a Goodseed run: {error}.") from error
    if not text.isdecimal():
        raise FileFormatError(f"{path} has the schema version {text[:20]!r}, which is not a number.")
    if int(text) > SCHEMA_VERSION:
        raise FileFormatError(
            f"{path} has the schema version {text}; this Goodseed reads up to {SCHEMA_VERSION}. "
            "Update it: pip install --upgrade goodseed."
        )
    return int(text)


def read_meta(connection: sqlite3.Connection) -> dict[str, str | None]:
    """The ``run_meta`` table."""
    return dict(connection.execute("SELECT key, value FROM run_meta"))


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a new run, inside the caller's transaction."""
    for statement in _OTHER_TABLES:
        connection.execute(statement)
    for kind in kinds():
        if kind.is_basic:
            create_series_tables(connection, kind)
    connection.execute("INSERT INTO run_meta (key, value) VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),))
    create_inbox_table(connection)


def create_series_tables(connection: sqlite3.Connection, kind: Kind) -> None:
    """Make the tables of one kind of series, inside the caller's transaction."""
    connection.execute(kind.create_series)
    connection.execute(kind.create_points())


def create_inbox_table(connection: sqlite3.Connection) -> None:
    """Make the tables that a file has only while its run is written, empty."""
    drop_inbox_table(connection)
    connection.execute(_INBOX_TABLE)
    begin_changes(connection)
    set_drained(connection, 0)


def has_inbox_table(connection: sqlite3.Connection) -> bool:
    """Whether the file has what `create_inbox_table` makes, as one has that is written or whose writer died."""
    return connection.execute("SELECT 1 FROM main.sqlite_master WHERE name = 'inbox_shapes'").fetchone() is not None


def drained_generation(connection: sqlite3.Connection) -> int:
    """Up to which of the inbox's segments everything is in the file."""
    if not has_inbox_table(connection):
        return 0
    row = connection.execute("SELECT paths FROM inbox_shapes WHERE number = 0").fetchone()
    return int(row[0]) if row else 0


def drop_inbox_table(connection: sqlite3.Connection) -> None:
    """Remove the tables that a file has only while its run is written."""
    connection.execute("DROP TABLE IF EXISTS inbox_shapes")
    end_changes(connection)


def set_drained(connection: sqlite3.Connection, generation: int) -> None:
    """The segments of the inbox up to this one are stored, as soon as the caller's transaction is."""
    connection.execute("INSERT OR REPLACE INTO inbox_shapes (number, paths) VALUES (0, ?)", (str(generation),))


def refuse_if_open(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that no other process has the file open; for files whose writer holds no lock file.

    Raises:
        RunInUseError: Another process has it open.
        sqlite3.Error: It can't be found out.
    """
    try:
        # Leaving WAL needs exclusive access, which SQLite grants only to the last open connection.
        mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        mode = "wal"
    if mode == "wal":
        raise RunInUseError(f"A process has {path} open, written by an older version: wait for its end.")
    connection.execute("PRAGMA journal_mode = WAL")


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of an older version to `SCHEMA_VERSION`, in one transaction: all of it or nothing."""
    if version >= SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for name, statement in ((kind.point_table, kind.create_points) for kind in kinds() if kind.is_basic):
            connection.execute(statement(f"new_{name}"))
            connection.execute(f"INSERT INTO new_{name} SELECT * FROM {name} ORDER BY series_id, step")
            connection.execute(f"DROP TABLE {name}")
            connection.execute(f"ALTER TABLE new_{name} RENAME TO {name}")
        connection.execute(
            "INSERT OR REPLACE INTO run_meta (key, value) VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),)
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
