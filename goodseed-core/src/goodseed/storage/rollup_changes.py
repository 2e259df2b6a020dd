"""Which points of a run that is being written may have changed since an earlier look: its write-ahead log tells.

Whatever changes a row writes the page that the row is on, so the pages in the log tell between which rows changes lie.
Only the first and the last row of each page are looked at. That more is told to have changed than has is harmless.
The log's file may be opened beside SQLite: no lock of SQLite's is on it.
"""

from __future__ import annotations

import math
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, final

from goodseed.storage.rollup_nodes import Bounds

if TYPE_CHECKING:
    from goodseed.paths import RunFiles

__all__ = ["ChangeTracker", "Changes"]

_HEADER_BYTES: Final = 32
_FRAME_BYTES: Final = 24
_MAGIC: Final = (0x377F0682, 0x377F0683)
_INDEX_INTERIOR, _INDEX_LEAF, _TABLE_LEAF = 2, 10, 13
_MAX_BOUNDS: Final = 16
_MAX_TRACKED: Final = 256
_FRAMES_A_READ: Final = 64
_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class _Rows(NamedTuple):
    """The rows on one page: from one series and step to another."""

    first: tuple[float, float]
    last: tuple[float, float]


_NONE: Final = _Rows((math.inf, 0.0), (-math.inf, 0.0))


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
        self._salts = b""
        self._settled: list[_Rows] = []

    def look(self) -> str:
        """The state of the log now, for `changed` to understand later; to be asked before a transaction is begun.

        All that it covers is visible in that transaction.
        """
        with self._lock:
            self._follow()
            return f"{self._salts.hex()} {len(self._settled)}" if self._salts else ""

    def changed(self, state: str, series: int) -> list[Bounds] | None:
        """The steps between which points of ``series`` may have changed since `look` gave ``state``.

        To be asked in the transaction: all that is visible in it is covered. None where it can't be told.
        """
        salts, _, count = state.partition(" ")
        with self._lock:
            unsettled = self._follow()
            if not self._salts or salts != self._salts.hex() or not count.isdecimal() or unsettled is None:
                return None
            pages = [*self._settled[int(count) :], *unsettled]
        found = sorted({bounds for page in pages if (bounds := _bounds_of(page, series)) is not None})
        merged: list[Bounds] = []
        for bounds in found:
            if merged and bounds.step_low <= merged[-1].step_high:
                merged[-1] = Bounds(merged[-1].step_low, max(merged[-1].step_high, bounds.step_high))
            else:
                merged.append(bounds)
        if len(merged) > _MAX_BOUNDS:
            return [Bounds(merged[0].step_low, merged[-1].step_high)]
        return merged

    def _follow(self) -> list[_Rows] | None:
        """Read on in the log; returns what is not settled yet, None where the log can't be followed."""
        try:
            with Path(self._path).open("rb", buffering=0) as log:
                header = log.read(_HEADER_BYTES)
                if len(header) < _HEADER_BYTES or struct.unpack(">I", header[:4])[0] not in _MAGIC:
                    self._salts = b""
                    return None
                page_bytes = struct.unpack(">I", header[8:12])[0]
                if header[16:24] != self._salts:
                    self._salts, self._settled = header[16:24], []
                frames = _read_frames(log, page_bytes, self._salts, len(self._settled))
                log.seek(0)
                if log.read(_HEADER_BYTES) != header:  # begun anew meanwhile
                    self._salts = b""
                    return None
        except OSError:
            self._salts = b""
            return None
        # A transaction is stored for good, and visible, once the next one has begun to be written.
        commits = [index for index, (_, is_commit) in enumerate(frames[:-1]) if is_commit]
        settled = commits[-1] + 1 if commits else 0
        self._settled.extend(rows for rows, _ in frames[:settled])
        return [rows for rows, _ in frames[settled:]]


def _read_frames(log: BinaryIO, page_bytes: int, salts: bytes, skipped: int) -> list[tuple[_Rows, bool]]:
    """The rows of each frame after the first ``skipped``, and whether it ends a transaction."""
    frame_bytes = _FRAME_BYTES + page_bytes
    log.seek(_HEADER_BYTES + skipped * frame_bytes)
    frames: list[tuple[_Rows, bool]] = []
    while True:
        chunk = log.read(frame_bytes * _FRAMES_A_READ)
        for start in range(0, len(chunk) - frame_bytes + 1, frame_bytes):
            page_number, size_after = struct.unpack_from(">II", chunk, start)
            if chunk[start + 8 : start + 16] != salts:  # left over from before the log was last begun anew
                return frames
            page = memoryview(chunk)[start + _FRAME_BYTES : start + frame_bytes]
            frames.append((_rows_of(page) if page_number != 1 else _NONE, size_after != 0))
        if len(chunk) < frame_bytes * _FRAMES_A_READ:
            return frames


def _rows_of(page: memoryview) -> _Rows:
    """The first and last row of a page, if it is one of a table of points; also of others that look like one."""
    kind = page[0]
    if kind not in (_INDEX_INTERIOR, _INDEX_LEAF, _TABLE_LEAF):
        return _NONE
    count = page[3] << 8 | page[4]
    start = 12 if kind == _INDEX_INTERIOR else 8
    if not count or start + 2 * count > len(page):
        return _NONE
    # Rows of a table with row ids (version 1) are in the order of those: all of them have to be looked at.
    wanted = range(count) if kind == _TABLE_LEAF else (0, count - 1)
    keys = []
    try:
        for index in wanted:
            place = start + 2 * index
            offset = page[place] << 8 | page[place + 1]
            key = _key_of(page, offset + (4 if kind == _INDEX_INTERIOR else 0), has_row_id=kind == _TABLE_LEAF)
            if key is None:
                return _NONE
            keys.append(key)
    except (IndexError, struct.error):  # not a page of rows at all
        return _NONE
    return _Rows(min(keys), max(keys))


def _key_of(page: memoryview, offset: int, *, has_row_id: bool) -> tuple[float, float] | None:
    """The series and step of a row; None where its first two columns are no numbers."""
    _, offset = _varint(page, offset)
    if has_row_id:
        _, offset = _varint(page, offset)
    header_bytes, types_at = _varint(page, offset)
    series_type, types_at = _varint(page, types_at)
    step_type, _ = _varint(page, types_at)
    content = offset + header_bytes
    series, size = _number(page, content, series_type)
    step, _ = _number(page, content + size, step_type)
    return None if series is None or step is None else (series, step)


def _varint(page: memoryview, offset: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = page[offset + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, offset + index + 1
    return value << 8 | page[offset + 8], offset + 9


def _number(page: memoryview, offset: int, serial_type: int) -> tuple[float | None, int]:
    if serial_type in _INTEGER_BYTES:
        size = _INTEGER_BYTES[serial_type]
        return int.from_bytes(page[offset : offset + size], "big", signed=True), size
    if serial_type == 7:
        return struct.unpack_from(">d", page, offset)[0], 8
    return (serial_type - 8, 0) if serial_type in (8, 9) else (None, 0)


def _bounds_of(rows: _Rows, series: int) -> Bounds | None:
    if not rows.first[0] <= series <= rows.last[0]:
        return None
    low = rows.first[1] if rows.first[0] == series else -math.inf
    high = rows.last[1] if rows.last[0] == series else math.inf
    return Bounds(low, high)
