"""Decodes values of configs so that they can be compared, and turns them into JSON."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from goodseed.errors import FileFormatError
from goodseed.values import MAX_EXACT_INTEGER, decode_config, json_number

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Value", "decoded", "finite_numbers", "plain_value"]

Value = Any  # a number, a boolean, a string, None, or a tuple of strings


def decoded(tag: str, stored: str | None) -> Value:
    """A config's value, hashable: a time as its text, a set as a sorted tuple."""
    try:
        value = decode_config(tag, stored)
    except (FileFormatError, RecursionError, OverflowError):
        return stored  # a tag of a newer version, or a text that does not fit its tag: as it is stored
    if isinstance(value, datetime):  # one without a zone stays as it was stored: its zone is unknown
        return stored if value.tzinfo is None else value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, set):
        return tuple(sorted(map(str, value)))
    if isinstance(value, int) and abs(value) > MAX_EXACT_INTEGER:
        return stored
    return value


def finite_numbers(values: Iterable[Value]) -> list[float]:
    """Those of ``values`` that are numbers, and finite."""
    return [
        value
        for value in values
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    ]


def plain_value(value: Value) -> Any:
    """The value as JSON has it."""
    if isinstance(value, float):
        return json_number(value)
    return list(value) if isinstance(value, tuple) else value
