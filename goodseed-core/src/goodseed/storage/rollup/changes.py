"""Which points of a run that is being written may have changed since an earlier look: its write-ahead log tells.

Whatever changes a row writes the page that the row is on, so the pages in the log, compared with what they were before,
tell which rows are others. Of a page that is in the log for the first time it is not known what it was: all of its rows
count as changed. That more is told to have changed than has is harmless.
The log's file may be opened beside SQLite: no lock of SQLite's is on it.
"""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, final

from goodseed.storage.rollup.nodes import Bounds
from goodseed.storage.rollup.pages import Change, changes_of

if TYPE_CHECKING:
    from goodseed.paths import RunFiles

__all__ = ["ChangeTracker", "Changes"]

_HEADER_BYTES: Final = 32
_FRAME_BYTES: Final = 24
_MAGIC: Final = (0x377F0682, 0x377F0683)
_MAX_BOUNDS: Final = 16
_MAX_TRACKED: Final = 256
_FRAMES_A_READ: Final = 64


class _Frame(NamedTuple):
    """A page in the log."""

    number: int
    content: bytes
    checksum: bytes
    is_commit: bool


@final
class Changes:
    """The trackers of the runs that are being written; for any number of threads."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._trackers: Final[dict[str, ChangeTracker]] = {}

    def of(self, files: RunFiles) -> ChangeTracker:
        """The tracker of one run."""
        name = str(files.database)
        with self._lock:
            tracker = self._trackers.pop(name, None) or ChangeTracker(f"{name}-wal")
            self._trackers[name] = tracker
            if len(self._trackers) > _MAX_TRACKED:
                del self._trackers[next(iter(self._trackers))]
            return tracker


@final
class ChangeTracker:
    """Follows the write-ahead log of one run."""

    def __init__(self, log_path: str) -> None:
        self._path: Final = log_path
        self._lock: Final = threading.Lock()
        self._restart(b"")

    def _restart(self, salts: bytes) -> None:
        self._salts = salts
        self._places: dict[int, int] = {}  # of the latest content of each page, as numbers of frames
        self._frames = 0
        self._skipped: int | None = None  # transactions that were there at the first look, which nobody asks for
        self._settled: list[list[Change]] = []
        self._last: tuple[bytes, list[Change]] = (b"", [])

    def look(self) -> str:
        """The state of the log now, for `changed` to understand later; to be asked before a transaction is begun.

        All that it covers is visible in that transaction.
        """
        with self._lock:
            self._follow(is_last_wanted=False)
            return f"{self._salts.hex()} {self._count}" if self._salts else ""

    @property
    def _count(self) -> int:
        """How many transactions are settled."""
        return (self._skipped or 0) + len(self._settled)

    def changed(self, state: str, series: int) -> list[Bounds] | None:
        """The steps between which points of ``series`` may have changed since `look` gave ``state``.

        To be asked in the transaction: all that is visible in it is covered. None where it can't be told.
        """
        salts, _, count = state.partition(" ")
        with self._lock:
            unsettled = self._follow(is_last_wanted=True)
            if not self._salts or salts != self._salts.hex() or not count.isdecimal() or unsettled is None:
                return None
            skipped = self._skipped or 0
            if not skipped <= int(count) <= self._count:  # told by another server, which had looked earlier
                return None
            changes = [change for each in self._settled[int(count) - skipped :] for change in each]
        found = sorted({Bounds(low, high) for number, low, high in (*changes, *unsettled) if number == series})
        merged: list[Bounds] = []
        for bounds in found:
            if merged and bounds.step_low <= merged[-1].step_high:
                merged[-1] = Bounds(merged[-1].step_low, max(merged[-1].step_high, bounds.step_high))
            else:
                merged.append(bounds)
        if len(merged) > _MAX_BOUNDS:
            return [Bounds(merged[0].step_low, merged[-1].step_high)]
        return merged

    def _follow(self, *, is_last_wanted: bool) -> list[Change] | None:
        """Read on in the log; returns what is not settled yet if wanted, None where the log can't be followed."""
        try:
            with Path(self._path).open("rb", buffering=0) as log:
                header = log.read(_HEADER_BYTES)
                if len(header) < _HEADER_BYTES or struct.unpack(">I", header[:4])[0] not in _MAGIC:
                    self._restart(b"")
                    return None
                if header[16:24] != self._salts:
                    self._restart(header[16:24])
                page_bytes = struct.unpack(">I", header[8:12])[0]
                frames = _read_frames(log, page_bytes, self._salts, self._frames)
                last = self._take(log, page_bytes, frames)
                unsettled = self._changes_of_last(log, page_bytes, last) if is_last_wanted else []
                log.seek(0)
                if log.read(_HEADER_BYTES) != header:  # begun anew meanwhile
                    self._restart(b"")
                    return None
                return unsettled
        except OSError:
            self._restart(b"")
            return None

    def _take(self, log: BinaryIO, page_bytes: int, frames: list[_Frame]) -> list[_Frame]:
        """Keep what the settled transactions among ``frames`` have changed; returns the frames of the last one."""
        # A transaction is stored for good, and visible, once the next one has begun to be written.
        ends = [index + 1 for index, frame in enumerate(frames[:-1]) if frame.is_commit]
        begin = 0
        for end in ends:
            if self._skipped is not None:
                self._settled.append(self._changes(log, page_bytes, frames[begin:end]))
            for index in range(begin, end):
                self._places[frames[index].number] = self._frames + index
            begin = end
        if self._skipped is None:
            self._skipped = len(ends)
        self._frames += begin
        return frames[begin:]

    def _changes_of_last(self, log: BinaryIO, page_bytes: int, frames: list[_Frame]) -> list[Change]:
        """As `_changes`; kept, as each series asks."""
        checksum = frames[-1].checksum if frames else b""
        if self._last[0] != checksum:
            self._last = (checksum, self._changes(log, page_bytes, frames))
        return self._last[1]

    def _changes(self, log: BinaryIO, page_bytes: int, transaction: list[_Frame]) -> list[Change]:
        pages = {frame.number: frame.content for frame in transaction if frame.number != 1}
        compared: list[tuple[bytes | None, bytes]] = []
        for number, content in pages.items():
            place = self._places.get(number)
            before = None
            if place is not None:
                log.seek(_HEADER_BYTES + place * (_FRAME_BYTES + page_bytes) + _FRAME_BYTES)
                before = log.read(page_bytes)
            compared.append((before if before and len(before) == page_bytes else None, content))
        return changes_of(compared)


def _read_frames(log: BinaryIO, page_bytes: int, salts: bytes, skipped: int) -> list[_Frame]:
    """The frames after the first ``skipped``."""
    frame_bytes = _FRAME_BYTES + page_bytes
    log.seek(_HEADER_BYTES + skipped * frame_bytes)
    frames: list[_Frame] = []
    while True:
        chunk = log.read(frame_bytes * _FRAMES_A_READ)
        for start in range(0, len(chunk) - frame_bytes + 1, frame_bytes):
            number, size_after = struct.unpack_from(">II", chunk, start)
            if chunk[start + 8 : start + 16] != salts:  # left over from before the log was last begun anew
                return frames
            content = start + _FRAME_BYTES
            frames.append(
                _Frame(number, chunk[content : start + frame_bytes], chunk[start + 16 : content], size_after != 0)
            )
        if len(chunk) < frame_bytes * _FRAMES_A_READ:
            return frames
