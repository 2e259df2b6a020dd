"""Says up to where a client has a series, and what it lacks since."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from goodseed.storage.cache.token import file_token
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.lock import is_locked
from goodseed.storage.rollup.changes import changes_in
from goodseed.storage.rollup.joined import joined_extent

if TYPE_CHECKING:
    import sqlite3

    from goodseed.paths import RunFiles
    from goodseed.storage.rollup.changes import Changes

__all__ = ["Cursor", "JoinedCursor", "RunState"]

_LAST: Final = f"SELECT max(step) FROM {NUMBERS.point_table} WHERE series_id = ?"
# Points that are stored late, or overwritten, are rarely further back.
_EARLIER: Final = f"SELECT step FROM {NUMBERS.point_table} WHERE series_id = ? ORDER BY step DESC LIMIT 1 OFFSET 1000"
_MAX_CHARACTERS: Final = 200


class RunState(NamedTuple):
    """How a run is, as of a transaction.

    Attributes:
        text: Another one once a point may be another. It begins with ``?`` where an equal one proves nothing.
        changes: What the run's writer has noted; None if no process of ours writes it.
    """

    text: str
    changes: Changes | None

    @classmethod
    def of(cls, connection: sqlite3.Connection, files: RunFiles, token: str | None, *, is_whole: bool) -> RunState:
        """The state of a run.

        Args:
            connection: The run's, in a transaction.
            files: Where the run lies.
            token: That of a run at rest, see `goodseed.storage.cache.token.rest_token`.
            is_whole: All points are in the file.
        """
        if token is not None:
            return cls(token, None)
        changes = changes_in(connection) if is_whole and is_locked(files.lock) else None
        return cls(f"?{file_token(files)}" if changes is None else changes.state, changes)


class Cursor(NamedTuple):
    """The state of the file and the last step that a client knows.

    Attributes:
        state: Of the run, see `RunState`.
        last_step: None without a point.
    """

    state: str
    last_step: float | None

    @property
    def text(self) -> str:
        """What the client keeps."""
        return f"{self.state}@{'' if self.last_step is None else repr(self.last_step)}"

    @classmethod
    def at_end(cls, connection: sqlite3.Connection, series: int, state: str) -> Cursor:
        """The cursor of a client that is sent everything now."""
        step = connection.execute(_LAST, (series,)).fetchone()[0]
        return cls(state, step if isinstance(step, (int, float)) else None)

    @classmethod
    def parse(cls, text: str | None) -> Cursor | None:
        """What ``text`` says; None where it is no cursor."""
        if text is None or len(text) > _MAX_CHARACTERS or "@" not in text:
            return None
        state, _, step = text.rpartition("@")
        try:
            last_step = float(step) if step else None
        except ValueError:
            return None
        return None if last_step is not None and not math.isfinite(last_step) else cls(state, last_step)

    def resume(self, now: Cursor, changes: Changes | None, series: int) -> float | None:
        """The step from which on the client may lack points; None if that is unknown."""
        if self.last_step is None or now.last_step is None:
            return None
        behind = math.nextafter(self.last_step, math.inf)
        if self == now and changes is None:
            return None if self.state.startswith("?") else behind
        dirty = None if changes is None else changes.since(self.state, series)
        return None if dirty is None else min([behind, *(bounds.step_low for bounds in dirty)])


class JoinedCursor(NamedTuple):
    """What a client knows of a series over another one.

    Attributes:
        both: Up to where it has them; the last step is that of the shorter one.
        step: So far before that last step that points which are new, or written once more, lie behind it.
        high: The highest x before ``step``.
    """

    both: Cursor
    step: float
    high: float

    @property
    def text(self) -> str:
        """What the client keeps."""
        return f"{self.both.text}~{self.step!r}~{self.high!r}"

    @classmethod
    def at_end(cls, connection: sqlite3.Connection, pair: tuple[int, int], state: str) -> JoinedCursor:
        """The cursor of a client that is sent everything now."""
        steps = [rows[0] if (rows := connection.execute(_EARLIER, (one,)).fetchone()) else -math.inf for one in pair]
        extent = joined_extent(connection, *pair, -math.inf, min(steps))
        return cls(_end_of_both(connection, pair, state), min(steps), extent[1] if extent else -math.inf)

    @classmethod
    def parse(cls, text: str | None) -> JoinedCursor | None:
        """What ``text`` says; None where it is no such cursor."""
        rest, *numbers = (text or "").rsplit("~", 2)
        both = Cursor.parse(rest)
        try:
            step, high = map(float, numbers)
        except ValueError:
            return None
        return None if both is None or math.isnan(step) or math.isnan(high) else cls(both, step, high)

    def resume(self, connection: sqlite3.Connection, changes: Changes, pair: tuple[int, int]) -> JoinedCursor | None:
        """The cursor for the points from its step on, which all lie behind its x and are all that the client lacks.

        None if that is unknown, or not so.
        """
        now = _end_of_both(connection, pair, changes.state)
        starts = [self.both.resume(now, changes, series) for series in pair]
        start = min((step for step in starts if step is not None), default=-math.inf)
        if None in starts or start < self.step:
            return None
        between = joined_extent(connection, *pair, self.step, start)
        high = self.high if between is None else max(self.high, between[1])
        fresh = joined_extent(connection, *pair, start, math.inf)
        is_behind = math.isfinite(high) and (fresh is None or fresh[0] > high)
        return JoinedCursor(now, start, high) if is_behind else None


def _end_of_both(connection: sqlite3.Connection, pair: tuple[int, int], state: str) -> Cursor:
    ends = [Cursor.at_end(connection, series, state).last_step for series in pair]
    return Cursor(state, min((end for end in ends if end is not None), default=None))
