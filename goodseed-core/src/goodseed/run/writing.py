"""What can be written to a run."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from goodseed.config_values import config_leaves, config_value, encode_config
from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.run.data import RunData
from goodseed.run.field import Field
from goodseed.run.run_plugins import redact_config
from goodseed.storage.string_sets import ADDED, REMOVED
from goodseed.times import now_text
from goodseed.values import as_step, as_text, tag_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from goodseed.run.backends import Backend
    from goodseed.values import ConfigValue

__all__ = ["RunWriting"]

_FIXED_FIELDS: Final = frozenset(
    {"sys/id", "sys/state", "sys/creation_time", "sys/modification_time", "sys/closed_time", "sys/end_reason"}
)
_MAX_FIELDS: Final = 10_000


def _own(path: str) -> str:
    if path in _FIXED_FIELDS:
        raise InvalidValueError(f"{path} is kept by the run itself (sys/state is set by close).")
    return path


class RunWriting(RunData):
    """The methods of `goodseed.Run` that write, for a subclass that opens and closes the run."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._backend: Final = backend
        self._log_metrics: Final = backend.log_metrics
        self._log_number: Final = backend.log_number
        self._lock = threading.RLock()
        self._fields: dict[str, Field] = {}
        self._sets: set[str] = set()  # paths that are known to hold a set of strings
        self._redact: Callable[[str, str], str] | None = None

    def log_metrics(self, data: Mapping[str, float], step: float) -> None:
        """Add one point to each of several metrics.

        Args:
            data: Numbers by path: whatever is a scalar and has ``__float__`` (Python's and numpy's numbers, 0-d arrays
                and tensors). NaN and infinities are stored as they are.
            step: Integer or float; a point that is there already at this step is replaced.

        Raises:
            InvalidTypeError: A value is no number; nothing of the call is stored.
            InvalidValueError: A path is invalid, or the step is not finite, or an integer that no float holds exactly.
            RunClosedError: The run is closed.
        """
        self._log_metrics(data, step)

    def log_strings(self, data: Mapping[str, object], step: float) -> None:
        """Add one point to each of several string series; values become strings.

        Args:
            data: Texts by path.
            step: Integer or float; a point that is there already at this step is replaced.

        Raises:
            InvalidTypeError: ``data`` is no mapping, or the step is no number.
            InvalidValueError: Invalid path or step.
            RunClosedError: The run is closed.
        """
        if not isinstance(data, Mapping):
            raise InvalidTypeError(f"Texts come as a mapping of paths to strings, not as a {type(data).__name__}.")
        number = as_step(step)
        texts = {check_attribute_path(path): self._text(path, value) for path, value in data.items()}
        if len(texts) < len(data):
            raise InvalidValueError(f"Two of the paths {list(data)!r:.200} are the same: rename one.")
        for path, text in texts.items():
            self._backend.add_text(path, text, number, None)

    def _log_row(
        self, numbers: Mapping[str, float], texts: Mapping[str, str], step: float, at_seconds: float | None
    ) -> None:
        """What importers log: points of checked paths and a checked step, at the time at which they were made."""
        self._backend.add_metrics(numbers, step, at_seconds)
        for path, text in texts.items():
            self._backend.add_text(path, self._text(path, text), step, at_seconds)

    def log_string_series(self, data: Mapping[str, object], step: float) -> None:
        """Old name of `log_strings`."""
        warnings.warn("log_string_series is now log_strings.", DeprecationWarning, stacklevel=2)
        self.log_strings(data, step)

    def log_configs(self, data: Mapping[str, object], flatten: bool = True) -> None:
        """Set several configs, all of them or none.

        Args:
            data: Values by path; what becomes of which type is told in `goodseed.config_values.config_value`.
            flatten: Make nested mappings, namespaces, dataclasses and other objects with fields one config a leaf,
                their keys joined by ``/``; otherwise such a value becomes JSON text.

        Raises:
            InvalidTypeError: ``data`` is no mapping, or a value can't be made text.
            InvalidValueError: A path is invalid or given twice, a value contains itself, or the run
                itself sets this field (``sys/id``, ``sys/state``, …).
            RunClosedError: The run is closed.
        """
        if not isinstance(data, Mapping):
            raise InvalidTypeError(f"Configs come as a mapping of paths to values, not as a {type(data).__name__}.")
        if flatten:
            self._set_configs(config_leaves(data))
            return
        leaves = {check_attribute_path(path): value for path, value in data.items()}
        if len(leaves) < len(data):
            raise InvalidValueError(f"Two of the paths {list(data)!r:.200} are the same: rename one.")
        self._set_configs({path: config_value(value, path) for path, value in leaves.items()})

    def __setitem__(self, path: str, value: object) -> None:
        """Set the config at ``path``, or, for a mapping or an object with fields, one config a leaf under it.

        Raises:
            InvalidTypeError: ``path`` is no string, or the value can't be made text.
            InvalidValueError: See `log_configs`, or the run itself sets this field (``sys/id``, ``sys/state``, …).
            RunClosedError: The run is closed.
        """
        self._set_configs(config_leaves(value, check_attribute_path(path)))

    def __getitem__(self, path: str) -> Field:
        """The attribute at ``path``, to ``log`` to, or to ``add`` to and ``remove`` from when it is a set.

        Raises:
            InvalidTypeError: ``path`` is no string.
            InvalidValueError: ``path`` is invalid, or the run itself sets this field (``sys/id``, ``sys/state``, …).
        """
        field = self._fields.get(path)
        if field is None:
            field = Field(self, _own(check_attribute_path(path)))
            if len(self._fields) < _MAX_FIELDS:
                self._fields[path] = field
        return field

    def _set_configs(self, leaves: Mapping[str, ConfigValue]) -> None:
        for path in leaves:
            _own(path)
        with self._lock:
            rows = self._encode(leaves)
            if rows:
                self._backend.add_configs(rows)
            for path, value in leaves.items():
                self._sets.discard(path)
                if isinstance(value, set):
                    self._sets.add(path)

    def _encode(self, values: Mapping[str, object]) -> list[tuple[str, str, str, str]]:
        now = now_text()
        if self._redact is None:
            return [(path, *encode_config(value, path), now) for path, value in values.items()]
        redact = self._redact
        return [(path, *redact_config(redact, path, encode_config(value, path)), now) for path, value in values.items()]

    def _text(self, path: str, value: object) -> str:
        """A text on its way in."""
        text = as_text(value)
        return text if self._redact is None else self._redact(path, text)

    def _change_set(self, path: str, change: str, values: str | Iterable[str]) -> None:
        changed = tag_set(values, f"run[{path!r}].{change}()")
        with self._lock:
            if path not in self._sets:
                self._stored_set(path)  # raises where it holds something else
            ((_, _, value, updated_at),) = self._encode({path: changed})
            self._backend.add_configs([(path, ADDED if change == "add" else REMOVED, value, updated_at)])
            self._sets.add(path)

    def _stored_set(self, path: str) -> set[str]:
        """The set of strings at ``path`` as the run has it; empty where there is nothing to read."""
        raise NotImplementedError
