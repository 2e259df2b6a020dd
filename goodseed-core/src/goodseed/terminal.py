"""Makes text safe for a terminal, measures its width, and lays out lines that fit."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "COLOURS",
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
