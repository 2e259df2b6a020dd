"""Checks arguments of `goodseed.Run` and translates old names."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.values import as_text, tag_set

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_git_ref", "check_seconds", "check_switches", "first_fields", "renamed"]


def renamed(given: dict[str, str | None], old: str, new: str, value: str | None) -> str | None:
    """Return the argument ``new``, which may have been ``given`` under its old name; that one warns."""
    if old not in given:
        return value
    warnings.warn(f"{old} is now {new}.", DeprecationWarning, stacklevel=3)
    old_value = given.pop(old)
    if value is not None:
        raise InvalidTypeError(f"{old} is the old name of {new}: give one of the two.")
    return old_value


def check_switches(**switches: object) -> None:
    """Make sure that each argument is true or false: ``"no"`` would be true.

    Raises:
        InvalidTypeError: One of them is something else.
    """
    for argument, value in switches.items():
        if not isinstance(value, bool):
            raise InvalidTypeError(f"{argument} must be True or False, not {value!r:.60}.")


def check_seconds(argument: str, seconds: object) -> float | None:
    """Return ``seconds`` as a float; None stays None.

    Raises:
        InvalidTypeError: It is not a number.
        InvalidValueError: It is negative, or NaN.
    """
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not hasattr(seconds, "__float__"):
        raise InvalidTypeError(f"{argument} must be a number of seconds, not {seconds!r:.60}.")
    number = float(seconds)
    if not number >= 0.0:
        raise InvalidValueError(f"{argument} must be a number of seconds, and not negative, not {number}.")
    return number


def check_git_ref(git_ref: object) -> None:
    """Make sure that ``git_ref`` is a `GitRef`, a path or None.

    Raises:
        InvalidTypeError: It is something else.
    """
    if git_ref is None or isinstance(git_ref, bool):
        return
    from goodseed.source_code import GitRef  # a caller that has one has imported it

    if not isinstance(git_ref, GitRef):
        raise InvalidTypeError(
            f"git_ref must be a goodseed.GitRef or False, not {git_ref!r:.60}: GitRef(repository_path=…)."
        )


def first_fields(name: str | None, description: str | None, tags: Iterable[str] | None) -> dict[str, object]:
    """The configs that a name, a description and tags make.

    Raises:
        InvalidTypeError: One of them has the wrong type.
    """
    fields: dict[str, object] = {}
    for path, value in (("sys/name", name), ("sys/description", description)):
        if value is not None:
            if not isinstance(value, str):
                raise InvalidTypeError(f"{path[4:]} must be a string, not {type(value).__name__}.")
            fields[path] = as_text(value)
    if tags is not None:
        fields["sys/tags"] = tag_set(tags, "tags")
    return fields
