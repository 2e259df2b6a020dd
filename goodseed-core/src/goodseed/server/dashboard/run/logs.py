"""Answers a run's console: all processes, both streams, by page, from the end, by time, with a search."""

from __future__ import annotations

import math
import re
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from goodseed.server.dashboard.fields import boolean, limit_of, pattern_of
from goodseed.server.dashboard.project.column_values import plain_value
from goodseed.server.dashboard.run.log_order import REWRITTEN, LogOrder, Stream, ends_of, orders_of
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.parameters import MAX_INTEGER, integer, text
from goodseed.server.routes import Answer, RequestError
from goodseed.storage.kinds import TEXTS

if TYPE_CHECKING:
    from goodseed.server.open_runs import OpenRun
    from goodseed.server.routes import Request, Store

__all__ = ["get_logs", "log_cursor"]

_KINDS: Final = ("out", "err", "text")
_MAX_LIMIT: Final = 5_000
_MAX_CHARACTERS: Final = 4 << 20
_MAX_LINE: Final = 20_000
_MAX_MATCHES: Final = 10_000
_LINES: Final = f"""
    SELECT step, ts, substr(value, 1, ?), length(value) FROM {TEXTS.point_table}
    WHERE series_id = ? AND step >= ? ORDER BY step LIMIT ?"""
_SEARCHED_AT_ONCE: Final = 50_000
_SEARCH_SECONDS: Final = 0.25
_PART: Final = f"SELECT step, value FROM {TEXTS.point_table} WHERE series_id = ? AND step >= ? ORDER BY step LIMIT ?"
_MATCHES: Final = f"SELECT step FROM ({_PART}) WHERE value LIKE ? ESCAPE '\\' LIMIT ?"
_MATCH_COUNT: Final = f"SELECT count(*) FROM ({_PART}) WHERE value LIKE ? ESCAPE '\\'"
_STEPS: Final = f"SELECT step FROM ({_PART})"
_TIME: Final = f"SELECT ts FROM {TEXTS.point_table} WHERE series_id = ? AND step >= ? ORDER BY step LIMIT 1"
_CURSOR: Final = re.compile(r"([0-9]{1,15})-([0-9]{1,15})", re.ASCII)


