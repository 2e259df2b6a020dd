"""`goodseed import`: each file is read as it is meant, or what is not is said by name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import goodseed
from goodseed.cli.main import main


class Imported:
    """What an import left: its exit status, what it said, and what is in the run."""

    def __init__(self, source: str, file: Path, capsys: pytest.CaptureFixture[str], caplog: Any, *options: str) -> None:
        caplog.clear()
        self.status = main(["import", source, "-p", "p", *options, str(file)])
        self.said = capsys.readouterr().err + caplog.text
        self.metrics: dict[str, dict[float, float]] = {}
        self.texts: dict[str, dict[float, str]] = {}
        for listed in goodseed.list_runs("p", storage="local") if Path(file).exists() else []:
            with goodseed.Run(project="p", run_id=listed["run_id"], read_only=True, storage="local") as run:
                self.path = run.path
                for path in run.get_metric_paths():
                    points = run.get_metric_data(path)["raw_points"]
                    self.metrics[path] = {point["step"]: point["y"] for point in points}
                for path in run.get_string_paths():
                    self.texts[path] = {point["step"]: point["value"] for point in run.get_string_data(path)}


@pytest.fixture
def load(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Any:
    """Imports a text, or bytes, as a file of a source."""

    def load(source: str, content: str | bytes, *options: str, name: str = "file") -> Imported:
        file = tmp_path / f"{name}.{source}"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Imported(source, file, capsys, caplog, *options)

    return load


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ("step,loss\n0,0.5\n1,0.25\n", {"loss": {0: 0.5, 1: 0.25}}),
        ("step;loss;acc\n0;1,5;0,1\n1;1,25;0,2\n", {"loss": {0: 1.5, 1: 1.25}, "acc": {0: 0.1, 1: 0.2}}),
        ("step;loss\n0;1.234,5\n1;1,5\n", {"loss": {0: 1234.5, 1: 1.5}}),
        ("step\tloss\n0\t0.5\n", {"loss": {0: 0.5}}),
        ('step,loss\n"1,000","1,234.5"\n"2,000","2,000.25"\n', {"loss": {1000: 1234.5, 2000: 2000.25}}),
        ("Wall time,Step,Value\n1700000000.5,100,0.5\n1700000001.5,200,0.4\n", {"Value": {100: 0.5, 200: 0.4}}),
        ("_step,_runtime,_timestamp,loss\n5,1.5,1700000000.5,0.5\n", {"loss": {5: 0.5}, "_runtime": {5: 1.5}}),
        ("epoch,step,train_loss,val_loss\n0,9,0.5,\n0,9,,0.4\n", {"epoch": {9: 0}, "train_loss": {9: 0.5}, "val_loss": {9: 0.4}}),
        ("Iteration,loss\n10,1\n20,2\n", {"loss": {10: 1, 20: 2}}),
        ('"step","train/loss, smoothed"\n0,0.5\n', {"train/loss, smoothed": {0: 0.5}}),
        ("step,ok\n0,True\n1,false\n", {"ok": {0: 1, 1: 0}}),
        ("step,loss\n0,inf\n1,-Infinity\n", {"loss": {0: math.inf, 1: -math.inf}}),
        ("step,loss,\n0,1,\n1,2,\n", {"loss": {0: 1, 1: 2}}),
        ("step, loss \r\n0, 1e-3 \r\n\r\n", {"loss": {0: 0.001}}),
        ("step,loss\n0,1_000\n", {}),
    ],
)  # fmt: skip
def test_csv_is_read_as_it_is_meant(load: Any, text: str, metrics: dict[str, dict[float, float]]) -> None:
    """Numbers of any country, tabs, quotes, truth values, and the files of frameworks and trackers are what they were."""
    found = load("csv", text)

    assert (0, metrics) == (found.status, found.metrics)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_encodings(load: Any, encoding: str) -> None:
    """A file that announces its encoding is read in it."""
    assert {"Verlust/größe": {0.0: 0.5}} == load("csv", "step,Verlust/größe\n0,0.5\n".encode(encoding)).metrics
    assert {"Verlust/größe": {0.0: 0.5}} == load(
        "jsonl", '{"step": 0, "Verlust/größe": 0.5}\n'.encode(encoding), name="b"
    ).metrics


def test_times_are_kept(load: Any) -> None:
    """TensorBoard's wall time and wandb's timestamp are the times of the points."""
    import sqlite3

    found = load("csv", "Wall time,Step,Value\n1700000000.5,100,0.5\n", name="run-.-tag-loss")

    assert {"loss": {100.0: 0.5}} == found.metrics
    with sqlite3.connect(found.path) as database:
        assert [(1700000000.5,)] == database.execute("SELECT ts FROM metric_points").fetchall()
    database.close()


@pytest.mark.parametrize(
    ("text", "said", "status", "metrics"),
    [
        ("step,loss,loss\n0,1,2\n", "'loss' stands twice", 0, {"loss": {0: 1}, "loss.1": {0: 2}}),
        ("step,loss\n0,1\n1,1,9\n2,2\n", "line 3", 1, {"loss": {0: 1, 2: 2}}),
        ("epoch,loss\n0,1\n1,2\n0,1,5\n1,2,6\n", "line 4 and 1 more", 1, {"loss": {0: 1, 1: 2}}),
        ("step,loss,acc\n0,1\n1,2,3\n", "line 2", 1, {"loss": {1: 2}, "acc": {1: 3}}),
        ("step,loss,acc\n0,1,2\n1,2", "breaks off", 0, {"loss": {0: 1}, "acc": {0: 2}}),
        ("step,loss\n0,1\n,2\n", "no step", 1, {"loss": {0: 1}}),
        ("step,loss\n0,1\nnan,2\n", "no step", 1, {"loss": {0: 1}}),
        ("loss\n1\n2\n", "numbers of the rows", 0, {"loss": {0: 1, 1: 2}}),
        ("step,loss\n0,1\n0,2\n", "'loss'", 0, {"loss": {0: 2}}),
        ("step,loss\n0,1\n1,NA\n", "NA", 0, {"loss": {0: 1}}),
        ("step,loss\n0,1\n1,failed\n", "'loss' has texts", 0, {"loss": {0: 1}}),
        ("step,id\n0,9007199254740993\n", "2**53", 0, {"id": {0: 9007199254740992.0}}),
        (",step,loss\n0,5,1\n", "column 1", 0, {"column 1": {5: 0}, "loss": {5: 1}}),
        ("step,loss\n0,1\nstep,loss\n1,2\n", "header", 0, {"loss": {0: 1, 1: 2}}),
        ('step,loss\n0,"1,234"\n', "thousands", 0, {"loss": {0: 1234}}),
        ("step;loss\n0;1,234\n", "decimal", 0, {"loss": {0: 1.234}}),
        ("step,note\n0,hello\n", "no metric", 0, {}),
    ],
)
def test_csv_is_said(load: Any, text: str, said: str, status: int, metrics: dict[str, dict[float, float]]) -> None:
    """What is left out, renamed, replaced or guessed is said by name, and the exit status tells what is missing."""
    found = load("csv", text)

    assert (status, metrics) == (found.status, found.metrics)
    assert said in found.said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("step,loss\n", "no rows"),
        ("0,0.5\n1,0.4\n", "first line"),
        ("step;loss\n0;1,5\n1;1.5\n", "decimal"),
        ("step,/loss,loss\n0,1,2\n", "two columns"),
        ("step,loss\n0,ä\n".encode("latin-1"), "UTF-8"),
        ("step,loss\n0,1\n".encode("utf-16-le"), "NUL"),
    ],
)  # fmt: skip
def test_csv_is_refused(load: Any, home: Path, content: str | bytes, said: str) -> None:
    """A file that can't be read as it is meant makes no run, and a sentence says why."""
    found = load("csv", content)

    assert (1, []) == (found.status, goodseed.list_runs("p", storage="local"))
    assert said in found.said
    assert "file.csv" in found.said


