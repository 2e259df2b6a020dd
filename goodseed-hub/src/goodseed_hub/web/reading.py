"""Bodies as they come from clients: in time, and no more than allowed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from goodseed_hub.errors import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request

    from goodseed_hub.limits import Limits

__all__ = ["drain", "expected_bytes", "read_body"]

# A body that is too large is read up to that many times the limit: clients read no answer before they have sent it.
_DRAINED_TIMES: Final = 4


def expected_bytes(request: Request, limits: Limits) -> int:
    """How much memory the body may take, from what the head says."""
    if "transfer-encoding" in request.headers:
        return limits.max_body_bytes
    return min(_announced(request), limits.max_body_bytes)


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body, as it was sent.

    Raises:
        ApiError: It is too large, or comes too slowly.
        ClientDisconnect: The client has gone.
    """
    limit = limits.max_body_bytes
    chunks = None
    if _announced(request) <= limit:
        try:
            chunks = await asyncio.wait_for(_read(request, limit), limits.body_seconds)
        except asyncio.TimeoutError as error:
            raise ApiError(408, "Body.TooSlow", "Too slow", "The body did not come in time.") from error
    if chunks is None:
        await drain(request, limits)
        raise ApiError.too_large(f"A body may have {limit:,} bytes.")
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


async def _read(request: Request, limit: int) -> list[bytes] | None:
    """The body; None where it is larger than ``limit``."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
    return chunks


def _announced(request: Request) -> int:
    text = request.headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
