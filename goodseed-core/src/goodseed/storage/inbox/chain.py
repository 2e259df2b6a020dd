"""Holds the segments that take records, in order, until their records are stored."""

from __future__ import annotations

import contextlib
import threading
import time as clock
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from goodseed.errors import ForkedRunError, InvalidValueError, RunClosedError
from goodseed.storage.inbox.records import MAX_RECORD_BYTES, POINT_WORD, pack_word, starts_record, unpack_word
from goodseed.storage.inbox.rescue import copy_elsewhere, count_records
from goodseed.storage.inbox.segments import HEADER_BYTES, FoundSegment, Segment, SegmentFile
from goodseed.storage.inbox.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from goodseed.storage.inbox.waiting import Wake

__all__ = ["Handle", "SegmentChain"]

_WORTH_WAKING_BYTES: Final = 2 << 20
_BOUND_BYTES: Final = 64 << 20  # what may wait; callers wait for the writer from here on
_STUCK_BOUND_BYTES: Final = 256 << 20  # the same as long as nothing can be stored
_PATIENCE_SECONDS: Final = 30.0  # of callers, from the last sign that the writer stores anything
_PAGED_OUT_BYTES: Final = 8 << 20  # what waits beyond this takes no memory of the process
_RETRY_SECONDS: Final = 0.25

# Where callers write, the high half of a record's word there, and the whole word of a POINT record: one tuple, so that
# a caller never pairs the segment of one moment with the generation of another.
Handle: TypeAlias = "tuple[Callable[[bytes], object], int, int]"


