"""Makes configs of any object: flat paths and plain values, the one encoder of core and of the framework plugins."""

from __future__ import annotations

import functools
import json
from collections import deque
from collections.abc import Mapping, ValuesView
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from goodseed.config_objects import (
    children_of,
    class_name,
    has_no_text,
    int_text,
    is_endless,
    key_text,
    name_of,
    scalar,
)
from goodseed.errors import GoodseedError, InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.plugins import call_first
from goodseed.values import ConfigValue, as_text, describe, reason_of, tag_set

if TYPE_CHECKING:
    from collections.abc import Callable

    OnRefused: TypeAlias = Callable[[str, Exception], None]
    ReplaceText: TypeAlias = Callable[[str, str], str]

__all__ = ["Encoded", "config_leaves", "config_value", "encode_config"]

_TAGS: Final = "sys/tags"  # always a set of strings, whatever they come in
_MAX_DEPTH: Final = 64
_SCALARS: Final = (bool, int, float, str, type(None))
_LISTS: Final = (list, tuple, deque, ValuesView)
_KNOWN: Final = frozenset({*_SCALARS, datetime, date, list, tuple, set, frozenset, dict, deque, SimpleNamespace})


class Encoded(NamedTuple):
    """A config value as the run file holds it."""

    type_tag: str
    value: str


def config_leaves(
    value: object, path: str = "", *, on_refused: OnRefused | None = None, replace: ReplaceText | None = None
) -> dict[str, ConfigValue]:
    """Return the configs that assigning ``value`` under ``path`` makes, each a plain value.

    Mappings, namespaces, dataclasses, attrs, pydantic, msgspec, ml_collections and OmegaConf objects become one config
    a leaf, their keys joined by ``/``; an empty one becomes the text ``{}``. Everything else is a leaf: see
    `config_value`. For an integration, which stores what a framework hands it::

        run.log_configs(config_leaves(params, "hyperparams", on_refused=warn), flatten=False)

    Args:
        value: What is assigned.
        path: Its own path; empty at the top, where ``value`` has to have keys.
        on_refused: Told of each leaf that can't be stored, which is left out; in a list, ``null`` takes its place. A
            module of torch is then stored by its class, and a key that no path can hold is escaped. None: raise.
        replace: Called with the key and the text of each text at any depth; returns what is stored, such as a mask.

    Raises:
        InvalidTypeError: A leaf can't be made text; the message names its path.
        InvalidValueError: A path is invalid or given twice, or ``value`` contains itself or is nested over 64 deep.
    """
    encoder = _Encoder(on_refused, replace)
    encoder.flatten(path, value, ())
    return encoder.leaves


def config_value(value: object, path: str = "") -> ConfigValue:
    """Return ``value`` as one plain value, whatever it holds.

    bool, int, float, str, datetime, None and sets keep their type. What a plugin converts is taken as that (ours:
    numpy and torch scalars and arrays, data frames, OmegaConf's configs); lists, mappings and objects with fields
    become JSON text, an array of over 10,000 elements its abbreviated text with a warning; a member of an ``Enum`` its
    value where that is a number or a string (``IntEnum``), else ``Class.NAME``; a class or a function its name; bytes
    their Python literal; anything else its ``str()``.

    Raises:
        InvalidTypeError: It can't be made text.
        InvalidValueError: See `config_leaves`.
    """
    return _Encoder(None, None).leaf(path, value, ())


def encode_config(value: object, path: str = "") -> Encoded:
    """Return ``value`` with the tag of its type; see `config_value` for what it raises."""
    plain = value if type(value) in _SCALARS else config_value(value, path)
    if plain is None:
        return Encoded("null", "")
    if isinstance(plain, bool):
        return Encoded("bool", "true" if plain else "false")
    if isinstance(plain, int):
        return Encoded("int", int_text(plain))
    if isinstance(plain, float):
        return Encoded("float", repr(float(plain)))
    if isinstance(plain, datetime):
        return Encoded("datetime", plain.isoformat())
    if isinstance(plain, AbstractSet):
        return Encoded("string_set", json.dumps(sorted(plain), ensure_ascii=False))
    return Encoded("str", as_text(plain))


