"""Manages the inbox's file: segments of shared memory that are handed out, sealed and used again.

A segment starts with a header of 64 bytes: the magic number, its size, its generation (they count up from 1 through the
life of the file), and, once sealed, how many bytes were used. Segments follow one another without gaps.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
import sys
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "HEADER_BYTES",
    "FoundSegment",
    "Segment",
    "SegmentFile",
    "headers_of",
    "read_headers",
    "read_segments",
    "segment_header",
    "whole_granules",
]

HEADER_BYTES: Final = 64
GRANULE_BYTES: Final = 1 << 16  # what every system accepts as the offset of a mapping
_MAGIC: Final = b"GSINBOX1"
_HEADER: Final = struct.Struct("=8sQQQ")
_FIRST_BYTES: Final = GRANULE_BYTES
_LARGEST_BYTES: Final = 1 << 20  # one segment is one transaction at least
_CROWDED_BYTES: Final = 64 << 20  # from here on larger ones: a mapping takes a file descriptor each
_CROWDED_LARGEST_BYTES: Final = 2 << 20
_PAGE_OUT: Final = getattr(mmap, "MADV_DONTNEED", None) if sys.platform == "linux" else None
_MEMORY_LIMIT_BYTES: Final = 64 << 20


@dataclass(slots=True, eq=False)
class Segment:
    """A stretch of the inbox, mapped again for every use, so that an old handle can't write into a later use.

    Attributes:
        offset: Where it starts in the file; None for one that is in memory only.
        size: Its length in bytes.
        order: Which use of a segment this is, counted over all of them.
        generation: The same, counted over those in the file; 0 for one that is in memory only.
        used: How many bytes were, once sealed; 0 before. A caller in the middle of sealing may write one record more.
        memory: The mapping; its position is where the next record goes.
    """

    offset: int | None
    size: int
    order: int
    generation: int
    memory: mmap.mmap = field(repr=False)
    used: int = 0

    def seal(self) -> bool:
        """Refuse further records: a write at the end of a mapping fails. Returns False, and does nothing, later."""
        if self.used:  # not `is_sealed`: that is true of a full segment, too
            return False
        end = self.memory.tell()
        self.memory.seek(self.size)
        self.used = end
        self.memory[:HEADER_BYTES] = segment_header(self.size, self.generation, self.used)
        return True

    def page_out(self) -> None:
        """Let the kernel move its pages to the file, until they are read."""
        if self.offset is not None and _PAGE_OUT is not None:
            self.memory.madvise(_PAGE_OUT)

    @property
    def is_sealed(self) -> bool:
        """Whether records are refused."""
        return self.memory.tell() == self.size

    @property
    def is_empty(self) -> bool:
        """Whether it holds no record."""
        return self.memory.tell() == HEADER_BYTES


def whole_granules(size: int) -> int:
    """The least size of a segment that holds so many bytes."""
    return -(-size // GRANULE_BYTES) * GRANULE_BYTES


def segment_header(size: int, generation: int, used: int) -> bytes:
    """What a segment begins with."""
    return _HEADER.pack(_MAGIC, size, generation, used).ljust(HEADER_BYTES, b"\0")


class SegmentFile:
    """Gives out segments of a file, or of memory where the disk gives no room.

    Its owner keeps threads apart; but a signal's handler may come in the middle of `take` and take one for itself, so
    every choice is made by one operation that can't be interrupted.
    """

    def __init__(self, path: Path) -> None:
        """Make the file, in place of one that is there.

        Raises:
            OSError: The disk refuses; the segments then come from memory.
        """
        self.path: Final = path
        self._free: list[tuple[int, int]] = []
        self._orders: Final = count(1)
        self._generations: Final = count(1)
        self._claims: dict[int, tuple[object, int]] = {}  # offset -> whose, and how long
        self._next_size = _FIRST_BYTES
        self._end = 0
        self._memory_bytes = 0
        self.error: OSError | None = None
        self._descriptor: int | None = None
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            self.error = error

    @property
    def total_bytes(self) -> int:
        """What the segments take, on disk and in memory."""
        return self._end + self._memory_bytes

    @property
    def taken_bytes(self) -> int:
        """What the segments take that are in use."""
        return self.total_bytes - sum(size for _, size in tuple(self._free))

    def take(self, record_bytes: int) -> Segment:
        """Return an empty segment with room for a record of that size.

        Raises:
            OSError: Neither the disk nor the memory limit (64 MiB) has room.
        """
        needed = record_bytes + HEADER_BYTES
        largest = _CROWDED_LARGEST_BYTES if needed <= _CROWDED_LARGEST_BYTES else math.inf
        usual = _CROWDED_LARGEST_BYTES if self.total_bytes >= _CROWDED_BYTES else self._next_size
        size = max(usual, whole_granules(needed))
        while fitting := [extent for extent in self._free if needed <= extent[1] <= largest]:
            extent = max(fitting, key=lambda extent: (extent[1] <= _LARGEST_BYTES, extent[1]))
            try:
                self._free.remove(extent)
            except ValueError:  # a signal's handler was faster
                continue
            try:
                segment = self._map(*extent)
            except OSError as error:  # no file descriptor is left
                self._free.append(extent)
                return self._map_memory(size, error)
            self.error = None
            return segment
        before = self._end
        try:
            segment = self._map(self._extend(size), size)
        except OSError as error:
            self._claims.pop(before, None)
            self._end = before
            return self._map_memory(size, error)
        self.error = None
        self._next_size = min(self._next_size * 4, _LARGEST_BYTES)
        return segment

    def _extend(self, size: int) -> int:
        if self._descriptor is None:
            raise self.error or OSError(f"{self.path} can't be opened.")
        offset = self._claim(size)
        # The room is reserved, not just promised: writing to a mapped hole on a full disk kills the process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._descriptor, offset, size)
        else:
            os.pwrite(self._descriptor, bytes(size), offset)
        return offset

    def _claim(self, size: int) -> int:
        token = object()
        offset = self._end
        while (claim := self._claims.setdefault(offset, (token, size)))[0] is not token:
            offset += claim[1]
        self._end = offset + size
        return offset

    def _map(self, offset: int, size: int) -> Segment:
        assert self._descriptor is not None
        return self._start(mmap.mmap(self._descriptor, size, offset=offset), offset, size, next(self._generations))

    def _map_memory(self, size: int, error: OSError) -> Segment:
        self.error = error
        if self._memory_bytes + size > _MEMORY_LIMIT_BYTES:
            raise error
        self._memory_bytes += size
        return self._start(mmap.mmap(-1, size), None, size, 0)

    def _start(self, memory: mmap.mmap, offset: int | None, size: int, generation: int) -> Segment:
        memory[:HEADER_BYTES] = segment_header(size, generation, 0)
        memory.seek(HEADER_BYTES)
        return Segment(offset, size, next(self._orders), generation, memory)

    def give_back(self, segment: Segment) -> None:
        """Take back a segment whose records are stored elsewhere now."""
        if segment.offset is None:
            self._memory_bytes -= segment.size
        else:
            self._free.append((segment.offset, segment.size))

    def close(self, *, remove: bool) -> None:
        """Close the file, and remove it when nothing in it is needed."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if remove:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """A segment as a dead process left it."""

    generation: int
    used: int
    content: memoryview


class FoundHeader(NamedTuple):
    """The header of a segment, as read from an inbox's file.

    Attributes:
        offset: Where the segment starts in the file.
        size: Its length in bytes.
        generation: Its generation.
        used: How many bytes were used, once sealed; 0 before.
    """

    offset: int
    size: int
    generation: int
    used: int


def read_headers(descriptor: int) -> Iterator[FoundHeader]:
    """The headers of the segments of an inbox, in their order in the file."""
    offset = 0
    while True:
        header = os.pread(descriptor, HEADER_BYTES, offset)
        if len(header) < HEADER_BYTES:
            return
        magic, size, generation, used = _HEADER.unpack_from(header)
        if magic != _MAGIC or size < HEADER_BYTES or size % GRANULE_BYTES:
            return
        yield FoundHeader(offset, size, generation, used)
        offset += size


def read_segments(path: Path, after: int = 0) -> Iterator[FoundSegment]:
    """The segments of the inbox at ``path``, oldest first, even if it is damaged; each is read when its turn comes.

    Args:
        path: The inbox.
        after: Those of this generation and before are left out.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        for header in sorted(read_headers(descriptor), key=lambda header: header.generation):
            if header.generation > after:
                content = os.pread(descriptor, header.size, header.offset)
                yield FoundSegment(header.generation, header.used, memoryview(content))
    finally:
        os.close(descriptor)


def headers_of(path: Path, after: int = 0) -> list[FoundHeader]:
    """The headers of the inbox at ``path``, oldest first, of the generations behind ``after``; [] without one."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return []
    try:
        found = [header for header in read_headers(descriptor) if header.generation > after]
    finally:
        os.close(descriptor)
    return sorted(found, key=lambda header: header.generation)
