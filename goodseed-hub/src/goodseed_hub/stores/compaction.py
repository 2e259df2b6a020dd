"""Turns a run's segments, one a request, into blocks, one a series and some thousand points."""

from __future__ import annotations

import math
import uuid
from hashlib import blake2b
from itertools import islice
from operator import lt
from typing import TYPE_CHECKING, Any, Final

from goodseed.storage.kinds import TEXTS, kind_of
from goodseed_hub.stores import statements
from goodseed_hub.stores.base import merged
from goodseed_hub.stores.codec import SMALL, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from goodseed.columns import Points

__all__ = ["compact", "config_id", "series_id"]

_MAX_SEGMENTS: Final = 5_000
_MAX_POINTS: Final = 500_000  # of the segments that are compacted in one transaction: some 100 bytes of memory each
_MAX_BYTES: Final = 32 << 20
_BLOCK_POINTS: Final = 16_384
_BLOCK_BYTES: Final = 1 << 20
_SMALL_POINTS: Final = 1_024  # a last block of fewer is written again, together with what follows it


def series_id(kind: str, path: str) -> uuid.UUID:
    """The number of a series in its run, the same in every process."""
    known = kind_of(kind)
    return _id(kind if known is None else known.code, path)


def config_id(path: str) -> uuid.UUID:
    """The number of a config in its run."""
    return _id(TEXTS.code, path)


def _id(code: int | str, path: str) -> uuid.UUID:
    return uuid.UUID(bytes=blake2b(f"{code}{path}".encode(), digest_size=16).digest())


def compact(connection: psycopg.Connection[tuple[Any, ...]], run: str) -> int:
    """Compact some of a run's segments in one transaction, unless another process does; returns how many there were."""
    with connection.transaction():
        if not connection.execute(statements.LOCK, (run,)).fetchall()[0][0]:
            return 0
        until = _portion(connection.execute(statements.SEGMENT_SIZES, (run, _MAX_SEGMENTS)).fetchall())
        segments = connection.execute(statements.SEGMENTS, (run, 0, until), binary=True).fetchall()
        if not segments:
            return 0
        first, last = segments[0][0], segments[-1][0]
        several = merged(points for _, _, payload in segments for points in unpack(payload))
        rows: list[tuple[object, ...]] = []
        tails = _tails(connection, run, [series_id(points.kind, points.path) for points in several])
        for points in several:
            series, seq_first = series_id(points.kind, points.path), first
            for old in tails.get(series, ()):
                block = connection.execute(statements.BLOCK, (run, series, *old[:2]), binary=True).fetchall()[0][0]
                (points,) = merged([*unpack(block), points])
                seq_first = min(seq_first, old[2])
                connection.execute(statements.DELETE_BLOCK, (run, series, *old[:2]))
            for part, piece in enumerate(_pieces(_sorted(points))):
                rows.append((run, series, last, part, seq_first, *_describe(piece)))
        with connection.cursor() as cursor:
            cursor.executemany(statements.ADD_BLOCK, rows)
        connection.execute(statements.DELETE_SEGMENTS, (run, last))
        connection.execute(statements.COUNT_DOWN, (sum(points for _, points, _ in segments), run))
    return len(segments)


def _portion(sizes: list[tuple[Any, ...]]) -> int:
    """Up to which sequence number the segments fit into memory together; at least the first, where there is one."""
    points = size = until = 0
    for seq, more_points, more_bytes in sizes:
        points, size = points + more_points, size + more_bytes
        if until and (points > _MAX_POINTS or size > _MAX_BYTES):
            break
        until = seq
    return until


def _tails(
    connection: psycopg.Connection[tuple[Any, ...]], run: str, series: list[uuid.UUID]
) -> dict[uuid.UUID, list[tuple[int, int, int]]]:
    """Of each series the last block, if it is small: sequence number, part, and first sequence number."""
    found: dict[uuid.UUID, list[tuple[int, int, int]]] = {}
    seen: set[uuid.UUID] = set()
    for id_, seq_last, part, seq_first, points in connection.execute(statements.TAILS, (run, series)):
        if id_ not in seen:
            seen.add(id_)
            # All parts of a block cover the same requests: they stay together.
            if points < _SMALL_POINTS and part == 0:
                found[id_] = [(seq_last, part, seq_first)]
    return found


def _sorted(points: Points) -> Points:
    """By step, each step once: the last one that came."""
    steps = points.steps
    if all(map(lt, steps, islice(steps, 1, None))):
        return points
    last = {step: index for index, step in enumerate(steps)}
    order = [last[step] for step in sorted(last)]
    return points._replace(
        steps=[steps[index] for index in order],
        values=[points.values[index] for index in order],
        times=[points.times[index] for index in order],
    )


def _pieces(points: Points) -> Iterator[Points]:
    start, size = 0, 0
    for index, value in enumerate(points.values):
        value_bytes = len(value) if isinstance(value, (str, bytes)) else 0
        size += value_bytes
        if index > start and (index - start >= _BLOCK_POINTS or size > _BLOCK_BYTES):
            yield _slice(points, start, index)
            start, size = index, value_bytes
    yield _slice(points, start, len(points.values))


def _slice(points: Points, start: int, end: int) -> Points:
    return points._replace(
        steps=points.steps[start:end], values=points.values[start:end], times=points.times[start:end]
    )


def _describe(piece: Points) -> tuple[object, ...]:
    finite = [value for value in piece.values if isinstance(value, float) and math.isfinite(value)]
    return (
        len(piece.steps), piece.steps[0], piece.steps[-1],
        min(finite, default=None), max(finite, default=None), pack([piece], SMALL),
    )  # fmt: skip
