"""Defines what a store takes and promises, and lets concurrent changes share a commit."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, final

from goodseed.columns import Points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from goodseed.paths import RunFiles
    from goodseed.storage.edits import Edited, Edits
    from goodseed_hub.registry.directory import RunRecord

__all__ = [
    "Change",
    "GroupCommit",
    "Outcome",
    "RunStore",
    "WaitingChange",
    "admitted",
    "first_meta",
    "merged",
    "resolved",
]


@dataclass(slots=True)
class Change:
    """What one request brings to a run.

    Attributes:
        points: Points in the order in which they came: a later one at the same step replaces an earlier one.
        configs: Path, type tag, value and time of the change (ISO 8601) of each config.
        meta: For ``run_meta``; None takes a key away.
        edits: Changes that a user made on the page; they are applied after the rest.
        is_last: The run has ended: nothing more is likely to come.
    """

    points: Sequence[Points] = ()
    configs: Sequence[tuple[str, str, str, str]] = ()
    meta: Mapping[str, str | None] = field(default_factory=dict)
    edits: Edits | None = None
    is_last: bool = False


@dataclass(slots=True)
class Outcome:
    """The result of a change.

    Attributes:
        refused: Kind and path of each series of which no point was stored, because the run has too many series.
    """

    refused: frozenset[tuple[str, str]] = frozenset()


class RunStore(Protocol):
    """Keeps the data of runs; for any number of threads.

    Attributes:
        root: Under it lies the run file of every run that was asked for, as the core's catalog wants it.
        is_shared: Other hubs use the same data, and the files under `root` are copies.
    """

    @property
    def is_shared(self) -> bool:
        """Whether the files are copies."""

    @property
    def root(self) -> Path:
        """The directory of `files`."""

    def write(self, run: RunRecord, change: Change) -> Outcome:
        """Store a change: all of it, durably, by the time that this returns; or nothing, and raise.

        Raises:
            RunInUseError, OSError, sqlite3.Error, psycopg.Error: It could not be stored now.
        """

    def exists(self, run: RunRecord) -> bool:
        """Whether anything of the run is stored."""

    def files(self, run: RunRecord) -> RunFiles:
        """The run's file, with all that was stored before this call.

        Raises:
            RunNotFoundError: There is no such run.
        """

    def config(self, run: RunRecord, path: str) -> str | None:
        """The value of one config, as it is stored; None where there is none."""

    def refresh(self, runs: Iterable[RunRecord]) -> None:
        """Bring the files of ``runs`` up to date, and make those that are missing."""

    def sent(self, run: RunRecord, path: str) -> str | None:
        """What the client last sent of a config that was edited on the page since; None for any other."""

    def tend(self) -> None:
        """Do the regular housekeeping."""

    def settle(self, runs: Iterable[RunRecord]) -> None:
        """Bring ``runs`` into the form in which they take the least room."""

    def close(self) -> None:
        """Close everything."""


@final
class WaitingChange:
    """A change that waits for its group."""

    __slots__ = ("change", "error", "is_done", "outcome")

    def __init__(self, change: Change) -> None:
        self.change: Final = change
        self.outcome = Outcome()
        self.error: BaseException | None = None
        self.is_done = False


class _Queue:
    __slots__ = ("lock", "users", "waiting")

    def __init__(self) -> None:
        self.lock: Final = threading.Lock()
        self.waiting: Final[deque[WaitingChange]] = deque()
        self.users = 0


@final
class GroupCommit:
    """Lets changes of one run that come while another is being committed share the next commit."""

    def __init__(self, commit: Callable[[RunRecord, list[Change]], list[Outcome]]) -> None:
        """Nothing waits yet.

        Args:
            commit: Stores several changes of a run in one transaction.
        """
        self._commit: Final = commit
        self._lock: Final = threading.Lock()
        self._queues: Final[dict[str, _Queue]] = {}

    def write(self, run: RunRecord, change: Change) -> Outcome:
        """Store ``change``, in the order of the calls; raises what the commit raised."""
        waiting = WaitingChange(change)
        with self._lock:
            queue = self._queues.get(run.id)
            if queue is None:
                queue = self._queues[run.id] = _Queue()
            queue.users += 1
            queue.waiting.append(waiting)
        try:
            with queue.lock:
                if not waiting.is_done:
                    self._commit_all(run, queue)
        finally:
            with self._lock:
                queue.users -= 1
                if not queue.users:
                    del self._queues[run.id]
        if waiting.error is not None:
            raise waiting.error
        return waiting.outcome

    def _commit_all(self, run: RunRecord, queue: _Queue) -> None:
        with self._lock:
            group = list(queue.waiting)
            queue.waiting.clear()
        try:
            outcomes = self._commit(run, [waiting.change for waiting in group])
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.outcome = outcome
        except BaseException as error:  # noqa: BLE001 - handed to each waiting caller
            for waiting in group:
                waiting.error = error
        finally:
            for waiting in group:
                waiting.is_done = True


def first_meta(run: RunRecord) -> dict[str, str]:
    """The ``run_meta`` that every run's first change stores, so that the file says which run it is."""
    return {"run_id": run.run_id, "project": run.full_project, "hub_run": run.id, "status": "running"}


def merged(several: Iterable[Points]) -> list[Points]:
    """The points of several changes, a series once; in order. The columns that are given stay as they are."""
    found: dict[tuple[str, str], Points] = {}
    own: set[tuple[str, str]] = set()
    for points in several:
        name = points.kind, points.path
        known = found.get(name)
        if known is None:
            found[name] = points
            continue
        if name not in own:
            own.add(name)
            known = found[name] = Points(
                points.path, points.kind, list(known.steps), list(known.values), list(known.times)
            )
        for column, more in zip(known[2:], points[2:], strict=True):
            column.extend(more)  # type: ignore[attr-defined]
    return list(found.values())


def admitted(changes: Sequence[Change], outcomes: Sequence[Outcome]) -> list[Points]:
    """The points of ``changes`` that are not refused, a series once."""
    return merged(
        points
        for change, outcome in zip(changes, outcomes, strict=True)
        for points in change.points
        if (points.kind, points.path) not in outcome.refused
    )


def resolved(
    changes: Iterable[Change], edited: Edited, current: Mapping[str, tuple[str, str | None]]
) -> tuple[list[tuple[str, str, str, str]], dict[str, str | None]]:
    """The configs and the ``run_meta`` that ``changes`` bring, in order, where people have edited some configs.

    Args:
        changes: What clients send, and what people edit.
        edited: What clients have sent of the configs that were edited before; takes what they send now.
        current: Type tag and value of the configs that are, or were, edited, as the store has them.
    """
    known = dict(current)
    rows: dict[str, tuple[str, str, str, str]] = {}
    meta: dict[str, str | None] = {}
    for change in changes:
        new = [row for one in change.configs if (row := edited.merge(one, known)) is not None]
        meta.update(change.meta)
        edited.note_meta(change.meta)
        if change.edits is not None:
            known.update((row[0], (row[1], row[2])) for row in new)
            edited.edit(change.edits.paths, known)
            new += change.edits.rows(known)
            meta.update(change.edits.meta())
        for row in new:
            rows[row[0]] = row
            known[row[0]] = (row[1], row[2])
    return list(rows.values()), {**meta, **edited.changes()}
