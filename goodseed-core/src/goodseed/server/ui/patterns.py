"""Regular expressions from outside, kept to those whose time grows with the text and no faster."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_TEXT", "compile_pattern"]

MAX_TEXT: Final = 1_000  # characters that a pattern is tried on
_MAX_PATTERN: Final = 200
_MAX_COUNT: Final = 100
_MAX_REPEATS: Final = 4  # k of them side by side can take the k-th power of the text's length
_UNBOUNDED: Final = re.compile(r"(?:[*+]|\{\d*,?\d*\})[?+]?")
_COUNTS: Final = re.compile(r"\{(\d*),?(\d*)\}")


def compile_pattern(text: str, column: int, fault: Callable[[int, str, str], Exception]) -> re.Pattern[str]:
    """Compile a regular expression, in any case.

    Raises:
        Exception: What ``fault`` makes of a column, a message and a hint: the expression can't be read, or could take
            much longer than its text is long.
    """
    if len(text) > _MAX_PATTERN:
        raise fault(column, f"A regular expression may have {_MAX_PATTERN} characters", "")
    problem = _problem(text)
    if problem:
        raise fault(column, f"A regular expression may not hold {problem} here", "Put the plain text in its place.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read otherwise
            return re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        place: Any = getattr(error, "pos", None)
        message = f"The regular expression can't be read: {getattr(error, 'msg', error)}"
        raise fault(column + (place or 0), message, "") from error


def _problem(text: str) -> str:
    """What makes the time grow beyond measure: named as it would stand in a sentence."""
    plain = re.sub(r"\\\\", "..", text)
    plain = re.sub(r"\[(?:\^?\]|\^)?(?:\\.|[^\]\\])*\]", lambda found: "x" * len(found.group()), plain)
    if re.search(r"\\[1-9]|\(\?P=|\(\?\(", plain):
        return "a reference to a group"
    plain = re.sub(r"\\.", "xx", plain, flags=re.DOTALL)
    if re.search(r"\(\?(?!:)", plain):
        return "'(?' other than '(?:'"
    if any(count and int(count) > _MAX_COUNT for pair in _COUNTS.findall(plain) for count in pair):
        return f"a repetition of more than {_MAX_COUNT} times"
    if len(_UNBOUNDED.findall(plain)) > _MAX_REPEATS:
        return f"more than {_MAX_REPEATS} repetitions"
    depth_repeats = [False]
    for index, sign in enumerate(plain):
        if sign == "(":
            depth_repeats.append(False)
        elif sign == ")" and len(depth_repeats) > 1:
            inner = depth_repeats.pop()
            is_repeated = _UNBOUNDED.match(plain, index + 1) is not None
            if inner and is_repeated:
                return "a repetition inside a repetition"
            depth_repeats[-1] = depth_repeats[-1] or inner or is_repeated
        elif _UNBOUNDED.match(plain, index):
            depth_repeats[-1] = True
    return ""
