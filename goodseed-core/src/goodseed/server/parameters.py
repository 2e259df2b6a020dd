"""Parses query parameters and JSON bodies, strictly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from goodseed.server.routes import RequestError

if TYPE_CHECKING:
    from goodseed.server.routes import Request

__all__ = ["MAX_INTEGER", "integer", "text"]

MAX_INTEGER: Final = 2**63 - 1  # what SQLite can count to
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)


def text(request: Request, name: str) -> str | None:
    """The first value of a parameter that is not empty; None where there is none."""
    return next((value for value in request.query.get(name, ()) if value), None)


def integer(request: Request, name: str, *, low: int = 0, fault: str = "") -> int | None:
    """A parameter that is an integer from ``low`` to `MAX_INTEGER`; None where there is none.

    Raises:
        RequestError: It is something else; ``fault`` is the message if it is no integer at all.
    """
    value = text(request, name)
    if value is None:
        return None
    if not _INTEGER.fullmatch(value):
        raise RequestError(fault or f"{name} must be an integer")
    number = int(value)
    if not low <= number <= MAX_INTEGER:
        raise RequestError(f"{name} must be from {low} to {MAX_INTEGER}")
    return number
