"""Uploads a run file that no process writes, and downloads one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from goodseed.storage.inbox.recovery import recover
from goodseed.storage.lock import WriterLock
from goodseed.storage.outbox import FileOutbox
from goodseed.storage.rollup.as_of import kept_nodes
from goodseed.storage.schema import (
    SCHEMA_VERSION,
    check_file,
    check_version,
    connect_writer,
    migrate,
    read_meta,
    refuse_if_open,
)
from goodseed.sync.bulk import BULK_POINTS, upload_bulk
from goodseed.sync.uploader import Uploader
from goodseed.sync.worker import Registration

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from goodseed.columns import Points
    from goodseed.paths import RunFiles
    from goodseed.remote.client import Client
    from goodseed.storage.kinds import Kind
    from goodseed.storage.outbox import Mark, PendingConfig

__all__ = ["FileUpload", "open_for_upload"]

_BUSY_SECONDS: Final = 10.0


class FileUpload:
    """One run file, opened to be uploaded.

    Attributes:
        is_alone: No other process writes it: we hold its lock.
        pending: How many configs and points waited when it was opened.
        refused: How many the remote would not have.
    """

    is_alone: Final = True

    def __init__(self, connection: sqlite3.Connection, database: Path, project: str, run_id: str) -> None:
        self._connection: Final = connection
        self._database: Final = database
        self._outbox: Final = FileOutbox(connection)
        self._project: Final = project
        self._run_id: Final = run_id
        self._meta: Final = read_meta(connection)
        self.pending: Final = self._outbox.pending
        self.refused = 0

    def run(self, client: Client, on_sent: Callable[[int], None]) -> None:
        """Send all that waits, and the run's status.

        Raises:
            RemoteError, AuthenticationError, ProjectNotFoundError: The remote fails or refuses; what it took is marked.
            sqlite3.Error: The run file can't be read or marked.
        """
        registration = Registration(
            self._project,
            self._run_id,
            self._meta.get("name") or self._meta.get("experiment_name"),
            self._meta.get("created_at"),
            self._meta.get("modified_at"),
        )
        remote_id = registration.make(client)
        capabilities = client.capabilities()
        if self.pending >= BULK_POINTS and not capabilities.columns:
            upload_bulk(
                self._connection, self._database, client, remote_id, on_sent, is_packed=capabilities.packed_points
            )
        uploader = Uploader(client, remote_id, self, capabilities, label=self._run_id, on_sent=on_sent)
        uploader.run()
        self.refused = uploader.refused
        status = self._meta.get("status")
        client.set_status(remote_id, status if status in ("finished", "failed") else "failed")

    def configs(self, limit: int) -> list[PendingConfig]:
        """The first configs that wait."""
        return self._outbox.configs(limit)

    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of series that the run may have points of."""
        return self._outbox.kinds()

    def points(self, kind: Kind, limit: int, max_bytes: int) -> list[Points]:
        """The next points that wait."""
        return self._outbox.points(kind, limit, max_bytes)

    def mark(self, mark: Mark) -> None:
        """Write ``mark`` into the file."""
        mark.apply(self._connection)


@contextlib.contextmanager
def open_for_upload(files: RunFiles, project: str, run_id: str) -> Iterator[FileUpload]:
    """Open a run file that no process writes; what a killed writer left in the inbox is stored first.

    Raises:
        RunInUseError: A live process writes it.
        FileFormatError: It is not a run file, or of a newer version.
        sqlite3.Error, OSError: It can't be opened or written.
    """
    lock = WriterLock(files.lock)
    try:
        check_file(files.database)
        connection = connect_writer(files.database, busy_seconds=_BUSY_SECONDS)
        try:
            version = check_version(connection, files.database)
            if version < SCHEMA_VERSION:
                refuse_if_open(connection, files.database)
            migrate(connection, version)
            if files.inbox.exists():
                recover(connection, files)
            with kept_nodes(connection, files.database):
                yield FileUpload(connection, files.database, project, run_id)
        finally:
            connection.close()
    finally:
        lock.release()
