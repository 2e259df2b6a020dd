"""Up to where a client has a series."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import sqlite3

    from goodseed.storage.rollup_changes import ChangeTracker

__all__ = ["Cursor"]

_LAST: Final = "SELECT max(step) FROM metric_points WHERE series_id = ?"
_MAX_CHARACTERS: Final = 200


class Cursor(NamedTuple):
    """The state of the file and the last step that a client knows.

    Attributes:
        state: Of the file, see `goodseed.storage.rollup_changes.ChangeTracker.look`.
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
        """That of a client which is told everything now."""
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

    def resume(self, now: Cursor, tracker: ChangeTracker | None, series: int) -> float | None:
        """The step from which on the client may lack points; None where that can't be told."""
        if self.last_step is None or now.last_step is None:
            return None
        behind = math.nextafter(self.last_step, math.inf)
        if self == now and tracker is None:
            return behind
        dirty = None if tracker is None else tracker.changed(self.state, series)
        return None if dirty is None else min([behind, *(bounds.step_low for bounds in dirty)])