def get_logs(store: Store, request: Request) -> Answer:
    """A page of lines."""
    kinds = _kinds(request)
    namespace = text(request, "namespace")
    start = integer(request, "from", low=-MAX_INTEGER)
    around_ms = integer(request, "around_ms", low=-MAX_INTEGER)
    limit = limit_of(request, 1_000, _MAX_LIMIT)
    line_characters = _MAX_CHARACTERS if boolean(request, "full") else _MAX_LINE
    pattern = pattern_of(request)
    search_from = integer(request, "search_from")
    cursor = _cursor(request)
    dashboard = dashboard_of(store)
    entry = dashboard.entry(store, request)
    order = orders_of(dashboard).of(entry.run.path, kinds, namespace)
    with order.lock, dashboard.reading(entry.run) as reader:
        streams = order.update(reader, ends_of(reader, kinds, namespace))
        total = len(order)
        if cursor is not None:
            first = min(cursor[0], total)
            if cursor[0] > total:  # the log has begun again
                first = 0
        elif around_ms is not None:
            first = max(0, _number_at(reader, order, streams, around_ms / 1000) - limit // 2)
        else:
            first = start or 0
            first = min(total, first) if first >= 0 else max(0, total + first)
        content = _page(reader, order, streams, first, limit, line_characters)
        if pattern:
            content |= _matches(reader, order, streams, pattern, search_from)
    content["total"] = total
    content["first"] = first
    content["streams"] = [
        {"name": stream.ends.path, "kind": stream.ends.kind, "namespace": stream.namespace, "lines": stream.count}
        for stream in streams
    ]
    last = first + len(content["lines"])
    content["cursor"] = f"{max(0, min(last, total - REWRITTEN * max(1, len(streams))))}-{last}"
    return Answer(content)


def log_cursor(reader: OpenRun) -> str:
    """Another text once there are more lines."""
    return " ".join(f"{ends.number}:{ends.last_step:g}" for ends in ends_of(reader, ("out", "err"), None))


def _kinds(request: Request) -> tuple[str, ...]:
    asked = {kind for value in request.query.get("stream", ()) for kind in value.split(",") if kind} or {"out", "err"}
    if not asked <= set(_KINDS):
        raise RequestError(f"stream must be one or more of {', '.join(_KINDS)}")
    return tuple(sorted(asked))


def _cursor(request: Request) -> tuple[int, int] | None:
    given = text(request, "cursor")
    if given is None:
        return None
    match = _CURSOR.fullmatch(given)
    if match is None:
        raise RequestError("cursor must come from an earlier answer")
    return int(match[1]), int(match[2])


def _page(
    reader: OpenRun, order: LogOrder, streams: list[Stream], first: int, limit: int, line_characters: int
) -> dict[str, Any]:
    places = list(order.places(first, limit))
    indexes: dict[int, list[int]] = {}
    for _, number, index in places:
        indexes.setdefault(number, []).append(index)
    rows = {}
    for stream in streams:
        wanted = indexes.get(stream.number)
        if wanted:
            first_step = stream.step_at(reader, wanted[0])
            rows[stream.number] = iter(reader.rows(_LINES, line_characters, stream.number, first_step, len(wanted)))
    places_of = {stream.number: place for place, stream in enumerate(streams)}
    lines: list[list[Any]] = []
    cut: list[int] = []
    folded = characters = 0
    for n, number, _ in places:
        row = next(rows[number], None)
        if row is None or characters >= _MAX_CHARACTERS:
            break
        step, seconds, value, length = row
        shown, was_folded = _folded(str(value))
        folded += was_folded
        characters += len(shown)
        if length is not None and length > line_characters:
            cut.append(n)
        lines.append([n, _milliseconds(seconds), places_of[number], shown, plain_value(step)])
    return {"lines": lines, "folded": folded, "matches": [], "match_total": 0, "searched": 0, "cut": cut}


def _folded(line: str) -> tuple[str, int]:
    """What is left of a line whose beginning was overwritten."""
    if "\r" not in line:
        return line, 0
    pieces = [piece for piece in line.split("\r") if piece]
    return (pieces[-1] if pieces else ""), max(0, len(pieces) - 1)


def _milliseconds(seconds: Any) -> int | None:
    if isinstance(seconds, (int, float)) and math.isfinite(seconds) and abs(seconds) < 1e14:
        return round(seconds * 1000)
    return None


def _matches(
    reader: OpenRun, order: LogOrder, streams: list[Stream], pattern: str, first: int | None
) -> dict[str, Any]:
    """The numbers of the lines that hold a text: of all lines, or of as many from ``first`` on as take no time."""
    until = math.inf if first is None else time.monotonic() + _SEARCH_SECONDS
    found: list[int] = []
    total = 0
    searched = min(first or 0, len(order))
    while searched < len(order):
        end = min(len(order), searched + _SEARCHED_AT_ONCE)
        parts = order.between(searched, end)
        here: list[int] = []
        for stream in streams:
            before, count = parts[stream.number]
            part = (stream.number, stream.step_at(reader, before), count)
            room = _MAX_MATCHES - len(found)
            steps = [step for (step,) in reader.rows(_MATCHES, *part, pattern, room + 1)] if count else []
            indexes = _indexes(reader, stream, steps, before, part)
            here += order.numbers_of(stream.number, indexes[:room], searched, before)
            total += len(steps) if len(steps) <= room else reader.rows(_MATCH_COUNT, *part, pattern)[0][0]
        found = (found + sorted(here))[:_MAX_MATCHES]
        searched = end
        if time.monotonic() >= until:
            break
    return {"matches": found, "match_total": total, "searched": searched}


def _indexes(
    reader: OpenRun, stream: Stream, steps: list[float], before: int, part: tuple[int, float, int]
) -> list[int]:
    if not steps or stream.is_counted:
        return [int(step - stream.ends.first_step) for step in steps]
    every = [step for (step,) in reader.rows(_STEPS, *part)]
    return [before + bisect_left(every, step) for step in steps]


def _number_at(reader: OpenRun, order: LogOrder, streams: list[Stream], seconds: float) -> int:
    """The number of the first line that is not older than that, by halves."""
    by_number = {stream.number: stream for stream in streams}
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        _, number, index = next(order.places(middle, 1))
        stream = by_number[number]
        rows = reader.rows(_TIME, number, stream.step_at(reader, index))
        if rows and isinstance(rows[0][0], (int, float)) and rows[0][0] < seconds:
            low = middle + 1
        else:
            high = middle
    return low
