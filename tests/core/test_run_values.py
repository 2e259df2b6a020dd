"""What a run makes of the values, times and paths that are logged."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime as dt
import enum
import math
import sqlite3
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import goodseed

from .conftest import configs, field


@dataclasses.dataclass
class Optimizer:
    """Something to be flattened."""

    name: str = "adam"
    betas: tuple[float, float] = (0.9, 0.999)


def test_assignment_flattens(home: Path) -> None:
    """Dicts, namespaces and dataclasses become one config a leaf; lists and empty dicts become JSON, other objects text."""
    with goodseed.Run() as run:
        run["d"] = {"train": {"epochs": 10, 1: Optimizer()}, "empty": {}}
        run["n"] = argparse.Namespace(lr=0.01, inner=types.SimpleNamespace(deep=True))
        run["/l"] = [1, {"a": (2,)}]
        run["o"] = Path("/data")
        stored = configs(run)

    assert {
        "d/train/epochs": "10",
        "d/train/1/name": "adam",
        "d/train/1/betas": "[0.9, 0.999]",
        "d/empty": "{}",
        "n/lr": "0.01",
        "n/inner/deep": "true",
        "l": '[1, {"a": [2]}]',
        "o": "/data",
    } == stored


def test_log_configs(home: Path) -> None:
    """log_configs flattens unless told not to."""
    with goodseed.Run() as run:
        run.log_configs({"model": {"hidden": 256}})
        run.log_configs({"raw": {"hidden": 256}}, flatten=False)
        stored = configs(run)

    assert {"model/hidden": "256", "raw": '{"hidden": 256}'} == stored


def test_numbers_of_other_libraries(home: Path) -> None:
    """Whatever is a scalar and has __float__ is a number, alone or among others."""

    class Scalar:
        def __float__(self) -> float:
            return 2.5

    values = {"int": 3, "bool": True, "np": np.float32(0.5), "array": np.array(7), "own": Scalar(), "float": 1.25}
    with goodseed.Run() as run:
        run.log_metrics(values, step=np.int64(4))
        for path, value in values.items():
            run.log_metrics({f"alone/{path}": value}, step=np.array(4))
            run[f"field/{path}"].log(value, step=4)
        run["config"] = {"np": np.float64(0.1), "array": np.array(7), "flag": np.bool_(True)}
        found = {path: run.get_metric_data(path)["raw_points"] for path in run.get_metric_paths()}
        stored = configs(run)

    expected = {"int": 3.0, "bool": 1.0, "np": 0.5, "array": 7.0, "own": 2.5, "float": 1.25}
    assert {
        f"{prefix}{path}": [{"step": 4.0, "y": y}]
        for prefix in ("", "alone/", "field/")
        for path, y in expected.items()
    } == found
    assert {"config/np": "0.1", "config/array": "7", "config/flag": "true"} == stored


class Width(enum.IntEnum):
    """Members that are numbers."""

    NARROW = 1


class Loss(str, enum.Enum):
    """Members that are strings."""

    L1 = "l1"


class Mode(enum.Enum):
    """Members that are neither."""

    TRAIN = object()


def test_members_of_enums(home: Path) -> None:
    """A member that is a number or a string is stored as such, any other by its name, in every version of Python."""
    with goodseed.Run() as run:
        run["e"] = {"int": Width.NARROW, "str": Loss.L1, "other": Mode.TRAIN, "list": [Mode.TRAIN]}
        stored = configs(run)

    assert {"e/int": "1", "e/str": "l1", "e/other": "Mode.TRAIN", "e/list": '["Mode.TRAIN"]'} == stored


def test_sequences_of_other_libraries(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Deques and arrays become JSON text as lists do, an array of over 10,000 elements its str(), which is said."""
    large = np.arange(20_000)
    with goodseed.Run() as run:
        run["s"] = {"deque": collections.deque([1, 2]), "array": np.array([[0.5, 1.0]]), "large": large}
        stored = configs(run)

    assert {"s/deque": "[1, 2]", "s/array": "[[0.5, 1.0]]", "s/large": str(large)} == stored
    assert "s/large" in caplog.text


class Odd:
    """Whatever is asked of it, it raises an exception that nobody expects."""

    def __float__(self) -> float:
        raise ZeroDivisionError("odd")

    def __str__(self) -> str:
        raise ZeroDivisionError("odd")


def test_objects_that_raise(home: Path) -> None:
    """What a foreign object raises as it is converted becomes an InvalidTypeError, and nothing is stored."""
    with goodseed.Run() as run:
        for call in (
            lambda: run.log_metrics({"a": Odd()}, step=0),  # type: ignore[dict-item]
            lambda: run.log_metrics({"a": 1.0, "b": Odd()}, step=0),  # type: ignore[dict-item]
            lambda: run["a"].log(1.0, step=Odd()),  # type: ignore[arg-type]
            lambda: run.log_strings({"a": Odd()}, step=0),
            lambda: run.__setitem__("a", Odd()),
        ):
            with pytest.raises(goodseed.InvalidTypeError, match="odd"):
                call()
        stored = configs(run), run.get_metric_paths(), run.get_string_paths()

    assert ({}, [], []) == stored


@pytest.mark.parametrize(
    "arguments", [{"capture_stdout": "no"}, {"read_only": 1}, {"git_ref": "some/path"}, {"capture_traceback": None}]
)
def test_wrong_switches(home: Path, arguments: dict[str, Any]) -> None:
    """A switch that is neither True nor False raises, naming the argument, and nothing is written."""
    with pytest.raises(goodseed.InvalidTypeError, match=next(iter(arguments))):
        goodseed.Run(**arguments)

    assert not home.exists()


