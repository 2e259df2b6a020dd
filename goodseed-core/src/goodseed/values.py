"""Checks numbers, steps and texts on their way in, and decodes the configs of a run file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Union

from goodseed.errors import FileFormatError, InvalidTypeError, InvalidValueError
from goodseed.paths import is_encodable
from goodseed.plugins import call_first

__all__ = [
    "MAX_EXACT_INTEGER",
    "NON_FINITE",
    "STEP_REQUIRED",
    "ConfigValue",
    "as_json_number",
    "as_number",
    "as_step",
    "as_text",
    "decode_config",
    "describe",
    "json_number",
    "non_finite_name",
    "number_of",
    "reason_of",
    "tag_set",
]

ConfigValue = Union[bool, int, float, str, datetime, None, "set[str]"]

MAX_EXACT_INTEGER: Final = 2**53
# The words for the numbers that JSON does not have, wherever we write or read them.
NON_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NOT_NUMBERS: Final = "cUSmMV"  # kinds of dtype that float() would take apart: complex numbers, texts, times


class _Required:
    """What an argument is that was not given, although it has to be."""

    def __repr__(self) -> str:
        return "<required>"


STEP_REQUIRED: Final[Any] = _Required()


def as_number(path: str, value: object) -> float:
    """Return ``value`` as the float that a metric stores.

    Whatever is a scalar and has ``__float__`` is taken: numbers, numpy scalars, 0-d arrays and tensors; beyond them
    what a plugin makes a number of (`goodseed.hookspecs.goodseed_metric_value`).

    Raises:
        InvalidTypeError: It is something else, a complex number for instance; the message names ``path`` and the type.
        InvalidValueError: It is an integer too large for a float.
    """
    if type(value) is float:
        return value
    try:
        number = value if isinstance(value, (float, int)) else _scalar(value)
        if number is None:
            number = call_first("goodseed_metric_value", path=path, value=value)
        if number is not None:
            return float(number)
    except OverflowError:
        message = f"Metric {path!r}: an integer of {_bits(value)} bits is too large for a float."
        raise InvalidValueError(message) from None
    except Exception as error:  # whatever a foreign __float__ may raise
        raise InvalidTypeError(f"Metric {path!r} can't store {describe(value)}: {reason_of(error)}") from error
    raise InvalidTypeError(
        f"Metric {path!r} can't store {describe(value)}: "
        "a metric takes one number (int, float, bool, a numpy scalar, a 0-d array or tensor)."
    )


def _bits(value: Any) -> int:
    return int(value).bit_length()  # Python refuses to print one of over 4,300 digits


def _scalar(value: Any) -> Any:
    """What has the number of ``value``, without the graph of a tensor; None where it has none, or more than one."""
    if not hasattr(value, "__float__") or getattr(value, "ndim", 0) != 0:
        return None
    dtype = getattr(value, "dtype", None)
    if dtype is not None and (getattr(dtype, "kind", "f") in _NOT_NUMBERS or getattr(dtype, "is_complex", False)):
        return None
    return value.detach() if hasattr(value, "detach") else value


def describe(value: object) -> str:
    """``value`` by its type and its shape, for a message."""
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        shape = tuple(getattr(value, "shape", None) or ())
    except Exception:  # noqa: BLE001 - whatever a foreign attribute may raise
        shape = ()
    return f"a {name} of shape {shape}" if shape else f"a {name}"


def reason_of(error: BaseException) -> str:
    """The message of a foreign exception, cut at 300 characters; only its type if the message can't be made."""
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:  # noqa: BLE001 - the exception is the user's, too
        return type(error).__name__


