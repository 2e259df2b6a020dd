"""Files of the reference implementation open in ours, and ours in it: values equal, both ways."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import goodseed

QUIET = "capture_stdout=False, capture_stderr=False, capture_hardware_metrics=False, git_ref=False"


def environment() -> dict[str, str]:
    """The environment of the test, without what would put our package in the place of the reference."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run_reference(python: Path, script: str) -> str:
    """Run a script with the reference on the home of the test."""
    result = subprocess.run([str(python), "-c", script], capture_output=True, text=True, env=environment(), timeout=120)
    assert 0 == result.returncode, result.stderr
    return result.stdout


def ours(run_id: str) -> dict[str, Any]:
    """What our reader finds in a run, of what the tests log."""
    run = goodseed.Run(project="ws/p", run_id=run_id, read_only=True, storage="local")
    return {
        "configs": {r["path"]: [r["type_tag"], r["value"]] for r in run.get_configs() if r["path"].startswith("p/")},
        "metrics": {
            path: [[point["step"], point["y"]] for point in run.get_metric_data(path)["raw_points"]]
            for path in run.get_metric_paths()
        },
        "strings": {
            path: [[point["step"], point["value"]] for point in run.get_string_data(path)]
            for path in run.get_string_paths()
        },
    }


LOGGED = """
run["p"] = {"int": 2**62, "float": 0.1, "bool": True, "null": None, "str": "h\\u00e9", "nested": {"a": 1}}
for step in (3, 1, 2.5, -4, 2**60):
    run.log_metrics({"loss": step * 0.25, "acc": -step}, step=step)
run["loss"].log(float("inf"), step=9)
for step in range(3):
    run["notes"].log("line %d \\u00e9" % step, step=step)
run["sys/tags"].add(["a", "b"])
"""

READ = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
points = lambda kind, value: {
    path: connection.execute(f"SELECT step, {value} FROM {kind}_points WHERE series_id = ? ORDER BY step", (id,)).fetchall()
    for id, path in connection.execute(f"SELECT id, path FROM {kind}_series").fetchall()}
print(json.dumps({
    "configs": {p: [t, v] for p, t, v in connection.execute("SELECT path, type_tag, value FROM configs WHERE path LIKE 'p/%'")},
    "metrics": points("metric", "y"), "strings": points("string", "value")}))
"""


def test_theirs_opens_in_ours(home: Path, reference: Path) -> None:
    """A run that the reference wrote is read by ours, resumed by ours, and read by plain SQLite, values equal."""
    run_reference(
        reference,
        f"import goodseed\nrun = goodseed.Run(project='ws/p', run_id='theirs', storage='local', {QUIET})\n{LOGGED}run.close()",
    )
    path = home / "projects" / "ws" / "p" / "runs" / "theirs.sqlite"
    plain = json.loads(subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, check=True).stdout)
    before = ours("theirs")
    with goodseed.Run(project="ws/p", resume_run_id="theirs") as run:
        run["loss"].log(7.0, step=100)
        run["sys/tags"].add("c")
    after = ours("theirs")

    assert plain == before
    assert [-4.0, 1.0, 2.5, 3.0, 9.0, 2.0**60] == [step for step, _ in before["metrics"]["loss"]]
    assert [["line 0 é", "line 1 é", "line 2 é"]] == [
        [value for _, value in series] for series in before["strings"].values()
    ]
    assert [100.0, 7.0] in after["metrics"]["loss"]
    assert before["configs"] == after["configs"]
    tags = next(row["value"] for row in run.get_configs() if row["path"] == "sys/tags")
    assert '["a", "b", "c"]' == tags


def test_theirs_is_not_resumed_while_it_is_written(home: Path, reference: Path) -> None:
    """A run that a live process of the reference writes is refused, and can be resumed once that process is gone."""
    script = f"""
import goodseed, sys
run = goodseed.Run(project='ws/p', run_id='live', storage='local', {QUIET})
run['loss'].log(1.0, step=0)
print('open', flush=True)
sys.stdin.read()
run.close()
"""
    command = [str(reference), "-c", script]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "open":
            assert process.poll() is None
        with pytest.raises(goodseed.RunInUseError, match="older version"):
            goodseed.Run(project="ws/p", resume_run_id="live")
        process.communicate(timeout=30)
    assert 0 == process.returncode
    with goodseed.Run(project="ws/p", resume_run_id="live") as run:
        run["loss"].log(2.0, step=1)

    assert [[0.0, 1.0], [1.0, 2.0]] == ours("live")["metrics"]["loss"]


def test_ours_opens_in_theirs(home: Path, reference: Path) -> None:
    """A run that ours wrote is resumed by the reference, which adds to it; then ours reads both parts."""
    with goodseed.Run(project="ws/p", run_id="ours", tags=["z"]) as run:
        exec(LOGGED, {"run": run})
        run["loss"].log(float("nan"), step=10)
    before = ours("ours")
    run_reference(
        reference,
        f"""
import goodseed
run = goodseed.Run(project='ws/p', resume_run_id='ours', storage='local', {QUIET})
run["loss"].log(1.5, step=11)
run["new"].log(2.5, step=0)
run["notes"].log("theirs", step=3)
run["p/int"] = 5
run.close()
""",
    )
    after = ours("ours")

    *small, large = before["metrics"]["loss"]
    assert repr([*small, [11.0, 1.5], large]) == repr(after["metrics"]["loss"])
    assert "[10.0, nan]" in repr(small)
    assert [[0.0, 2.5]] == after["metrics"]["new"]
    assert [3.0, "theirs"] == after["strings"]["notes"][-1]
    assert {**before["configs"], "p/int": ["int", "5"]} == after["configs"]


def test_their_server_shows_ours(home: Path, reference: Path) -> None:
    """The reference's list shows a run that ours wrote."""
    with goodseed.Run(project="ws/p", run_id="shown") as run:
        run["loss"].log(1.0, step=0)
    command = [str(reference.parent / "goodseed"), "list", "-p", "ws/p"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=environment()).stdout

    assert "[finished] shown" in listed
