"""Run files made of what the database holds, for everything that reads run files."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, final

from psycopg import IsolationLevel

from goodseed.errors import GoodseedError
from goodseed.storage.reader import RunReader
from goodseed_hub.stores import statements
from goodseed_hub.stores.base import Change
from goodseed_hub.stores.codec import unpack
from goodseed_hub.stores.embedded import EmbeddedStore, files_under

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg
    from typing_extensions import LiteralString

    from goodseed.paths import RunFiles
    from goodseed_hub.registry.directory import RunRecord
    from goodseed_hub.registry.postgres import PostgresDatabase

    Connection = psycopg.Connection[tuple[Any, ...]]

__all__ = ["Copies"]

_SEQ: Final = "hub_seq"
_ALL: Final = 2**31 - 1
_FETCHED_ROWS: Final = 100


@final
class Copies:
    """The run files of a database under a directory; for any number of threads.

    Attributes:
        root: The directory; nothing is lost with it.
    """

    def __init__(self, database: PostgresDatabase, root: Path) -> None:
        self.root: Final = root
        self._database: Final = database
        self._files: Final = EmbeddedStore(root, max_series=_ALL, is_durable=False)
        self._lock: Final = threading.Lock()
        self._copied: Final[dict[str, int]] = {}
        self._running: Final[set[str]] = set()
        self._copying: Final[dict[str, threading.Lock]] = {}

    def files(self, run: RunRecord) -> RunFiles:
        """The run's file, as far as it was copied.

        Raises:
            RunNotFoundError: There is none.
        """
        return self._files.files(run)

    def tend(self) -> None:
        """Close files that nobody has written to for a while."""
        self._files.tend()

    def close(self) -> None:
        """Close all files."""
        self._files.close()

    def bring_up_to(self, run: RunRecord, seq: int) -> None:
        """Copy what the run's changes up to ``seq`` brought, and what has come since."""
        if self._copied.get(run.id) == seq:
            return
        with self._lock:
            lock = self._copying.setdefault(run.id, threading.Lock())
        with lock:
            done = self._copied.get(run.id)
            if done is None:
                done = self._copied_before(run, seq)
            if done < seq:
                self._copied[run.id] = self._apply(run, done)

    def _copied_before(self, run: RunRecord, seq: int) -> int:
        """How far the copy goes that an earlier process left; one that can't be of this run is removed."""
        files = files_under(self._files.root, run)
        if not files.database.exists():
            return 0
        meta: dict[str, str] = {}
        try:
            with RunReader(files) as reader:
                meta = reader.meta()
            done = int(meta.get(_SEQ, "-1"))
        except (GoodseedError, ValueError):
            done = -1
        if 0 <= done <= seq and meta.get("hub_run") == run.id:
            self._note_status(run, meta.get("status"))
            return done
        for suffix in ("", "-wal", "-shm"):
            files.database.with_name(files.database.name + suffix).unlink(missing_ok=True)
        return 0

    def _apply(self, run: RunRecord, done: int) -> int:
        """Copy what came after ``done``; returns how far the copy goes then."""
        with self._database.pool.connection() as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ  # one state of all tables
            try:
                with connection.transaction():
                    seq = connection.execute(statements.HEADS, ([run.id],)).fetchall()[0][1]
                    for statement, parameters in (
                        (statements.BLOCKS, (run.id, done)),
                        (statements.SEGMENTS, (run.id, done, seq)),
                    ):
                        for payload in _payloads(connection, statement, parameters, is_long=not done):
                            metrics, texts = unpack(payload)
                            self._files.write(run, Change(metrics=metrics, texts=texts))
                    configs = connection.execute(statements.CONFIGS, (run.id, done), binary=True).fetchall()
                    meta: dict[str, str | None] = dict(connection.execute(statements.META, (run.id, done)).fetchall())
            finally:
                connection.isolation_level = None
        rows = [(path, tag, bytes(value).decode(), updated_at) for path, tag, value, updated_at in configs]
        self._note_status(run, meta.get("status"))
        is_over = run.id not in self._running  # the copy of a running one stays open: more will come soon
        self._files.write(run, Change(configs=rows, meta={**meta, _SEQ: str(seq)}, is_last=is_over))
        return int(seq)

    def _note_status(self, run: RunRecord, status: str | None) -> None:
        if status == "running":
            self._running.add(run.id)
        elif status is not None:
            self._running.discard(run.id)


def _payloads(
    connection: Connection, statement: LiteralString, parameters: tuple[object, ...], *, is_long: bool
) -> Iterator[bytes]:
    """The last column; of what may be longer than memory a few rows at a time."""
    if not is_long:
        yield from (row[-1] for row in connection.execute(statement, parameters, binary=True).fetchall())
        return
    with connection.cursor("hub_copying") as cursor:
        cursor.itersize = _FETCHED_ROWS
        for row in cursor.execute(statement, parameters, binary=True):
            yield row[-1]