@pytest.mark.parametrize("value", [None, "0.5", [1.0], np.array([1.0]), np.array([1.0, 2.0]), {"a": 1}, 1j, object()])
def test_wrong_value_is_named(home: Path, value: object) -> None:
    """A value that is no number raises at once, naming path and type, and nothing of the call is stored."""
    with goodseed.Run() as run:
        with pytest.raises(goodseed.InvalidTypeError, match=rf"'bad'.*{type(value).__name__}"):
            run.log_metrics({"good": 1.0, "bad": value}, step=0)  # type: ignore[dict-item]
        with pytest.raises(TypeError, match="bad"):
            run.log_metrics({"bad": value}, step=0)  # type: ignore[dict-item]
        paths = run.get_metric_paths()

    assert [] == paths


@pytest.mark.parametrize("step", [None, "1", math.nan, math.inf, True, np.bool_(True), [1], np.array([1])])
def test_wrong_step(home: Path, step: object) -> None:
    """A step that is no finite number raises at once."""
    with goodseed.Run() as run:
        for call in (
            lambda: run.log_metrics({"a": 1.0}, step=step),  # type: ignore[arg-type]
            lambda: run.log_metrics({"a": 1.0, "b": 1.0}, step=step),  # type: ignore[arg-type]
            lambda: run["a"].log(1.0, step=step),  # type: ignore[arg-type]
            lambda: run["a"].log("x", step=step),  # type: ignore[arg-type]
        ):
            with pytest.raises(goodseed.GoodseedError, match="step"):
                call()
        paths = run.get_metric_paths() + run.get_string_paths()

    assert [] == paths


@pytest.mark.parametrize("path", ["", "/", 3, None, "a\0b", "\ud800", "x" * 5000])
def test_wrong_path(home: Path, path: object) -> None:
    """A path that can't be raises at once."""
    with goodseed.Run() as run:
        for call in (
            lambda: run.log_metrics({path: 1.0}, step=0),  # type: ignore[dict-item]
            lambda: run.log_metrics({path: 1.0, "b": 2.0}, step=0),  # type: ignore[dict-item]
            lambda: run.log_strings({path: "x"}, step=0),  # type: ignore[dict-item]
            lambda: run.__setitem__(path, 1),  # type: ignore[arg-type]
            lambda: run[path],  # type: ignore[index]
        ):
            with pytest.raises(goodseed.GoodseedError, match="path"):
                call()


def test_fields_of_the_run_itself(home: Path) -> None:
    """sys/ fields that the run keeps can't be set by hand; name, description and tags can, and every reader sees it."""
    with goodseed.Run(name="first", tags=["a"], description="d") as run:
        for path in ("sys/id", "sys/state", "sys/creation_time"):
            with pytest.raises(goodseed.InvalidValueError, match=path):
                run[path] = "x"
        run["sys/name"] = "second"
        run["sys/tags"].add("b")
        run["sys/tags"].add(["c", "d"])
        run["sys/tags"].remove(["a", "never there"])
        run["sys/description"] = "e"
        states = field(run, "sys/state")
    reader = goodseed.Run(run_id=run.run_id, read_only=True, storage="local")

    assert "running" == states
    assert ("finished", "second", '["b", "c", "d"]', "e", run.run_id) == tuple(
        field(reader, f"sys/{name}") for name in ("state", "name", "tags", "description", "id")
    )
    connection = sqlite3.connect(run.path)
    assert {"name": "second", "status": "finished"}.items() <= dict(
        connection.execute("SELECT * FROM run_meta")
    ).items()
    connection.close()
    with goodseed.Run() as run, pytest.raises(goodseed.InvalidValueError, match="sys/state"):
        run["sys/state"].log(1.0, step=0)


def test_times_of_the_run(home: Path) -> None:
    """Creation, last modification and end are stored, in this order; an importer gives its own."""
    with goodseed.Run() as run:
        run["a"].log(1.0, step=0)
    times = [field(run, f"sys/{name}_time") for name in ("creation", "closed", "modification")]
    with goodseed.Run(created_at="2020-01-01T00:00:00Z", modified_at="2020-02-01T00:00:00+00:00") as imported:
        imported["a"].log(1.0, step=0)

    with goodseed.Run(created_at="2020-01-01 00:00:00+00:00") as spaced:
        pass

    assert times == sorted(times, key=str)
    assert "2020-01-01T00:00:00.000000+00:00" == field(spaced, "sys/creation_time")
    assert "2020-01-01T00:00:00Z" == field(imported, "sys/creation_time")
    assert "2020-02-01T00:00:00+00:00" == field(imported, "sys/modification_time")
    with pytest.raises(goodseed.InvalidValueError, match="created_at"):
        goodseed.Run(created_at="yesterday")


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "UTC"])
def test_times_without_a_zone(home: Path, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """A time that is given without a zone is in the machine's, and everything that lists the run says it in UTC."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        naive = dt.datetime.now()
        with goodseed.Run(project="p", run_id="r", created_at=naive, modified_at=naive.isoformat()):
            pass
        (listed,) = goodseed.list_runs("p", storage="local")
        created_at = dt.datetime.fromisoformat(listed["created_at"])

        assert naive.astimezone() == created_at
        assert dt.timedelta(0) == created_at.utcoffset()
    finally:
        monkeypatch.undo()
        time.tzset()


def test_times_of_another_zone(home: Path) -> None:
    """A time with another zone is told in UTC; what is no time is refused, by name."""
    with goodseed.Run(project="p", run_id="r", created_at="2020-01-01T12:00:00+02:00"):
        pass
    (listed,) = goodseed.list_runs("p", storage="local")

    assert "2020-01-01T10:00:00.000000+00:00" == listed["created_at"]
    with pytest.raises(goodseed.InvalidValueError, match="Invalid created_at 'yesterday'"):
        goodseed.Run(created_at="yesterday")
