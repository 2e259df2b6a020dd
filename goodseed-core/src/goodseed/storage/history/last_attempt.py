"""Finds out from a run's file what the facts of its last attempt are: its steps, its place and its end."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Final

from goodseed.storage.history.attempts import (
    COMMIT,
    Attempt,
    attempt_rows,
    attempts_of,
    is_experiment,
    opened_seconds,
)
from goodseed.storage.kinds import NUMBERS, kinds_in
from goodseed.storage.life import last_sign
from goodseed.storage.schema import read_meta
from goodseed.times import utc_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from goodseed.storage.batch import Tables

__all__ = ["HOST", "JOB_ID", "STEPS", "AttemptSteps", "current_attempts", "ended_attempt"]

HOST: Final = "host"  # run_meta: where the current attempt runs
JOB_ID: Final = "job_id"  # run_meta: its job in the cluster's queue
STEPS: Final = "attempt_steps"  # run_meta: its first and its last step, as of some seconds ago
_MAX_SERIES: Final = 2_000  # whose last points are looked at


def _steps_of(connection: sqlite3.Connection, meta: Mapping[str, str | None], opened: float) -> Sequence[float | None]:
    """The first and the last step of the attempt that began at ``opened``, and wrote last.

    What ``meta`` says of one that was not closed may be seconds old: the last points of its series make up for it.
    """
    known = _numbers(meta.get(STEPS))
    if not known or meta.get("status", "running") == "running":
        known += _ends(connection, opened)
    return (min(known), max(known)) if known else (None, None)


def _numbers(text: str | None) -> list[float]:
    try:
        return [number for part in (text or "").split() if isfinite(number := float(part))]
    except ValueError:  # the file is damaged
        return []


def _ends(connection: sqlite3.Connection, opened: float) -> Iterator[float]:
    """The last step of each of the first series, and the first one where the attempt has all of their points."""
    ends = ("ASC", "DESC") if opened == float("-inf") else ("DESC",)
    for kind in kinds_in(connection):
        query = f"SELECT id, path FROM {kind.series_table} ORDER BY id LIMIT {_MAX_SERIES}"
        for id_, path in connection.execute(query).fetchall():
            for end in ends if isinstance(path, str) and is_experiment(path) else ():
                query = f"SELECT step, ts FROM {kind.point_table} WHERE series_id = ? ORDER BY step {end} LIMIT 1"
                for step, ts in connection.execute(query, (id_,)):
                    if isinstance(step, (int, float)) and isinstance(ts, (int, float)) and ts >= opened:
                        yield float(step)


def current_attempts(
    connection: sqlite3.Connection, configs: Iterable[tuple[str, str, str | None]], crashed_seconds: float | None
) -> list[Attempt]:
    """The attempts of a run, with what only its file tells of the last one.

    Args:
        connection: To the file, in a transaction.
        configs: The run's, as (path, type tag, value).
        crashed_seconds: When the writer was last heard of, where it has died; else None.
    """
    *earlier, last = attempts_of(configs)
    meta = read_meta(connection)
    first, final = _steps_of(connection, meta, opened_seconds(connection)[-1])
    own = replace(last, first_step=first, last_step=final, host=meta.get(HOST) or last.host, job_id=meta.get(JOB_ID))
    if crashed_seconds is not None:
        own = replace(own, state="crashed", closed_at=utc_text(last_sign(connection, crashed_seconds)))
    return [*earlier, own]


class AttemptSteps:
    """The first and the last step of the attempt that writes now."""

    def __init__(self, tables: Tables) -> None:
        """Begin with none; ``tables`` is what the writer remembers of the file."""
        self._tables: Final = tables
        self._ends: tuple[float, float] | None = None

    def note(self, touched: Iterable[tuple[Sequence[int], float, float]]) -> None:
        """Take the metrics that were written: their ids, and the lowest and the highest step."""
        path_of = self._tables.ids[NUMBERS.name].path_of
        for ids, low, high in touched:
            if is_experiment(path_of(ids[0])):
                ends = self._ends or (low, high)
                self._ends = min(low, ends[0]), max(high, ends[1])

    def store(self, connection: sqlite3.Connection) -> None:
        """Write them into ``run_meta``, in the caller's transaction."""
        if self._ends is not None:
            first, last = self._ends
            connection.execute("INSERT OR REPLACE INTO run_meta VALUES (?, ?)", (STEPS, f"{first!r} {last!r}"))

    def end(
        self,
        connection: sqlite3.Connection,
        status: str,
        meta: Mapping[str, str],
        configs: Iterable[tuple[str, str, str, str]],
    ) -> list[tuple[str, str, str, str]]:
        """The configs that record the end of the attempt; none where it is the run's only one."""
        number = len(opened_seconds(connection))
        closed_at = meta.get("closed_at")
        if number == 1 or closed_at is None:
            return []
        reason = next((value for path, _, value, _ in configs if path == "sys/end_reason"), None)
        first, last = self._ends or (None, None)
        ended = Attempt(
            number,
            closed_at=closed_at,
            state=status,
            commit=_text(connection, COMMIT),
            first_step=first,
            last_step=last,
            end_reason=reason,
        )
        return attempt_rows(ended, closed_at)


def ended_attempt(
    connection: sqlite3.Connection, meta: Mapping[str, str | None], heard_seconds: float, attempts: Sequence[Attempt]
) -> Attempt:
    """The last attempt as the next one finds it; one that was not closed has crashed at its last sign of life."""
    last = attempts[-1]
    state = meta.get("status") or "running"
    first, final = _steps_of(connection, meta, opened_seconds(connection)[-1])
    return Attempt(
        last.number,
        opened_at=last.opened_at or meta.get("created_at"),
        closed_at=meta.get("closed_at") or utc_text(last_sign(connection, heard_seconds)),
        state="crashed" if state == "running" else "finished" if state == "finished" else "failed",
        host=meta.get(HOST) or last.host,
        job_id=meta.get(JOB_ID),
        commit=_text(connection, COMMIT),
        first_step=first,
        last_step=final,
        end_reason=_text(connection, "sys/end_reason"),
        rewound_to=last.rewound_to,
    )


def _text(connection: sqlite3.Connection, path: str) -> str | None:
    row = connection.execute("SELECT value FROM configs WHERE path = ? AND type_tag = 'str'", (path,)).fetchone()
    return None if row is None else row[0]
