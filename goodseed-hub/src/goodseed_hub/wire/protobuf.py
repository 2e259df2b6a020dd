"""Parses points in protobuf: field 1 repeated; each 1 path, 2 step, 3 timestamp_ms, 4 number, 5 text."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from goodseed_hub.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["decode_points"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DOUBLE: Final = struct.Struct("<d")
_MAX_VARINT_BYTES: Final = 10


def decode_points(body: bytes, max_points: int) -> list[Any]:
    """The points, as their JSON would be.

    Raises:
        ApiError: It is no protobuf, or holds too many points.
    """
    points: list[Any] = []
    try:
        for field, wire, value in _fields(body):
            if field == 1 and wire == _BYTES:
                if len(points) >= max_points:
                    raise ApiError.too_large(f"A request must have at most {max_points:,} points.")
                points.append(_point(value))
    except (IndexError, ValueError, struct.error) as error:
        if isinstance(error, ApiError):
            raise
        raise ApiError(
            400, "Body.Invalid", "Bad body", "The body is not a valid protobuf message of points."
        ) from error
    return points


def _point(message: bytes) -> dict[str, Any]:
    point: dict[str, Any] = {"path": "", "step": 0}
    for field, wire, value in _fields(message):
        if field == 1 and wire == _BYTES:
            point["path"] = value.decode("utf-8", "surrogateescape")  # invalid text is rejected as a path is
        elif field == 2 and wire == _VARINT:
            point["step"] = _signed(value)
        elif field == 2 and wire == _FIXED64:  # an extension of the protocol: a step that is no integer
            point["step"] = _DOUBLE.unpack(value)[0]
        elif field == 3 and wire == _VARINT:
            point["timestampMs"] = _signed(value)
        elif field == 4 and wire == _FIXED64:
            point["number"] = _DOUBLE.unpack(value)[0]
        elif field == 5 and wire == _BYTES:
            point["text"] = value.decode("utf-8", "surrogateescape")
    return point


def _fields(message: bytes) -> Iterator[tuple[int, int, Any]]:
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        wire = tag & 7
        if wire == _VARINT:
            value: Any
            value, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            value, at = message[at : at + size], at + size
        elif wire == _BYTES:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        else:
            raise ValueError("an unknown wire type")
        if at > end:
            raise ValueError("a field that ends after its message")
        yield tag >> 3, wire, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value
