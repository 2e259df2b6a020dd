"""Moving a run to the trash and back: a mark in its file, which stays where it is."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Final

from goodseed.errors import FileFormatError, RunInUseError
from goodseed.storage.lock import WriterLock
from goodseed.storage.recovery import recover_if_abandoned
from goodseed.storage.schema import check_file, connect_writer

if TYPE_CHECKING:
    from goodseed.storage.catalog import RunSummary

__all__ = ["set_trashed"]

_BUSY_SECONDS: Final = 2.0
_MARK: Final = "INSERT OR REPLACE INTO run_meta (key, value) VALUES ('trashed', 'true')"
_UNMARK: Final = "DELETE FROM run_meta WHERE key = 'trashed'"


def set_trashed(run: RunSummary, *, is_trashed: bool) -> None:
    """Mark ``run`` as trashed, or take the mark away; doing it twice is harmless.

    Raises:
        RunInUseError: It is being written.
        FileFormatError: Its file can't be written.
        OSError: Its directory can't be written.
    """
    if run.state == "running":
        raise RunInUseError(f"The run {run.run_id!r} is running: close it first.")
    files = run.files
    recover_if_abandoned(files)
    lock = WriterLock(files.lock)
    try:
        check_file(files.database)
        with contextlib.closing(connect_writer(files.database, busy_seconds=_BUSY_SECONDS)) as connection:
            connection.execute(_MARK if is_trashed else _UNMARK)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise FileFormatError(f"{files.database} can't be written: {error}.") from error
    finally:
        lock.release()
