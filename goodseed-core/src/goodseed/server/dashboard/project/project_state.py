"""Keeps what is known of one project's runs, and at which change it became known."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from operator import is_
from typing import TYPE_CHECKING, Any, Final, final

from goodseed.server.dashboard.project.columns import Columns
from goodseed.server.dashboard.project.entry import Entry, basic_values
from goodseed.server.routes import RequestError
from goodseed.storage.cache.token import file_token
from goodseed.storage.summary import by_run_id

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection

    from goodseed.server.open_runs import Reading
    from goodseed.server.routes import Settings
    from goodseed.storage.cache.kept import Kept
    from goodseed.storage.catalog import RunSummary

__all__ = ["ProjectState"]

_MAX_REMOVED: Final = 10_000


@final
class ProjectState:
    """The runs of one project; for any number of threads.

    Attributes:
        name: The project.
        columns: The values of its runs.
        lock: Held while `columns` are read or changed.
        tables: The tables that were asked for last, by what was asked; kept by `goodseed.server.dashboard.table.table`.
        attributes: All attributes of one kind, or of any, sorted, as of a rev.
        series_counts: In how many runs each series is, by the name of its kind, as of a rev.
    """

    def __init__(
        self,
        name: str,
        start: str,
        settings: Settings,
        facts: Kept,
        reading: Reading,
        forget: Callable[[str, Collection[str]], None],
    ) -> None:
        """Nothing is known yet.

        Args:
            name: The project.
            start: Another text for each start of a server.
            settings: What users have set beside the runs.
            facts: Where the values of columns are kept.
            reading: Opens a run.
            forget: Called with the project and the files of runs that are gone.
        """
        self.name: Final = name
        self.lock: Final = threading.RLock()
        self.columns: Final = Columns(name, lambda: self.entries, facts, reading)
        self.tables: Final[dict[str, Any]] = {}
        self.attributes: Final[dict[str | None, tuple[str, list[tuple[str, str, int]]]]] = {}
        self.series_counts: tuple[str, dict[str, Counter[str]]] | None = None
        self._start: Final = start
        self._settings_files: Final = settings
        self._forget: Final = forget
        self._seen: list[RunSummary] = []
        self._entries: dict[str, Entry] = {}
        self._by_id: dict[str, Entry] = {}
        self._free: list[int] = []
        self._change = 0
        self._removed: list[tuple[int, str]] = []
        self._settings: dict[str, dict[str, Any]] = {}

    @property
    def rev(self) -> str:
        """A text that is different after every change."""
        return f"{self._start}-{self._change}"

    def change_of(self, rev: str) -> int | None:
        """The number of the change that ``rev`` names; None where it is unknown or too old."""
        start, _, number = rev.partition("-")
        if start != self._start or not number.isdecimal() or len(number) > 15:
            return None
        change = int(number)
        is_known = not self._removed or len(self._removed) < _MAX_REMOVED or change >= self._removed[0][0]
        return change if change <= self._change and is_known else None

    @property
    def entries(self) -> list[Entry]:
        """All runs, the newest first."""
        return list(self._by_id.values())

    def entry(self, run_id: str) -> Entry | None:
        """One run."""
        return self._by_id.get(run_id)

    def run(self, run_id: str) -> RunSummary | None:
        """What the list of runs says of one."""
        entry = self._by_id.get(run_id)
        return entry.run if entry is not None else None

    def the_entry(self, run_id: str) -> Entry:
        """One run.

        Raises:
            RequestError: There is no such run or project.
        """
        entry = self._by_id.get(run_id)
        if entry is None:
            raise RequestError(f"There is no run {run_id!r:.200} in {self.name!r:.200}", status=404, code="not_found")
        return entry

    def settings(self, run_id: str) -> dict[str, Any]:
        """What users have set for a run beside it."""
        return self._settings.get(run_id, {})

    def removed_since(self, change: int) -> list[str]:
        """The runs that are gone since a change."""
        with self.lock:
            return sorted({run_id for number, run_id in self._removed if number > change and run_id not in self._by_id})

    def refresh(self, runs: list[RunSummary]) -> None:
        """Take over what the list of runs says now."""
        with self.lock:
            settings = self._settings_files.runs(self.name)
            if settings != self._settings:
                self._take_settings(settings)
            if runs is self._seen or (len(runs) == len(self._seen) and all(map(is_, runs, self._seen))):
                return
            change = self._change + 1
            is_changed = self._take_runs(runs, change)
            # Each run has an entry now: as many as there are runs are no others.
            if (len(self._entries) != len(runs) and self._remove_others(runs, change)) or is_changed:
                self._change = change
            self._seen = runs

    def _take_settings(self, settings: dict[str, dict[str, Any]]) -> None:
        self._change += 1
        for run_id in settings.keys() | self._settings.keys():
            entry = self._by_id.get(run_id)
            if entry is not None and settings.get(run_id) != self._settings.get(run_id):
                entry.rev = self._change
                for column in ("sys/color", "sys/archived"):
                    entry.field_revs[column] = self._change
        self._settings = settings

    def _take_runs(self, runs: list[RunSummary], change: int) -> bool:
        is_changed = is_order_changed = False
        same_places = len(runs) == len(self._seen)
        for known, run in zip(self._seen if same_places else repeat(None), runs, strict=False):
            if known is run:
                continue
            entry = self._entries.get(run.path)
            if entry is not None and entry.run is run:
                continue
            token = file_token(run.files)
            if entry is None:
                self._entries[run.path] = Entry(self._free_slot(), run, token, change)
                is_changed = is_order_changed = True
            else:
                is_order_changed |= (entry.run.run_id, entry.run.created_seconds) != (run.run_id, run.created_seconds)
                # The list may have read the run before its last change, and the token after it: both are compared.
                if token != entry.token or _has_changed(entry.run, run):
                    self._note_changes(entry, run, change)
                    is_changed = True
                entry.run, entry.token = run, token
        if is_order_changed or len(self._by_id) != len(runs):
            self._order(runs)
        return is_changed

    def _note_changes(self, entry: Entry, run: RunSummary, change: int) -> None:
        entry.rev = change
        before = entry.previous if entry.previous is not None else basic_values(entry.run)
        now = basic_values(run)
        for column in before.keys() | now.keys():
            if column not in before or column not in now or _differ(before[column], now[column]):
                entry.field_revs[column] = change
        entry.previous = now

    def _free_slot(self) -> int:
        return self._free.pop() if self._free else len(self._entries)

    def _order(self, runs: list[RunSummary]) -> None:
        by_id = {run_id: self._entries[run.path] for run_id, run in by_run_id(runs).items()}
        self._note_latecomers(by_id)
        by_age = sorted(by_id.values(), key=lambda entry: (self._first_seen(entry.run), entry.run.run_id))
        for ordinal, entry in enumerate(by_age):
            entry.ordinal = ordinal
        self._by_id = by_id

    def _note_latecomers(self, by_id: dict[str, Entry]) -> None:
        """Remember when runs with older dates, such as imported ones, appeared: they come after those known before."""
        if not self._by_id:
            return
        latest = max(self._first_seen(entry.run) for entry in self._by_id.values())
        late = [key for key in by_id.keys() - self._by_id.keys() if self._first_seen(by_id[key].run) < latest]
        if late:
            seen = {"seen": max(latest, time.time())}
            with suppress(RequestError):  # a directory that can't be written: for as long as this server runs
                self._settings_files.set_runs(self.name, late, seen)
            self._settings = {**self._settings, **{key: {**self.settings(key), **seen} for key in late}}

    def _first_seen(self, run: RunSummary) -> float:
        seen = self.settings(run.run_id).get("seen")
        return float(seen) if isinstance(seen, (int, float)) else run.created_seconds

    def _remove_others(self, runs: list[RunSummary], change: int) -> bool:
        gone = self._entries.keys() - {run.path for run in runs}
        for path in gone:
            entry = self._entries.pop(path)
            self._removed.append((change, entry.run.run_id))
            self.columns.clear(entry.slot)
            self._free.append(entry.slot)
            if self._by_id.get(entry.run.run_id) is entry:
                del self._by_id[entry.run.run_id]
        del self._removed[: max(0, len(self._removed) - _MAX_REMOVED)]
        if gone:
            self._forget(self.name, gone)
        return bool(gone)


def _has_changed(old: RunSummary, new: RunSummary) -> bool:
    """Whether more has changed than how long the run has been running."""
    return replace(old, duration_seconds=0.0) != replace(new, duration_seconds=0.0)


def _differ(one: Any, other: Any) -> bool:
    return bool(one != other and not (one != one and other != other))
