"""Uploads very many metric points of a file at rest: other processes read and encode, this one sends.

What any remote takes goes this way. All else, and what a remote refuses, is left waiting for `Uploader`, which takes it
apart.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.columns import Points
from goodseed.errors import RemoteRefusedError
from goodseed.remote.client import compressed_columns, compressed_points
from goodseed.remote.wire import Encoder
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.outbox import UPLOADED, Mark
from goodseed.storage.schema import connect_read_only

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from goodseed.remote.client import Client
    from goodseed.remote.messages import Body

__all__ = ["BULK_POINTS", "upload_bulk"]

BULK_POINTS: Final = 200_000  # less is sent sooner than other processes are up
_PART_POINTS: Final = 100_000
_MAX_PROCESSES: Final = 4
_AHEAD: Final = 2  # parts in hand, a process
_CHECKPOINT_PARTS: Final = 16


class _Piece(NamedTuple):
    """What waits of one series after one step, up to another."""

    series: int
    path: str
    after: float
    last: float


class _Part(NamedTuple):
    """A request, and what is in it."""

    body: Body
    points: list[Points]
    size: int


def upload_bulk(
    connection: sqlite3.Connection,
    database: Path,
    client: Client,
    remote_id: str,
    on_sent: Callable[[int], None],
    *,
    is_packed: bool,
) -> None:
    """Send what waits of the metrics, and mark what is taken.

    Args:
        connection: The one that writes the file.
        database: The file.
        client: The remote.
        remote_id: The remote's id of the run.
        on_sent: Called with the number of points after each request.
        is_packed: The remote takes packed points.

    Raises:
        RemoteError, AuthenticationError, ProjectNotFoundError: The remote fails or refuses; what it took is marked.
        sqlite3.Error, OSError: The run file can't be read or marked.
    """
    workers = max(1, min(_MAX_PROCESSES, (os.cpu_count() or 1) - 1))  # this process and the remote want to work, too
    encoding: deque[Future[_Part]] = deque()
    sending: deque[Future[_Part | None]] = deque()

    def finish(most: int) -> None:
        while len(sending) > most:
            part = sending.popleft().result()
            if part is not None:
                Mark(UPLOADED, points=part.points, is_alone=True).apply(connection)
                on_sent(part.size)

    # Not by fork: this process has threads and connections.
    # Without the collector of cycles, which walks through every row that is read and finds none.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=gc.disable)
    sender = ThreadPoolExecutor(1, "goodseed-upload")
    with pool, sender:
        try:
            for number, pieces in enumerate(_plan(connection)):
                encoding.append(pool.submit(_encode, str(database), pieces, is_packed))
                if len(encoding) > _AHEAD * workers:
                    sending.append(sender.submit(_send, encoding.popleft(), client, remote_id))
                finish(_AHEAD)
                if number % _CHECKPOINT_PARTS == _CHECKPOINT_PARTS - 1:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            while encoding:
                sending.append(sender.submit(_send, encoding.popleft(), client, remote_id))
                finish(_AHEAD)
            finish(0)
        except BrokenProcessPool:
            return  # a system that allows no other processes: it goes without
        finally:
            for waiting in (encoding, sending):
                for future in waiting:
                    future.cancel()


def _plan(connection: sqlite3.Connection) -> Iterator[list[_Piece]]:
    """All numbers that wait, in parts of about `_PART_POINTS`."""
    part: list[_Piece] = []
    size = 0
    table = NUMBERS.point_table
    paths = dict(connection.execute(f"SELECT id, path FROM {NUMBERS.series_table}"))
    counts = f"SELECT series_id, count(*) FROM {table} WHERE uploaded = 0 GROUP BY series_id ORDER BY series_id"
    for series, count in connection.execute(counts).fetchall():
        path, after = paths[series], float("-inf")
        if size + count < _PART_POINTS:
            part.append(_Piece(series, path, after, float("inf")))
            size += count
            continue
        while True:
            row = connection.execute(
                f"SELECT max(step), count(*) FROM (SELECT step FROM {table} WHERE series_id = ? AND step > ? "
                "AND uploaded = 0 ORDER BY step LIMIT ?)",
                (series, after, _PART_POINTS - size),
            ).fetchone()
            if not row[1]:
                break
            part.append(_Piece(series, path, after, row[0]))
            size += row[1]
            after = row[0]
            if size < _PART_POINTS:
                break
            yield part
            part, size = [], 0
    if part:
        yield part


def _encode(database: str, pieces: list[_Piece], is_packed: bool) -> _Part:
    """Read and encode a part: what runs in the other processes."""
    encoder, texts, found, count = Encoder(), [], [], 0
    with closing(connect_read_only(Path(database), is_at_rest=False)) as connection:
        for series, path, after, last in pieces:
            rows = connection.execute(
                f"SELECT step, {NUMBERS.column}, ts FROM {NUMBERS.point_table} "
                "WHERE series_id = ? AND step > ? AND step <= ? AND uploaded = 0 ORDER BY step",
                (series, after, last),
            ).fetchall()
            if not rows:
                continue
            steps, values, times = zip(*rows, strict=True)
            text = "" if is_packed else encoder.points(path, steps, values, times)
            if text is not None:
                texts.append(text)
                found.append(Points(path, NUMBERS.name, steps, values, times))
                count += len(steps)
    body = compressed_columns(found) if is_packed else compressed_points(texts)
    ends = [one._replace(steps=(one.steps[0], one.steps[-1]), values=(), times=()) for one in found]
    return _Part(body, ends, count)


def _send(encoded: Future[_Part], client: Client, remote_id: str) -> _Part | None:
    """Send a part once it is encoded; None if nothing of it needs a mark."""
    part = encoded.result()
    if not part.size:
        return None
    try:
        rejected = client.ingest(remote_id, part.body)
    except RemoteRefusedError as error:
        if error.status in (400, 413, 415, 422):
            return None
        raise
    return None if rejected else part
