"""Packs points into one value of the database: `goodseed.columns`, deflated. Blocks of older hubs are read, too.

`docs/hub.md` describes both versions for those who read them.
"""

from __future__ import annotations

import struct
import zlib
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from goodseed.columns import Points, unpack_numbers
from goodseed.columns import pack as pack_points
from goodseed.columns import unpack as unpack_points
from goodseed.errors import FileFormatError
from goodseed.storage.kinds import NUMBERS, TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["FAST", "SMALL", "pack", "unpack"]

_VERSION: Final = 2
FAST: Final = 1
SMALL: Final = 6
_COUNT: Final = struct.Struct("<I")
_SERIES: Final = struct.Struct("<BHI")  # kind, bytes of the path, points
_DOUBLES, _INTEGERS = b"\0", b"\1"


def pack(several: Iterable[Points], level: int) -> bytes:
    """The points of some series, compressed with zlib's ``level``."""
    return bytes([_VERSION]) + zlib.compress(pack_points(several), level)


def unpack(packed: bytes) -> list[Points]:
    """The points that `pack` was given.

    Raises:
        FileFormatError: It is of a newer version, or damaged.
    """
    version = packed[0] if packed else 0
    if version not in (1, _VERSION):
        raise FileFormatError(f"A block has the version {packed[:1].hex() or 'none'}; this hub reads up to {_VERSION}.")
    try:
        plain = zlib.decompress(memoryview(packed)[1:])
        return list(_unpack_first(plain) if version == 1 else unpack_points(plain))
    except (zlib.error, struct.error, ValueError, IndexError, OverflowError) as error:
        raise FileFormatError(f"A block is damaged: {error}.") from error


# -- version 1 ----------------------------------------------------------------------------------------------------


def _unpack_first(plain: bytes) -> Iterator[Points]:
    at = _COUNT.size
    series: tuple[list[tuple[str, int]], list[tuple[str, int]]] = ([], [])
    for _ in range(_COUNT.unpack_from(plain)[0]):
        kind, size, count = _SERIES.unpack_from(plain, at)
        at += _SERIES.size
        series[kind].append((plain[at : at + size].decode(), count))
        at += size
    shared: list[list[float]] = []
    totals = [sum(count for _, count in group) for group in series]
    for total in totals:
        for _ in ("steps", "times"):
            numbers, at = _read_numbers(plain, at, total)
            shared.append(numbers)
    numbers, at = _unshuffled(plain[at : at + 8 * totals[0]], "d"), at + 8 * totals[0]
    lengths, at = unpack_numbers(plain[at : at + 4 * totals[1]], "I"), at + 4 * totals[1]
    texts = []
    for length in lengths:
        texts.append(plain[at : at + int(length)].decode())
        at += int(length)
    yield from _split(NUMBERS.name, series[0], shared[0], numbers, shared[1])
    yield from _split(TEXTS.name, series[1], shared[2], texts, shared[3])


def _split(
    kind: str,
    series: Iterable[tuple[str, int]],
    steps: list[float],
    values: Sequence[float] | Sequence[str],
    times_ms: list[float],
) -> Iterator[Points]:
    at = 0
    for path, count in series:
        part = slice(at, at + count)
        yield Points(path, kind, steps[part], values[part], [ms / 1000.0 for ms in times_ms[part]])
        at += count


def _read_numbers(plain: bytes, at: int, count: int) -> tuple[list[float], int]:
    mode, end = plain[at : at + 1], at + 1 + 8 * count
    if mode == _INTEGERS:
        return list(map(float, accumulate(_unshuffled(plain[at + 1 : end], "q")))), end
    if mode != _DOUBLES:
        raise ValueError("an unknown kind of column")
    return _unshuffled(plain[at + 1 : end], "d"), end


def _unshuffled(shuffled: bytes, code: str) -> list[float]:
    count = len(shuffled) // 8
    plain = bytearray(8 * count)
    for place in range(8):
        plain[place::8] = shuffled[place * count : (place + 1) * count]
    return unpack_numbers(bytes(plain), code).tolist()
