"""`goodseed.Run`: what a training script can say, and what it is told when it says something wrong."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime as dt
import enum
import math
import random
import sqlite3
import threading
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import goodseed


def configs(run: goodseed.Run) -> dict[str, str]:
    """The configs of a run as they are stored, without those that it makes itself."""
    return {
        row["path"]: row["value"] for row in run.get_configs() if not row["path"].startswith(("sys/", "monitoring/"))
    }


def field(run: goodseed.Run, path: str) -> str | None:
    """One config as any reader sees it."""
    return {row["path"]: row["value"] for row in run.get_configs()}.get(path)


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


def test_sets_survive_a_resume(home: Path) -> None:
    """Tags are added to those that are there, also after a resume; what is no set is not made one."""
    with goodseed.Run(tags=["a"]) as run:
        run["name"] = "x"
    with goodseed.Run(resume_run_id=run.run_id) as resumed:
        resumed["sys/tags"].add("b")
        with pytest.raises(goodseed.InvalidTypeError, match="no set"):
            resumed["name"].add("y")

    assert '["a", "b"]' == field(resumed, "sys/tags")


def test_reads_while_written(home: Path) -> None:
    """A run reads back what it has just logged, and so does another handle while it is written."""
    with goodseed.Run() as run:
        other = goodseed.Run(run_id=run.run_id, read_only=True, storage="local")
        for step in range(100):
            run.log_metrics({"a": step, "b": -step}, step=step)
        own = run.get_metric_data("a", step_min=10, step_max=12)
        assert run.flush()
        others = other.get_metric_data("b", step_min=98)

    assert {"path": "a", "downsampled": False, "raw_points": [{"step": s, "y": s} for s in (10.0, 11.0, 12.0)]} == own
    assert [{"step": 98.0, "y": -98.0}, {"step": 99.0, "y": -99.0}] == others["raw_points"]


def test_buckets_are_exact(home: Path) -> None:
    """Buckets hold the exact extremes, mean and last value of their points, and count what is not finite."""
    values = [math.sin(step) for step in range(1000)]
    values[500], values[501], values[777] = math.nan, math.inf, 1e9
    with goodseed.Run() as run:
        for step, value in enumerate(values):
            run["a"].log(value, step=step)
        data = run.get_metric_data("a", max_points=10)
        few = run.get_metric_data("a", step_min=0, step_max=4, max_points=10)

    assert data["downsampled"]
    assert 10 == len(data["buckets"])
    assert 1000 == sum(bucket["count"] for bucket in data["buckets"])
    for bucket in data["buckets"]:
        mine = values[int(bucket["step_first"]) : int(bucket["step_last"]) + 1]
        finite = [value for value in mine if math.isfinite(value)]
        assert (len(mine), min(finite), max(finite), len(mine) - len(finite)) == (
            bucket["count"], bucket["min"], bucket["max"], bucket["non_finite"],
        )  # fmt: skip
        assert sum(finite) / len(finite) == pytest.approx(bucket["mean"])
        assert mine[-1] == bucket["last"]
    assert not few["downsampled"]
    with pytest.raises(goodseed.InvalidValueError, match="max_points"):
        run.get_metric_data("a", max_points=0)


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["one side", "both sides"])
def test_the_mean_of_the_largest_numbers_is_a_number(home: Path, sign: float) -> None:
    """The mean of values whose sum is beyond the largest double lies between the lowest and the highest of them."""
    values = [1.7e308, sign * 1.7e308, 1.6e308, sign * 1.5e308] * 25
    with goodseed.Run() as run:
        for step, value in enumerate(values):
            run["a"].log(value, step=step)
        data = run.get_metric_data("a", max_points=5)

    for bucket in data["buckets"]:
        assert bucket["min"] <= bucket["mean"] <= bucket["max"]


def test_string_pages(home: Path) -> None:
    """A string series can be read page by page."""
    with goodseed.Run() as run:
        for step in range(10):
            run.log_strings({"t": step * 1.5}, step=step)
        page = run.get_string_data("t", limit=2, offset=3)

    assert [{"step": 3.0, "value": "4.5"}, {"step": 4.0, "value": "6.0"}] == page


def test_reading_beside_the_writer(home: Path) -> None:
    """Who opens a run to read it, in the process that writes it, finds all that was logged up to the question."""
    with goodseed.Run(run_id="r") as run:
        run["lr"] = 0.1
        beside = goodseed.Run(run_id="r", read_only=True, storage="local")
        configs = {row["path"] for row in beside.get_configs()}
        found = []
        for step in range(100):
            run["a"].log(1.0, step=step)
            found.append(len(beside.get_metric_data("a")["raw_points"]))

    assert {"lr", "sys/state"} <= configs
    assert list(range(1, 101)) == found


def test_closed_run(home: Path) -> None:
    """A closed run can be read and closed again; a write raises with the remedy."""
    run = goodseed.Run()
    run["a"].log(1.0, step=0)
    run.close()
    run.close()

    for write in (
        lambda: run.log_metrics({"a": 1.0}, step=1),
        lambda: run.log_metrics({"a": 1.0, "new": 1.0}, step=1),
        lambda: run["a"].log(1.0, step=1),
        lambda: run["b"].log("x", step=1),
        lambda: run.__setitem__("c", 1),
        lambda: run["sys/tags"].add("x"),
    ):
        with pytest.raises(goodseed.RunClosedError, match="resume_run_id"):
            write()
    assert ["a"] == run.get_metric_paths()
    with pytest.raises(goodseed.InvalidValueError, match="status"):
        run.close("paused")


def test_read_only(home: Path) -> None:
    """read_only opens what is there, refuses to write, and makes nothing."""
    with goodseed.Run(run_id="x") as run:
        run["a"] = 1
    before = sorted(home.rglob("*"))
    reader = goodseed.Run(run_id="x", read_only=True, storage="local")

    assert {"a": "1"} == configs(reader)
    for write in (lambda: reader["a"].log(1.0, step=0), lambda: reader.__setitem__("b", 1)):
        with pytest.raises(goodseed.ReadOnlyError):
            write()
    with pytest.raises(goodseed.RunNotFoundError, match="nope"):
        goodseed.Run(run_id="nope", read_only=True, storage="local")
    with pytest.raises(goodseed.ConfigurationError, match="run_id"):
        goodseed.Run(read_only=True, storage="local")
    assert before == sorted(home.rglob("*"))


def test_disabled(home: Path) -> None:
    """A disabled run takes everything, keeps nothing, and has nothing to read."""
    with goodseed.Run(storage="disabled") as run:
        run["a"] = 1
        run.log_metrics({"a": 1.0}, step=0)
        run["sys/tags"].add("x")
        assert run.flush()
        with pytest.raises(goodseed.DisabledError):
            run.get_configs()

    assert not home.exists()


def test_cloud_without_a_key(home: Path) -> None:
    """storage="cloud" without a key raises before anything is made."""
    with pytest.raises(goodseed.AuthenticationError, match="GOODSEED_API_KEY"):
        goodseed.Run(storage="cloud")
    with pytest.raises(PermissionError):
        goodseed.Run(storage=goodseed.Storage.CLOUD)

    assert not home.exists()


def test_a_missing_key_is_named_where_one_is_expected(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key and a choice the run is local; where a remote is configured, one line says how to sync it later."""
    monkeypatch.delenv("GOODSEED_QUIET")
    goodseed.Run(project="team/p", run_id="plain").close()
    plain = capfd.readouterr().err
    monkeypatch.setenv("GOODSEED_API_URL", "http://127.0.0.1:9")
    goodseed.Run(project="team/p", run_id="r").close()
    error = capfd.readouterr().err
    goodseed.Run(storage="local").close()
    chosen = capfd.readouterr().err

    (line,) = [line for line in error.splitlines() if "API key" in line]
    assert "goodseed upload -p team/p --run-id r" in line
    assert str(home / "projects/team/p/runs/r.sqlite") in error
    assert ["API key" in text for text in (plain, chosen)] == [False, False]


