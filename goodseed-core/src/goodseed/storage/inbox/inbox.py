"""Takes every log call into memory shared with the kernel, which survives the death of the process.

A log call packs one record and hands it to ``mmap.write``: one call into C, which no other thread and no signal handler
can interrupt, so that callers need no lock. What is written stays when the process is killed, because the pages are the
kernel's. `RunWriter` seals the segments, stores what they hold, and gives them back.
"""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Mapping
from itertools import count, islice
from typing import TYPE_CHECKING, Final

from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.storage.inbox.chain import SegmentChain
from goodseed.storage.inbox.records import (
    MAX_RECORD_BYTES,
    POINT_WORD,
    Shape,
    column_records,
    config_record,
    crc32,
    pack_point,
    pack_sealed,
    row_record,
    shape_record,
    value_record,
)
from goodseed.storage.kinds import TEXTS
from goodseed.values import as_number, as_step

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from goodseed.storage.inbox.waiting import Wake
    from goodseed.storage.kinds import Kind, StoredValue

__all__ = ["Inbox"]

_TEXTS_AT_ONCE: Final = 200
_MAX_SHAPES: Final = 2_000
_MAX_WIDTH: Final = MAX_RECORD_BYTES // 9

now = clock.time


class Inbox(SegmentChain):
    """Takes what is logged, from any thread, without waiting for a disk."""

    def __init__(self, path: Path, wake: Wake, on_full: Callable[[OSError], None]) -> None:
        """See `SegmentChain`."""
        super().__init__(path, wake, on_full)
        self._shape_lock = threading.RLock()
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._last: tuple[list[str], Callable[..., bytes], int, int] = (
            ["\0"],
            *Shape.of(0, 0),
        )  # no call has that path
        self._points: dict[str, int] = {}  # path -> number of the shape that holds it alone
        self._shape_numbers: Final = count(1)

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
                    write, _, word = self.active
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
                write, high, _ = self.active
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
            write, _, word = self.active
            write(pack_point(word, self._points[path], time := now(), step, value, time, step, value))
        except (KeyError, ValueError):
            self.add_metrics({path: value}, step, None)

    def add_metrics(self, data: Mapping[str, float], step: float, at_seconds: float | None) -> None:
        """What `log_metrics` does when it meets something for the first time; also takes the time of the points."""
        if not isinstance(data, Mapping):
            raise InvalidTypeError(f"Metrics must be a mapping of paths to numbers, not a {type(data).__name__}.")
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
            self.append(row_record(0, shape, time, step, list(numbers.values())))
            return
        for path, number in numbers.items():
            alone = self._number_of(path)
            if alone:
                self.append(pack_point(POINT_WORD, alone, time, step, number, time, step, number))

    def add_column(
        self, path: str, steps: array[float], values: array[float], times: array[float] | float | None
    ) -> None:
        """Accept many points of one metric, at these times or at one for all (None for now); all is checked already."""
        alone = self._number_of(path)
        if alone:
            for record in column_records(alone, steps, values, now() if times is None else times):
                self.append(record)

    def add_value(self, kind: Kind, path: str, stored: StoredValue, step: float, at_seconds: float | None) -> None:
        """Accept one point of a series of any kind but `NUMBERS`, as it is stored; all is checked already."""
        self.append(value_record(kind, path, stored, step, now() if at_seconds is None else at_seconds))

    def add_texts(self, path: str, points: Iterable[tuple[float, str, float]]) -> None:
        """Accept many points of one string series, each a step, a text and a time; written some hundred at a time."""
        remaining = iter(points)
        while some := list(islice(remaining, _TEXTS_AT_ONCE)):
            write, high, _ = self.active
            records = [value_record(TEXTS, path, text, step, time, high) for step, text, time in some]
            try:
                write(b"".join(records))
            except ValueError:  # they do not fit into what is left of the segment
                for record in records:
                    self.append(record)

    def add_configs(self, rows: Sequence[tuple[str, str, str, str]]) -> None:
        """Accept configs as (path, type tag, value, time of the change), all of them or none."""
        self.append(config_record(rows))

    # -- shapes ---------------------------------------------------------------------------------------------------

    def _shape_of(self, keys: tuple[str, ...], paths: tuple[str, ...]) -> Shape | None:
        """The shape of these paths; None when there are too many, and each path has a shape of its own."""
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
        return number if self.append(shape_record(number, paths)) else 0

    # -- the end --------------------------------------------------------------------------------------------------

    def rescue(self) -> None:
        """Copy what is not stored to a directory for temporary files, where some of it is in memory only."""
        shapes = [(shape.number, [check_attribute_path(path) for path in keys]) for keys, shape in self._shapes.items()]
        self.keep_elsewhere([*shapes, *((number, [path]) for path, number in self._points.items())])

    def after_fork_in_child(self) -> None:
        """Refuse everything: the memory is the parent's."""
        self._shape_lock = threading.RLock()
        super().after_fork_in_child()