def as_step(step: object, argument: str = "step") -> float:
    """Return ``step`` as the float under which a point is stored.

    Args:
        step: What a caller gives.
        argument: Its name, for the message.

    Raises:
        InvalidTypeError: It is not a number, or `STEP_REQUIRED`.
        InvalidValueError: It is not finite, or an integer that no float holds exactly: two steps would become one.
    """
    if step is STEP_REQUIRED or step is None:
        raise InvalidTypeError(
            f"{argument} is missing: every point has one, such as step=epoch. "
            "In a loop without a counter: for step, batch in enumerate(batches)."
        )
    try:
        is_boolean = isinstance(step, bool) or getattr(getattr(step, "dtype", None), "kind", None) == "b"
        scalar = None if is_boolean else _scalar(step)
        if scalar is not None:
            number = float(scalar)
    except OverflowError:
        raise InvalidValueError(f"{argument} is too large for a float: an integer of {_bits(step)} bits.") from None
    except Exception as error:  # whatever a foreign __float__ may raise
        raise InvalidTypeError(
            f"{argument} must be a number such as 10 or 2.5, not {describe(step)}: {reason_of(error)}"
        ) from error
    if scalar is None:
        raise InvalidTypeError(f"{argument} must be a number such as 10 or 2.5, not {describe(step)}.")
    if not math.isfinite(number):
        raise InvalidValueError(f"{argument} must be finite, not {number}.")
    if abs(number) >= MAX_EXACT_INTEGER and not isinstance(step, float) and _exact(step) != number:
        raise InvalidValueError(
            f"{argument} {step} is beyond 2**53 and no float holds it exactly: "
            f"it would share a step with {int(number)}."
        )
    return number + 0.0  # -0.0 and 0.0 are one step


def _exact(step: object) -> object:
    """What ``step`` is before it becomes a float: an int where it is one, or what compares exactly with a float."""
    import operator

    try:
        return operator.index(step)  # type: ignore[arg-type]
    except TypeError:  # a Decimal, a Fraction, a longdouble; a float tensor has __index__ and refuses it
        return step


def as_text(value: object) -> str:
    """Return ``value`` as text that UTF-8 can hold; unpaired surrogates become their escapes."""
    try:
        text = str(value)
    except Exception as error:  # whatever a foreign __str__ may raise
        raise InvalidTypeError(f"{describe(value)} can't be made text: {reason_of(error)}") from error
    if is_encodable(text):
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def decode_config(type_tag: str, value: str | None) -> ConfigValue:
    """Return the Python value of a stored config.

    Raises:
        FileFormatError: The tag is unknown or the text does not fit it.
    """
    text = "" if value is None else value
    try:
        if type_tag == "null":
            return None
        if type_tag == "bool":
            return {"true": True, "false": False}[text.lower()]
        if type_tag == "int":
            return int(text, 0) if text.startswith(("0x", "-0x")) else int(text)
        if type_tag == "float":
            return float(text)
        if type_tag == "datetime":
            return datetime.fromisoformat(text.replace("Z", "+00:00"))
        if type_tag == "string_set":
            return set(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise FileFormatError(f"A config tagged {type_tag!r} holds {text[:60]!r}, which has another type.") from error
    if type_tag == "str":
        return text
    raise FileFormatError(f"A config has the unknown type tag {type_tag!r}; known are those of docs/file-format.md.")


def tag_set(values: object, argument: str) -> set[str]:
    """Return the tags in ``values``, one string or several.

    Raises:
        InvalidTypeError: It is neither a string nor an iterable of strings.
    """
    if isinstance(values, str):
        return {as_text(values)}
    if not isinstance(values, Iterable) or isinstance(values, (Mapping, bytes)):
        raise InvalidTypeError(f"{argument} takes a string or several, not a {type(values).__name__}.")
    tags = list(values)
    for tag in tags:
        if not isinstance(tag, str):
            raise InvalidTypeError(f"{argument} takes strings; {tag!r:.60} is a {type(tag).__name__}.")
    return {as_text(tag) for tag in tags}


def non_finite_name(value: float) -> str:
    """The name of a number that JSON does not have: ``NaN``, ``Infinity`` or ``-Infinity``."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def json_number(value: float | None) -> float | str:
    """``value`` where JSON has it, else its `non_finite_name`; None, as a run file holds NaN, is ``"NaN"``."""
    if value is None:
        return "NaN"
    return value if math.isfinite(value) else non_finite_name(value)


def as_json_number(value: object) -> float:
    """The number that JSON says, NaN and infinities by their names.

    Raises:
        ValueError: It says none.
    """
    number = NON_FINITE.get(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise ValueError('number must be a number, or "NaN", "Infinity" or "-Infinity".')
    return float(number)


def number_of(value: object) -> float:
    """The number that an answer of any server says, NaN and infinities as strings or null.

    Raises:
        ValueError, TypeError: It says none.
    """
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        return float(value)
    if value is None:
        return math.nan
    raise TypeError(f"{value!r:.60} is not a number")
