"""Makes text safe for a terminal, measures its width, and lays out lines that fit."""

from __future__ import annotations

import os
import shutil
import sys
import time
import unicodedata
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "COLOURS",
    "Progress",
    "has_colours",
    "line_width",
    "no_directory",
    "pad",
    "paint",
    "printable",
    "show_progress",
    "text_width",
    "write",
]

COLOURS: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_ELLIPSIS: Final = "…"
_PATIENCE_SECONDS: Final = 2.0
_EVERY_SECONDS: Final = 0.1
_BAR_WIDTH: Final = 24


def printable(text: str) -> str:
    """``text`` in one line, with all that could move the cursor, hide text or turn it round shown as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    if unicodedata.category(character) == "Zs":  # a no-break space and the like
        return " "
    return character.encode("unicode_escape").decode()


def text_width(text: str) -> int:
    """How many columns ``text`` takes."""
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def pad(text: str, width: int, *, to_the_right: bool = False) -> str:
    """``text`` in exactly ``width`` columns: filled with spaces, or cut and ended with an ellipsis."""
    if text_width(text) > width:
        text = _cut(text, width)
    space = " " * (width - text_width(text))
    return space + text if to_the_right else text + space


def _cut(text: str, width: int) -> str:
    kept, room = [], width - text_width(_ELLIPSIS)
    for character in text:
        room -= _character_width(character)
        if room < 0:
            break
        kept.append(character)
    return ("".join(kept) + _ELLIPSIS)[: max(0, width)]


def has_colours(stream: TextIO) -> bool:
    """Whether colours are wanted: ``stream`` is a terminal, and neither NO_COLOR nor TERM=dumb speaks against it."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str | None, *, is_on: bool) -> str:
    """``text`` in one of `COLOURS`, where they are on."""
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if is_on and colour is not None else text


def line_width(stream: TextIO) -> int | None:
    """How many columns a line may take; None for any number, as ``stream`` is no terminal."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def write(lines: Iterable[str]) -> None:
    """Print ``lines`` to stdout; what its encoding does not have is shown as its escape."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for line in lines:
        sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def no_directory(path: str) -> str:
    """Why ``path``, which is no directory, can't be looked into; a sentence."""
    if os.path.exists(path):
        return f"{path} is a file: give the directory that it lies in."
    return f"there is no directory {path}."


def show_progress(done: int, total: int) -> None:
    """Say on stderr, if it is a terminal, how many of ``total`` runs have been read; the end clears the line."""
    if total >= 200 and sys.stderr.isatty():
        line = f"Reading {done:,} of {total:,} changed runs…" if done < total else ""
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()


class Progress:
    """A bar on stderr, where that is a terminal, once something takes over two seconds."""

    def __init__(self, what: str, total: int, unit: str = "") -> None:
        """Begin.

        Args:
            what: What is being done, such as ``Uploading``.
            total: How much there is to do.
            unit: What the amounts are counted in, such as ``MiB``.
        """
        self._unit: Final = f" {unit}" if unit else ""
        self._what: Final = what
        self._total = total
        self._is_wanted: Final = getattr(sys.stderr, "isatty", lambda: False)()
        self._next_at = time.monotonic() + _PATIENCE_SECONDS
        self._is_shown = False
        self._done = 0

    def grow(self, more: int) -> None:
        """There is more to do."""
        self._total += more

    def advance(self, more: int) -> None:
        """So much more is done."""
        self._done += more
        self.show(self._done)

    def show(self, done: int) -> None:
        """So much is done; cheap enough to be called all the time."""
        if not self._is_wanted or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _EVERY_SECONDS
        self._total = max(self._total, done)
        share = done / self._total if self._total else 0.0
        bar = ("━" * round(share * _BAR_WIDTH)).ljust(_BAR_WIDTH, "─")
        self._write(f"\r\x1b[K{self._what} {bar} {done:,} of {self._total:,}{self._unit}")
        self._is_shown = True

    def end(self) -> None:
        """Take the bar away."""
        if self._is_shown:
            self._write("\r\x1b[K")
            self._is_shown = False

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(
                text.encode(sys.stderr.encoding or "ascii", "replace").decode(sys.stderr.encoding or "ascii")
            )
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):  # the terminal is gone
            return
