"""Defines what an endpoint is, what it gets, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from goodseed_hub.errors import ApiError
from goodseed_hub.wire.bodies import json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from goodseed_hub.registry.caller import Caller
    from goodseed_hub.service import Hub

__all__ = ["Call", "Endpoint", "Reply"]

_MAX_OBJECT_BYTES: Final = 1 << 20  # many times what a name, some tags or grants take


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request.

    Attributes:
        hub: The hub that answers.
        caller: The authenticated caller.
        path: The decoded parts of the path that the endpoint's pattern names.
        query: The decoded query, the last of several values.
        body: The plain body.
        content_type: Its type, as sent.
    """

    hub: Hub
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""
    content_type: str = ""

    def content(self, max_bytes: int = _MAX_OBJECT_BYTES) -> dict[str, Any]:
        """The JSON object in the body.

        Raises:
            ApiError: There is none, or it is too large.
        """
        if len(self.body) > max_bytes:
            raise ApiError.too_large(f"This body must have at most {max_bytes:,} bytes.")
        return json_object(self.body)

    def integer(self, name: str, *, low: int, high: int, default: int | None = None) -> int | None:
        """An integer of the query.

        Raises:
            ApiError: It is none, or out of bounds.
        """
        text = self.query.get(name)
        if text is None:
            return default
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 16 and low <= int(text) <= high):
            raise ApiError.bad_request(f"{name} must be an integer from {low} to {high}.", "Query.Invalid")
        return int(text)

    def number(self, name: str) -> float | None:
        """A finite number of the query.

        Raises:
            ApiError: It is none.
        """
        text = self.query.get(name)
        if text is None:
            return None
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not -1.7976931348623157e308 <= number <= 1.7976931348623157e308 or "_" in text:
            raise ApiError.bad_request(f"{name} must be a number.", "Query.Invalid")
        return number

    def text(self, name: str) -> str:
        """A text of the query.

        Raises:
            ApiError: It is missing.
        """
        text = self.query.get(name)
        if not text:
            raise ApiError.bad_request(f"The query must have {name}.", "Query.Invalid")
        return text


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of an endpoint.

    Attributes:
        content: What JSON is made of; or chunks of bytes that are JSON already; or nothing.
        status: The HTTP status.
    """

    content: Any = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of the API.

    Attributes:
        method: ``GET``, ``POST``, ``PUT`` or ``DELETE``.
        pattern: The path; ``{name}`` stands for one part of it.
        handler: Answers a call, in a thread.
        summary: What it is for, in one line.
        operation: Further fields of its OpenAPI operation.
    """

    method: str
    pattern: str
    handler: Callable[[Call], Reply]
    summary: str
    operation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_body(self) -> bool:
        """Whether it takes a body."""
        return "requestBody" in self.operation


def chunked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same chunks, the first of them read already: a fault that shows there can still be an error's status."""
    first = next(chunks, b"")

    def rest() -> Iterator[bytes]:
        yield first
        yield from chunks

    return rest()
