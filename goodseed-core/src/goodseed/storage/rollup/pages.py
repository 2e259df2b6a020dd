"""The rows on the pages of SQLite's tables of points, and which of them a transaction has changed.

The format is at https://www.sqlite.org/fileformat2.html#b_tree_pages.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Change", "changes_of"]

_INDEX_INTERIOR, _INDEX_LEAF, _TABLE_LEAF = 2, 10, 13
_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_TEXT: Final = 12  # types from here on are of texts and bytes
_MAX_COMPARED: Final = 256  # of a transaction with more pages, each counts as changed from its first to its last row

_Key = tuple[float, float]  # series and step


class Change(NamedTuple):
    """Points of a series have changed from one step to another, or some of them."""

    series: float
    low: float
    high: float


def changes_of(pages: Sequence[tuple[bytes | None, bytes]]) -> list[Change]:
    """What a transaction has changed; that more is told than was is harmless.

    A row that has only moved to another page, or was only marked as uploaded, has not changed.

    Args:
        pages: Each page before and after it; None where it is not known what the page was before. Pages that hold no
            points may be among them.
    """
    gone: set[bytes] = set()
    come: list[set[bytes]] = []
    unknown: list[bytes] = []
    for before, after in pages:
        if before is None:
            unknown.append(after)
        else:
            lost, won = _difference(before, after)
            gone |= lost
            come.append(won)
    found: list[Change] = []
    if not gone or len(unknown) > _MAX_COMPARED:
        found = [change for page in unknown for change in _extent(page)]
    else:
        come += [_rows(page, _places(page)) for page in unknown]
    here = set().union(*come)
    lost_keys = _keys(gone - here)
    won_keys = [_keys(rows - gone) for rows in come]
    marked = lost_keys.keys() & set().union(*won_keys)
    for keys in (lost_keys, *won_keys):
        found += _spans(key for row, key in keys.items() if row not in marked)
    return found


def _difference(before: bytes, after: bytes) -> tuple[set[bytes], set[bytes]]:
    """The rows that are only on the page before, and only on it after."""
    old, new = _places(before), _places(after)
    if before[0] == after[0]:
        start = min(old, default=len(before))
        if before[start:] == after[start:]:  # nothing was written over: a row at a place that both have is the same
            return _rows(before, set(old).difference(new)), _rows(after, set(new).difference(old))
    lost, won = _rows(before, old), _rows(after, new)
    return lost - won, won - lost


def _places(page: bytes) -> tuple[int, ...]:
    """Where the rows of a page are, in their order; none where it is not a page of rows."""
    if page[0] not in (_INDEX_INTERIOR, _INDEX_LEAF, _TABLE_LEAF):
        return ()
    count = page[3] << 8 | page[4]
    start = 12 if page[0] == _INDEX_INTERIOR else 8
    return struct.unpack_from(f">{count}H", page, start) if start + 2 * count <= len(page) else ()


def _rows(page: bytes, places: Iterable[int]) -> set[bytes]:
    """The rows there, as they are stored, without the page below and the row's id."""
    skipped = 4 if page[0] == _INDEX_INTERIOR else 0
    try:
        if page[0] != _TABLE_LEAF:
            starts = [place + skipped for place in places]
            if all(page[start] < 0x80 for start in starts):  # rows of points are short
                return {page[start + 1 : start + 1 + page[start]] for start in starts}
        return {_row(page, place + skipped) for place in places}
    except IndexError:  # not a page of rows at all
        return set()


def _row(page: bytes, place: int) -> bytes:
    size, offset = _varint(page, place)
    if page[0] == _TABLE_LEAF:
        _, offset = _varint(page, offset)
    return page[offset : offset + size]


def _keys(rows: Iterable[bytes]) -> dict[bytes, _Key]:
    """The keys of rows by what tells a row from others; without those whose first three columns are no numbers."""
    found = {}
    for row in rows:
        try:
            values, types_at = _varint(row, 0)
            series_type, types_at = _varint(row, types_at)
            step_type, types_at = _varint(row, types_at)
            series, series_bytes = _number(row, values, series_type)
            step, _ = _number(row, values + series_bytes, step_type)
            is_text = types_at < values and _varint(row, types_at)[0] >= _TEXT  # of a string series
        except (IndexError, struct.error):  # not a row at all
            continue
        if series is not None and step is not None and not is_text:
            # The last column says whether the point is uploaded; 0 and 1 are types without a value.
            found[row[: values - 1] + row[values:]] = (series, step)
    return found


def _extent(page: bytes) -> list[Change]:
    """From the first to the last row of a page, for each of its series."""
    places = _places(page)
    if page[0] != _TABLE_LEAF:  # rows with ids (version 1) are in the order of those
        ends = _keys(_rows(page, (*places[:1], *places[-1:]))).values()
        if len({series for series, _ in ends}) == 1:
            return _spans(ends)
    return _spans(_keys(_rows(page, places)).values())


def _spans(keys: Iterable[_Key]) -> list[Change]:
    spans: dict[float, tuple[float, float]] = {}
    for series, step in keys:
        low, high = spans.get(series, (step, step))
        spans[series] = (min(low, step), max(high, step))
    return [Change(series, *span) for series, span in spans.items()]


def _varint(page: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = page[offset + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, offset + index + 1
    return value << 8 | page[offset + 8], offset + 9


def _number(page: bytes, offset: int, serial_type: int) -> tuple[float | None, int]:
    if serial_type in _INTEGER_BYTES:
        size = _INTEGER_BYTES[serial_type]
        return int.from_bytes(page[offset : offset + size], "big", signed=True), size
    if serial_type == 7:
        return struct.unpack_from(">d", page, offset)[0], 8
    return (serial_type - 8, 0) if serial_type in (8, 9) else (None, 0)
