"""Decompresses and decodes request bodies within a limit."""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from goodseed_hub.errors import ApiError

__all__ = ["announced_bytes", "decode_json", "decompress"]

_GZIP: Final = 31
_MAX_MEMBERS: Final = 100  # the rest is copied after each
_MAX_SIGNS: Final = 4_000_000  # what is decoded may be many times as large as the text
_TITLE: Final = "Bad body"


def announced_bytes(body: bytes, encoding: str) -> int:
    """How large the body says that it is when it is decompressed; it may lie."""
    return len(body) if encoding.strip().lower() in ("", "identity") else int.from_bytes(body[-4:], "little")


def decompress(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The plain body.

    Raises:
        ApiError: It is damaged, too large, or in an encoding that the hub does not know.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        if len(body) > max_bytes:
            raise ApiError.too_large(f"A body must have at most {max_bytes:,} bytes.")
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise ApiError(415, "Body.Encoding", _TITLE, f"The encoding {encoding!r:.40} is not known; gzip is.")
    found: list[bytes] = []
    left = max_bytes
    for _ in range(_MAX_MEMBERS):
        decoder = zlib.decompressobj(_GZIP)
        try:
            found.append(decoder.decompress(body, left + 1))
        except zlib.error as error:
            raise ApiError(400, "Body.Damaged", _TITLE, f"The body is not gzip: {error}.") from error
        left -= len(found[-1])
        if left < 0:
            raise ApiError.too_large(f"A body must have at most {max_bytes:,} bytes when it is decompressed.")
        if not decoder.eof:
            raise ApiError(400, "Body.Damaged", _TITLE, "The gzip ends too early.")
        body = decoder.unused_data.lstrip(b"\0")  # another member, or the padding that some tools add
        if not body:
            return found[0] if len(found) == 1 else b"".join(found)
    raise ApiError(400, "Body.Damaged", _TITLE, f"The gzip has over {_MAX_MEMBERS} members.")


def decode_json(body: bytes) -> Any:
    """The value; ``NaN`` and ``Infinity`` are taken, as the reference's client sends them.

    Raises:
        ApiError: It is no JSON, or holds too many values.
    """
    if 3 * (body.count(b"{") + body.count(b"[")) + body.count(b",") > _MAX_SIGNS:
        raise ApiError.too_large("The body holds too many values.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "Body.Invalid", _TITLE, f"The body is not valid JSON: {str(error)[:200]}.") from error


def json_object(body: bytes) -> dict[str, Any]:
    """The object in the body.

    Raises:
        ApiError: It is none.
    """
    value = decode_json(body)
    if not isinstance(value, dict):
        raise ApiError(400, "Body.Invalid", _TITLE, "The body must be a JSON object.")
    return value


def text_field(
    content: dict[str, Any], name: str, *, max_characters: int, default: str | None = None, is_optional: bool = False
) -> str | None:
    """A text of an object.

    Raises:
        ApiError: It is missing, no text, or too long.
    """
    value = content.get(name, default)
    if value is None and is_optional:
        return None
    if not isinstance(value, str):
        raise ApiError.bad_request(f"{name} must be a string.")
    if len(value) > max_characters:
        raise ApiError.bad_request(f"{name} must have at most {max_characters:,} characters.")
    if "\0" in value:
        raise ApiError.bad_request(f"{name} must not hold NUL.")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ApiError.bad_request(f"{name} is not valid Unicode.") from error
    return value
