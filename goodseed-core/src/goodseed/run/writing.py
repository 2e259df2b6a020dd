"""The writing methods of `goodseed.Run`."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from goodseed.config_values import config_leaves, config_value
from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.run.data import RunData, session_of
from goodseed.storage.kinds import NUMBERS, TEXTS
from goodseed.times import seconds_argument
from goodseed.values import STEP_REQUIRED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

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

    def log(
        self, value: float | str, *, step: float = STEP_REQUIRED, timestamp: datetime | float | None = None
    ) -> None:
        """Add a point to the series of this path: a number to a metric, a string to a string series.

        Args:
            value: A number (whatever is a scalar and has ``__float__``) or a string.
            step: Where in the series; it must be given. A point that is there already is replaced.
            timestamp: When the value was made; see `Run.log_metrics`.

        Raises:
            InvalidTypeError: The value is neither, the step is missing or no number, or the timestamp is not a time.
            InvalidValueError: The step is not finite, or an integer that no float holds exactly, or the timestamp is
                in no year from 1 to 9999.
            RunClosedError: The run is closed.
        """
        if isinstance(value, str):
            self._run.log_strings({self._path: value}, step, timestamp)
        elif timestamp is None:
            self._log_number(self._path, value, step)
        else:
            self._run.log_metrics({self._path: value}, step, timestamp)

    def add(self, values: str | Iterable[str]) -> None:
        """Add one string or several to the set of strings at this path, as in ``run["sys/tags"].add("baseline")``.

        Raises:
            InvalidTypeError: A value is no string, or the config at this path is not a set of strings.
        """
        self._session.add_to_set(self._path, values)

    def remove(self, values: str | Iterable[str]) -> None:
        """Remove one string or several from the set of strings at this path; those that are not in it are ignored.

        Raises:
            InvalidTypeError: A value is no string, or the config at this path is not a set of strings.
        """
        self._session.remove_from_set(self._path, values)


class RunWriting(RunData):
    """The methods of `goodseed.Run` that write."""

    def __init__(self, session: RunSession) -> None:
        super().__init__(session)
        self._log_metrics: Final = session.backend.log_metrics  # the path of every call: nothing stands between
        self._fields: Final[dict[str, Field]] = {}

    def log_metrics(
        self, data: Mapping[str, float], step: float = STEP_REQUIRED, timestamp: datetime | float | None = None
    ) -> None:
        """Add one point to each of several metrics.

        Args:
            data: Numbers by path: whatever is a scalar and has ``__float__`` (Python's and numpy's numbers, 0-d arrays
                and tensors). NaN and infinities are stored as they are.
            step: Integer or float; it must be given. A point that is there already at this step is replaced.
            timestamp: When the values were made: a ``datetime`` (one without a zone is in this machine's) or seconds
                since the epoch, kept to the millisecond; None for now.

        Raises:
            InvalidTypeError: A value is not a number, the step is missing, or the timestamp is not a time;
                nothing of the call is stored.
            InvalidValueError: A path is invalid, the step is not finite, or an integer that no float holds exactly, or
                the timestamp is in no year from 1 to 9999.
            RunClosedError: The run is closed.

        Examples:
            >>> run.log_metrics({"train/loss": 0.3, "train/accuracy": 0.9}, step=100)
            >>> run.log_metrics({"train/loss": 0.3}, step=100, timestamp=datetime(2026, 1, 31, 12))
        """
        if timestamp is None:
            self._log_metrics(data, step)
        else:
            session_of(self).log_values(NUMBERS, data, step, at_seconds=seconds_argument("timestamp", timestamp))

    def log_strings(
        self, data: Mapping[str, object], step: float = STEP_REQUIRED, timestamp: datetime | float | None = None
    ) -> None:
        """Add one point to each of several string series; values become strings.

        Args:
            data: Texts by path.
            step: Integer or float; it must be given. A point that is there already at this step is replaced.
            timestamp: When the texts were made; see `log_metrics`.

        Raises:
            InvalidTypeError: ``data`` is not a mapping, the step is missing or not a number, or the timestamp is not a
                time.
            InvalidValueError: Invalid path, step or timestamp.
            RunClosedError: The run is closed.
        """
        at_seconds = None if timestamp is None else seconds_argument("timestamp", timestamp)
        session_of(self).log_values(TEXTS, data, step, at_seconds=at_seconds)

    def log_points(
        self,
        path: str,
        steps: Iterable[float],
        values: Iterable[float] | Iterable[str],
        timestamps: Iterable[datetime | float] | None = None,
    ) -> None:
        """Add many points to one series at once, faster than one by one: for importers, and after a training.

        Args:
            path: The series: a metric where the values are numbers, a string series where all of them are strings.
            steps: As for `log_metrics`: a list, or an array of one dimension.
            values: As many numbers or strings.
            timestamps: When each was made, as for `log_metrics`; None for now.

        Raises:
            InvalidTypeError: Something is no column, or an item has the wrong type; nothing of the call is stored.
            InvalidValueError: The path is invalid, the columns differ in length, or a step or a timestamp is invalid.
            RunClosedError: The run is closed.

        Examples:
            >>> run.log_points("val/loss", steps=[100, 200, 300], values=[0.9, 0.5, 0.4])
        """
        session_of(self).add_points(check_attribute_path(path), steps, values, timestamps)

    def log_string_series(self, data: Mapping[str, object], step: float = STEP_REQUIRED) -> None:
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
            InvalidTypeError: ``data`` is not a mapping, or a value can't be made text.
            InvalidValueError: A path is invalid or given twice, a value contains itself, or the run
                itself sets this field (``sys/id``, ``sys/state``, …).
            RunClosedError: The run is closed.
        """
        if not isinstance(data, Mapping):
            raise InvalidTypeError(f"Configs come as a mapping of paths to values, not as a {type(data).__name__}.")
        if flatten:
            session_of(self).set_configs(config_leaves(data))
            return
        leaves = {check_attribute_path(path): value for path, value in data.items()}
        if len(leaves) < len(data):
            raise InvalidValueError(f"Two of the paths {list(data)!r:.200} are the same: rename one.")
        session_of(self).set_configs({path: config_value(value, path) for path, value in leaves.items()})

    def __setitem__(self, path: str, value: object) -> None:
        """Set the config at ``path``, or, for a mapping or an object with fields, one config a leaf under it.

        Raises:
            InvalidTypeError: ``path`` is no string, or the value can't be made text.
            InvalidValueError: See `log_configs`, or the run itself sets this field (``sys/id``, ``sys/state``, …).
            RunClosedError: The run is closed.
        """
        session_of(self).set_configs(config_leaves(value, check_attribute_path(path)))

    def __getitem__(self, path: str) -> Field:
        """The attribute at ``path``, to ``log`` to, or to ``add`` to and ``remove`` from when it is a set.

        Raises:
            InvalidTypeError: ``path`` is no string.
            InvalidValueError: ``path`` is invalid, or the run itself sets this field (``sys/id``, ``sys/state``, …).
        """
        field = self._fields.get(path)
        if field is None:
            session = session_of(self)
            field = Field(self, session, session.check_editable(check_attribute_path(path)))
            if len(self._fields) < _MAX_FIELDS:
                self._fields[path] = field
        return field
