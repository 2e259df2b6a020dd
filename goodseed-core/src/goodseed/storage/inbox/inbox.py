"""Takes every log call into memory shared with the kernel, which survives the death of the process.

A log call packs one record and hands it to ``mmap.write``: one call into C, which no other thread and no signal handler
can interrupt, so that callers need no lock. What is written stays when the process is killed, because the pages are the
kernel's. `RunWriter` seals the segments, stores what they hold, and gives them back.
"""

from __future__ import annotations

import contextlib
import threading
import time as clock
from collections import deque
from collections.abc import Mapping
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from goodseed.errors import ForkedRunError, InvalidTypeError, InvalidValueError, RunClosedError
from goodseed.paths import check_attribute_path
from goodseed.storage.inbox.records import (
    MAX_RECORD_BYTES,
    POINT_WORD,
    Shape,
    config_record,
    crc32,
    pack_point,
    pack_sealed,
    pack_word,
    renumbered,
    row_record,
    shape_record,
    starts_record,
    unpack_word,
    value_record,
)
from goodseed.storage.inbox.segments import (
    HEADER_BYTES,
    FoundSegment,
    Segment,
    SegmentFile,
    segment_header,
    whole_granules,
)
from goodseed.storage.inbox.waiting import wait_until
from goodseed.storage.kinds import NUMBERS, TEXTS
from goodseed.values import as_number, as_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from goodseed.storage.inbox.waiting import Wake
    from goodseed.storage.kinds import Kind

__all__ = ["Inbox"]

_TEXTS_AT_ONCE: Final = 200
_MAX_SHAPES: Final = 2_000
_MAX_WIDTH: Final = MAX_RECORD_BYTES // 9
_WORTH_WAKING_BYTES: Final = 2 << 20
_ROOMY_BYTES: Final = 64 << 20  # up to here callers never wait for the writer
_LIMIT_BYTES: Final = 2 << 30
_STUCK_ROOMY_BYTES: Final = 256 << 20  # as long as it can't be stored, callers go on unhindered up to here
_PATIENCE_SECONDS: Final = 60.0
_STUCK_PATIENCE_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 0.25

now = clock.time

# Where callers write, the high half of a record's word there, and the whole word of a POINT record: one tuple, so that
# a caller never pairs the segment of one moment with the generation of another.
Handle: TypeAlias = "tuple[Callable[[bytes], object], int, int]"


