"""Looks into objects of any type for configs: scalars, what has keys, and names that stand for an object."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from types import SimpleNamespace
from typing import Any, Final

from goodseed.errors import InvalidTypeError
from goodseed.values import describe

__all__ = ["children_of", "class_name", "has_no_text", "int_text", "is_endless", "key_text", "name_of", "scalar"]


def scalar(value: object) -> Any:
    """A member of an ``Enum`` as its value or its name, a date as text, NaT as None; else ``value`` itself."""
    if isinstance(value, Enum):  # its str() is not the same in every version of Python
        if isinstance(value, (int, float, str)):
            return value.value
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, datetime):
        return value if value == value else None
    return value.isoformat() if isinstance(value, date) else value


def children_of(value: object) -> Mapping[Any, object] | None:
    """The parts of a mapping, a namespace or a dataclass by key; None for any other object."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (_argparse_namespace(), SimpleNamespace)):
        return vars(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _DataclassFields(value)
    return None


class _DataclassFields(Mapping[str, object]):
    """The fields of a dataclass, each read when it is asked for: one of them may raise."""

    def __init__(self, value: Any) -> None:
        self._value: Final = value
        self._names: Final = [field.name for field in dataclasses.fields(value)]

    def __getitem__(self, name: str) -> object:
        return getattr(self._value, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _argparse_namespace() -> type:
    """``argparse.Namespace`` if the module is loaded, as it is wherever there is one to log."""
    return getattr(sys.modules.get("argparse"), "Namespace", SimpleNamespace)


def key_text(key: object, path: str) -> str:
    """A key of a mapping as text.

    Raises:
        InvalidTypeError: It can't be made text.
    """
    if isinstance(key, Enum):
        return key.name
    try:
        return key if isinstance(key, str) else str(key)
    except Exception as error:  # a foreign __str__ may raise anything
        raise InvalidTypeError(f"Config {path!r} has {describe(key)} as a key, which can't be made text.") from error


def is_endless(value: int) -> bool:
    """Whether Python refuses to print the integer: one of over 4,300 digits."""
    return value.bit_length() > 14_000


def int_text(value: int) -> str:
    """An integer in decimal digits; in hexadecimal ones where Python refuses to print it."""
    try:
        return str(int(value))
    except ValueError:
        return hex(value)


def name_of(value: object) -> str | None:
    """The name of a class or a function, whose text would hold an address that is new in every process."""
    if isinstance(value, type) or (callable(value) and isinstance(getattr(value, "__qualname__", None), str)):
        if getattr(value, "__origin__", None) is not None and getattr(value, "__args__", None):
            return None  # list[int], whose name is that of list
        return f"{getattr(value, '__module__', None) or 'builtins'}.{value.__qualname__}"  # type: ignore[union-attr]
    return None


def class_name(value: object) -> str:
    """The full name of an object's class."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def has_no_text(kind: type) -> bool:
    """Whether objects of a class are printed as the class and an address, as those of `object` are."""
    return all(getattr(kind, name) is getattr(object, name) for name in ("__str__", "__repr__"))
