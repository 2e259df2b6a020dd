"""Parses the points of a JSON body one after the other, skipping bad ones, in bounded memory."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from goodseed_hub.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["loose_points"]

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_MARK: Final = re.compile(r'["{}\[\]]')
_MAX_STRINGS: Final = 32  # of one point: its members' names and texts
_MAX_DIGITS: Final = 400  # a number with more does not fit into a double; Python refuses those with 4,300


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


_lenient: Final = json.JSONDecoder(parse_int=_integer)
_raw_decode: Final = _lenient.raw_decode


def loose_points(body: bytes) -> Iterator[Any]:
    """The points in the object ``body``; None for what can be none, such as one with lists in it.

    ``NaN`` and ``Infinity`` are taken, as the reference's client sends them.

    Raises:
        ApiError: The body is no such object, which may show only after its last point.
    """
    try:
        yield from _points(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, IndexError, RecursionError) as error:
        if isinstance(error, ApiError):
            raise
        _refuse(f"The body is not valid JSON: {str(error)[:200]}.")


def _points(text: str) -> Iterator[Any]:
    at, has_points = _after_space(text, 0), False
    if text[at : at + 1] != "{":
        _refuse("The body must be a JSON object.")
    at = _after_space(text, at + 1)
    while text[at] != "}":
        if text[at] != '"':
            _refuse("The body is not valid JSON: a name is missing.")
        name, at = _raw_decode(text, at)
        at = _after_space(text, _after(":", text, at))
        if name != "points":
            at, _ = _end_of_value(text, at)
        elif text[at] != "[" or has_points:
            raise ApiError.bad_request("points must be a list.", "Ingest.Invalid")
        else:
            has_points = True
            at = yield from _elements(text, at)
        at = _next(text, at, "}")
    if text[at + 1 :].strip(" \t\n\r"):
        _refuse("The body is not valid JSON: something follows its end.")
    if not has_points:
        raise ApiError.bad_request("points must be a list.", "Ingest.Invalid")


def _elements(text: str, at: int) -> Generator[Any, None, int]:
    """The elements of the list that begins at ``at``; returns where it ends."""
    at = _after_space(text, at + 1)
    while text[at] != "]":
        found = _short_object(text, at)
        if found is None:
            end, is_plain = _end_of_value(text, at)
            yield _lenient.decode(text[at:end]) if is_plain and text[at] == "{" else None
        else:
            point, end = found
            yield point
        at = _next(text, end, "]")
    return at + 1


def _short_object(text: str, at: int) -> tuple[Any, int] | None:
    """The object at ``at`` and where it ends; None where that takes a closer look."""
    if text[at] != "{":
        return None
    end = text.find("}", at) + 1
    candidate = text[at:end]
    if "[" in candidate or candidate.count("{") > 1 or candidate.count('"') > 2 * _MAX_STRINGS:
        return None
    try:
        return json.loads(candidate), end
    except ValueError:  # the bracket is in a string
        return None


def _end_of_value(text: str, at: int) -> tuple[int, bool]:
    """Where the value at ``at`` ends, and whether it is a scalar or an object of a few scalars."""
    if text[at] not in '{["':
        return _raw_decode(text, at)[1], True
    depth = strings = 0
    is_plain = True
    while True:
        mark = _MARK.search(text, at)
        if mark is None:
            _refuse("The body is not valid JSON: it ends too early.")
        at = mark.end()
        if mark[0] == '"':
            _, at = _raw_decode(text, at - 1)
            strings += 1
        elif mark[0] in "{[":
            depth += 1
            is_plain = is_plain and depth == 1
        else:
            depth -= 1
        if depth <= 0:
            return at, is_plain and strings <= _MAX_STRINGS


def _next(text: str, at: int, closing: str) -> int:
    """Where the next member or element begins, or the ``closing`` bracket is."""
    at = _after_space(text, at)
    if text[at] == closing:
        return at
    at = _after_space(text, _after(",", text, at))
    if text[at] == closing:
        _refuse("The body is not valid JSON: something is missing after a comma.")
    return at


def _after(wanted: str, text: str, at: int) -> int:
    at = _after_space(text, at)
    if text[at] != wanted:
        _refuse(f"The body is not valid JSON: {wanted!r} is missing at character {at:,}.")
    return at + 1


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _refuse(detail: str) -> NoReturn:
    raise ApiError(400, "Body.Invalid", "Bad body", detail)
