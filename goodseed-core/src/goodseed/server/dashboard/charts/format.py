"""Encodes series as JSON, or as frames of packed columns."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from goodseed.columns import pack_numbers
from goodseed.storage.rollup.window import Window
from goodseed.values import json_number

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Sequence

__all__ = ["BINARY", "Series", "as_frame", "as_json", "kept", "restored"]

BINARY: Final = "application/x-goodseed-series"
_MAGIC: Final = b"GSB1"
_LARGEST_F32: Final = 3.4028234e38
_SMALLEST_F32: Final = 1.2e-38
_F32_STEP: Final = 6e-8  # how far a value may be moved, relative to itself
_VISIBLE: Final = 1e-5  # of the height of a chart


@dataclass(slots=True)
class Series:
    """One series of an answer.

    Attributes:
        run: Its run's id.
        path: Its path.
        window: Its points.
        cursor: For what comes later.
        start: The x from which on these points take the place of what the client has; None for all.
        built: Which share of the points these are, from the first step on, while the others are read; None for all.
        problem: Why there are none; empty if there are.
        encoded: What was made of them to be sent, by the form.
        sent: All but the columns, of a series that is known only as it was sent.
    """

    run: str
    path: str
    window: Window
    cursor: str | None = None
    start: float | None = None
    built: float | None = None
    problem: str = ""
    encoded: dict[tuple[str, bool], Any] = field(default_factory=dict)
    sent: dict[str, Any] | None = None

    def head(self) -> dict[str, Any]:
        """All but the columns."""
        if self.sent is not None:
            return self.sent
        window = self.window
        stats = {
            "count": window.total,
            "last": _number(window.last[-1]) if window.last else None,
            "min": _number(window.lowest[0]) if window.lowest else None,
            "max": _number(window.highest[0]) if window.highest else None,
            "mean": None if math.isnan(window.mean_of_all) else _number(window.mean_of_all),
            "argmin": window.lowest[1] if window.lowest else None,
            "argmax": window.highest[1] if window.highest else None,
        }
        head = {
            "run": self.run,
            "path": self.path,
            "n": len(window.x),
            "total": window.total,
            "raw": window.is_raw,
            "nonfinite": window.nonfinite,
            "cursor": self.cursor,
            "from": self.start,
            "stats": stats,
        }
        if self.built is not None:
            head["building"] = round(self.built, 3)
        return head | {"problem": self.problem} if self.problem else head

    def columns(self, *, is_full: bool) -> Iterator[tuple[str, array[float]]]:
        """The columns that are sent, by name."""
        window = self.window
        yield "x", window.x
        yield "last", window.last
        if window.is_raw:
            return
        yield from (("min", window.low), ("max", window.high), ("mean", window.mean))
        if is_full:
            yield from (("first", window.first), ("count", window.count), ("x_first", window.x_first))


def _number(value: float) -> float | str:
    return json_number(value)


def as_json(series: Series, *, is_full: bool) -> str:
    """The series as a JSON object."""
    text = series.encoded.get(("json", is_full))
    if text is None:
        columns = {name: _plain(column) for name, column in series.columns(is_full=is_full)}
        text = series.encoded["json", is_full] = json.dumps({**series.head(), **columns}, allow_nan=False)
    return str(text)


def _plain(column: array[float]) -> list[Any]:
    values = column.tolist()
    total = sum(values)
    return values if total - total == 0.0 else [json_number(value) for value in values]


def as_frame(several: Sequence[Series], rev: str, following: int | None, *, is_full: bool) -> bytes:
    """The series as one frame."""
    payload: list[bytes] = []
    size = 0
    heads = []
    for one in several:
        parts = one.encoded.get(("binary", is_full))
        if parts is None:
            parts = one.encoded["binary", is_full] = _parts(one, is_full=is_full)
        columns, content = parts
        heads.append(
            {**one.head(), "cols": [[*entry[:2], entry[2] + size] if entry[1] != "lin" else entry for entry in columns]}
        )
        payload.append(content)
        size += len(content)
    head = json.dumps({"rev": rev, "bytes": size, "next": following, "series": heads}, allow_nan=False).encode()
    head += b" " * (-len(head) % 8)
    return b"".join([_MAGIC, struct.pack("<I", len(head)), head, *payload])


def kept(series: Series) -> bytes:
    """The series as `restored` reads it: what a frame holds of it."""
    columns, content = series.encoded["binary", False]
    assert isinstance(content, bytes)
    head = json.dumps({"head": series.head(), "columns": columns}, allow_nan=False).encode()
    return struct.pack("<I", len(head)) + head + content


def restored(run: str, path: str, stored: bytes) -> Series:
    """A series that can be sent in a frame, without all columns."""
    end = 4 + struct.unpack_from("<I", stored)[0]
    known = json.loads(stored[4:end])
    return Series(
        run,
        path,
        Window(),
        encoded={("binary", False): (known["columns"], stored[end:])},
        sent=known["head"],
    )


def _parts(series: Series, *, is_full: bool) -> tuple[list[list[Any]], bytes]:
    """The columns as the header has them, with offsets from the first, and their content."""
    columns: list[list[Any]] = []
    content = b""
    for name, column in series.columns(is_full=is_full):
        line = _line(column) if name == "x" else None
        if line is not None:
            columns.append([name, "lin", *line])
            continue
        kind = "f64" if name in ("x", "x_first", "count") or not _fits(column) else "f32"
        columns.append([name, kind, len(content)])
        content += _packed(column, "d" if kind == "f64" else "f")
    return columns, content


def _line(x: array[float]) -> tuple[float, float] | None:
    """Start and step of a column whose values are evenly spaced, exactly; None for any other."""
    count = len(x)
    if count < 3:
        return None
    start, width = x[0], x[1] - x[0]
    if width != width or x[-1] != start + (count - 1) * width:
        return None
    return (start, width) if all([start + i * width == value for i, value in enumerate(x)]) else None  # noqa: C419


def _fits(column: array[float]) -> bool:
    """Whether the column looks the same with a quarter of its digits."""
    if not column:
        return True
    low, high = min(column), max(column)
    if not (-math.inf < low and high < math.inf) or low != low or high != high:
        finite = [value for value in column if -math.inf < value < math.inf]
        if not finite:
            return True
        low, high = min(finite), max(finite)
    largest = max(abs(low), abs(high))
    if largest > _LARGEST_F32 or 0 < largest < _SMALLEST_F32:
        return False
    if low == high:
        return bool(struct.unpack("<f", struct.pack("<f", low))[0] == low)
    return largest * _F32_STEP <= (high - low) * _VISIBLE


def _packed(column: array[float], code: str) -> bytes:
    content = pack_numbers(column, code)
    return content + b"\0" * (-len(content) % 8)
