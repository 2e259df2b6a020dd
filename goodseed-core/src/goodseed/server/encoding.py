"""Encodes JSON for the API: NaN and infinities as strings, and points fast."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Generator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, final

from goodseed.values import json_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from goodseed.server.queries import Batch

__all__ = ["Chunks", "json_text", "points_as_json", "time_as_iso"]


@final
class Chunks:
    """An answer in chunks, some of which have been taken already; use `close`, or `to_the_end`, which closes it."""

    def __init__(self, taken: list[bytes], rest: Iterator[bytes]) -> None:
        self._rest: Final = rest
        self._all: Final = itertools.chain(taken, rest)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._all)

    def close(self) -> None:
        """Close what the chunks are made of."""
        if isinstance(self._rest, (Generator, Chunks)):
            self._rest.close()

    def to_the_end(self) -> Iterator[bytes]:
        """The chunks, closed behind the last one, or when the caller closes this iterator."""
        try:
            yield from self
        finally:
            self.close()


def json_text(value: Any) -> str:
    """``value`` as JSON.

    Raises:
        ValueError: It holds a number that is not finite.
    """
    return json.dumps(value, allow_nan=False)


def time_as_iso(seconds: float) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC; None for a time that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def points_as_json(batch: Batch) -> str:
    """The members of a list of points, separated by commas."""
    start = f'{{"path": {json.dumps(batch.path)}, "step": '
    times = _times_as_json({seconds for _, _, seconds in batch.rows})
    text = repr if _are_finite(batch) else _plain
    members = [
        f'{start}{text(step)}, "value": {text(value)}, "logged_at": {times[seconds]}}}'
        for step, value, seconds in batch.rows
    ]
    return ", ".join(members)


def _times_as_json(times: Iterable[float]) -> dict[float, str]:
    """Each time as `time_as_iso` has it: few of the seconds are new, and only those are worth a datetime."""
    known: dict[int, str | None] = {}
    texts = {}
    for seconds in times:
        try:
            whole = math.floor(seconds)
            micros = round((seconds - whole) * 1_000_000)
        except (TypeError, ValueError, OverflowError):
            texts[seconds] = "null"
            continue
        if whole not in known:
            text = time_as_iso(whole)
            known[whole] = text and text[:-6]
        start = known[whole]
        if start is None or micros == 1_000_000:
            texts[seconds] = json.dumps(time_as_iso(seconds))
        else:
            texts[seconds] = f'"{start}.{micros:06d}+00:00"' if micros else f'"{start}+00:00"'
    return texts


def _are_finite(batch: Batch) -> bool:
    """Whether all steps and values are finite numbers, which JSON writes as Python does; SQLite has no NaN."""
    values: list[Any] = [value for _, value, _ in batch.rows]
    values += (batch.rows[0][0], batch.rows[-1][0])
    try:
        return bool(-math.inf < min(values) and max(values) < math.inf)
    except TypeError:  # None, text
        return False


def _plain(value: float | str | None) -> str:
    if value is None or isinstance(value, float):
        return json.dumps(json_number(value))
    return json.dumps(value, default=repr)
