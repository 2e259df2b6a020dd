"""Stores what is logged through the writer's one connection to the run file."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from goodseed.storage.batch import BATCH_BYTES, BATCH_POINTS, Batch
from goodseed.storage.history.last_attempt import AttemptSteps
from goodseed.storage.history.overwritten import Overwritten
from goodseed.storage.inbox.records import replay
from goodseed.storage.inbox.segments import HEADER_BYTES
from goodseed.storage.rollup.as_of import stamp_log
from goodseed.storage.rollup.changes import last_numbers, note_changes
from goodseed.storage.schema import CHECKPOINT_BYTES, set_drained
from goodseed.storage.writing.database import (
    END_REASON,
    UPSERT_META,
    leave_one_file,
    open_database,
    restored_database,
    wal_bytes,
)
from goodseed.times import now_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from goodseed.paths import RunFiles
    from goodseed.storage.inbox.inbox import Inbox

__all__ = ["Session"]

_logger: Final = logging.getLogger("goodseed")
_MODIFIED_EVERY_SECONDS: Final = 5.0
_MODIFICATION: Final = "sys/modification_time"


class Session:
    """One open run file. It lives in the frame of the writer's thread alone, so that a forked child never closes it.

    Attributes:
        modification_time: What ``sys/modification_time`` is to say; None for the time of the last change.
        wal_held: How long the write-ahead log is, in lengths at which it is to be started again, as long as a reader's
            snapshot keeps it from that; else 0.
        on_stored: Called with each batch that is committed.
    """

    def __init__(
        self,
        files: RunFiles,
        meta: Mapping[str, str],
        *,
        is_new: bool,
        rewind_to: float | None = None,
        heard_seconds: float = 0.0,
        on_progress: Callable[[], None] | None = None,
    ) -> None:
        """Open the file and write ``meta``: make its tables, or take over what the last writer left.

        Args:
            files: Where it lies.
            meta: For ``run_meta``.
            is_new: There are no tables yet.
            rewind_to: Set what lies beyond this step aside; None keeps all.
            heard_seconds: When the last writer, should it have died, was last heard of.
            on_progress: Called all the time while what that one left is brought in.

        Raises:
            sqlite3.Error: It can't be opened or written.
            FileFormatError: It is not a run file, or of a newer version.
        """
        self._files: Final = files
        self._opened_at: Final = time.monotonic()
        self._connection, self._tables = open_database(
            files, meta, is_new=is_new, rewind_to=rewind_to, heard_seconds=heard_seconds, on_progress=on_progress
        )
        self._overwritten = Overwritten(self._connection, self._tables)
        self._life: Final = AttemptSteps(self._tables)
        self._identity = os.stat(files.database)
        self._modified_at = 0.0
        self._number = 0
        self.modification_time: str | None = None
        self.wal_held = 0.0
        self._are_tables_synced = not is_new
        self.on_stored: Callable[[Batch], None] | None = None

    def sync_tables(self) -> None:
        """Bring a new file's tables to the disk itself: a machine that dies must not leave a file without them.

        It may be done later: what is logged is only promised to survive that after the first `sync`.

        Raises:
            sqlite3.Error: The disk refuses.
        """
        if not self._are_tables_synced:
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._are_tables_synced = not busy

    @property
    def overwritten(self) -> int:
        """How many values of the experiment were replaced with others since it was opened."""
        return self._overwritten.count

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection; to be used in the writer's thread only."""
        return self._connection

    def drain(self, inbox: Inbox) -> bool:
        """Store one transaction's worth of what the inbox holds; False when that was all that it held by now.

        What is logged meanwhile waits: a writer that hurried after it would write each page for a few points.

        Raises:
            sqlite3.Error: It could not be stored, and is still in the inbox.
        """
        segments = inbox.seal()
        if not segments:
            return False
        batch = Batch(self._tables)
        taken = taken_bytes = 0
        for segment in segments:
            end = replay(memoryview(segment.memory), HEADER_BYTES, segment.generation, batch)
            if end < segment.used:  # should never happen; if it does, it is logged
                _logger.error("goodseed: %s: %d bytes can't be read, and are lost.", inbox.path, segment.used - end)
            inbox.note_progress()
            taken += 1
            taken_bytes += segment.size
            if batch.size >= BATCH_POINTS or taken_bytes >= BATCH_BYTES:
                break
        # Segments in memory have generation 0: they do not outlive the process.
        self._commit(batch, max(segment.generation for segment in segments[:taken]), inbox.note_progress)
        inbox.give_back(segments[:taken])
        return taken < len(segments)

    def _commit(self, batch: Batch, drained: int, on_progress: Callable[[], None]) -> None:
        now = time.monotonic()
        is_due = now - self._modified_at >= _MODIFIED_EVERY_SECONDS and not batch.has_config(_MODIFICATION)
        if is_due:
            batch.add_configs([self._modification_row()])
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            batch.store(self._connection, on_progress)
            kept = self._overwritten.keep()
            self._tables.note_written(kept)
            touched = [*batch.touched(), *kept]
            number = note_changes(self._connection, touched)
            self._life.note(touched)
            if is_due:
                self._life.store(self._connection)
            if drained:
                set_drained(self._connection, drained)
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._tables.stored()
        self._number = number
        self._stamp()
        if is_due:
            self._modified_at = now
        if self.on_stored is not None:
            self.on_stored(batch)

    def act(self, action: Callable[[Session], None]) -> None:
        """Let a caller change something else than points, in transactions of its own.

        Raises:
            sqlite3.Error: It could not be written.
        """
        if self._tables.nodes is not None:
            self._tables.nodes.look()
        action(self)
        _, self._number = last_numbers(self._connection) or (0, 0)
        self._stamp()

    def _stamp(self) -> None:
        """Say of the write-ahead log that nobody else has written into it, after a transaction."""
        nodes = self._tables.nodes
        if self._number and nodes is not None and nodes.has_table:
            stamp_log(self._connection, self._files.database, self._number, nodes.version)

    def _modification_row(self) -> tuple[str, str, str, str]:
        now = now_text()
        return (_MODIFICATION, "datetime", self.modification_time or now, now)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself
                self._connection.execute("ROLLBACK")

    def checkpoint_if_long(self, *, may_wait: bool = False) -> None:
        """Move the write-ahead log into the database once it is long; a reader may hold it up.

        Args:
            may_wait: Give readers half a second to end theirs, where they have held a log up that is twice as long:
                a page that polls always has one open, but none for that long.

        Raises:
            sqlite3.Error: The disk refuses.
        """
        length = wal_bytes(self._files.database) / CHECKPOINT_BYTES
        self.wal_held = 0.0
        if length >= 1.0:
            mode = "RESTART" if may_wait and length >= 2.0 else "PASSIVE"
            _, in_log, moved = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            if moved < in_log:
                self.wal_held = length

    def sync(self) -> None:
        """Wait until what is committed is on the disk itself.

        Raises:
            OSError, sqlite3.Error: The disk refuses.
        """
        self.sync_tables()
        # Closing these files drops no lock of SQLite's: its locks are on the database and on the shared memory.
        for path in (f"{self._files.database}-wal", self._files.database.parent):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def is_deleted(self) -> bool:
        """Whether the file was removed while it was open, or replaced with another."""
        try:
            return not os.path.samestat(self._identity, os.stat(self._files.database))
        except OSError:
            return True

    def restore(self) -> None:
        """Write the file again, where it was, from what SQLite still holds open.

        Raises:
            OSError: The directory can't be made.
            sqlite3.Error: The copy failed.
        """
        old = self._connection
        self._connection = restored_database(old, self._files.database)
        self._overwritten = Overwritten(self._connection, self._tables, count=self._overwritten.count)
        self._identity = os.stat(self._files.database)
        old.close()

    def write_end(self, status: str, meta: Mapping[str, str], configs: Sequence[tuple[str, str, str, str]]) -> None:
        """Write the run's end.

        Raises:
            sqlite3.Error: It could not be written.
        """
        batch = Batch(self._tables)
        batch.add_configs([*configs, *self._life.end(self._connection, status, meta, configs)])
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            batch.store(self._connection)
            if not batch.has_config(END_REASON):  # of an end that was expected, and did not come
                self._connection.execute("DELETE FROM configs WHERE path = ?", (END_REASON,))
            self._connection.executemany(UPSERT_META, {"status": status, **meta}.items())
            self._life.store(self._connection)
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def finish(self) -> None:
        """Leave one file behind, unless a reader still holds its write-ahead log; all is stored.

        Raises:
            sqlite3.Error: It could not be written.
        """
        open_seconds = time.monotonic() - self._opened_at
        nodes = self._tables.nodes
        leave_one_file(self._connection, self._files.database, open_seconds, nodes.version if nodes is not None else 0)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
