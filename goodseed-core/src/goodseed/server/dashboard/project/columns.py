"""Keeps the values of a project's runs by column, and reads each from a run once: configs, aggregates of metrics."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final, final

from goodseed.errors import GoodseedError
from goodseed.server.dashboard.project.column_values import Value, decoded
from goodseed.server.dashboard.project.run_columns import (
    AGGREGATES,
    CONFIGS,
    MONITORING,
    NAMES,
    aggregates_of,
    read_content,
    value_at,
)
from goodseed.storage.cache.kept import KeptRow
from goodseed.storage.cache.token import rest_token
from goodseed.storage.summary import MAX_METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from goodseed.server.dashboard.project.entry import Entry
    from goodseed.server.open_runs import Reading
    from goodseed.storage.cache.kept import Kept

__all__ = ["Columns", "Picked"]

_logger: Final = logging.getLogger("goodseed")
_MAX_KEPT_METRICS: Final = 300
_STORED_TOGETHER: Final = 500


@final
class Picked:
    """One of the values that are kept for each slot, without a copy of them all; false where no run has it."""

    __slots__ = ("_place", "_values")

    def __init__(self, values: Mapping[int, tuple[Value, ...]], place: int) -> None:
        self._values: Final = values
        self._place: Final = place

    def __bool__(self) -> bool:
        return any(self._values.values())

    def get(self, slot: int) -> Value:
        """The value; None for none."""
        found = self._values.get(slot)
        return found[self._place] if found else None


@final
class Columns:
    """The columns of one project. To be used under the project's lock.

    Attributes:
        configs: The values of each config by slot.
        types: The type tags of each config, with how many runs have it.
        steps: The highest step of each run by slot, as of `load_lasts`.
    """

    def __init__(
        self,
        project: str,
        entries: Callable[[], list[Entry]],
        facts: Kept,
        reading: Reading,
    ) -> None:
        """Nothing is read yet.

        Args:
            project: Whose columns these are.
            entries: Gives the project's runs, the newest first.
            facts: Where values are kept from one start of the server to the next.
            reading: Opens the run of any other.
        """
        self.configs: Final[dict[str, dict[int, Value]]] = {}
        self.types: Final[dict[str, dict[str, int]]] = {}
        self.steps: Final[dict[int, float]] = {}
        self._project: Final = project
        self._entries: Final = entries
        self._facts: Final = facts
        self._reading: Final = reading
        self._tokens: Final[dict[str, dict[int, str]]] = {}
        self._metrics: Final[dict[str, dict[int, tuple[Value, ...]]]] = {}
        self._shapes: Final[dict[int, tuple[tuple[str, str], ...]]] = {}
        self._known_shapes: Final[dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]] = {}
        self._values: Final[dict[tuple[type, Value], Value]] = {}
        self._lasts: Final[dict[str, dict[int, float]]] = {}
        self._last_runs: Final[dict[int, tuple[str, tuple[str, ...]]]] = {}

    def clear(self, slot: int) -> None:
        """Forget a run."""
        self._drop_configs(slot)
        for tokens in self._tokens.values():
            tokens.pop(slot, None)
        for values in self._metrics.values():
            values.pop(slot, None)
        self.steps.pop(slot, None)
        for path in self._last_runs.pop(slot, ("", ()))[1]:
            self._lasts[path].pop(slot, None)

    # -- configs --------------------------------------------------------------------------------------------------

    def load_configs(self) -> None:
        """Read the configs of all runs that have changed."""
        self._load([CONFIGS])

    def config(self, path: str) -> dict[int, Value]:
        """The values of a config by slot, as of `load_configs`."""
        return self.configs.get(path, {})

    def _take_configs(self, slot: int, rows: Iterable[Sequence[Any]]) -> None:
        self._drop_configs(slot)
        shape = []
        for path, tag, stored in rows:
            value = decoded(tag, stored)
            shape.append((path, tag))
            self.configs.setdefault(path, {})[slot] = self._values.setdefault((type(value), value), value)
            counts = self.types.setdefault(path, {})
            counts[tag] = counts.get(tag, 0) + 1
        kept = tuple(shape)
        self._shapes[slot] = self._known_shapes.setdefault(kept, kept)
        if len(self._values) > 1_000_000:
            self._values.clear()

    def _drop_configs(self, slot: int) -> None:
        for path, tag in self._shapes.pop(slot, ()):
            values, counts = self.configs[path], self.types[path]
            values.pop(slot, None)
            counts[tag] -= 1
            if not counts[tag]:
                del counts[tag]
            if not values:
                del self.configs[path], self.types[path]

    # -- metrics --------------------------------------------------------------------------------------------------

    def load_lasts(self) -> dict[str, dict[int, float]]:
        """The last values of the metrics that the list of runs knows, by path and slot."""
        for entry in self._entries():
            known = self._last_runs.get(entry.slot)
            text = entry.run.metrics_text
            if known is not None and (known[0] is text or known[0] == text):
                continue
            points = entry.run.last_metrics
            for path in known[1] if known is not None else ():
                self._lasts[path].pop(entry.slot, None)
            for point in points:
                self._lasts.setdefault(point.path, {})[entry.slot] = point.y
            if points:
                self.steps[entry.slot] = max(point.step for point in points)
            self._last_runs[entry.slot] = (text, tuple(point.path for point in points))
        return self._lasts

    def further_names(self) -> set[str]:
        """The metrics with a colon in their names that the list of runs, which knows the first few, leaves out."""
        self.load_lasts()
        many = [entry for entry in self._entries() if len(self._last_runs[entry.slot][1]) >= MAX_METRICS]
        if not many:
            return set()
        (found,) = self._load([NAMES], many)
        return {path for paths in found.values() for path in paths if isinstance(path, str)}

    def last(self, path: str) -> dict[int, float]:
        """The last values of a metric by slot."""
        known = self.load_lasts().get(path, {})
        is_left_out = path.startswith(MONITORING)
        missing = [
            entry
            for entry in self._entries()
            if entry.slot not in known
            and (is_left_out or len(self._last_runs[entry.slot][1]) >= MAX_METRICS)
            and entry.run.metric_count > len(self._last_runs[entry.slot][1])
        ]
        if not missing:
            return known
        more = self._load([aggregates_of(path)], missing)[0]
        return {**{slot: values[0] for slot, values in more.items() if values}, **known}

    def aggregate(self, path: str, name: str) -> Picked | dict[int, Value]:
        """An aggregate of a metric by slot."""
        if name == "last":
            return self.last(path)
        (values,) = self._load([aggregates_of(path)])
        return Picked(values, AGGREGATES.index(name))

    def at(self, path: str, other: str, extreme: str) -> Picked:
        """The value of a metric where ``other`` has its ``min`` or ``max``, by slot."""
        (values,) = self._load([value_at(path, other, extreme)])
        return Picked(values, 0)

    # -- reading --------------------------------------------------------------------------------------------------

    def _load(self, names: Sequence[str], entries: list[Entry] | None = None) -> list[dict[int, tuple[Value, ...]]]:
        """Bring the columns ``names`` up to date, for all runs or some."""
        wanted = self._entries() if entries is None else entries
        for name in names:
            if name not in self._tokens:
                self._load_kept(name)
        stale = [entry for entry in wanted if any(self._tokens[name].get(entry.slot) != entry.token for name in names)]
        waiting: list[KeptRow] = []
        for entry in stale:
            contents = self._read(entry, names)
            if contents is None:
                continue
            for name, content in zip(names, contents, strict=True):
                self._take(name, entry.slot, entry.token, content)
                if rest_token(entry.run.files) is not None:
                    keys = (self._project, name, entry.run.path)
                    waiting.append(KeptRow(keys, entry.token, json.dumps(content).encode()))
            if len(waiting) >= _STORED_TOGETHER:
                self._facts.put(waiting)
                waiting = []
        self._facts.put(waiting)
        return [self._metrics.get(name, {}) for name in names]

    def _load_kept(self, name: str) -> None:
        if len(self._metrics) >= _MAX_KEPT_METRICS and name != CONFIGS:
            oldest = next(iter(self._metrics))
            del self._metrics[oldest], self._tokens[oldest]
        self._tokens[name] = {}
        if name != CONFIGS:
            self._metrics[name] = {}
        entries = {entry.run.path: entry for entry in self._entries()}
        for fact in self._facts.rows(self._project, name):
            entry = entries.get(fact.keys[-1])
            if entry is not None and entry.token == fact.token:
                try:
                    self._take(name, entry.slot, fact.token, json.loads(fact.content))
                except (ValueError, TypeError, LookupError):
                    self._tokens[name].pop(entry.slot, None)

    def _take(self, name: str, slot: int, token: str, content: Sequence[Any]) -> None:
        if name == CONFIGS:
            self._take_configs(slot, content)
        else:
            self._metrics[name][slot] = tuple(content)
        self._tokens[name][slot] = token

    def _read(self, entry: Entry, names: Sequence[str]) -> list[Sequence[Any]] | None:
        """What a run says now; None where that could not be found out, which is tried again at the next request."""
        try:
            with self._reading(entry.run) as reader:
                return [read_content(reader, name) for name in names]
        except (GoodseedError, OSError) as error:  # gone or damaged since the list was made, or it took too long
            _logger.info("goodseed: %s can't be read: %s", entry.run.path, error)
            return None
