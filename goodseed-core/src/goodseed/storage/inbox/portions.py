"""Reads an inbox back in portions that fit into a transaction, and into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.storage.batch import BATCH_BYTES, BATCH_POINTS, Batch, Tables
from goodseed.storage.inbox.records import replay
from goodseed.storage.inbox.segments import HEADER_BYTES, FoundSegment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Portion", "portions"]

_PART_BYTES: Final = 1 << 20  # of a segment, between two looks at how much that is


class Portion(NamedTuple):
    """What can be stored at once.

    Attributes:
        batch: Points and configs.
        generation: With this batch, all of the segments up to this one is stored; 0 if that is not yet so of any.
        byte_count: How many bytes of records it was read from.
        is_damaged: The segment after which nothing is read is not whole.
    """

    batch: Batch
    generation: int
    byte_count: int
    is_damaged: bool


def portions(segments: Iterable[FoundSegment], tables: Tables) -> Iterator[Portion]:
    """The records of ``segments``, up to the first that is damaged.

    Args:
        segments: Oldest first, one at a time in memory.
        tables: Those of the file; what is yielded is to be stored, and `Tables.stored` called, before the next one.
    """
    batch, generation, taken = Batch(tables), 0, 0
    for segment in segments:
        offset, is_over, is_damaged = HEADER_BYTES, False, False
        while not is_over:
            start = offset
            offset = replay(segment.content, start, segment.generation, batch, start + _PART_BYTES)
            taken += offset - start
            is_over = offset < start + _PART_BYTES
            if is_over:
                generation, is_damaged = segment.generation, offset < segment.used
            if is_damaged or batch.size >= BATCH_POINTS or taken >= BATCH_BYTES:
                yield Portion(batch, generation, taken, is_damaged)
                batch, taken = Batch(tables), 0
        if is_damaged:
            return
    yield Portion(batch, generation, taken, is_damaged=False)