def test_arguments_that_contradict(home: Path) -> None:
    """Arguments that make no sense together raise before anything is made."""
    with pytest.raises(goodseed.ConfigurationError, match="run_id"):
        goodseed.Run(run_id="a", resume_run_id="b")
    with pytest.raises(goodseed.ConfigurationError, match="'cloud'"):
        goodseed.Run(storage="clowd")
    with pytest.raises(TypeError, match="nonsense"):
        goodseed.Run(nonsense=1)  # type: ignore[arg-type]
    with pytest.raises(goodseed.InvalidTypeError, match="tags"):
        goodseed.Run(tags=[1])  # type: ignore[list-item]
    with pytest.raises(goodseed.RunNotFoundError, match="nope"):
        goodseed.Run(resume_run_id="nope")

    assert [] == list(home.rglob("*.sqlite*"))


@pytest.mark.parametrize(
    "name", ["../x", "..", ".", "a/../../x", "/etc", "", "a//b", "a\0b", " a", "a\\b", "x" * 300, "~/.ssh/..", "a\nb"]
)
def test_nothing_escapes_the_home(home: Path, name: str) -> None:
    """Neither project nor run_id leads out of the home directory, whatever it contains."""
    with pytest.raises(goodseed.InvalidValueError):
        goodseed.Run(project=name)
    with pytest.raises(goodseed.InvalidValueError):
        goodseed.Run(run_id=name)
    with pytest.raises(goodseed.InvalidValueError):
        goodseed.Run(resume_run_id=name)

    assert not home.exists()


