"""Makes a run file of what the remote holds."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import FileFormatError, RemoteError, RunExistsError
from goodseed.paths import make_private_directory
from goodseed.storage.batch import Batch, Tables, Upsert
from goodseed.storage.kinds import kinds, kinds_in
from goodseed.storage.schema import connect_writer, create_tables, drop_inbox_table
from goodseed.values import decode_config

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from goodseed.paths import RunFiles
    from goodseed.remote.reader import RemoteRun
    from goodseed.storage.kinds import Kind

__all__ = ["download_run"]

_AT_ONCE: Final = 20_000


def download_run(
    remote: RemoteRun, files: RunFiles, *, project: str, run_id: str, on_points: Callable[[int], None]
) -> int:
    """Write ``files`` from ``remote``: the values are those that were logged, and all of them are uploaded already.

    The file appears once it is whole. A protocol that gives no times leaves that of the download at every point.

    Args:
        remote: The run.
        files: Where it is to lie.
        project: The project that it is to name.
        run_id: The id that it is to name.
        on_points: Called with the number of points after each part.

    Returns:
        How many points it holds.

    Raises:
        RunExistsError: There is a run already.
        RemoteError: The remote fails, or its answer is invalid; no file is made.
        OSError, sqlite3.Error: The disk refuses.
    """
    if files.database.exists():
        raise RunExistsError(f"A run exists at {files.database} already; it is left as it is.")
    make_private_directory(files.database.parent)
    draft = files.database.with_name(f".{files.database.name}-download-{os.getpid()}")
    os.close(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
    try:
        count = _fill(remote, draft_connection := connect_writer(draft, busy_seconds=1.0), project, run_id, on_points)
        draft_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        draft_connection.close()
        try:
            os.link(draft, files.database)  # unlike a rename, it never replaces a run that was made meanwhile
        except FileExistsError:
            raise RunExistsError(f"A run exists at {files.database} already; it is left as it is.") from None
    finally:
        for suffix in ("", "-wal", "-shm"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    return count


def _fill(
    remote: RemoteRun,
    connection: sqlite3.Connection,
    project: str,
    run_id: str,
    on_points: Callable[[int], None],
) -> int:
    connection.execute("BEGIN")
    create_tables(connection)
    drop_inbox_table(connection)
    tables = Tables(connection)
    configs = remote.configs()
    _store_configs(connection, tables, configs)
    values = {row["path"]: row["value"] for row in configs}
    meta = {
        "run_id": run_id,
        "project": project,
        "status": values.get("sys/state") or "finished",
        "created_at": values.get("sys/creation_time") or "",
        "closed_at": values.get("sys/closed_time") or "",
        "name": values.get("sys/name") or "",
    }
    connection.executemany(
        "INSERT OR REPLACE INTO run_meta (key, value) VALUES (?, ?)",
        [(key, value) for key, value in meta.items() if value],
    )
    now, count = time.time(), 0
    for kind in kinds():
        for path in remote.paths(kind):
            rows = ((step, value, now if at is None else at) for step, value, at in remote.points(kind, path))
            series = tables.ids[kind.name][path]
            tables.store(connection)
            tables.stored()
            count += _store(connection, series, kind, rows, on_points)
    for table in ("configs", *(kind.point_table for kind in kinds_in(connection))):
        connection.execute(f"UPDATE {table} SET uploaded = 1")
    connection.execute("COMMIT")
    return count


def _store_configs(connection: sqlite3.Connection, tables: Tables, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        try:
            decode_config(row["type_tag"], row["value"])
        except FileFormatError as error:
            raise RemoteError(f"The remote sent an invalid config: {row['path']!r:.200}: {error}") from error
    batch = Batch(tables)
    batch.add_configs([(row["path"], row["type_tag"], row["value"], row["updated_at"]) for row in rows])
    batch.store(connection)


def _store(
    connection: sqlite3.Connection,
    series: int,
    kind: Kind,
    rows: Iterable[tuple[Any, Any, Any]],
    on_points: Callable[[int], None],
) -> int:
    upsert, count, waiting = Upsert(connection, kind), 0, []
    for row in rows:
        waiting.append((series, *row))
        if len(waiting) >= _AT_ONCE:
            upsert.add(*zip(*waiting, strict=True))
            count += len(waiting)
            on_points(len(waiting))
            waiting.clear()
    if waiting:
        upsert.add(*zip(*waiting, strict=True))
    upsert.finish()
    on_points(len(waiting))
    return count + len(waiting)
