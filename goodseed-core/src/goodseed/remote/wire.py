"""Encodes points for the wire protocol: packed columns, or JSON objects."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from goodseed.columns import pack
from goodseed.storage.kinds import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from goodseed.columns import Points
    from goodseed.storage.kinds import Kind, StoredValue

__all__ = ["PACKED", "Encoder", "one_point", "packed"]

PACKED: Final = "application/x-goodseed-points"


def packed(several: Sequence[Points]) -> bytes:
    """The body of a request with these points.

    Metrics go in version 1, which every remote with packed points reads and which costs the least time to make.
    """
    return pack(several, version=1 if all(points.kind == NUMBERS.name for points in several) else 2)


class Encoder:
    """Makes JSON of points that any remote takes.

    Series that were logged together share steps and times, whose text is made once.
    """

    def __init__(self) -> None:
        self._shared: tuple[Sequence[float], Sequence[float]] = ((), ())
        self._middles: list[str] = []
        self._is_whole = True

    def points(
        self, path: str, steps: Sequence[float], values: Sequence[float | None], times: Sequence[float]
    ) -> str | None:
        """The points of one metric, separated by commas; None where a remote may refuse one of them."""
        if (steps, times) != self._shared:
            self._shared = (steps, times)
            self._is_whole = all(step == int(step) for step in steps)
            self._middles = (
                [
                    f'{int(step)},"timestampMs":{round(seconds * 1000)},"number":'
                    for step, seconds in zip(steps, times, strict=True)
                ]
                if self._is_whole
                else []
            )
        if not self._is_whole or not _are_finite(values):
            return None
        pieces = [f'}},{{"path":{_text(path)},"step":'] * (3 * len(steps))
        pieces[1::3] = self._middles
        pieces[2::3] = map(repr, values)
        return "".join(pieces)[2:] + "}"


def _are_finite(values: Sequence[float | None]) -> bool:
    try:
        return math.isfinite(sum(values))  # type: ignore[arg-type]
    except TypeError:  # None, which is NaN in the run file
        return False


def one_point(kind: Kind, path: str, step: float, value: StoredValue, seconds: float) -> tuple[str, str]:
    """One point, and what a plain remote may refuse it for: ``float steps``, ``non-finite numbers``, or nothing."""
    is_whole = step == int(step)
    said = kind.to_json(value)
    text = (
        f'{{"path":{_text(path)},"step":{int(step) if is_whole else repr(step)},"timestampMs":{round(seconds * 1000)},'
        f'"{kind.field}":{_text(said)}}}'
    )
    if not is_whole:
        return text, "float steps"
    return text, "non-finite numbers" if kind.form is float and isinstance(said, str) else ""


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
