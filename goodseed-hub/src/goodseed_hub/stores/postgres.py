"""Stores the data in PostgreSQL for several machines; run files are copies for reading."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, final

from goodseed.paths import make_private_directory
from goodseed.storage.edits import EDITED_PREFIX, Edited
from goodseed.storage.kinds import kind_of
from goodseed_hub.registry.schema import apply_migrations
from goodseed_hub.stores import statements
from goodseed_hub.stores.base import Change, GroupCommit, Outcome, admitted, first_meta, resolved
from goodseed_hub.stores.codec import FAST, pack
from goodseed_hub.stores.compaction import compact, config_id, series_id
from goodseed_hub.stores.copies import Copies, Head

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import psycopg

    from goodseed.paths import RunFiles
    from goodseed_hub.registry.directory import RunRecord
    from goodseed_hub.registry.postgres import PostgresDatabase

    Connection = psycopg.Connection[tuple[Any, ...]]
    Cursor = psycopg.Cursor[tuple[Any, ...]]

__all__ = ["PostgresStore"]

_logger: Final = logging.getLogger("goodseed")
_COMPACTED_POINTS: Final = 20_000
_COMPACTED_POINTS_A_SERIES: Final = 200
_MAX_WAITING_POINTS: Final = 2_000_000
_MAX_KNOWN_RUNS: Final = 2_000
_TEND_SECONDS: Final = 5.0


@final
class PostgresStore:
    """Data in a database that other hubs use too; for any number of threads."""

    def __init__(self, database: PostgresDatabase, root: Path, *, max_series: int = 100_000) -> None:
        """Open the store.

        Args:
            database: The database.
            root: For the copies; nothing is lost with them.
            max_series: How many series a run may have.
        """
        self._database: Final = database
        self._max_series: Final = max_series
        make_private_directory(root)
        self._copies: Final = Copies(database, root)
        self._groups: Final = GroupCommit(self._commit)
        self._lock: Final = threading.Lock()
        self._series: Final[OrderedDict[str, set[uuid.UUID]]] = OrderedDict()
        self._due: Final[dict[str, None]] = {}
        apply_migrations(database, "store", statements.MIGRATIONS)

    @property
    def root(self) -> Path:
        """The directory of the copies."""
        return self._copies.root

    @property
    def is_shared(self) -> bool:
        """The files are copies."""
        return True

    # -- writing --------------------------------------------------------------------------------------------------

    def write(self, run: RunRecord, change: Change) -> Outcome:
        """Store a change."""
        return self._groups.write(run, change)

    def _commit(self, run: RunRecord, changes: list[Change]) -> list[Outcome]:
        with self._database.pool.connection() as connection:
            known = self._known_series(connection, run.id)
            new: dict[uuid.UUID, tuple[int, str]] = {}
            outcomes = [self._admit(change, known, new) for change in changes]
            several = admitted(changes, outcomes)
            count = sum(len(points.steps) for points in several)
            payload = pack(several, FAST) if count else b""
            with connection.transaction():
                rows = connection.execute(statements.ADVANCE, (run.id, count, uuid.uuid4())).fetchall()
                seq, waiting = rows[0]
                if count:
                    connection.execute(statements.ADD_SEGMENT, (run.id, seq, count, payload))
                with connection.cursor() as cursor:
                    if new:
                        cursor.executemany(statements.ADD_SERIES, [(run.id, id_, *new[id_]) for id_ in new])
                    self._write_rest(
                        cursor, run.id, seq, [Change(meta=first_meta(run)), *changes] if seq == 1 else changes
                    )
        known.update(new)
        is_over = any(change.is_last for change in changes)
        if waiting >= _threshold(run.id, len(known)) or (is_over and waiting):
            self._due[run.id] = None
        return outcomes

    def _write_rest(self, cursor: Cursor, run: str, seq: int, changes: list[Change]) -> None:
        configs, meta = self._resolved(cursor, run, changes)
        if configs:
            cursor.executemany(
                statements.SET_CONFIG,
                [
                    (run, config_id(path), path, tag, value.encode(), updated_at, seq)
                    for path, tag, value, updated_at in configs
                ],
            )
        if meta:
            cursor.executemany(statements.SET_META, [(run, key, value, seq) for key, value in meta.items()])

    def _resolved(
        self, cursor: Cursor, run: str, changes: list[Change]
    ) -> tuple[list[tuple[str, str, str, str]], Mapping[str, str | None]]:
        """The configs and the ``run_meta`` that ``changes`` bring; the run is locked against other changes."""
        paths = {path for change in changes if change.edits is not None for path in change.edits.paths}
        if not paths and not any(change.configs for change in changes):
            return resolved(changes, Edited({}), {})
        edited = _edited(cursor, run)
        ids = [config_id(path) for path in paths.union(edited.paths())]
        rows = cursor.execute(statements.CURRENT, (run, ids), binary=True).fetchall() if ids else []
        return resolved(changes, edited, {path: (tag, bytes(value).decode()) for path, tag, value in rows})

    def _known_series(self, connection: Connection, run: str) -> set[uuid.UUID]:
        with self._lock:
            known = self._series.get(run)
            if known is not None:
                self._series.move_to_end(run)
                return known
        known = {id_ for (id_,) in connection.execute(statements.SERIES, (run,))}
        with self._lock:
            self._series[run] = known
            while len(self._series) > _MAX_KNOWN_RUNS:
                self._series.popitem(last=False)
        return known

    def _admit(self, change: Change, known: set[uuid.UUID], new: dict[uuid.UUID, tuple[int, str]]) -> Outcome:
        refused: set[tuple[str, str]] = set()
        for points in change.points:
            id_, kind = series_id(points.kind, points.path), kind_of(points.kind)
            if kind is None or id_ in known or id_ in new:
                continue
            if len(known) + len(new) >= self._max_series:
                refused.add((points.kind, points.path))
            else:
                new[id_] = (kind.code, points.path)
        return Outcome(frozenset(refused))

    def exists(self, run: RunRecord) -> bool:
        """Whether anything of the run is stored."""
        with self._database.pool.connection() as connection:
            return bool(connection.execute(statements.HEADS, ([run.id],)).fetchall())

    # -- copies for reading ---------------------------------------------------------------------------------------

    def files(self, run: RunRecord) -> RunFiles:
        """The run's file, as of now."""
        self.refresh([run])
        return self._copies.files(run)

    def config(self, run: RunRecord, path: str) -> str | None:
        """The value of one config."""
        with self._database.pool.connection() as connection:
            rows = connection.execute(statements.CONFIG, (run.id, config_id(path))).fetchall()
        return bytes(rows[0][0]).decode() if rows else None

    def refresh(self, runs: Iterable[RunRecord]) -> None:
        """Bring the copies of ``runs`` up to date."""
        by_id = {run.id: run for run in runs}
        if not by_id:
            return
        with self._database.pool.connection() as connection:
            heads = connection.execute(statements.HEADS, (list(by_id),)).fetchall()
        for row in heads:
            id_, waiting = str(row[0]), row[2]
            if waiting >= _MAX_WAITING_POINTS:
                self._due[id_] = None
            self._copies.bring_up_to(by_id[id_], Head.of(row))

    def sent(self, run: RunRecord, path: str) -> str | None:
        """What the client last sent of a config that was edited on the page since."""
        with self._database.pool.connection() as connection, connection.cursor() as cursor:
            return _edited(cursor, run.id).sent(path)

    # -- housekeeping ---------------------------------------------------------------------------------------------

    def tend(self) -> None:
        """Compact what is due, and close copies that were not written to for a while."""
        self._copies.tend()
        until = time.monotonic() + _TEND_SECONDS
        for run in list(self._due):
            began = time.monotonic()
            if began > until:
                return  # the rest is still due
            self._due.pop(run, None)
            with self._database.pool.connection() as connection:
                while compact(connection, run) and self._is_still_long(connection, run):
                    pass
            time.sleep(min(0.2, time.monotonic() - began))  # requests that write come first

    def _is_still_long(self, connection: Connection, run: str) -> bool:
        rows = connection.execute(statements.HEADS, ([run],)).fetchall()
        return bool(rows) and rows[0][2] >= _COMPACTED_POINTS

    def settle(self, runs: Iterable[RunRecord]) -> None:
        """Compact all segments of ``runs``."""
        with self._database.pool.connection() as connection:
            for run in runs:
                while compact(connection, run.id):
                    pass

    def close(self) -> None:
        """Compact what is due, and close the copies."""
        try:
            while self._due:
                self.tend()
        except Exception as error:  # noqa: BLE001 - it goes on at the next start
            _logger.warning("goodseed: segments are left for the next start: %s", error)
        self._copies.close()


def _edited(cursor: Cursor, run: str) -> Edited:
    return Edited(dict(cursor.execute(statements.EDITED, (run, f"{EDITED_PREFIX}%")).fetchall()))


def _threshold(run: str, series: int) -> float:
    """From how many points on a run is compacted: runs that began together do not all come to it at once."""
    points = min(_MAX_WAITING_POINTS, max(_COMPACTED_POINTS, _COMPACTED_POINTS_A_SERIES * series))
    return points * (0.75 + int(run[:4], 16) / 0x20000)