def test_an_unknown_step_column(load: Any) -> None:
    """A column of steps that is not there is an error, not the numbers of the rows."""
    assert "no column 'stpe'" in load("csv", "step,loss\n0,1\n", "--step", "stpe").said


@pytest.mark.parametrize(
    ("text", "said", "status", "metrics"),
    [
        ('{"step": 1, "loss": NaN}\n{"step": 2, "loss": "Infinity"}\n', "", 0, {"loss": {2: math.inf}}),
        ('{"step": 1, "train": {"loss": 0.5}}\n', "", 0, {"train/loss": {1: 0.5}}),
        ('{"step": 1, "loss": 0.5, "list": [1, 2], "no": null}\n', "", 0, {"loss": {1: 0.5}}),
        ('{"step": 1, "loss": 0.5}\n{"step": 2, "lo', "breaks off", 0, {"loss": {1: 0.5}}),
        ('{"step": 1, "loss": 0.5}\n{"loss": 0.4, "acc": 1}\n', "without 'step'", 0, {"loss": {1: 0.4}, "acc": {1: 1}}),
        ('{"step": 1, "loss": 0.5}\n{"step": "x", "loss": 0.4}\n', "no step", 1, {"loss": {1: 0.5}}),
        ('{"step": 1, "loss": 0.5, "loss": 0.4}\n', "'loss' stands twice", 1, {}),
        ('{"step": 1, "a/b": 0.5, "a": {"b": 2}}\n', "'a/b' stands twice", 1, {}),
        ('{"step": 1, "lo\n{"step": 2, "loss": 1}\n', "line 1", 1, {}),
        ("", "empty", 1, {}),
        ("\n\n", "no JSON object", 1, {}),
    ],
)
def test_json_lines(load: Any, text: str, said: str, status: int, metrics: dict[str, dict[float, float]]) -> None:
    """Nested objects, doubled keys, missing steps and a last line that breaks off: read, or said by name."""
    found = load("jsonl", text)
    finite = {path: {s: y for s, y in points.items() if y == y} for path, points in found.metrics.items()}

    assert (status, metrics) == (found.status, finite)
    assert said in found.said
