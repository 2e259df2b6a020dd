"""The one encoder of configs: what becomes of structures, arrays and objects that can't be read."""

from __future__ import annotations

import collections
import dataclasses
import functools
import typing
from pathlib import Path
from typing import Any

import attr
import ml_collections
import numpy as np
import omegaconf
import pandas as pd
import pydantic
import pytest

import goodseed
from goodseed.config_values import config_leaves, config_value, encode_config


class Model(pydantic.BaseModel):
    lr: float = 0.1
    key: pydantic.SecretStr = pydantic.SecretStr("hidden")


@attr.s(auto_attribs=True)
class Attrs:
    lr: float = 0.1


@dataclasses.dataclass
class Data:
    lr: float = 0.1
    inner: object = None


class NoText:
    """Whose text can't be had."""

    def __repr__(self) -> str:
        raise RuntimeError("not loaded yet")


class NoAttributes:
    """Which raises for every attribute that it is asked for."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError("no attributes")


class NoReason(Exception):
    """An exception without a text, as a user's may be."""

    def __str__(self) -> str:
        raise ValueError("no text")


class Unreadable(list[int]):
    """A list that can't be read."""

    def __iter__(self) -> Any:
        raise NoReason


@pytest.mark.parametrize(
    "value",
    [Data(), Attrs(), ml_collections.ConfigDict({"lr": 0.1}), omegaconf.OmegaConf.structured(Attrs)],
    ids=lambda value: type(value).__name__,
)
def test_fields_become_paths(value: object) -> None:
    """Objects with fields become one config a field, and JSON objects in a list."""
    assert 0.1 == config_leaves(value, "c")["c/lr"]
    assert str(config_leaves([value], "c")["c"]).startswith('[{"lr": 0.1')


def test_secrets_of_pydantic() -> None:
    """A model of pydantic becomes one config a field, its secrets masked as its own text masks them."""
    assert {"c/lr": 0.1, "c/key": "**********"} == config_leaves(Model(), "c")
    assert {"c": '[{"lr": 0.1, "key": "**********"}]'} == config_leaves([Model()], "c")


def test_a_dead_interpolation_costs_no_neighbour(caplog: pytest.LogCaptureFixture) -> None:
    """What OmegaConf can't resolve is stored as it is written and said by name; all else is resolved."""
    config = omegaconf.OmegaConf.create({"lr": 0.1, "again": "${lr}", "dead": "${nowhere}", "list": ["${lr}", "${no}"]})

    assert {"c/lr": 0.1, "c/again": 0.1, "c/dead": "${nowhere}", "c/list": '[0.1, "${no}"]'} == config_leaves(
        config, "c"
    )
    assert "c/dead" in caplog.text
    assert "c/list/1" in caplog.text


def circle() -> dict[str, object]:
    """A dict that contains itself."""
    found: dict[str, object] = {"lr": 1}
    found["list"] = [found]
    return found


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (NoText(), "c"),
        ([NoText()], "c/0"),
        ({"k": [{"z": NoText()}]}, "c/k/0/z"),
        (Unreadable([1]), "c"),
        (circle(), "c/list/0"),
        ({"a/b": 1, "a": {"b": 2}}, "c/a/b"),
        ({1: "x", "1": "y"}, "c/1"),
        ([{1: "x", "1": "y"}], "'1'"),
        ({1, "1"}, "c"),
    ],
)
def test_refused_by_name(home: Path, value: object, path: str) -> None:
    """What can't be stored raises an error of ours that names the path, and nothing of the call is stored."""
    with goodseed.Run() as run:
        with pytest.raises(goodseed.GoodseedError) as raised:
            run.log_configs({"kept": 1, "c": value})
        stored = [row["path"] for row in run.get_configs()]

    assert path in str(raised.value)
    assert "kept" not in stored


def test_odd_attributes() -> None:
    """An object that raises for every attribute is stored by what its class says."""
    assert {"c": f'["{__name__}.NoAttributes"]'} == config_leaves([NoAttributes()], "c")


