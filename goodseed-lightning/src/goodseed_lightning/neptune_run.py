"""Offers a run the methods that code written for Neptune calls."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from goodseed import GoodseedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from goodseed_lightning.training.steps import StepCounter

__all__ = ["NeptuneField", "NeptuneRun"]

_DECODERS: Final[dict[str, Callable[[str], Any]]] = {
    "bool": lambda text: text == "true",
    "int": int,
    "float": float,
    "null": lambda _: None,
    "datetime": datetime.fromisoformat,
    "string_set": lambda text: set(json.loads(text)),
}
# What a run or a field of Neptune's has besides, for which there is nothing here.
_WITHOUT_COUNTERPART: Final = frozenset(
    {"delete_files", "download", "download_last", "fetch_extension", "fetch_files_list", "fetch_hash", "fetch_last",
     "fetch_values", "get_structure", "get_url", "list_fileset_files", "pop", "print_structure"}
)  # fmt: skip


class NeptuneRun:
    """A `goodseed.Run` whose fields append, assign and upload; every other attribute is the run's own.

    What can't be stored raises nothing: it is warned of once, by its path.
    """

    def __init__(self, run: Any, steps: StepCounter, report: Callable[[str, object], None]) -> None:
        self._run: Final = run
        self._steps: Final = steps
        self._report: Final = report

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._without(name) if name in _WITHOUT_COUNTERPART else getattr(self._run, name)

    def _without(self, name: str) -> Callable[..., None]:
        def nothing(*_: object, **__: object) -> None:
            self._report(name, "Goodseed has no counterpart; the call does nothing")

        return nothing

    def assign(self, value: Mapping[str, object], **_: object) -> None:
        """Set the configs of a mapping."""
        for path, part in value.items():
            self[path] = part

    def __getitem__(self, path: str) -> NeptuneField:
        return NeptuneField(self, path)

    def __setitem__(self, path: str, value: object) -> None:
        NeptuneField(self, path).assign(value)

    def __delitem__(self, path: str) -> None:
        self._report(path, "Goodseed deletes nothing from a run; it stays")

    def __repr__(self) -> str:
        return repr(self._run)

    def exists(self, path: str) -> bool:
        """Whether there is a config or a series at ``path``, or below."""
        run = self._run
        paths = (*(row["path"] for row in run.get_configs()), *run.get_metric_paths(), *run.get_string_paths())
        return any(one == path or one.startswith(f"{path}/") for one in paths)

    def stop(self, *, seconds: float | None = None) -> None:
        """Close the run; give its upload up after so many ``seconds``."""
        self._run.close(timeout=seconds)


class NeptuneField:
    """One path of a `NeptuneRun`: a config, a series, or a namespace."""

    def __init__(self, run: NeptuneRun, path: str) -> None:
        self._owner: Final = run
        self._path: Final = path

    def __getitem__(self, path: str) -> NeptuneField:
        return NeptuneField(self._owner, f"{self._path}/{path}")

    def __setitem__(self, path: str, value: object) -> None:
        self[path].assign(value)

    def __getattr__(self, name: str) -> Any:
        if name not in _WITHOUT_COUNTERPART:
            raise AttributeError(name)
        return self._owner._without(name)

    def __repr__(self) -> str:
        return f"<{self._path!r} of {self._owner!r}>"

    def assign(self, value: object, **_: object) -> None:
        """Set the config, or the configs of a namespace."""
        self._try(self._owner._run.__setitem__, self._path, value)

    def append(self, value: Any, *, step: float | None = None, **_: object) -> None:
        """Add a point to the series, or with a mapping to the series below; without ``step``, after the last one."""
        if isinstance(value, Mapping):
            for name, part in value.items():
                self[name].append(part, step=step)
        else:
            self._try(self._append, value, step)

    def log(self, value: Any, *, step: float | None = None, **_: object) -> None:
        """The same as `append`; several values become several points."""
        if isinstance(value, (list, tuple)):
            self.extend(value)
        else:
            self.append(value, step=step)

    def extend(self, values: Iterable[Any], *, steps: Iterable[float] | None = None, **_: object) -> None:
        """Add several points to the series, or with a mapping of several values to each of the series below."""
        given = None if steps is None else list(steps)
        if isinstance(values, Mapping):
            for name, part in values.items():
                self[name].extend(part, steps=given)
            return
        for number, value in enumerate(values):
            self.append(value, step=None if given is None or number >= len(given) else given[number])

    def add(self, values: str | Iterable[str], **_: object) -> None:
        """Add to the set of strings, as in ``run["sys/tags"].add("baseline")``."""
        self._try(lambda: self._owner._run[self._path].add(values))

    def remove(self, values: str | Iterable[str], **_: object) -> None:
        """Remove from the set of strings."""
        self._try(lambda: self._owner._run[self._path].remove(values))

    def upload(self, value: Any, **_: object) -> None:
        """Set the config to the file's absolute path; the file stays where it is."""
        if isinstance(value, (str, os.PathLike)):
            self.assign(os.path.abspath(os.fspath(value)))
        else:
            self._owner._report(self._path, f"a {type(value).__name__} is no path of a file")

    def upload_files(self, values: Any, **_: object) -> None:
        """Set the config to the given paths or patterns; the files stay where they are."""
        self.assign(values if isinstance(values, str) else sorted(map(str, values)))

    track_files = upload_files

    def fetch(self) -> Any:
        """The config, as it was set; None where there is none."""
        rows = {row["path"]: row for row in self._owner._run.get_configs()}
        row = rows.get(self._path)
        return None if row is None else _DECODERS.get(row["type_tag"], str)(row["value"])

    def fetch_last(self) -> Any:
        """The value of the series' last point; None without one."""
        run = self._owner._run
        if self._path in run.get_metric_paths():
            return run.get_metric_data(self._path)["raw_points"][-1]["y"]
        return run.get_string_data(self._path)[-1]["value"] if self._path in run.get_string_paths() else None

    def _append(self, value: Any, step: float | None) -> None:
        owner = self._owner
        if step is None:
            step = owner._steps.next(owner._run, [self._path])
        owner._run[self._path].log(value, step=step)
        owner._steps.note([self._path], step)

    def _try(self, write: Callable[..., None], *arguments: Any) -> None:
        try:
            write(*arguments)
        except (GoodseedError, TypeError, ValueError) as error:
            self._owner._report(self._path, error)
