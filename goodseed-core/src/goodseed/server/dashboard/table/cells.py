"""Computes the value of any column for any run."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

from goodseed.server.dashboard.project.run_columns import AGGREGATES
from goodseed.server.dashboard.table.filters import split_aggregate
from goodseed.server.dashboard.table.progress import first_max_steps, progress_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from goodseed.server.dashboard.project.columns import Picked
    from goodseed.server.dashboard.project.entry import Entry
    from goodseed.server.dashboard.project.project_state import ProjectState

__all__ = ["BUILT_IN", "Values"]

_AT: Final = re.compile(r"at\((?P<path>.+):(?P<extreme>min|max)\)", re.DOTALL)
_SHORT: Final = {
    "name": "sys/name",
    "id": "sys/id",
    "state": "sys/state",
    "tag": "sys/tags",
    "tags": "sys/tags",
    "description": "sys/description",
    "created": "sys/creation_time",
    "modified": "sys/modification_time",
    "duration": "sys/running_time",
    "progress": "sys/progress",
    "eta": "sys/eta",
    "archived": "sys/archived",
    "trashed": "sys/trashed",
}
_OF_PROGRESS: Final = {"sys/progress": "part", "sys/eta": "eta_seconds"}
BUILT_IN: Final[dict[str, str]] = {
    "sys/id": "str",
    "sys/name": "str",
    "sys/state": "str",
    "sys/tags": "string_set",
    "sys/creation_time": "datetime",
    "sys/modification_time": "datetime",
    "sys/closed_time": "datetime",
    "sys/running_time": "seconds",
    "sys/progress": "float",
    "sys/eta": "seconds",
    "sys/ordinal": "int",
    "sys/trashed": "bool",
    "sys/archived": "bool",
    "sys/color": "str",
    "sys/end_reason": "str",
}


@final
class Values:
    """The columns of a project, for one request. To be used under the project's lock.

    Attributes:
        unknown: The names that no run has, as they were asked for.
    """

    def __init__(self, project: ProjectState) -> None:
        self.unknown: Final[list[str]] = []
        self._project: Final = project
        self._columns: Final = project.columns
        self._loaded: Final[dict[str, Picked | dict[int, Any]]] = {}
        self._resolved: Final[dict[tuple[str, bool], str]] = {}
        self._has_configs = False
        self._names: set[str] | None = None
        self._max_steps: dict[int, float] = {}

    def resolve(self, name: str, *, is_path: bool = False) -> str:
        """The column that a name in a filter means: a path, the end of one, or the short name of a ``sys/`` column."""
        known = self._resolved.get((name, is_path))
        if known is None:
            known = self._resolved[name, is_path] = self._find(name, is_path=is_path)
        return known

    def _find(self, name: str, *, is_path: bool) -> str:
        if not is_path and name in _SHORT:
            return _SHORT[name]
        path, aggregate = self._split(name)
        suffix = f":{aggregate}" if aggregate else ""
        if name in BUILT_IN or self._is_there(path, aggregate):
            return name
        if not is_path:
            whole = [one for one in self._own_names() if one.endswith(f"/{name}")] if aggregate else []
            if whole:
                return min(whole, key=lambda one: (len(one), one))
            paths = self._columns.load_lasts().keys() if aggregate else self._all_paths()
            ending = f"/{path}"
            configs = self._columns.configs
            # "lr" means the config, and not the learning rate that was logged at each step.
            found = sorted(
                (one for one in paths if one.endswith(ending)), key=lambda one: (one not in configs, len(one), one)
            )
            if found:
                return found[0] + suffix
        return name

    def _all_paths(self) -> list[str]:
        self._load_configs()
        return [*self._columns.configs, *self._columns.load_lasts()]

    def _split(self, column: str) -> tuple[str, str]:
        """The path and the aggregate of a column; what is logged under just this name is itself."""
        path, aggregate = split_aggregate(column)
        return (column, "") if aggregate and column in self._own_names() else (path, aggregate)

    def _own_names(self) -> set[str]:
        """The configs and metrics whose own names end as an aggregate does."""
        if self._names is None:
            self._load_configs()
            columns = self._columns
            known = {*columns.configs, *columns.load_lasts(), *columns.further_names()}
            self._names = {name for name in known if split_aggregate(name)[1]}
        return self._names

    def _is_there(self, path: str, aggregate: str) -> bool:
        if aggregate:
            return path in self._columns.load_lasts()
        self._load_configs()
        return path in self._columns.configs or path in self._columns.load_lasts()

    def _load_configs(self) -> None:
        if not self._has_configs:
            self._columns.load_configs()
            self._has_configs = True

    def load(self, column: str) -> None:
        """Read what is needed for a column."""
        if column in _OF_PROGRESS and not self._max_steps:
            self._load_configs()
            self._columns.load_lasts()
            self._max_steps = first_max_steps(self._columns.configs)
        if column in ("sys/state", "sys/end_reason"):
            self._load_configs()
        if column in BUILT_IN or column in self._loaded:
            return
        self._load_configs()
        path, aggregate = self._split(column)
        at = _AT.fullmatch(aggregate)
        if at is not None:
            found: Picked | dict[int, Any] = self._columns.at(path, at["path"], at["extreme"])
        elif aggregate in AGGREGATES:
            found = self._columns.aggregate(path, aggregate)
        else:
            found = self._columns.configs.get(column) or self._columns.last(column)
        if not found:
            self.unknown.append(column)
        self._loaded[column] = found

    def getter(self, column: str) -> Callable[[Entry], Any]:
        """Gives the value that a run has in a column, None for none; `load` was called."""
        if column not in BUILT_IN:
            values = self._loaded[column]
            return lambda entry: values.get(entry.slot)
        project = self._project
        if column == "sys/color":
            return lambda entry: project.settings(entry.run.run_id).get("color")
        if column == "sys/end_reason":
            reasons = self._columns.config(column)
            return lambda entry: reasons.get(entry.slot) if entry.run.closed_at is not None else None
        if column in _OF_PROGRESS:
            return partial(self._progress, field=_OF_PROGRESS[column])
        if column == "sys/archived":
            return lambda entry: bool(project.settings(entry.run.run_id).get("archived"))
        return _GETTERS[column]

    def _progress(self, entry: Entry, field: str) -> Any:
        most = self._max_steps.get(entry.slot)
        if most is None:
            return None
        return getattr(progress_of(entry.run, self._columns.steps.get(entry.slot), most), field)

    def type_of(self, column: str) -> str:
        """The type of a column's values."""
        if column in BUILT_IN:
            return BUILT_IN[column]
        path, aggregate = self._split(column)
        if aggregate:
            return "int" if aggregate == "count" else "float"
        types = self._columns.types.get(path, {})
        if not types:
            return "float" if self._loaded.get(column) else "null"
        return next(iter(types)) if len(types) == 1 else "mixed"


_GETTERS: Final[dict[str, Callable[[Any], Any]]] = {
    "sys/id": lambda entry: entry.run.run_id,
    "sys/name": lambda entry: entry.run.name,
    "sys/state": lambda entry: entry.run.state,
    "sys/tags": lambda entry: tuple(json.loads(entry.run.tags_text)),
    "sys/creation_time": lambda entry: entry.run.created_seconds,
    "sys/modification_time": lambda entry: entry.run.modified_seconds,
    "sys/closed_time": lambda entry: entry.run.closed_seconds,
    "sys/running_time": lambda entry: entry.run.duration_seconds,
    "sys/ordinal": lambda entry: entry.ordinal,
    "sys/trashed": lambda entry: bool(entry.run.trashed),
}
