"""``run["a/b"]``: one attribute of a run."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from goodseed.paths import check_attribute_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from goodseed.run.writing import RunWriting

__all__ = ["Field"]


class Field:
    """One attribute of a run, as ``run[path]`` gives it."""

    __slots__ = ("_log_number", "_path", "_run")

    def __init__(self, run: RunWriting, path: str) -> None:
        self._run = run
        self._path = path
        self._log_number = run._log_number

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
        self._run._change_set(self._path, "add", values)

    def remove(self, values: str | Iterable[str]) -> None:
        """Remove one string or several from the set of strings at this path; those that are not in it are ignored.

        Raises:
            InvalidTypeError: A value is no string, or the config at this path is no set of strings.
        """
        self._run._change_set(self._path, "remove", values)
