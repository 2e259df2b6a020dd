"""A run in a pickle, a copy, a clone: the run itself where it is, a handle that explains itself elsewhere."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import goodseed


def test_the_same_run_in_its_process(home: Path) -> None:
    """Copies and pickles of a run, of a field and of what holds them are the run itself, open or closed."""
    with goodseed.Run(storage="local") as run:
        run["a/b"].log(1.0, step=0)
        holders: list[Any] = [
            copy.copy(run),
            copy.deepcopy({"run": run})["run"],
            pickle.loads(pickle.dumps([run]))[0],
        ]
        field = pickle.loads(pickle.dumps(run["a/b"]))
        field.log(2.0, step=1)
        copy.deepcopy(run["a/b"]).log(3.0, step=2)
    closed = pickle.loads(pickle.dumps(run))

    assert all(held is run for held in [*holders, closed])
    assert [1.0, 2.0, 3.0] == [point["y"] for point in run.get_metric_data("a/b")["raw_points"]]


ELSEWHERE = """
import pickle, sys
import goodseed
run, field = pickle.loads(sys.stdin.buffer.read())
print(run.run_id, run.project, run.storage, run.is_closed, isinstance(run, goodseed.Run))
print([point["y"] for point in run.get_metric_data("a/b")["raw_points"]], run.get_metric_paths())
for write in (
    lambda: run.log_metrics({"a": 1}, step=1),
    lambda: run["a"].log(1, step=1),
    lambda: run["a"].log("x", step=1),
    lambda: field.log(1, step=1),
    lambda: run.__setitem__("a", 1),
    lambda: run.log_strings({"a": "x"}, step=1),
    lambda: run["sys/tags"].add("x"),
):
    try:
        write()
        print("written")
    except goodseed.GoodseedError as error:
        print(type(error).__name__, error)
with run:
    run.flush()
run.close()
print(pickle.loads(pickle.dumps(run)).run_id)
"""


def test_a_handle_in_another_process(home: Path) -> None:
    """Elsewhere it says which run it is, reads it, and what writes says what is wrong and what to do."""
    with goodseed.Run(run_id="r", project="p", storage="local", api_key="secret-key") as run:
        run["a/b"].log(1.0, step=0)
        run.flush()
        sent = pickle.dumps((run, run["a/b"]))
        process = subprocess.run([sys.executable, "-c", ELSEWHERE], input=sent, capture_output=True, timeout=60)
        run["a/b"].log(2.0, step=1)
    lines = process.stdout.decode().splitlines()

    assert b"secret-key" not in sent
    assert ["r p local True True", "[1.0] ['a/b']"] == lines[:2], process.stderr
    assert 7 == len([line for line in lines if line.startswith("ReadOnlyError The run 'r' belongs to process ")])
    assert "r" == lines[-1]
    assert ("finished", 2) == (
        goodseed.list_runs("p", storage="local")[0]["state"],
        len(run.get_metric_data("a/b")["raw_points"]),
    )


def test_a_disabled_run_stays_disabled(home: Path) -> None:
    """A run that stores nothing takes everything elsewhere too."""
    run = goodseed.Run(run_id="r", storage="disabled")
    script = (
        "import pickle, sys; r = pickle.loads(sys.stdin.buffer.read()); r['a'].log(1, step=0); r['b'] = 1; r.close()"
    )
    process = subprocess.run([sys.executable, "-c", script], input=pickle.dumps(run), capture_output=True, timeout=60)

    assert (0, b"") == (process.returncode, process.stderr)


def test_fields_of_fields(home: Path) -> None:
    """Loggers that take any tracker's run may go down path by path."""
    with goodseed.Run(storage="local") as run:
        run["training"]["loss"].log(0.5, step=1)
        run["training"]["params"] = {"lr": 0.1}
        run["training"]["params"]["depth"] = 3
        run["training/"]["text"]["notes"].log("x", step=0)
        with pytest.raises(goodseed.InvalidTypeError):
            run["training"][3]
        with pytest.raises(goodseed.InvalidValueError):
            run["sys"]["id"] = "other"
    configs = {row["path"]: row["value"] for row in run.get_configs() if row["path"].startswith("training")}

    assert ["training/loss"] == run.get_metric_paths()
    assert ["training/text/notes"] == run.get_string_paths()
    assert {"training/params/lr": "0.1", "training/params/depth": "3"} == configs