class SegmentChain:
    """Takes records, from any thread, and hands them to the writer, segment by segment.

    Attributes:
        path: The file of the segments.
        active: The segment that takes what is logged: how to write to it, where it is full, and its first word.
        dropped: How many records found no room on disk or in memory, and are lost.
        kept_in: Where `keep_elsewhere` has put a copy of what was not stored by then.
        unkept: How many records in memory `keep_elsewhere` found no room for.
        is_stuck: The writer can't store anything just now, and says so here.
        progressed_at: When the writer last had nothing to store, or stored a part of it, by `time.monotonic`.
    """

    def __init__(self, path: Path, wake: Wake, on_full: Callable[[OSError], None]) -> None:
        """Make the file, or go on in memory where the disk refuses.

        Args:
            path: The file.
            wake: Set when there is more for the writer to do than can wait.
            on_full: Called, from the caller's thread, when the disk or the memory gives no room.
        """
        self.path: Final = path
        self._file: Final = SegmentFile(path)
        self._wake: Final = wake
        self._on_full: Final = on_full
        self._lock = threading.RLock()
        self._no_room_until = 0.0
        self._is_closed = False
        self._drained = 0
        self.dropped = self.unkept = 0
        self.kept_in: Path | None = None
        self.is_stuck = False
        self.progressed_at = clock.monotonic()
        self._chain: deque[Segment] = deque([self._file.take(0)])
        self.active: Handle = _handle(self._chain[0])
        if self._file.error is not None:
            on_full(self._file.error)

    def append(self, record: bytes) -> bool:
        """Write ``record`` into a segment that has room; False when it is lost because there is none."""
        if len(record) > MAX_RECORD_BYTES:
            raise InvalidValueError(
                f"One call can log at most {MAX_RECORD_BYTES >> 20} MiB, not {len(record) >> 20} MiB: log it in parts."
            )
        low = unpack_word(record)[0] & 0xFFFFFFFF
        rest = record[8:]
        while True:
            active = self.active
            write, high, _ = active
            try:
                write(pack_word(high | low) + rest)
                return True
            except ValueError:  # the segment is full, or sealed
                if not self._renew(active, len(record)):
                    self.dropped += 1
                    return False

    def _renew(self, full: Handle, size: int) -> bool:
        """Put a segment with room in place of ``full``; False when no room is left."""
        while True:
            if self._is_crowded():  # back-pressure: as long as the writer gives segments back, it is worth waiting for
                self._wake.set()
                wait_until(lambda: self.active is not full or not self._is_crowded() or self._is_hopeless(), None)
            with self._lock:
                if self.active is not full:
                    return True
                if self._is_crowded() and not self._is_hopeless():
                    continue
                if self._no_room_until > clock.monotonic():
                    return False
                try:
                    segment = self._take(size)
                except OSError as error:
                    self._no_room_until = clock.monotonic() + _RETRY_SECONDS
                    self._on_full(error)
                    return False
                self._use(segment)
                if self._file.error is not None:
                    self._on_full(self._file.error)
                waiting_bytes = self._file.taken_bytes - segment.size
                for other in self._chain:
                    if other is not segment and other.seal() and waiting_bytes >= _PAGED_OUT_BYTES:
                        other.page_out()
                if waiting_bytes >= _WORTH_WAKING_BYTES:
                    self._wake.set()  # less waits for the writer's next round: few large transactions are fast
            return True

    def _use(self, segment: Segment) -> None:
        self._chain.append(segment)
        self.active = _handle(segment)

    def _is_crowded(self) -> bool:
        is_stored = not self.is_stuck and self._is_in_time()
        return self._file.taken_bytes >= (_BOUND_BYTES if is_stored else _STUCK_BOUND_BYTES)

    def _is_hopeless(self) -> bool:
        return not self._is_in_time()

    def _is_in_time(self) -> bool:
        return clock.monotonic() - self.progressed_at < _PATIENCE_SECONDS

    def _take(self, size: int) -> Segment:
        if self._is_crowded():
            raise OSError(f"{_STUCK_BOUND_BYTES >> 20} MiB wait to be stored already")
        return self._file.take(size)

    # -- what the writer does -------------------------------------------------------------------------------------

    @property
    def waiting_bytes(self) -> int:
        """About how much waits to be stored."""
        return self._file.taken_bytes

    @property
    def is_large(self) -> bool:
        """Whether callers will soon have to wait."""
        return self._file.taken_bytes >= _BOUND_BYTES // 2

    def note_progress(self) -> None:
        """A part of what waits is stored, or will be with the rest of its transaction; not said while that fails."""
        if not self.is_stuck:
            self.progressed_at = clock.monotonic()

    def seal(self) -> list[Segment]:
        """Seal all that holds a record, and return it, oldest first; callers go on in another segment."""
        with self._lock:
            if self._is_closed or not self._chain:
                return sorted(self._chain, key=_order)
            last = self._chain[-1]
            if not last.is_empty:
                try:
                    if not self._is_crowded():
                        self._use(self._take(0))
                except OSError as error:
                    self._on_full(error)
                last.seal()  # where there is no other, callers find it sealed, and ask for room themselves
            sealed = [segment for segment in self._chain if segment is not self._chain[-1] or segment.is_sealed]
            for segment in sealed:
                segment.seal()
        return sorted(sealed, key=_order)

    def give_back(self, segments: Sequence[Segment]) -> None:
        """Use these again: what they held is stored."""
        with self._lock:
            for segment in segments:
                self._chain.remove(segment)
                self._file.give_back(segment)
                self._drained = max(self._drained, segment.generation)
            if not self._chain and not self._is_closed:
                with contextlib.suppress(OSError):  # callers find the last one sealed, and ask for room themselves
                    self._use(self._take(0))

    def unstored(self) -> Iterator[FoundSegment]:
        """What is not stored yet, oldest first, for readers while nothing can be stored; each is copied in its turn.

        Should one be stored, and used again, meanwhile, what is copied then are records of another generation.
        """
        with self._lock:
            chain = sorted(self._chain, key=_order)
        for segment in chain:
            yield FoundSegment(segment.generation, 0, memoryview(segment.memory[:]))

    def refuse(self, error: Callable[[], Exception]) -> None:
        """Refuse further records: every later call raises ``error()``."""

        def refuse(_: bytes) -> None:
            raise error()

        self.active = (refuse, 0, 0)

    def close(self) -> None:
        """Refuse further records; those that were accepted are still sealed and stored."""
        with self._lock:
            self._is_closed = True
            self.refuse(lambda: RunClosedError("The run is closed. Open it again with goodseed.Run(resume_run_id=…)."))
            for segment in self._chain:
                segment.seal()

    def keep_elsewhere(self, shapes: Iterable[tuple[int, Sequence[str]]]) -> None:
        """Copy what is not stored to a directory for temporary files, where some of it is in memory only.

        Only after `close`: nothing is added then, and what is copied once is not copied again.

        Args:
            shapes: The number and the paths of all shapes that the records may name.
        """
        with self._lock:
            chain = sorted((segment for segment in self._chain if _holds_records(segment)), key=_order)
            in_memory = [segment for segment in chain if segment.offset is None]
            self.unkept = 0
            if self.kept_in is not None or not in_memory:
                return
            self.kept_in = copy_elsewhere(self.path.name, chain, shapes, after=self._drained)
            if self.kept_in is None:
                self.unkept = count_records(in_memory)

    def dispose(self, *, remove: bool) -> None:
        """Close the file, and remove it, and what `keep_elsewhere` copied, when nothing in it is needed."""
        self._file.close(remove=remove)
        if remove and self.kept_in is not None:
            with contextlib.suppress(OSError):  # it does no harm there
                self.kept_in.unlink()
                self.kept_in.parent.rmdir()
            self.kept_in = None

    def after_fork_in_child(self) -> None:
        """Refuse everything: the memory is the parent's."""
        self._lock = threading.RLock()
        self.refuse(
            lambda: ForkedRunError(
                "This run belongs to the process that forked this one. Open a goodseed.Run of its own in the child."
            )
        )


def _order(segment: Segment) -> int:
    return segment.order


def _holds_records(segment: Segment) -> bool:
    return starts_record(segment.memory, HEADER_BYTES, segment.generation)


def _handle(segment: Segment) -> Handle:
    high = (segment.generation & 0xFFFFFFFF) << 32
    return segment.memory.write, high, high | POINT_WORD