def test_lenient_leaves_out_only_the_bad_leaf() -> None:
    """With ``on_refused``, each leaf that can't be stored is told by its path, and all others are there."""
    refused: dict[str, Exception] = {}
    value = {"lr": 0.1, "bad": NoText(), "list": [1, NoText(), {"x": 2, "y": Unreadable()}], "circle": circle()}
    leaves = config_leaves(value, "c", on_refused=refused.__setitem__)

    assert {"c/lr": 0.1, "c/list": '[1, null, {"x": 2}]', "c/circle/lr": 1, "c/circle/list": "[null]"} == leaves
    assert {"c/bad", "c/list/1", "c/list/2/y", "c/circle/list/0"} == set(refused)
    assert all(isinstance(error, goodseed.GoodseedError) for error in refused.values())


def test_two_paths_that_are_one(home: Path) -> None:
    """Two keys of one call that name one series or one config are refused: one of them would be lost."""
    with goodseed.Run() as run:
        for call in (run.log_metrics, run.log_strings):
            with pytest.raises(goodseed.InvalidValueError, match="rename"):
                call({"/a": 1.0, "a": 2.0}, step=0)
        with pytest.raises(goodseed.InvalidValueError, match="rename"):
            run.log_configs({"/a": 1, "a": 2}, flatten=False)
        run.log_configs({"x ": 1, "x": 2})

        assert [] == run.get_metric_paths() == run.get_string_paths()
        assert {"x ": "1", "x": "2"} == {
            row["path"]: row["value"] for row in run.get_configs() if row["path"][0] == "x"
        }


@pytest.mark.parametrize(
    "value", [1 + 2j, np.complex64(1 + 2j), np.array(1 + 0j), np.timedelta64(5, "s"), np.str_("3")]
)
def test_what_is_no_number(home: Path, value: object) -> None:
    """A complex number, a duration or a text is refused as a metric and as a step, whoever made it."""
    with goodseed.Run() as run:
        with pytest.raises(goodseed.InvalidTypeError):
            run.log_metrics({"z": value}, step=0)  # type: ignore[dict-item]
        with pytest.raises(goodseed.InvalidTypeError):
            run.log_metrics({"a": value, "b": 1.0}, step=0)  # type: ignore[dict-item]
        with pytest.raises(goodseed.InvalidTypeError):
            run.log_metrics({"a": 1.0}, step=value)  # type: ignore[arg-type]

        assert [] == run.get_metric_paths()


def test_tables_are_whole() -> None:
    """A data frame is stored with its columns, its index and its rows; a series with its index where it has one."""
    frame = pd.DataFrame({"a": range(100), "b": ["x"] * 100})
    leaves = config_leaves(frame, "df")

    assert '["a", "b"]' == leaves["df/columns"]
    assert '[0, "x"]' in str(leaves["df/data"])
    assert '[99, "x"]' in str(leaves["df/data"])
    assert "[1, 2]" == config_value(pd.Series([1, 2]))
    assert {"s/index": '["x"]', "s/data": "[1]"} == config_leaves(pd.Series({"x": 1}), "s")


def test_too_large_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """What is stored as its abbreviated text, an array or a table of over 10,000 elements, is said by its path."""
    config_leaves({"array": np.ones(20_000), "frame": pd.DataFrame(np.ones((200, 100)))}, "large")

    assert "large/array" in caplog.text
    assert "large/frame" in caplog.text


def test_texts() -> None:
    """Bytes are stored as their literal, classes and functions by their names, in a list as at the top."""
    values = [b"a\xff", len, Data, functools.partial(len, 1), collections.deque([1]), {"a": 1}.values()]

    assert ["b'a\\xff'", "builtins.len", f"{__name__}.Data", "partial of builtins.len, 1", "[1]", "[1]"] == [
        config_value(value) for value in values
    ]
    assert str(config_value(values)).startswith('["b\'a\\\\xff\'", "builtins.len"')
    assert ("null", "") == encode_config(pd.NaT)


def test_a_type_keeps_its_arguments() -> None:
    """A type with arguments is stored with them, and a class by its name."""
    assert ("list[int]", "builtins.list") == (config_value(list[int]), config_value(list))
    assert "typing.Dict[str, int]" == config_value(typing.Dict[str, int])  # noqa: UP006 - what older code has
