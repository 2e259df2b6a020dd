"""Turns a stream with carriage returns and cursor movements into the lines that a terminal shows."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["MAX_LINE_CHARS", "Line", "Screen"]

MAX_LINE_CHARS: Final = 65_536
_HEIGHT: Final = 100
_MAX_CARRY_CHARS: Final = 256

_SPECIAL: Final = re.compile(r"[\r\b\x1b]")
_TOKEN: Final = re.compile(
    r"(?P<text>[^\r\n\b\x1b]+)"
    r"|(?P<csi>\x1b\[(?P<arguments>[0-?]*)[ -/]*(?P<command>[@-~]))"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|(?P<control>[\r\n\b])"
    r"|\x1b.?",
    re.DOTALL,
)
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?)?\Z")


class Line(NamedTuple):
    """A line as it stands now; a later one with the same step takes its place."""

    step: int
    text: str
    at_seconds: float


class _Row:
    __slots__ = ("at_seconds", "is_at_start", "is_changed", "is_redrawn", "step", "text")

    def __init__(self, step: int) -> None:
        self.step: Final = step
        self.text = ""
        self.at_seconds = 0.0
        self.is_at_start = False  # the next text replaces the line
        self.is_redrawn = False
        self.is_changed = False


class Screen:
    r"""The lower end of a terminal without columns.

    ``\r`` makes the next text take the place of its line; cursor-up sequences lead back to the last hundred lines, so
    that bars which redraw several lines at once (tqdm, rich) leave each line's last state. Colours stay in the text,
    other escape sequences are obeyed or left out. A line of more than 65,536 characters goes on in the next.

    Args:
        first_step: The step of the first line; the others follow.
    """

    def __init__(self, first_step: int) -> None:
        self._next_step = first_step
        self._rows: list[_Row] = []
        self._done: list[Line] = []
        self._cursor = 0
        self._carry = ""
        self._add_row()

    def feed(self, text: str, at_seconds: float) -> None:
        """Write ``text``, which was written at that time."""
        if self._carry:
            text, self._carry = self._carry + text, ""
        if _SPECIAL.search(text) is None:
            *lines, rest = text.split("\n")
            for line in lines:
                self._write(line, at_seconds)
                self._end_line(at_seconds)
            self._write(rest, at_seconds)
            return
        unfinished = _UNFINISHED.search(text)
        if unfinished is not None and len(unfinished.group()) <= _MAX_CARRY_CHARS:
            self._carry = unfinished.group()
            text = text[: unfinished.start()]
        self._feed_tokens(text, at_seconds)

    def note(self, text: str, at_seconds: float) -> None:
        """Add a line of our own below everything."""
        self._cursor = len(self._rows) - 1
        if self._rows[-1].text:
            self._end_line(at_seconds)
        self._write(text, at_seconds)
        self._end_line(at_seconds)

    def take_changed(self) -> list[Line]:
        """The lines that are new or different since the last call, by step."""
        changed, self._done = self._done, []
        for row in self._rows:
            if row.is_changed:
                changed.append(_line_of(row))
                row.is_changed = False
        return changed

    def _feed_tokens(self, text: str, at_seconds: float) -> None:
        for token in _TOKEN.finditer(text):
            control = token["control"]
            if token["text"] is not None:
                self._write(token["text"], at_seconds)
            elif control == "\n":
                self._end_line(at_seconds)
            elif control == "\r":
                self._rows[self._cursor].is_at_start = True
            elif control == "\b":
                self._backspace(at_seconds)
            elif token["command"] == "m":
                self._write(token["csi"], at_seconds)
            elif token["command"] is not None:
                self._obey(token["command"], token["arguments"], at_seconds)

    def _write(self, text: str, at_seconds: float) -> None:
        if not text:
            return
        row = self._rows[self._cursor]
        if row.is_at_start:
            row.is_redrawn = row.is_redrawn or bool(row.text)
            row.text = ""
            row.is_at_start = False
        while len(row.text) + len(text) > MAX_LINE_CHARS:
            room = MAX_LINE_CHARS - len(row.text)
            row.text += text[:room]
            text = text[room:]
            self._end_line(at_seconds)
            row = self._rows[self._cursor]
        row.text += text
        row.at_seconds = at_seconds
        row.is_changed = True

    def _end_line(self, at_seconds: float) -> None:
        row = self._rows[self._cursor]
        row.is_at_start = False
        self._cursor += 1
        if self._cursor == len(self._rows):
            row.at_seconds = at_seconds
            row.is_changed = True
            self._add_row()
        else:
            self._rows[self._cursor].is_at_start = True

    def _backspace(self, at_seconds: float) -> None:
        row = self._rows[self._cursor]
        if row.text and not row.is_at_start:
            row.text = row.text[:-1]
            row.at_seconds = at_seconds
            row.is_changed = True

    def _obey(self, command: str, arguments: str, at_seconds: float) -> None:
        count = int(arguments) if arguments.isdecimal() and len(arguments) < 6 else 0
        if command in "AF":
            self._move(-max(count, 1), is_to_start=command == "F")
        elif command in "BE":
            self._move(max(count, 1), is_to_start=command == "E")
        elif command == "G" and count <= 1:
            self._rows[self._cursor].is_at_start = True
        elif command == "K" and (count == 2 or self._rows[self._cursor].is_at_start):
            self._erase(self._cursor, self._cursor + 1, at_seconds)
        elif command == "J" and count == 0:
            is_at_start = self._rows[self._cursor].is_at_start
            self._erase(self._cursor + (not is_at_start), len(self._rows), at_seconds)

    def _move(self, rows: int, *, is_to_start: bool) -> None:
        before = self._rows[self._cursor]
        is_at_start = is_to_start or before.is_at_start or not before.text
        before.is_at_start = False
        self._cursor = min(max(self._cursor + rows, 0), len(self._rows) - 1)
        self._rows[self._cursor].is_at_start = is_at_start

    def _erase(self, first: int, end: int, at_seconds: float) -> None:
        for row in self._rows[first:end]:
            if row.text:
                row.text = ""
                row.at_seconds = at_seconds
                row.is_changed = row.is_redrawn = True

    def _add_row(self) -> None:
        self._rows.append(_Row(self._next_step))
        self._next_step += 1
        if len(self._rows) > 2 * _HEIGHT:
            self._done.extend(_line_of(row) for row in self._rows[:_HEIGHT] if row.is_changed)
            del self._rows[:_HEIGHT]
        self._cursor = len(self._rows) - 1


def _line_of(row: _Row) -> Line:
    # A bar pads with blanks to wipe out what a longer state of it left there.
    return Line(row.step, row.text.rstrip(" ") if row.is_redrawn else row.text, row.at_seconds)
