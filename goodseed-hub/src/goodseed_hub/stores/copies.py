"""Makes run files of what the database holds, for everything that reads run files."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from psycopg import IsolationLevel

from goodseed.errors import GoodseedError
from goodseed.storage.reader import RunReader
from goodseed_hub.stores import statements
from goodseed_hub.stores.base import Change
from goodseed_hub.stores.codec import unpack
from goodseed_hub.stores.embedded import EmbeddedStore, files_under

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import psycopg
    from typing_extensions import LiteralString

    from goodseed.paths import RunFiles
    from goodseed_hub.registry.directory import RunRecord
    from goodseed_hub.registry.postgres import PostgresDatabase

    Connection = psycopg.Connection[tuple[Any, ...]]

__all__ = ["Copies", "Head"]

_SEQ, _MARK = "hub_seq", "hub_mark"
_ALL: Final = 2**31 - 1
_FETCHED_ROWS: Final = 100


class Head(NamedTuple):
    """How far a run has come.

    Attributes:
        seq: How many changes it has had.
        mark: What the last of them has, and no other.
    """

    seq: int
    mark: str

    @classmethod
    def of(cls, row: Sequence[Any]) -> Head:
        """That of a row of `goodseed_hub.stores.statements.HEADS`."""
        return cls(row[1], "" if row[3] is None else str(row[3]))


_NOTHING: Final = Head(0, "")


@final
class Copies:
    """The run files of a database under a directory; for any number of threads.

    Attributes:
        root: The directory; nothing is lost with it.
    """

    def __init__(self, database: PostgresDatabase, root: Path) -> None:
        self.root: Final = root
        self._database: Final = database
        self._files: Final = EmbeddedStore(root, max_series=_ALL, is_copy=True)
        self._lock: Final = threading.Lock()
        self._copied: Final[dict[str, Head]] = {}
        self._running: Final[set[str]] = set()
        self._copying: Final[dict[str, threading.Lock]] = {}

    def files(self, run: RunRecord) -> RunFiles:
        """The run's file, as far as it was copied.

        Raises:
            RunNotFoundError: There is no such run.
        """
        return self._files.files(run)

    def tend(self) -> None:
        """Close files that were not written to for a while."""
        self._files.tend()

    def close(self) -> None:
        """Close all files."""
        self._files.close()

    def bring_up_to(self, run: RunRecord, head: Head) -> None:
        """Copy what the run's changes up to ``head`` brought, and what has come since."""
        if self._copied.get(run.id) == head:
            return
        with self._lock_of(run):
            done = self._copied.get(run.id)
            if done is None:
                done = self._copied_before(run, head)
                self._copied[run.id] = done
            if done.seq < head.seq:
                self._copied[run.id] = self._apply(run, done.seq)

    def forget(self, run: RunRecord) -> None:
        """Remove the copy: it may hold what the database does not."""
        with self._lock_of(run):
            self._remove(run)
            self._copied.pop(run.id, None)

    def _lock_of(self, run: RunRecord) -> threading.Lock:
        with self._lock:
            return self._copying.setdefault(run.id, threading.Lock())

    def _copied_before(self, run: RunRecord, head: Head) -> Head:
        """How far the copy goes that an earlier process left; one that may hold anything else is removed."""
        files = files_under(self._files.root, run)
        if not files.database.exists():
            return _NOTHING
        meta: dict[str, str] = {}
        with contextlib.suppress(GoodseedError):
            with RunReader(files) as reader:
                meta = reader.meta()
        # A copy with an older number may hold a change that the database lacks: it may have been restored to a state
        # before that change.
        if (meta.get(_SEQ), meta.get(_MARK), meta.get("hub_run")) == (str(head.seq), head.mark, run.id):
            self._note_status(run, meta.get("status"))
            return head
        self._remove(run)
        return _NOTHING

    def _remove(self, run: RunRecord) -> None:
        self._files.close_run(run)
        database = files_under(self._files.root, run).database
        for suffix in ("", "-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)

    def _apply(self, run: RunRecord, done: int) -> Head:
        """Copy what came after ``done``; returns how far the copy goes then."""
        with self._database.pool.connection() as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ  # one state of all tables
            try:
                with connection.transaction():
                    head = Head.of(connection.execute(statements.HEADS, ([run.id],)).fetchall()[0])
                    for statement, parameters in (
                        (statements.BLOCKS, (run.id, done)),
                        (statements.SEGMENTS, (run.id, done, head.seq)),
                    ):
                        for payload in _payloads(connection, statement, parameters, is_long=not done):
                            self._files.write(run, Change(points=unpack(payload)))
                    configs = connection.execute(statements.CONFIGS, (run.id, done), binary=True).fetchall()
                    meta: dict[str, str | None] = dict(connection.execute(statements.META, (run.id, done)).fetchall())
            finally:
                connection.isolation_level = None
        rows = [(path, tag, bytes(value).decode(), updated_at) for path, tag, value, updated_at in configs]
        self._note_status(run, meta.get("status"))
        is_over = run.id not in self._running  # the copy of a running one stays open: more will come soon
        own = {_SEQ: str(head.seq), _MARK: head.mark}
        self._files.write(run, Change(configs=rows, meta={**meta, **own}, is_last=is_over))
        return head

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
