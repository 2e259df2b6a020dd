"""Writes the rows of an examined file to a run."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.errors import FileFormatError
from goodseed.paths import check_attribute_path
from goodseed.run.data import session_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from goodseed.run.run import Run

__all__ = ["Examined", "Notes", "Row", "as_step_or_none", "check_paths", "check_time", "write"]

_logger: Final = logging.getLogger("goodseed")
_MILLISECONDS_FROM: Final = 100_000_000_000.0  # as seconds, the year 5138


class Row(NamedTuple):
    """What one row holds.

    Attributes:
        step: Where it belongs.
        at_seconds: When it was logged; None where the file does not say.
        numbers: The points of metrics, by path.
        texts: The points of string series, by path.
    """

    step: float
    at_seconds: float | None
    numbers: dict[str, float]
    texts: dict[str, str]


class Notes:
    """The notes to print about a file, each once, with its count.

    Attributes:
        left_out: How many lines can't be imported.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lines: dict[str, list[int]] = {}
        self.left_out = 0

    def add(self, note: str | None) -> None:
        """Take a note."""
        if note is not None:
            self._counts[note] = self._counts.get(note, 0) + 1

    def leave_out(self, line: int, reason: str) -> None:
        """Take a note of a line that is not imported."""
        self._lines.setdefault(reason, []).append(line)
        self.left_out += 1

    def __iter__(self) -> Iterator[str]:
        for reason, lines in self._lines.items():
            more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
            yield f"line {lines[0]}{more} left out: it {reason}"
        for note, count in self._counts.items():
            yield note if count == 1 else f"{note} ({count} times)"


@dataclass(frozen=True, slots=True)
class Examined:
    """A file that can be imported.

    Attributes:
        file: The file.
        rows: Reads it again, a row at a time.
        notes: What to print about it.
    """

    file: Path
    rows: Callable[[], Iterable[Row]]
    notes: Notes


def as_step_or_none(value: object) -> float | None:
    """Return ``value`` as a step; None where it is not a number, or not finite."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def check_time(value: object) -> float | None:
    """Return ``value``, seconds or milliseconds since the epoch, in seconds; None where it is neither."""
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        return None
    return value / 1000 if value >= _MILLISECONDS_FROM else float(value)


def check_paths(file: Path, names: Iterable[str]) -> None:
    """Make sure that every name is a path, and each another one.

    Raises:
        FileFormatError: One is not.
    """
    seen: set[str] = set()
    for name in names:
        try:
            path = check_attribute_path(name)
        except ValueError as error:
            raise FileFormatError(f"{file}: the column {name!r:.60} can't be imported: {error}") from error
        if path in seen:
            raise FileFormatError(f"{file} has two columns {path!r:.60}. Rename one of them.")
        seen.add(path)


def write(examined: Examined, open_run: Callable[..., Run]) -> None:
    """Make a run of the file: of rows of one step, each adds what it has."""
    notes, last = examined.notes, _Last()
    with open_run(name=examined.file.stem) as run:
        session = session_of(run)
        run["import/file"] = str(examined.file.resolve())
        for row in examined.rows():
            for path in last.replaced(row):
                notes.add(f"{path!r} has a later row of the same step, or its steps begin again; the last value stays")
            session.add_row(row.numbers, row.texts, row.step, row.at_seconds)
    for note in notes:
        _logger.warning("goodseed: %s: %s.", examined.file, note)


class _Last:
    """Which steps every series has, as far as a few of them tell: rising steps are not kept."""

    def __init__(self) -> None:
        self._highest: dict[str, float] = {}
        self._at_highest: dict[str, object] = {}

    def replaced(self, row: Row) -> Iterable[str]:
        """The series whose value at this step is another one already, or may be where the steps have begun again."""
        for path, value in (*row.numbers.items(), *row.texts.items()):
            highest = self._highest.get(path, -math.inf)
            if (row.step == highest and not _is_same(self._at_highest[path], value)) or row.step < highest:
                yield path
            if row.step >= highest:
                self._highest[path], self._at_highest[path] = row.step, value


def _is_same(one: object, other: object) -> bool:
    return one == other or (one != one and other != other)
