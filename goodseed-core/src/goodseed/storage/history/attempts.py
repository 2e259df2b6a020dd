"""Records the attempts of a run: each is one life of it, from when it was opened or resumed until it ended.

A run that is resumed has the facts of every attempt as configs, ``sys/attempts/<number>/<fact>``, so that they are
read, uploaded and exported like any other. A run with one attempt has none of them: its own fields say the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from math import floor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from goodseed.errors import FileFormatError
from goodseed.storage.life import seconds_of
from goodseed.values import decode_config

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

__all__ = [
    "ATTEMPTS",
    "COMMIT",
    "IS_CURRENT",
    "Attempt",
    "KeptSeries",
    "attempt_rows",
    "attempts_of",
    "is_experiment",
    "kept_of",
    "kept_path",
    "kept_series",
    "opened_seconds",
]

ATTEMPTS: Final = "sys/attempts/"
# SQL for the paths of series that are the run's: '0' follows '/'.
IS_CURRENT: Final = f"(path < '{ATTEMPTS}' OR path >= '{ATTEMPTS[:-1]}0')"
COMMIT: Final = "source_code/git/commit_id"
_FACT: Final = re.compile(re.escape(ATTEMPTS) + r"(\d{1,9})/([a-z_]+)")
_KEPT: Final = re.compile(re.escape(ATTEMPTS) + r"(\d{1,9})/(.*)", re.DOTALL)
_OTHER_PATHS: Final = ("monitoring/", ATTEMPTS)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One life of a run.

    Attributes:
        number: They count from 1.
        opened_at: When it was opened or resumed, ISO 8601 in UTC.
        closed_at: When it ended, or gave its last sign of life; None while it is running.
        state: ``running``, ``finished``, ``failed`` or ``crashed``.
        host: The name of the machine; None where it is unknown.
        job_id: The job in the cluster's queue; None outside of one.
        commit: The commit of the source code; None where it is unknown.
        first_step: The lowest step that it logged, apart from what is monitored; None where it logged nothing.
        last_step: The highest step that it logged.
        end_reason: Why it failed; None where it did not, or that is unknown.
        rewound_to: The step to which it took the run back when it began; None where it went on at the end.
    """

    number: int
    opened_at: str | None = None
    closed_at: str | None = None
    state: str = "running"
    host: str | None = None
    job_id: str | None = None
    commit: str | None = None
    first_step: float | None = None
    last_step: float | None = None
    end_reason: str | None = None
    rewound_to: float | None = None


_FACTS: Final = tuple(field.name for field in fields(Attempt) if field.name != "number")
_TAGS: Final = {
    **dict.fromkeys(("opened_at", "closed_at"), "datetime"),
    **dict.fromkeys(("first_step", "last_step", "rewound_to"), "float"),
}


def is_experiment(path: str) -> bool:
    """Whether a series belongs to the experiment itself: it is not monitored, and not of an earlier attempt."""
    return not path.startswith(_OTHER_PATHS)


def kept_path(number: int, path: str) -> str:
    """The series that keeps what an attempt logged at ``path``, and is no longer the run's."""
    return f"{ATTEMPTS}{number}/{path}"


class KeptSeries(NamedTuple):
    """A series that keeps what an attempt logged, and is no longer the run's.

    Attributes:
        attempt: The attempt's number.
        path: Where it logged it.
        kept: The path of the series itself.
    """

    attempt: int
    path: str
    kept: str


def kept_of(path: str) -> KeptSeries | None:
    """What the series ``path`` keeps; None for one that is the run's."""
    match = _KEPT.fullmatch(path)
    return None if match is None else KeptSeries(int(match[1]), match[2], path)


def kept_series(paths: Iterable[str], path: str) -> list[KeptSeries]:
    """The series among ``paths`` that keep what attempts logged at ``path``, by attempt."""
    return sorted(series for kept in paths if (series := kept_of(kept)) is not None and series.path == path)


def attempt_rows(attempt: Attempt, now: str) -> list[tuple[str, str, str, str]]:
    """The configs that record an attempt, as (path, type tag, value, time of the change)."""
    return [
        (f"{ATTEMPTS}{attempt.number}/{name}", _TAGS.get(name, "str"), str(value), now)
        for name in _FACTS
        if (value := getattr(attempt, name)) is not None
    ]


def attempts_of(rows: Iterable[tuple[object, str, object]]) -> list[Attempt]:
    """The attempts that the configs of a run tell of, each as (path, type tag, value), in their order.

    The last one's state is the run's, which is known better; of a run with one attempt, so is all else.
    """
    facts: dict[int, dict[str, Any]] = {}
    own: dict[str, str | None] = {}
    for path, tag, value in rows:
        if not isinstance(path, str) or not isinstance(value, str):
            continue  # the file is damaged
        found = _FACT.fullmatch(path)
        if found is not None and found[2] in _FACTS:
            facts.setdefault(int(found[1]), {})[found[2]] = _fact(found[2], tag, value)
        elif path.startswith("sys/") or path == COMMIT:
            own[path] = value if tag != "null" else None
        elif path.startswith("monitoring/") and path.endswith("/hostname"):
            own["hostname"] = value
    state = own.get("sys/state") or "running"
    if not facts:
        return [
            Attempt(
                1,
                opened_at=own.get("sys/creation_time"),
                closed_at=own.get("sys/closed_time"),
                state=state,
                host=own.get("hostname"),
                commit=own.get(COMMIT),
                end_reason=own.get("sys/end_reason"),
            )
        ]
    *_, last = sorted(facts)
    facts[last]["state"] = state
    return [Attempt(number, **facts[number]) for number in sorted(facts)]


def _fact(name: str, tag: str, value: str | None) -> object:
    if _TAGS.get(name) != "float":
        return value
    try:
        number = decode_config(tag, value)
    except FileFormatError:
        return None
    return number if isinstance(number, float) else None


def opened_seconds(connection: sqlite3.Connection) -> list[float]:
    """When each attempt began, in seconds since the epoch; the first one's is before all points."""
    query = "SELECT path, value FROM configs WHERE path > ?1 AND path < ?1 || char(0x10ffff)"
    found = {
        int(match[1]): seconds_of(value, 0.0)
        for path, value in connection.execute(query, (ATTEMPTS,))
        if (match := _FACT.fullmatch(path)) is not None and match[2] == "opened_at"
    }
    # Points have the nearest millisecond, and the first of an attempt may have one before it began.
    return [float("-inf"), *(floor(found[number] * 1000) / 1000 for number in sorted(found) if number > 1)]
