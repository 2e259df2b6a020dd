"""The writing methods of `goodseed.Run`."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from goodseed.config_values import config_leaves, config_value
from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.run.data import RunData
from goodseed.storage.kinds import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from goodseed.run.session import RunSession

__all__ = ["Field", "RunWriting"]

_MAX_FIELDS: Final = 10_000


class Field:
    """One attribute of a run, as ``run[path]`` gives it."""

    __slots__ = ("_log_number", "_path", "_run", "_session")

    def __init__(self, run: RunWriting, session: RunSession, path: str) -> None:
        self._run = run
        self._session = session
        self._path = path
        self._log_number = session.backend.log_number

    def __repr__(self) -> str:
        return f"<goodseed field {self._path!r} of {self._run!r}>"

    @property
    def path(self) -> str:
        """The attribute path."""
        return self._path

    def __getitem__(self, path: str) -> Field:
        """The attribute at ``path`` below this one: ``run["a"]["b"]`` is ``run["a/b"]``."""
        return self._run[self._below(path)]

    def __setitem__(self, path: str, value: object) -> None:
        """Set the config at ``path`` below this attribute, as ``run["a/b"] = value`` does."""
        self._run[self._below(path)] = value

    def _below(self, path: str) -> str:
        return f"{self._path.rstrip('/')}/{check_attribute_path(path)}"

    def __copy__(self) -> Field:
        return self

    def __deepcopy__(self, memo: object) -> Field:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return operator.getitem, (self._run, self._path)

    def log(self, value: float | str, *, step: float) -> None:
        """Add a point to the series of this path: a number to a metric, a string to a string series.

        Args:
            value: A number (whatever is a scalar and has ``__float__``) or a string.
            step: Where in the series; a point that is there already is replaced.

        Raises:
            InvalidTypeError: The value is neither, or the step is no number.
            InvalidValueError: The step is not finite, or an integer that no float holds exactly.
            RunClosedError: The run is closed.
        """
        if isinstance(value, str):
            self._run.log_strings({self._path: value}, step)
        else:
            self._log_number(self._path, value, step)

    def add(self, values: str | Iterable[str]) -> None:
        """Add one string or several to the set of strings at this path, as in ``run["sys/tags"].add("baseline")``.

        Raises:
            InvalidTypeError: A value is no string, or the config at this path is no set of strings.
        """
        self._session.add_to_set(self._path, values)

    def remove(self, values: str | Iterable[str]) -> None:
        """Remove one string or several from the set of strings at this path; those that are not in it are ignored.

        Raises:
            InvalidTypeError: A value is no string, or the config at this path is no set of strings.
        """
        self._session.remove_from_set(self._path, values)


class RunWriting(RunData):
    """The methods of `goodseed.Run` that write."""

    def __init__(self, session: RunSession) -> None:
        super().__init__(session)
        self._log_metrics: Final = session.backend.log_metrics  # the path of every call: nothing stands between
        self._fields: Final[dict[str, Field]] = {}

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
        self._session.log_values(TEXTS, data, step)

    def log_string_series(self, data: Mapping[str, object], step: float) -> None:
        """Old name of `log_strings`."""
        warnings.warn("log_string_series is now log_strings.", DeprecationWarning, stacklevel=2)
        self.log_strings(data, step)

    def log_configs(self, data: Mapping[str, object], flatten: bool = True) -> None:
        """Set several configs, all of them or none.

        Args:
            data: Values by path; `goodseed.config_values.config_value` says how each type is stored.
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
            self._session.set_configs(config_leaves(data))
            return
        leaves = {check_attribute_path(path): value for path, value in data.items()}
        if len(leaves) < len(data):
            raise InvalidValueError(f"Two of the paths {list(data)!r:.200} are the same: rename one.")
        self._session.set_configs({path: config_value(value, path) for path, value in leaves.items()})

    def __setitem__(self, path: str, value: object) -> None:
        """Set the config at ``path``, or, for a mapping or an object with fields, one config a leaf under it.

        Raises:
            InvalidTypeError: ``path`` is no string, or the value can't be made text.
            InvalidValueError: See `log_configs`, or the run itself sets this field (``sys/id``, ``sys/state``, …).
            RunClosedError: The run is closed.
        """
        self._session.set_configs(config_leaves(value, check_attribute_path(path)))

    def __getitem__(self, path: str) -> Field:
        """The attribute at ``path``, to ``log`` to, or to ``add`` to and ``remove`` from when it is a set.

        Raises:
            InvalidTypeError: ``path`` is no string.
            InvalidValueError: ``path`` is invalid, or the run itself sets this field (``sys/id``, ``sys/state``, …).
        """
        field = self._fields.get(path)
        if field is None:
            field = Field(self, self._session, self._session.check_editable(check_attribute_path(path)))
            if len(self._fields) < _MAX_FIELDS:
                self._fields[path] = field
        return field
