"""Reads the bodies and parameters of the dashboard's requests, strictly."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from goodseed.server.parameters import integer, text
from goodseed.server.routes import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from goodseed.server.routes import Request

__all__ = ["Fields", "boolean", "limit_of", "pattern_of", "texts"]

_MAX_QUERY: Final = 200


class Fields:
    """The members of a JSON object, each asked for by type; what is missing or null is the default.

    Any method raises `RequestError` for a member of another type.
    """

    def __init__(self, body: Any, *known: str) -> None:
        """Begin to read.

        Args:
            body: The decoded body; None counts as an empty object.
            known: The members that there may be.
        """
        self._body: Mapping[str, Any] = {} if body is None else body
        if not isinstance(self._body, dict):
            raise RequestError("The body must be a JSON object")
        for name in self._body:
            if name not in known:
                hint = f"Known are {', '.join(known)}."
                raise RequestError(f"The body has an unknown member {name!r:.60}", hint=hint)

    def refuse_null(self, *names: str) -> None:
        """Refuse a null in any of these: a change has no default."""
        for name in names:
            if name in self._body and self._body[name] is None:
                raise RequestError(f"{name} must not be null: leave it out where it is to stay as it is")

    def has(self, name: str) -> bool:
        """Whether the object has the member, even if it is null."""
        return name in self._body

    def text(self, name: str, default: str = "", *, max_characters: int = 4096) -> str:
        """A string."""
        value = self._body.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or len(value) > max_characters:
            raise RequestError(f"{name} must be a string of at most {max_characters:,} characters")
        return encodable(name, value)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """An integer."""
        value = self._body.get(name)
        if value is None:
            return default
        if isinstance(value, float) and value.is_integer():  # JSON knows no difference
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise RequestError(f"{name} must be an integer from {low} to {high}")
        return int(value)

    def boolean(self, name: str) -> bool | None:
        """True or false; None where it is missing."""
        value = self._body.get(name)
        if value is not None and not isinstance(value, bool):
            raise RequestError(f"{name} must be true or false")
        return value

    def texts(self, name: str, high: int, *, max_characters: int = 4096) -> list[str] | None:
        """An array of strings; None where it is missing."""
        values = self._body.get(name)
        if values is None:
            return None
        if not isinstance(values, list) or len(values) > high:
            raise RequestError(f"{name} must be an array of at most {high:,} strings")
        for value in values:
            if not isinstance(value, str) or len(value) > max_characters:
                raise RequestError(f"{name} must hold strings of at most {max_characters:,} characters")
            encodable(name, value)
        return values

    def array(self, name: str, high: int) -> list[Any] | None:
        """An array; None where it is missing."""
        values = self._body.get(name)
        if values is not None and (not isinstance(values, list) or len(values) > high):
            raise RequestError(f"{name} must be an array of at most {high:,} members")
        return values

    def object(self, name: str) -> dict[str, Any]:
        """An object."""
        value = self._body.get(name)
        if value is not None and not isinstance(value, dict):
            raise RequestError(f"{name} must be an object")
        return value or {}

    def range(self, name: str) -> tuple[float, float] | None:
        """The lower and the higher of two numbers; None where it is missing."""
        value = self.array(name, 2)
        if value is None:
            return None
        if len(value) != 2 or any(isinstance(end, bool) or not isinstance(end, (int, float)) for end in value):
            raise RequestError(f"{name} must be two numbers")
        low, high = sorted(map(_as_float, value))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise RequestError(f"{name} must be two finite numbers")
        return low, high


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def encodable(name: str, value: str) -> str:
    """``value``, unless it holds what UTF-8 or SQLite can't."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{name} must be valid Unicode") from error
    return value


def texts(request: Request, name: str, high: int) -> list[str]:
    """All values of a parameter that are not empty."""
    given = request.query.get(name, ())
    values = [value for value in given if value]
    if len(given) > high:
        raise RequestError(f"{name} must be given at most {high:,} times")
    return values


def limit_of(request: Request, default: int, high: int) -> int:
    """The parameter ``limit``."""
    limit = integer(request, "limit", low=1)
    if limit is None:
        return default
    if limit > high:
        raise RequestError(f"limit must be from 1 to {high}")
    return limit


def pattern_of(request: Request) -> str | None:
    """What LIKE finds the words of the parameter ``q`` with, where a backslash escapes; None without any."""
    query = text(request, "q")
    if query is not None and len(query) > _MAX_QUERY:
        raise RequestError(f"q must have at most {_MAX_QUERY} characters")
    return query and "%" + re.sub(r"([\\%_])", r"\\\1", query) + "%"


def boolean(request: Request, name: str) -> bool:
    """Whether a parameter is ``1`` or ``true``."""
    value = text(request, name)
    if value not in (None, "0", "1", "false", "true"):
        raise RequestError(f"{name} must be true or false")
    return value in ("1", "true")