@pytest.mark.parametrize("name", ["a b", "a?b#c%20&d=e", "ünï", "🌱", "file:x", "-x", "a'b\"c", "x" * 128])
def test_odd_names_work(home: Path, name: str) -> None:
    """Names that are odd but harmless are the names of the directory and the file."""
    with goodseed.Run(project=name, run_id=name) as run:
        run["a"].log(1.0, step=0)
    with goodseed.Run(project=name, resume_run_id=name) as resumed:
        resumed["a"].log(2.0, step=1)

    assert home / "projects" / name / "runs" / f"{name}.sqlite" == run.path
    assert 2 == len(run.get_metric_data("a")["raw_points"])


def test_environment_variables(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment fills in what is not given, and is read when the run is made."""
    monkeypatch.setenv("GOODSEED_PROJECT", "from/env")
    monkeypatch.setenv("GOODSEED_RUN_ID", "envid")
    with goodseed.Run() as run:
        pass
    monkeypatch.setenv("GOODSEED_STORAGE", "disabled")
    with goodseed.Run() as disabled:
        pass
    with goodseed.Run(storage="local", run_id="b", project="c", goodseed_home=tmp_path / "h") as given:
        pass
    with goodseed.Run(storage="local", run_id="b", log_dir=tmp_path / "logs") as logged:
        pass

    assert home / "projects/from/env/runs/envid.sqlite" == run.path
    assert disabled.path is None
    assert tmp_path / "h/projects/c/runs/b.sqlite" == given.path
    assert tmp_path / "logs/b.sqlite" == logged.path
    monkeypatch.setenv("GOODSEED_STORAGE", "clowd")
    with pytest.raises(goodseed.ConfigurationError, match="GOODSEED_STORAGE"):
        goodseed.Run()


def test_run_ids(home: Path) -> None:
    """Made-up ids neither use nor disturb the user's random numbers, and differ; taken ids are refused."""
    random.seed(1)
    expected = random.Random(1).random()
    runs = [goodseed.Run() for _ in range(20)]
    drawn = random.random()
    for run in runs:
        run.close()

    assert expected == drawn
    assert 20 == len({run.run_id for run in runs})
    with pytest.raises(goodseed.RunExistsError, match="resume_run_id"):
        goodseed.Run(run_id=runs[0].run_id)
    with goodseed.Run(run_id="live"):
        with pytest.raises(goodseed.RunInUseError, match="live process"):
            goodseed.Run(run_id="live")
        with pytest.raises(goodseed.RunInUseError):
            goodseed.Run(resume_run_id="live")


def test_old_names(home: Path) -> None:
    """Old names still work, and warn."""
    with pytest.warns(DeprecationWarning, match="experiment_name is now name"):
        run = goodseed.Run(experiment_name="e")
    run.close()
    with pytest.warns(DeprecationWarning, match="run_name is now run_id"):
        named = goodseed.Run(run_name="r")
    with pytest.warns(DeprecationWarning, match="log_strings"):
        named.log_string_series({"t": "x"}, step=0)
    named.close()
    from goodseed.config import get_run_db_path

    assert "e" == field(run, "sys/name")
    assert get_run_db_path("default", "r") == named.path
    assert [{"step": 0.0, "value": "x"}] == named.get_string_data("t")


def test_empty_calls_are_nothing(home: Path) -> None:
    """A call without metrics stores nothing, and takes nothing with it of what comes before and after."""
    with goodseed.Run() as run:
        run["before"] = 1
        run.log_metrics({}, step=0)
        run.log_configs({})
        run.log_strings({}, step=0)
        for step in range(10):
            run.log_metrics({"loss": step}, step=step)
        run["after"] = 2
        assert run.flush()

    assert 10 == len(run.get_metric_data("loss")["raw_points"])
    assert {"before": "1", "after": "2"} == configs(run)


def test_threads_log_at_once(home: Path) -> None:
    """What many threads log at once is all there."""
    with goodseed.Run() as run:

        def log(thread: int) -> None:
            for step in range(2000):
                run.log_metrics({f"a/{thread}": step}, step=step)
                run.log_metrics({f"b/{thread}": step, f"c/{thread}": step}, step=step)

        threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert {2000} == {len(run.get_metric_data(path)["raw_points"]) for path in run.get_metric_paths()}
        assert 12 == len(run.get_metric_paths())


def test_reader_that_was_there_for_a_moment_holds_up_nothing(tmp_path: Path) -> None:
    """After a reader's snapshot has kept a long write-ahead log from being emptied, points are soon in the file again."""
    run = goodseed.Run(storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False, git_ref=False)
    data = {f"m{number}": 1.0 for number in range(100)}
    for step in range(2_000):
        run.log_metrics(data, step=step)
    run.flush()
    reader = sqlite3.connect(run.path, isolation_level=None)
    log = Path(f"{run.path}-wal")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM run_meta").fetchone()
    last = 2_000
    while log.stat().st_size < 20 << 20:
        for step in range(last, last + 500):
            run.log_metrics(data, step=step)
        last += 500
        run.flush()
    reader.execute("COMMIT")
    seconds = []
    for step in range(last, last + 3):
        run.log_metrics({"m0": 2.0}, step=step)
        logged = time.monotonic()
        query = "SELECT 1 FROM metric_points WHERE step = ? AND y = 2"
        while reader.execute(query, (step,)).fetchone() is None and time.monotonic() - logged < 10:
            time.sleep(0.05)
        seconds.append(time.monotonic() - logged)
    reader.close()
    run.close()

    assert max(seconds) < 4


def test_a_path_that_no_series_has(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A typing error in a path gives the empty result, and one warning that names the nearest path."""
    with goodseed.Run(project="p", run_id="r", storage="local") as run:
        run.log_metrics({"train/loss": 1.0}, step=0)
        run.log_strings({"note": "x"}, step=0)
        for _ in range(2):
            assert [] == run.get_metric_data("train/los")["raw_points"]
            assert [] == run.get_metric_data("train/los", max_points=10)["raw_points"]
            assert [] == run.get_string_data("zzz")
        assert [] == run.get_metric_data("train/loss", step_min=5)["raw_points"]

    assert ["Did you mean 'train/loss'?", "It has 1 of them."] == [
        record.getMessage().partition(". ")[2] for record in caplog.records
    ]
