"""Points as the wire protocol has them: JSON objects, made a series at a time."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Encoder", "number_of", "one_point"]

_SPECIAL: Final = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"', "None": '"NaN"'}


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


def one_point(path: str, step: float, value: float | str | None, seconds: float, *, is_text: bool) -> tuple[str, str]:
    """One point, and what a plain remote may refuse it for: ``float steps``, ``non-finite numbers``, or nothing."""
    is_whole = step == int(step)
    number = _text(str(value)) if is_text else repr(value)
    head = (
        f'{{"path":{_text(path)},"step":{int(step) if is_whole else repr(step)},"timestampMs":{round(seconds * 1000)}'
    )
    text = f'{head},"{"text" if is_text else "number"}":{number if is_text else _SPECIAL.get(number, number)}}}'
    if not is_whole:
        return text, "float steps"
    return text, "" if is_text or number not in _SPECIAL else "non-finite numbers"


def number_of(value: object) -> float:
    """The number that an answer says, NaN and infinities as strings.

    Raises:
        ValueError, TypeError: It says none.
    """
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        return float(value)
    if value is None:
        return math.nan
    raise TypeError(f"{value!r:.60} is no number")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
