"""Reads CSV files as frameworks, trackers and spreadsheets of any country write them."""

from __future__ import annotations

import csv
import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from goodseed.errors import FileFormatError
from goodseed.importing.cells import TIME_COLUMNS, Column, encoding_of, step_column, warn_rounded
from goodseed.importing.rows import Examined, Notes, Row, as_step_or_none, check_paths, check_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["examine_csv"]

_DELIMITERS: Final = (",", ";", "\t", "|")
_LINES_TO_TRY: Final = 50
_RAGGED: Final = "has more or fewer values than there are names, so they may belong to others"
_TENSORBOARD: Final = ["Wall time", "Step", "Value"]
_TAG: Final = re.compile(r"run-.*-tag-(.+)")


def examine_csv(file: Path, wanted_step: str | None) -> Examined:
    """Look through a CSV file.

    Raises:
        FileFormatError: It can't be read; the message says where and why.
        OSError: It can't be opened.
    """
    try:
        return _Table(file, wanted_step).examine()
    except (csv.Error, UnicodeError) as error:
        raise FileFormatError(f"{file} can't be read: {error}. Save it as CSV in UTF-8.") from error


class _Table:
    def __init__(self, file: Path, wanted_step: str | None) -> None:
        self._file: Final = file
        self._encoding: Final = encoding_of(file)
        self._delimiter: Final = self._find_delimiter()
        self._notes: Final = Notes()
        header = next(self._lines(), (0, []))[1]
        self._header: Final = header
        self._names: Final = self._checked_names()
        self._columns: Final = [Column(name) for name in self._names]
        self._step: Final = step_column(file, self._names, wanted_step)
        self._time: Final = next((name for name in self._names if name.lower() in TIME_COLUMNS), None)

    def _find_delimiter(self) -> str:
        """The delimiter that makes the most columns of the header, where the other lines have as many."""
        found, most = ",", (0, 1)
        for delimiter in _DELIMITERS:
            with self._file.open(encoding=self._encoding, newline="") as opened:
                widths = [len(row) for row in islice(csv.reader(opened, delimiter=delimiter), _LINES_TO_TRY)]
            if widths and widths[0] > 1:
                score = (sum(width == widths[0] for width in widths), widths[0])
                found, most = (delimiter, score) if score > most else (found, most)
        return found

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """The lines that hold something, each with its number."""
        with self._file.open(encoding=self._encoding, newline="") as opened:
            reader = csv.reader(opened, delimiter=self._delimiter, skipinitialspace=True)
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield reader.line_num, row

    def _checked_names(self) -> list[str]:
        names = [name.strip() for name in self._header]
        if not names:
            raise FileFormatError(f"{self._file} is empty.")
        while len(names) > 1 and not names[-1]:
            names.pop()  # a delimiter at the end of every line
        if names == _TENSORBOARD and (tag := _TAG.fullmatch(self._file.stem)):
            names[2] = tag[1]
        if all(isinstance(Column("").value(name), float) for name in names):
            raise FileFormatError(f"{self._file} has numbers in its first line. Put the names of the columns there.")
        for place, name in enumerate(names):
            if not name:
                names[place] = f"column {place + 1}"
                self._notes.add(f"column {place + 1} has no name and is called so")
        for place, name in enumerate(names):
            if name in names[:place]:
                copies = (f"{name}.{number}" for number in range(1, len(names)))
                names[place] = next(copy for copy in copies if copy not in names)
                self._notes.add(f"column {name!r} stands twice, and the second is called {names[place]!r}")
        check_paths(self._file, names)
        return names

    def examine(self) -> Examined:
        count = sum(1 for _ in self._cells(is_first=True))
        if not count and not self._notes.left_out:
            raise FileFormatError(f"{self._file} has a header and no rows.")
        is_comma_usual = self._delimiter == ";" and not any(column.has_dots for column in self._columns)
        for column in self._columns:
            self._notes.add(column.settle(self._file, is_comma_usual=is_comma_usual))
            if column.numbers and column.texts:
                self._notes.add(f"column {column.name!r} has texts among its numbers, which become a string series")
            if column.numbers and column.missing:
                self._notes.add(f"words for nothing, such as NA, in column {column.name!r} are left out")
        if self._step is None and count:
            self._notes.add("no column is called step or epoch, so the steps are the numbers of the rows")
        if count and not any(column.numbers for column in self._columns if column.name != self._step):
            self._notes.add("no column has numbers, so there is no metric")
        for _ in self._rows(self._notes):
            pass  # takes notes of the rows
        return Examined(self._file, self._rows, self._notes)

    def _cells(self, *, is_first: bool = False) -> Iterator[tuple[int, list[str]]]:
        """The rows below the header that are as wide as it: values of others may belong to other names."""
        lines = self._lines()
        next(lines, None)
        width, short = len(self._names), None
        for number, row in lines:
            if short is not None and is_first:
                self._notes.leave_out(short, _RAGGED)
            short = None
            if row == self._header:
                if is_first:
                    self._notes.add("a repeated header is left out")
            elif len(row) > width and any(cell.strip() for cell in row[width:]):
                if is_first:
                    self._notes.leave_out(number, _RAGGED)
            elif len(row) < width:
                short = number
            else:
                if is_first:
                    for column, cell in zip(self._columns, row, strict=False):
                        column.look(cell)
                yield number, row[:width]
        if short is not None and is_first:
            self._notes.add(f"line {short}, the last, breaks off and is left out")

    def _rows(self, notes: Notes | None = None) -> Iterator[Row]:
        for number, (line, cells) in enumerate(self._cells()):
            step: float | None = number
            at_seconds = None
            numbers, texts = {}, {}
            for column, cell in zip(self._columns, cells, strict=True):
                value = column.value(cell)
                if column.name == self._step:
                    step = as_step_or_none(value)
                elif column.name == self._time and (seconds := check_time(value)) is not None:
                    at_seconds = seconds
                elif isinstance(value, str):
                    texts[column.name] = value
                elif value is not None:
                    numbers[column.name] = value
                if notes is not None and isinstance(value, float):
                    notes.add(warn_rounded(column.name, cell.strip(), value))
            if step is not None:
                yield Row(step, at_seconds, numbers, texts)
            elif notes is not None:
                notes.leave_out(line, f"has no step in column {self._step!r} (--step chooses another)")
