"""Arguments of `goodseed.Run` that become something else: old names, and the first configs."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from goodseed.errors import InvalidTypeError
from goodseed.values import as_text, tag_set

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["first_fields", "renamed"]


def renamed(given: dict[str, str | None], old: str, new: str, value: str | None) -> str | None:
    """Return the argument ``new``, which may have been ``given`` under its old name; that one warns."""
    if old not in given:
        return value
    warnings.warn(f"{old} is now {new}.", DeprecationWarning, stacklevel=3)
    old_value = given.pop(old)
    if value is not None:
        raise InvalidTypeError(f"{old} is the old name of {new}: give one of the two.")
    return old_value


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
