"""Answers with the attempts of a run, and where the points are that earlier ones logged and are no longer the run's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.routes import Answer
from goodseed.storage.history.attempts import IS_CURRENT, kept_of
from goodseed.storage.kinds import NUMBERS

if TYPE_CHECKING:
    from goodseed.server.routes import Request, Store
    from goodseed.storage.history.attempts import Attempt

__all__ = ["get_attempts"]

_MAX_KEPT: Final = 1_000
_KEPT: Final = f"SELECT path FROM {NUMBERS.series_table} WHERE NOT {IS_CURRENT} ORDER BY path LIMIT {_MAX_KEPT}"


def get_attempts(store: Store, request: Request) -> Answer:
    """The attempts of a run, and the series that keep what is no longer the run's."""
    dashboard = dashboard_of(store)
    entry = dashboard.entry(store, request)
    with dashboard.reading(entry.run) as reader:
        attempts = reader.attempts()
        kept = [kept_of(path) for (path,) in reader.rows(_KEPT)]
    return Answer(
        {
            "attempts": [_as_json(attempt) for attempt in attempts],
            "kept": [
                {"attempt": series.attempt, "path": series.path, "series": series.kept} for series in kept if series
            ],
        }
    )


def _as_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "opened": attempt.opened_at,
        "closed": attempt.closed_at,
        "state": attempt.state,
        "host": attempt.host,
        "job": attempt.job_id,
        "commit": attempt.commit,
        "first_step": _finite(attempt.first_step),
        "last_step": _finite(attempt.last_step),
        "end_reason": attempt.end_reason,
        "rewound_to": _finite(attempt.rewound_to),
    }


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
