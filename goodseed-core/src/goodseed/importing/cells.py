"""Parses a text cell of a table: a number in any country's notation, a truth value, nothing, or a text."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from goodseed.errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["STEP_COLUMNS", "TIME_COLUMNS", "Column", "encoding_of", "step_column", "warn_rounded"]

STEP_COLUMNS: Final = ("step", "global_step", "_step", "trainer/global_step", "iteration", "iter", "epoch")
TIME_COLUMNS: Final = ("wall time", "_timestamp")  # TensorBoard's and wandb's, in seconds
_MISSING: Final = frozenset({"", "na", "n/a", "#n/a", "none", "null", "-"})
_TRUTHS: Final = {"true": 1.0, "false": 0.0}
_PLAIN: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_COMMA: Final = re.compile(r"[+-]?(\d+|\d{1,3}([. '’\u00a0\u202f]\d{3})+)?,\d+(e[+-]?\d+)?", re.IGNORECASE)
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?|[+-]?\d{1,3}([ '’\u00a0\u202f]\d{3})+([.]\d+)?")
_BETWEEN: Final = re.compile(r"[ '’\u00a0\u202f]")
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(file: Path) -> str:
    """The encoding that the file's first bytes announce; UTF-8 where they announce none.

    Raises:
        FileFormatError: It is empty, or holds NUL bytes: UTF-16 without a mark, or no text at all.
    """
    with file.open("rb") as opened:
        start = opened.read(4096)
    if not start:
        raise FileFormatError(f"{file} is empty.")
    encoding = next((name for mark, name in _BOMS if start.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in start:
        raise FileFormatError(f"{file} is not UTF-8 text: it holds NUL bytes. Save it as UTF-8.")
    return encoding


class Column:
    """One column of a table: how its numbers are written, found out by looking at all of them.

    Attributes:
        name: Its name, and the path of what it becomes.
        numbers: How many cells are numbers, in whichever way.
        texts: How many are something else.
        missing: How many hold a word for nothing, such as ``NA``.
    """

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self.numbers = 0
        self.texts = 0
        self.missing = 0
        self.has_dots = False
        self._commas = 0
        self._both = 0
        self._groups = 0
        self._is_decimal_comma = False

    def look(self, cell: str) -> None:
        """Take a cell into account."""
        text = cell.strip()
        if not text:
            return
        is_plain = _PLAIN.fullmatch(text) is not None
        is_comma, is_group = _COMMA.fullmatch(text) is not None, _GROUPED.fullmatch(text) is not None
        if is_plain or is_comma or is_group or text.lower() in _TRUTHS:
            self.numbers += 1
            self.has_dots = self.has_dots or (is_plain and "." in text)
            self._commas += is_comma and not is_group
            self._both += is_comma and is_group
            self._groups += is_group and not is_comma
        elif text.lower() in _MISSING:
            self.missing += 1
        else:
            self.texts += 1

    def settle(self, file: Path, *, is_comma_usual: bool) -> str | None:
        """Decide what the commas mean; returns the note to print about it.

        Raises:
            FileFormatError: Some numbers have decimal commas, and others decimal points.
        """
        if self._commas and (self.has_dots or self._groups):
            raise FileFormatError(
                f"{file}, column {self.name!r}: some numbers have a decimal comma, others a decimal point. "
                "Write all with a point."
            )
        self._is_decimal_comma = bool(self._commas) or (
            bool(self._both) and is_comma_usual and not self.has_dots and not self._groups
        )
        if self._both and not self._commas and not self._groups:
            meant = "decimal commas" if self._is_decimal_comma else "separators of thousands"
            return f"the commas in column {self.name!r} are read as {meant}"
        return None

    @property
    def is_text(self) -> bool:
        """Whether it has no number at all, so that a word for nothing is a word."""
        return not self.numbers

    def value(self, cell: str) -> float | str | None:
        """The number or the text in a cell; None for nothing."""
        text = cell.strip()
        lowered = text.lower()
        if not text or (lowered in _MISSING and not self.is_text):
            return None
        if lowered in _TRUTHS:
            return _TRUTHS[lowered]
        if _PLAIN.fullmatch(text):
            return float(text)
        if self._is_decimal_comma and _COMMA.fullmatch(text):
            return float(_BETWEEN.sub("", text).replace(".", "").replace(",", "."))
        if _GROUPED.fullmatch(text):
            return float(_BETWEEN.sub("", text).replace(",", ""))
        return cell


def step_column(file: Path, names: list[str], wanted: str | None) -> str | None:
    """Which of the columns has the steps; None where none is called so.

    Raises:
        FileFormatError: ``wanted`` is not one of them.
    """
    if wanted is not None:
        if wanted not in names:
            raise FileFormatError(f"{file} has no column {wanted!r}. It has {', '.join(map(repr, names)):.300}.")
        return wanted
    by_name = {name.lower(): name for name in reversed(names)}
    return next((by_name[name] for name in STEP_COLUMNS if name in by_name), None)


def warn_rounded(column: str, text: str, number: float) -> str | None:
    """The note to print if ``text`` is an integer that no double holds exactly."""
    if abs(number) >= 2**53 and text.lstrip("+-").isdecimal() and int(text) != number:
        return f"integers beyond 2**53 in column {column!r} are rounded to the next double"
    return None
