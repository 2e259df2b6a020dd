"""Converts config objects of other libraries; registered as the plugin ``goodseed-values``.

Each is recognised without importing its library. Objects with fields are converted one level at a time, so that a field
that can't be read costs none of its neighbours.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

__all__ = ["goodseed_config_value"]

_logger: Final = logging.getLogger("goodseed")
_MAX_ELEMENTS: Final = 10_000
_WHOLE: Final = 1_000_000_000
_MAX_SAID: Final = 1_000
_said: Final[set[str]] = set()


def goodseed_config_value(path: str, value: object) -> object:
    """The plain value of a scalar, an array or a data frame of up to 10,000 elements, or the fields of a config."""
    try:
        for convert in (_fields, _table, _array):
            found = convert(path, value)
            if found is not None:
                return found
    except Exception as error:  # noqa: BLE001 - a foreign attribute may raise anything; the value is stored as it is
        _logger.debug("goodseed: %s, a %s, can't be converted: %s", path, type(value).__name__, type(error).__name__)
    return None


class _Fields(Mapping[Any, object]):
    """The fields of an object by name, each read when it is asked for."""

    def __init__(self, names: list[Any], read: Callable[[Any], object]) -> None:
        self._names: Final = names
        self._read: Final = read

    def __getitem__(self, name: Any) -> object:
        return self._read(name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _is_a(value: object, module: str, *names: str) -> bool:
    loaded = sys.modules.get(module)
    kinds = tuple(kind for name in names if isinstance(kind := getattr(loaded, name, None), type))
    return bool(kinds) and issubclass(type(value), kinds)


def _fields(path: str, value: Any) -> object:
    kind = type(value)
    if _is_a(value, "omegaconf", "Container"):
        return _omegaconf(path, value)
    if _is_a(value, "ml_collections", "ConfigDict", "FrozenConfigDict"):
        return _Fields(list(value.keys()), lambda name: value[name])
    if _is_a(value, "pydantic", "BaseModel") or _is_a(value, "pydantic.v1", "BaseModel"):
        return _pydantic(kind, value)
    attributes = getattr(kind, "__attrs_attrs__", None)
    if attributes is not None:
        return _Fields([attribute.name for attribute in attributes], lambda name: getattr(value, name))
    names = getattr(kind, "__struct_fields__", None)  # msgspec
    if isinstance(names, tuple):
        return _Fields(list(names), lambda name: getattr(value, name))
    if _is_a(value, "sklearn.base", "BaseEstimator"):
        return value.__repr__(N_CHAR_MAX=_WHOLE)  # str() of an estimator is cut at 700 characters
    return None


def _pydantic(kind: Any, value: Any) -> object:
    described = getattr(kind, "__pydantic_fields__", None) or getattr(kind, "__fields__", {})
    found = {
        name: part
        for name, part in value.__dict__.items()
        if not getattr(getattr(described.get(name), "field_info", described.get(name)), "exclude", None)
    }
    root = "root" if getattr(kind, "__pydantic_root_model__", False) else "__root__"
    return found[root] if list(found) == [root] else found | (getattr(value, "__pydantic_extra__", None) or {})


def _omegaconf(path: str, value: Any) -> object:
    omegaconf = sys.modules["omegaconf"]
    if value._is_none() or value._is_missing() or value._is_interpolation():
        return omegaconf.OmegaConf.to_container(value, resolve=False)

    def read(name: Any) -> object:
        try:
            return value[name]
        except omegaconf.errors.MissingMandatoryValue:
            return "???"
        except Exception as error:  # noqa: BLE001 - an interpolation that leads nowhere, or a resolver of the user's
            node = value._get_node(name)
            _say_once(f"{path}/{name}", f"stored as it is written, because it can't be resolved: {error}")
            return omegaconf.OmegaConf.to_container(node, resolve=False) if hasattr(node, "keys") else node._value()

    if _is_a(value, "omegaconf", "ListConfig"):
        return [read(place) for place in range(len(value))]
    return _Fields(list(value.keys()), read)


def _say_once(path: str, what: str) -> None:
    if path not in _said and len(_said) < _MAX_SAID:
        _said.add(path)
        _logger.warning("goodseed: config %s is %s", path, what.partition("\n")[0])


def _table(path: str, value: Any) -> object:
    """A data frame of pandas as its columns, its index and its rows; one of polars and pyarrow by column."""
    library = type(value).__module__.partition(".")[0]
    if library == "pandas":
        if type(value).__name__ == "NAType":
            return float("nan")
        if hasattr(value, "to_dict"):
            if value.size > _MAX_ELEMENTS:
                return _abbreviated(path, value)
            if hasattr(value, "columns"):
                return value.to_dict("split")
            is_plain = type(value.index).__name__ == "RangeIndex"
            return value.tolist() if is_plain else {"index": value.index.tolist(), "data": value.tolist()}
    elif library in ("polars", "pyarrow") and hasattr(value, "__len__"):
        if len(value) * getattr(value, "width", getattr(value, "num_columns", 1)) > _MAX_ELEMENTS:
            return _abbreviated(path, value)
        if hasattr(value, "columns"):
            return value.to_pydict() if hasattr(value, "to_pydict") else value.to_dict(as_series=False)
        return value.to_list() if hasattr(value, "to_list") else value.to_pylist()
    return None


def _array(path: str, value: Any) -> object:
    if not hasattr(value, "shape") or not any(hasattr(value, name) for name in ("tolist", "__array__", "toarray")):
        return None
    found = value.detach() if hasattr(value, "detach") else value  # a tensor of torch
    if len(found.shape) == 0:
        plain = found.item() if hasattr(found, "item") else found.__array__().item()
        return None if type(plain) is type(found) else plain
    size = 1
    for length in found.shape:
        size *= int(length)
    if size > _MAX_ELEMENTS:
        return _abbreviated(path, value)
    try:
        return found.tolist() if hasattr(found, "tolist") else _as_numpy(found).tolist()
    except Exception:  # noqa: BLE001 - a sparse tensor, or one without values
        return _abbreviated(path, value)


def _as_numpy(value: Any) -> Any:
    return value.toarray() if hasattr(value, "toarray") else value.__array__()


def _abbreviated(path: str, value: Any) -> str:
    _say_once(
        path,
        f"stored as its abbreviated text: it is a {type(value).__name__} of shape {tuple(value.shape)}, and arrays of "
        f"up to {_MAX_ELEMENTS:,} elements are stored whole. Store what you want to compare.",
    )
    return str(value)
