"""Configs and numbers as they are stored: type tags, encoding, decoding, flattening."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from enum import Enum
from types import SimpleNamespace
from typing import Final, NamedTuple, Union

from goodseed.errors import FileFormatError, InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path, is_encodable
from goodseed.plugins import call_first

__all__ = [
    "ConfigValue",
    "Encoded",
    "as_number",
    "as_step",
    "as_text",
    "decode_config",
    "encode_config",
    "flatten",
    "tag_set",
]

ConfigValue = Union[bool, int, float, str, datetime, None, "set[str]"]

MAX_EXACT_INTEGER: Final = 2**53
_MAX_DEPTH: Final = 64
_PLAIN: Final = (bool, int, float, str, type(None))
_KNOWN: Final = frozenset({*_PLAIN, datetime, date, list, tuple, set, frozenset, dict, deque, SimpleNamespace})


class Encoded(NamedTuple):
    """A config value as the run file holds it."""

    type_tag: str
    value: str


def as_number(path: str, value: object) -> float:
    """Return ``value`` as the float that a metric stores.

    Whatever is a scalar and has ``__float__`` is taken: numbers, numpy scalars, 0-d arrays and tensors; beyond them
    what a plugin makes a number of (`goodseed.hookspecs.goodseed_metric_value`).

    Raises:
        InvalidTypeError: It is something else; the message names ``path`` and the type.
        InvalidValueError: It is an integer too large for a float.
    """
    if type(value) is float:
        return value
    if isinstance(value, (float, int)):
        number = value
    elif not hasattr(value, "__float__") or getattr(value, "ndim", 0) != 0:
        number = call_first("goodseed_metric_value", path=path, value=value)
        if number is None:
            raise InvalidTypeError(
                f"Metric {path!r} can't store {_describe(value)}: "
                "a metric takes one number (int, float, bool, a numpy scalar, a 0-d array or tensor)."
            )
    else:
        number = value  # type: ignore[assignment]
    try:
        return float(number)
    except OverflowError:
        raise InvalidValueError(f"Metric {path!r}: the integer is too large for a float: {str(value)[:40]}…") from None
    except Exception as error:  # whatever a foreign __float__ may raise
        raise InvalidTypeError(f"Metric {path!r} can't store {_describe(value)}: {error}") from error


def _describe(value: object) -> str:
    shape = getattr(value, "shape", None)
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"a {name} of shape {tuple(shape)}" if shape else f"a {name}"


def as_step(step: object) -> float:
    """Return ``step`` as the float under which a point is stored.

    Raises:
        InvalidTypeError: It is no number.
        InvalidValueError: It is not finite, or an integer that no float holds exactly: two steps would become one.
    """
    is_boolean = isinstance(step, bool) or getattr(getattr(step, "dtype", None), "kind", None) == "b"
    if is_boolean or not hasattr(step, "__float__") or getattr(step, "ndim", 0) != 0:
        raise InvalidTypeError(f"step must be a number such as 10 or 2.5, not {_describe(step)}.")
    try:
        number = float(step)
    except OverflowError:
        raise InvalidValueError(f"step is too large for a float: {str(step)[:40]}…") from None
    except Exception as error:  # whatever a foreign __float__ may raise
        raise InvalidTypeError(f"step must be a number such as 10 or 2.5, not {_describe(step)}: {error}") from error
    if not math.isfinite(number):
        raise InvalidValueError(f"step must be finite, not {number}.")
    if abs(number) >= MAX_EXACT_INTEGER and not isinstance(step, float) and _exact(step) != number:
        raise InvalidValueError(
            f"step {step} is beyond 2**53 and no float holds it exactly: it would share a step with {int(number)}."
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
        raise InvalidTypeError(f"{_describe(value)} can't be made text: {error}") from error
    if is_encodable(text):
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def converted(path: str, value: object) -> object:
    """What plugins, ours among them, make of a value of a type that has no encoding; else ``value`` itself."""
    if type(value) in _KNOWN or isinstance(value, Enum):
        return value
    answer = call_first("goodseed_config_value", path=path, value=value)
    return value if answer is None else answer


def encode_config(value: object, path: str = "") -> Encoded:
    """Return ``value`` with the tag of its type.

    Beyond the types that have a tag: what a plugin converts to one of them (ours: numpy and torch scalars, arrays,
    OmegaConf's configs); lists, tuples, deques and mappings become JSON text; a member of an ``Enum`` its value where
    that is a number or a string by type (``IntEnum``), else ``Class.NAME``; anything else its ``str()``.

    Raises:
        InvalidTypeError: Its ``str()`` fails.
    """
    value = converted(path, value)
    if value is None:
        return Encoded("null", "")
    if isinstance(value, Enum):  # its str() is not the same in every version of Python
        if isinstance(value, (int, float, str)):
            return encode_config(value.value)
        return Encoded("str", as_text(f"{type(value).__name__}.{value.name}"))
    if isinstance(value, bool):
        return Encoded("bool", "true" if value else "false")
    if isinstance(value, int):
        return Encoded("int", _int_text(value))
    if isinstance(value, float):
        return Encoded("float", repr(float(value)))
    if isinstance(value, str):
        return Encoded("str", as_text(value))
    if isinstance(value, datetime):
        return Encoded("datetime", value.isoformat())
    if isinstance(value, date):
        return Encoded("str", value.isoformat())
    if isinstance(value, AbstractSet):
        return Encoded("string_set", json.dumps(sorted(as_text(item) for item in value), ensure_ascii=False))
    if isinstance(value, (list, tuple, deque, Mapping)):
        return Encoded("str", _json_text(list(value) if isinstance(value, deque) else value))
    return Encoded("str", as_text(value))


def _int_text(value: int) -> str:
    try:
        return str(int(value))
    except ValueError:  # Python refuses to print integers of over 4,300 digits
        return hex(value)


def _json_text(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=_json_default)
    except (TypeError, ValueError, RecursionError):
        text = str(value)
    return as_text(text)


def _json_default(value: object) -> object:
    encoded = encode_config(value)
    return (
        decode_config(encoded.type_tag, encoded.value) if encoded.type_tag in ("int", "float", "bool") else str(value)
    )


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
        raise FileFormatError(f"A config tagged {type_tag!r} holds {text[:60]!r}, which is none.") from error
    if type_tag == "str":
        return text
    raise FileFormatError(f"A config has the unknown type tag {type_tag!r}; known are those of docs/file-format.md.")


def flatten(prefix: str, value: object) -> dict[str, object]:
    """Return the configs that assigning ``value`` under ``prefix`` makes.

    Mappings, ``argparse.Namespace``, ``SimpleNamespace`` and dataclass instances become one config a leaf, their keys
    joined by ``/``; an empty one makes none. Everything else is a leaf.

    Args:
        prefix: The path of ``value`` itself; empty at the top.
        value: What is assigned.

    Raises:
        InvalidValueError: It contains itself, or is nested over 64 deep.
    """
    leaves: dict[str, object] = {}
    _flatten_into(leaves, prefix, value, 0)
    return leaves


def _flatten_into(leaves: dict[str, object], path: str, value: object, depth: int) -> None:
    value = converted(path, value)
    children = None if isinstance(value, _PLAIN) else _children(value)
    if children is None:
        leaves[check_attribute_path(path)] = value
        return
    if depth >= _MAX_DEPTH:
        raise InvalidValueError(f"{path[:60]!r}… is nested over {_MAX_DEPTH} deep, or contains itself.")
    for key, child in children.items():
        _flatten_into(leaves, f"{path}/{_key(key)}" if path else _key(key), child, depth + 1)


def _key(key: object) -> str:
    if isinstance(key, Enum):
        return key.name
    return key if isinstance(key, str) else str(key)


def _children(value: object) -> Mapping[object, object] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (_argparse_namespace(), SimpleNamespace)):
        return {key: child for key, child in vars(value).items()}  # noqa: C416 - for the type of the keys
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields: dict[object, object] = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return fields
    return None


def _argparse_namespace() -> type:
    """``argparse.Namespace``, where somebody has imported it: whoever has one to log has."""
    return getattr(sys.modules.get("argparse"), "Namespace", SimpleNamespace)


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
