"""Lays out a table of aligned columns, with numbers and times as people read them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from goodseed.terminal import pad, paint, printable, text_width
from goodseed.values import non_finite_name

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Column", "ago", "duration", "number", "render"]

_GAP: Final = "  "
_UNITS: Final = ((365 * 86400, "y"), (30 * 86400, "mo"), (86400, "d"), (3600, "h"), (60, "m"))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        title: Its head.
        cells: Its text, one a row; it may hold anything.
        is_number: It is aligned to the right.
        spare_width: To how many columns of the terminal it is cut before an optional column is left out.
        least_width: To how many it is cut when there is too little room nevertheless, the last column first.
        is_optional: It may be left out altogether, the last one first.
        colours: The colour of each row's cell; none where it is empty.
    """

    title: str
    cells: Sequence[str]
    is_number: bool = False
    spare_width: int | None = None
    least_width: int | None = None
    is_optional: bool = False
    colours: Sequence[str | None] = ()


def render(columns: Sequence[Column], *, width: int | None, has_colours: bool) -> list[str]:
    """The lines of the table, its head first.

    Args:
        columns: Its columns, all with the same number of cells.
        width: How many columns of the terminal there are; None for as many as it takes.
        has_colours: Whether to paint it.
    """
    clean = [[printable(text) for text in (column.title, *column.cells)] for column in columns]
    widths = _fit(columns, [max(map(text_width, texts)) for texts in clean], width)
    lines = []
    for row in range(len(columns[0].cells) + 1):
        cells = []
        for column, texts, cell_width in zip(columns, clean, widths, strict=True):
            if cell_width:
                colour = "dim" if row == 0 else column.colours[row - 1] if column.colours and texts[row] else None
                cell = pad(texts[row], cell_width, to_the_right=column.is_number)
                cells.append(paint(cell, colour, is_on=has_colours))
        lines.append(_GAP.join(cells).rstrip())
    return lines


def _fit(columns: Sequence[Column], widths: list[int], available: int | None) -> list[int]:
    """The width of each column; 0 for one that is left out."""
    if available is None:
        return widths

    def missing() -> int:
        return sum(widths) + len(_GAP) * (sum(map(bool, widths)) - 1) - available

    def shrink(position: int, least: int | None) -> None:
        if least is not None:
            widths[position] = max(min(widths[position], least), widths[position] - max(0, missing()))

    whole = list(widths)
    last_first = list(reversed(range(len(columns))))
    for position in last_first:
        shrink(position, columns[position].spare_width)
    for position in last_first:
        if missing() > 0 and columns[position].is_optional:
            widths[position] = 0
    for position in last_first:
        shrink(position, columns[position].least_width)
    for position, column in enumerate(columns):  # what leaving out a column has freed
        if not column.is_optional:
            widths[position] = min(whole[position], widths[position] + max(0, -missing()))
    return widths


def ago(seconds: float) -> str:
    """How long ago something was, in one unit: ``5m``, ``3h``, ``12d``."""
    for unit_seconds, unit in _UNITS:
        if seconds >= unit_seconds:
            return f"{seconds // unit_seconds:.0f}{unit}"
    return f"{max(0, int(seconds))}s"


def duration(seconds: float) -> str:
    """How long something took, in two units: ``0.4s``, ``42s``, ``3m 05s``, ``2h 10m``, ``4d 03h``."""
    if seconds < 10:
        return f"{math.floor(seconds * 10) / 10:.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02}h"


def number(value: float) -> str:
    """A metric's value in few characters: four digits that count; ``NaN``, ``Infinity`` and ``-Infinity`` as words."""
    return f"{value:.4g}" if math.isfinite(value) else non_finite_name(value)