class Inbox:
    """Takes what is logged, from any thread, without waiting for a disk.

    Attributes:
        dropped: How many records found no room on disk or in memory, and are lost.
        kept_in: Where `rescue` has put a copy of what was not stored by then.
        unkept: How many records in memory `rescue` found no room for.
        is_stuck: The writer can't store anything just now, and says so here.
    """

    def __init__(self, path: Path, wake: Wake, on_full: Callable[[OSError], None]) -> None:
        """Make the inbox's file, or go on in memory where the disk refuses.

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
        self._shape_lock = threading.RLock()
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._last: tuple[list[str], Callable[..., bytes], int, int] = (
            ["\0"],
            *Shape.of(0, 0),
        )  # no call has that path
        self._points: dict[str, int] = {}  # path -> number of the shape that holds it alone
        self._shape_numbers: Final = count(1)
        self._no_room_until = 0.0
        self._is_closed = False
        self._drained = 0
        self.dropped = self.unkept = 0
        self.kept_in: Path | None = None
        self.is_stuck = False
        self._chain: deque[Segment] = deque([self._file.take(0)])
        self._active: Handle = _handle(self._chain[0])
        if self._file.error is not None:
            on_full(self._file.error)

    # -- what callers do ------------------------------------------------------------------------------------------

    def log_metrics(self, data: Mapping[str, float], step: float) -> None:
        """Accept one point for each path in ``data``.

        Raises:
            InvalidTypeError: A path, a value or the step has a type that can't be stored.
            InvalidValueError: A path or the step can't be stored.
            RunClosedError: The run is closed.
            ForkedRunError: The run belongs to the parent of this process.
        """
        # The bounds are 2**53, written out so that the compiler folds them: this is the path of every call.
        if type(step) is not int or not -9007199254740992 < step < 9007199254740992:
            step = as_step(step)
        try:
            if len(data) == 1:
                for path, value in data.items():
                    if type(value) is not float:
                        value = as_number(path, value)
                    write, _, word = self._active
                    write(pack_point(word, self._points[path], time := now(), step, value, time, step, value))
                return
            values = [*data.values()]
            paths, pack, number, word = self._last
            if [*data] != paths:  # comparing with the last call's paths is half the price of looking them up
                paths = [*data]
                pack, number, word = self._shapes[tuple(paths)]
                self._last = (paths, pack, number, word)
            if type(sum(values, 0.0)) is float:  # a value that is none of Python's own numbers makes it something else
                body = pack(number, now(), step, *values)
                write, high, _ = self._active
                write(pack_sealed(high | word, crc32(body)) + body)
                return
        except Exception:  # noqa: BLE001 - new path, full segment, wrong value, closed run: add_metrics tells
            pass
        self.add_metrics(data, step, None)

    def log_number(self, path: str, value: float, step: float) -> None:
        """Accept one point; see `log_metrics`."""
        if type(step) is not int or not -9007199254740992 < step < 9007199254740992:
            step = as_step(step)
        if type(value) is not float:
            value = as_number(path, value)
        try:
            write, _, word = self._active
            write(pack_point(word, self._points[path], time := now(), step, value, time, step, value))
        except (KeyError, ValueError):
            self.add_metrics({path: value}, step, None)

    def add_metrics(self, data: Mapping[str, float], step: float, at_seconds: float | None) -> None:
        """What `log_metrics` does when it meets something for the first time; also takes the time of the points."""
        if not isinstance(data, Mapping):
            raise InvalidTypeError(f"Metrics come as a mapping of paths to numbers, not as a {type(data).__name__}.")
        items = list(data.items())
        numbers = {check_attribute_path(path): as_number(path, value) for path, value in items}
        if len(numbers) < len(items):
            raise InvalidValueError(f"Two of the paths {[path for path, _ in items]!r:.200} are the same: rename one.")
        step = as_step(step)
        time = now() if at_seconds is None else at_seconds
        if not numbers:
            return
        shape = self._shape_of(tuple(path for path, _ in items), tuple(numbers)) if len(numbers) > 1 else None
        if shape is not None:
            self._append(row_record(0, shape, time, step, list(numbers.values())))
            return
        for path, number in numbers.items():
            alone = self._number_of(path)
            if alone:
                self._append(pack_point(POINT_WORD, alone, time, step, number, time, step, number))

    def add_value(self, kind: Kind, path: str, value: object, step: float, at_seconds: float | None = None) -> None:
        """Accept one point of a series of any kind; the path and the step are checked already.

        Raises:
            GoodseedError: The value is none of that kind, or the run takes none.
        """
        if kind is NUMBERS:
            self.add_metrics({path: value}, step, at_seconds)  # type: ignore[dict-item]
            return
        time = now() if at_seconds is None else at_seconds
        self._append(value_record(kind, path, kind.to_stored(path, value), step, time))

    def add_text(self, path: str, text: str, step: float, at_seconds: float | None = None) -> None:
        """Accept one point of a string series; the arguments are checked already."""
        self._append(value_record(TEXTS, path, text, step, now() if at_seconds is None else at_seconds))

    def add_texts(self, path: str, points: Iterable[tuple[float, str, float]]) -> None:
        """Accept many points of one string series, each a step, a text and a time; written some hundred at a time."""
        remaining = iter(points)
        while some := list(islice(remaining, _TEXTS_AT_ONCE)):
            write, high, _ = self._active
            records = [value_record(TEXTS, path, text, step, time, high) for step, text, time in some]
            try:
                write(b"".join(records))
            except ValueError:  # they do not fit into what is left of the segment
                for record in records:
                    self._append(record)

    def add_configs(self, rows: Sequence[tuple[str, str, str, str]]) -> None:
        """Accept configs as (path, type tag, value, time of the change), all of them or none."""
        self._append(config_record(rows))

    # -- shapes ---------------------------------------------------------------------------------------------------

    def _shape_of(self, keys: tuple[str, ...], paths: tuple[str, ...]) -> Shape | None:
        """The shape of these paths; None when there are too many, and each path stands for itself."""
        with self._shape_lock:
            shape = self._shapes.get(keys)
            if shape is None and len(self._shapes) < _MAX_SHAPES and len(paths) < _MAX_WIDTH:
                number = self._define(paths)
                shape = Shape.of(number, len(paths)) if number else None
                if shape is not None and len(keys) == len(paths):
                    self._shapes[keys] = shape
        return shape

    def _number_of(self, path: str) -> int:
        """The number of the shape that holds ``path`` alone; 0 when there was no room to define it."""
        with self._shape_lock:
            number = self._points.get(path) or self._define((path,))
            if number:
                self._points[path] = number
        return number

    def _define(self, paths: tuple[str, ...]) -> int:
        number = next(self._shape_numbers)
        return number if self._append(shape_record(number, paths)) else 0

    # -- segments -------------------------------------------------------------------------------------------------

    def _append(self, record: bytes) -> bool:
        """Write ``record`` into a segment that has room; False when it is lost because there is none."""
        if len(record) > MAX_RECORD_BYTES:
            raise InvalidValueError(
                f"One call may log {MAX_RECORD_BYTES >> 20} MiB, not {len(record) >> 20} MiB: log it in parts."
            )
        low = unpack_word(record)[0] & 0xFFFFFFFF
        rest = record[8:]
        deadline = clock.monotonic() + _STUCK_PATIENCE_SECONDS
        while True:
            active = self._active
            write, high, _ = active
            try:
                write(pack_word(high | low) + rest)
                return True
            except ValueError:  # the segment is full, or sealed
                if not self._renew(active, len(record), deadline):
                    self.dropped += 1
                    return False

    def _renew(self, full: Handle, size: int, deadline: float) -> bool:
        """Put a segment with room in place of ``full``; False when no room is left."""
        if self._is_crowded():  # back-pressure: as long as the writer gives segments back, it is worth waiting for
            self._wake.set()
            wait_until(lambda: self._active is not full or self.is_stuck or not self._is_crowded(), _PATIENCE_SECONDS)
        if self._is_crowded() and self.is_stuck and self._file.total_bytes >= _STUCK_ROOMY_BYTES:
            wait_until(lambda: not self._is_crowded(), max(0.0, deadline - clock.monotonic()))
        with self._lock:
            if self._active is not full:
                return True
            if self._no_room_until > clock.monotonic():
                return False
            try:
                segment = self._take(size)
            except OSError as error:
                self._no_room_until = clock.monotonic() + _RETRY_SECONDS
                self._on_full(error)
                return False
            self._chain.append(segment)
            self._active = _handle(segment)
            for other in self._chain:
                if other is not segment:
                    other.seal()
            if self._file.error is not None:
                self._on_full(self._file.error)
            if sum(waiting.size for waiting in self._chain) - segment.size >= _WORTH_WAKING_BYTES:
                self._wake.set()  # less than that waits for the writer's next round: few large transactions are fast
        return True

    def _is_crowded(self) -> bool:
        return self._file.total_bytes >= _ROOMY_BYTES and not self._file.has_free

    def _take(self, size: int) -> Segment:
        if self._file.total_bytes >= _LIMIT_BYTES and not self._file.has_free:
            raise OSError(f"{_LIMIT_BYTES >> 30} GiB wait to be stored already")
        return self._file.take(size)

    # -- what the writer does -------------------------------------------------------------------------------------

    @property
    def is_large(self) -> bool:
        """Whether callers will soon have to wait."""
        return self._file.total_bytes >= _ROOMY_BYTES // 2 and not self._file.has_free

    def seal(self) -> list[Segment]:
        """Seal all that holds a record, and return it, oldest first; callers go on in another segment."""
        with self._lock:
            if self._is_closed:
                return sorted(self._chain, key=_order)
            last = self._chain[-1]
            if not last.is_empty:
                try:
                    segment = self._take(0)
                except OSError as error:  # callers find it sealed, and ask for room themselves
                    self._on_full(error)
                    last.seal()
                else:
                    self._chain.append(segment)
                    self._active = _handle(segment)
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
                segment = self._file.take(0)
                self._chain.append(segment)
                self._active = _handle(segment)

    def unstored(self) -> list[FoundSegment]:
        """A copy of what is not stored yet, oldest first, for readers while nothing can be stored."""
        with self._lock:
            chain = sorted(self._chain, key=_order)
            return [FoundSegment(segment.generation, 0, memoryview(segment.memory[:])) for segment in chain]

    def refuse(self, error: Callable[[], Exception]) -> None:
        """Let no further record in: every later call raises ``error()``."""

        def refuse(_: bytes) -> None:
            raise error()

        self._active = (refuse, 0, 0)

    def close(self) -> None:
        """Let no further record in; what is there is still to be sealed and stored."""
        with self._lock:
            self._is_closed = True
            self.refuse(lambda: RunClosedError("The run is closed. Open it again with goodseed.Run(resume_run_id=…)."))
            for segment in self._chain:
                segment.seal()

    def rescue(self) -> None:
        """Copy what is not stored to a directory for temporary files, where some of it is in memory only.

        Only after `close`: nothing is added then, and what is copied once is not copied again. The copy's generations
        start with the one after what is stored, so that whoever stores it finds no gap. It begins with all shapes, so
        that it can be read also by who finds the file closed, and knows none of them.
        """
        import shutil
        import tempfile

        with self._lock:
            chain = sorted((segment for segment in self._chain if _holds_records(segment)), key=_order)
            self.unkept = 0
            if self.kept_in is not None or all(segment.offset is not None for segment in chain):
                return
            directory = None
            try:
                directory = Path(tempfile.mkdtemp(prefix="goodseed-"))
                part = directory / "part"
                with part.open("wb") as copy:
                    copy.write(self._shapes_segment(self._drained + 1))
                    for generation, segment in enumerate(chain, self._drained + 2):
                        content = bytearray(segment.memory[:])
                        end, _ = renumbered(content, HEADER_BYTES, segment.generation, generation)
                        content[:HEADER_BYTES] = segment_header(segment.size, generation, end)
                        copy.write(content)
                kept_in = directory / self._file.path.name
                part.replace(kept_in)
            except OSError:
                self._count_unkept(chain)
                if directory is not None:
                    shutil.rmtree(directory, ignore_errors=True)
                return
            self.kept_in = kept_in

    def _shapes_segment(self, generation: int) -> bytes:
        shapes = [(shape.number, [check_attribute_path(path) for path in keys]) for keys, shape in self._shapes.items()]
        shapes += [(number, [path]) for path, number in self._points.items()]
        content = bytearray(HEADER_BYTES) + b"".join(shape_record(number, paths) for number, paths in sorted(shapes))
        end, _ = renumbered(content, HEADER_BYTES, 0, generation)
        content[:HEADER_BYTES] = segment_header(whole_granules(end), generation, end)
        return bytes(content.ljust(whole_granules(end), b"\0"))

    def _count_unkept(self, chain: Sequence[Segment]) -> None:
        in_memory = (segment for segment in chain if segment.offset is None)
        self.unkept = sum(
            renumbered(bytearray(segment.memory[:]), HEADER_BYTES, segment.generation, 0)[1] for segment in in_memory
        )

    def dispose(self, *, remove: bool) -> None:
        """Close the file, and remove it, and what `rescue` copied, when nothing in it is needed."""
        self._file.close(remove=remove)
        if remove and self.kept_in is not None:
            with contextlib.suppress(OSError):  # it does no harm there
                self.kept_in.unlink()
                self.kept_in.parent.rmdir()
            self.kept_in = None

    def after_fork_in_child(self) -> None:
        """Refuse everything: the memory is the parent's."""
        self._lock = threading.RLock()
        self._shape_lock = threading.RLock()
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