class _Encoder:
    """Walks through one value. ``above`` are the ids of the objects around the one that is looked at."""

    def __init__(self, on_refused: OnRefused | None, replace: ReplaceText | None) -> None:
        self.leaves: Final[dict[str, ConfigValue]] = {}
        self._on_refused: Final = on_refused
        self._replace: Final = replace

    def flatten(self, path: str, value: object, above: tuple[int, ...]) -> None:
        """Add what ``value`` makes to the leaves."""
        try:
            found = value if type(value) in _SCALARS else _converted(path, value)
            children = None if isinstance(found, _SCALARS) else children_of(found)
            if children is None or (path and not len(children)):
                self._add(check_attribute_path(path), self.leaf(path, found, above))
                return
            keys = [(key, self._path_part(key, path)) for key in children]
            inside = _inside(path, value, above)
        except Exception as error:  # noqa: BLE001 - a foreign mapping or attribute may raise anything
            self._refuse(path, value, error)
            return
        for key, name in keys:
            child_path = f"{path}/{name}" if path else name
            try:
                child = children[key]
            except Exception as error:  # noqa: BLE001 - whatever a foreign mapping or attribute may raise
                self._refuse(child_path, value, error)
            else:
                self.flatten(child_path, child, inside)

    def _path_part(self, key: object, path: str) -> str:
        name = key_text(key, path)
        if self._on_refused is None:
            return name
        return as_text(name).replace("\0", "\\0") or "''"  # a framework's key that no path can hold

    def _add(self, path: str, leaf: ConfigValue) -> None:
        if path in self.leaves:
            raise InvalidValueError(f"Config {path!r} is given twice in one call, by two keys: rename one of them.")
        self.leaves[path] = leaf

    def leaf(self, path: str, value: object, above: tuple[int, ...]) -> ConfigValue:
        """The plain value to store for ``value``."""
        if path == _TAGS:
            return tag_set(value, path)
        try:
            if isinstance(value, AbstractSet) and not isinstance(value, Mapping):
                return self._text_set(path, value)
            plain = self._json(path, value, above, _last(path), is_leaf=True)
            if isinstance(plain, (dict, list)):
                return as_text(json.dumps(plain, ensure_ascii=False))
        except GoodseedError:
            raise
        except Exception as error:  # whatever foreign code may raise
            raise _refusal(path, value, error) from error
        return plain  # type: ignore[no-any-return]

    def _text_set(self, path: str, value: AbstractSet[object]) -> set[str]:
        texts = [self._replaced(_last(path), as_text(scalar(item))) for item in value]
        if len(set(texts)) < len(texts):
            raise InvalidValueError(f"Config {path!r}: two members of the set are the same text: make them strings.")
        return set(texts)

    def _json(self, path: str, value: object, above: tuple[int, ...], key: str, *, is_leaf: bool = False) -> Any:
        """A scalar, or lists and dicts of what JSON has; a leaf may be an integer of any size and a datetime, too."""
        found = value if type(value) in _SCALARS else _converted(path, value)
        if isinstance(found, str) and not isinstance(found, Enum):
            return self._replaced(key, as_text(found))
        plain = scalar(found)
        if isinstance(plain, _SCALARS):
            return int_text(plain) if not is_leaf and isinstance(plain, int) and is_endless(plain) else plain
        if isinstance(plain, datetime):
            return plain if is_leaf else plain.isoformat()
        if isinstance(found, (*_LISTS, AbstractSet)) and not isinstance(found, Mapping):
            inside = _inside(path, value, above)
            items = sorted(found, key=as_text) if isinstance(found, AbstractSet) else found
            return [self._part(f"{path}/{place}", item, inside, key) for place, item in enumerate(items)]
        children = children_of(found)
        if children is None:
            return self._replaced(key, self._text(path, found))
        return self._object(path, children, _inside(path, value, above))

    def _object(self, path: str, children: Mapping[Any, object], inside: tuple[int, ...]) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for key in children:
            name = as_text(key_text(key, path))
            try:
                if name in parts:
                    raise InvalidValueError(f"Config {path!r} has the key {name!r} twice: rename one of them.")
                parts[name] = self._json(f"{path}/{name}", children[key], inside, name)
            except Exception as error:  # noqa: BLE001 - a foreign mapping or attribute may raise anything
                self._refuse(f"{path}/{name}", children, error)
        return parts

    def _part(self, path: str, value: object, inside: tuple[int, ...], key: str) -> Any:
        try:
            return self._json(path, value, inside, key)
        except Exception as error:  # noqa: BLE001 - a foreign mapping or attribute may raise anything
            self._refuse(path, value, error)
            return None

    def _text(self, path: str, value: object) -> str:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return repr(bytes(value))
        if isinstance(value, functools.partial):
            arguments = [self._text(path, part) for part in value.args]
            arguments += [f"{name}={self._text(path, part)}" for name, part in value.keywords.items()]
            return f"partial of {', '.join([self._text(path, value.func), *arguments])}"
        name = name_of(value)
        if name is not None:
            return name
        if self._on_refused is not None and hasattr(value, "named_parameters"):
            return class_name(value)  # the text of a module of torch may take pages
        if has_no_text(type(value)):
            return class_name(value)
        try:
            return as_text(value)
        except InvalidTypeError as error:
            raise _refusal(path, value, error.__cause__ or error) from error

    def _replaced(self, key: str, text: str) -> str:
        return text if self._replace is None else self._replace(key, text)

    def _refuse(self, path: str, value: object, error: Exception) -> None:
        refusal = error if isinstance(error, GoodseedError) else _refusal(path, value, error)
        if self._on_refused is None:
            raise refusal from (None if refusal is error else error)
        self._on_refused(path, refusal)


def _converted(path: str, value: object) -> object:
    """What plugins, ours among them, make of a value of a type that has no encoding; else ``value`` itself."""
    if type(value) in _KNOWN or isinstance(value, Enum):
        return value
    answer = call_first("goodseed_config_value", path=path, value=value)
    return value if answer is None else answer


def _inside(path: str, value: object, above: tuple[int, ...]) -> tuple[int, ...]:
    if id(value) in above:
        raise InvalidValueError(f"Config {path[:60]!r} contains itself: leave the reference out.")
    if len(above) >= _MAX_DEPTH:
        raise InvalidValueError(f"Config {path[:60]!r}… is nested over {_MAX_DEPTH} deep, or contains itself.")
    return (*above, id(value))


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _refusal(path: str, value: object, error: BaseException) -> InvalidTypeError:
    return InvalidTypeError(
        f"Config {path!r} can't store {describe(value)}, which can't be read ({reason_of(error)}). "
        "Give a value that can be made text."
    )
