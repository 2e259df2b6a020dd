"""Reads request bodies within limits of time and size."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from goodseed_hub.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from goodseed_hub.limits import Limits

__all__ = ["drain", "read_body"]

# A body that is too large is read up to that many times the limit: clients read no answer before they have sent it.
_DRAINED_TIMES: Final = 4


async def read_body(request: Request, limits: Limits, take: Callable[[int], None] | None = None) -> bytes:
    """The body, as it was sent.

    Args:
        request: The request.
        limits: What is allowed.
        take: Told of the bytes as they come; may refuse them by raising.

    Raises:
        ApiError: It is too large, or comes too slowly.
        ClientDisconnect: The client has gone.
    """
    limit = limits.max_body_bytes
    chunks = None
    announced = _announced(request)
    if announced > limit * _DRAINED_TIMES:
        raise ApiError.too_large(f"A body must have at most {limit:,} bytes.")
    if announced <= limit:
        try:
            chunks = await asyncio.wait_for(_read(request, limit, take), limits.body_seconds)
        except asyncio.TimeoutError as error:
            raise ApiError(408, "Body.TooSlow", "Too slow", "The body did not come in time.") from error
    if chunks is None:
        await drain(request, limits)
        raise ApiError.too_large(f"A body must have at most {limit:,} bytes.")
    return b"".join(chunks)


async def drain(request: Request, limits: Limits) -> None:
    """Let the client finish sending, up to a point."""
    left = limits.max_body_bytes * _DRAINED_TIMES

    async def read_on() -> None:
        nonlocal left
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                return

    try:
        await asyncio.wait_for(read_on(), limits.body_seconds)
    except (asyncio.TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: it is read already
        return


async def _read(request: Request, limit: int, take: Callable[[int], None] | None) -> list[bytes] | None:
    """The body; None where it is larger than ``limit``."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            return None
        if take is not None:
            take(len(chunk))
        chunks.append(chunk)
    return chunks


def _announced(request: Request) -> int:
    text = request.headers.get("content-length", "0")
    if not (text.isascii() and text.isdecimal()):
        return 0
    return int(text) if len(text) < 16 else 10**16
