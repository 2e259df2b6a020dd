"""Hooks of the server and the command line: addresses, panels, commands, importers, destinations."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from .conftest import Machine, example


def test_commands(machine: Machine) -> None:
    """A plugin's command takes its arguments."""
    machine.install(example("Commands"))

    assert machine.run("-m", "goodseed", "greet", "--loud").stdout == "HELLO\n"


def test_importers(machine: Machine, tmp_path: Path) -> None:
    """A plugin's importer makes runs; the help names it beside ours."""
    machine.install(example("Importers"))
    (tmp_path / "losses.json").write_text("[3, 2, 1]")
    done = machine.run("-m", "goodseed", "import", "acme", "-p", "p", str(tmp_path / "losses.json"))
    listed = json.loads(machine.run("-m", "goodseed", "list", "-p", "p", "--json").stdout)["runs"]
    shown = machine.run("-m", "goodseed", "import", "--help").stdout

    assert done.stdout == "Imported 1 run.\n"
    points = machine.stored(listed[0]["run_id"]).get_metric_data("loss")["raw_points"]
    assert [point["y"] for point in points] == [3.0, 2.0, 1.0]
    assert all(name in shown for name in ("acme", "csv", "jsonl", "a list of losses in JSON"))


def test_import_csv_and_json_lines(machine: Machine, tmp_path: Path) -> None:
    """Tables of other loggers become runs: numbers are metrics, texts string series, gaps no points."""
    (tmp_path / "a.csv").write_text("epoch,step,train/loss,note\n0,10,0.5,hello\n0,20,nan,\n1,30,,bye\n")
    (tmp_path / "b.jsonl").write_text('{"loss": 1, "at": 3}\n\n{"loss": 0.5, "at": 4, "ok": true}\n')
    (tmp_path / "bad.jsonl").write_text('{"loss": 1}\n[1]\n')
    machine.run("-m", "goodseed", "import", "csv", "-p", "p", str(tmp_path / "a.csv"))
    machine.run("-m", "goodseed", "import", "jsonl", "-p", "p", "--step", "at", str(tmp_path / "b.jsonl"))
    bad = machine.run("-m", "goodseed", "import", "jsonl", "-p", "q", str(tmp_path / "bad.jsonl"), status=1)
    missing = machine.run("-m", "goodseed", "import", "csv", str(tmp_path / "none.csv"), status=1)
    listed = json.loads(machine.run("-m", "goodseed", "list", "-p", "p", "--json").stdout)["runs"]
    runs = {run["name"]: machine.stored(run["run_id"]) for run in listed}

    a = runs["a"].get_metric_data("train/loss")["raw_points"]
    assert [(point["step"], str(point["y"])) for point in a] == [(10.0, "0.5"), (20.0, "nan")]
    assert [point["value"] for point in runs["a"].get_string_data("note")] == ["hello", "bye"]
    assert [point["step"] for point in runs["b"].get_metric_data("loss")["raw_points"]] == [3.0, 4.0]
    assert runs["b"].get_metric_paths() == ["loss", "ok"]
    assert "line 2: '[1]' is not a JSON object" in bad.stderr
    assert "none.csv" in missing.stderr
    assert "Traceback" not in bad.stderr + missing.stderr


def test_destinations(machine: Machine, tmp_path: Path) -> None:
    """A run is copied to a plugin's destination while it is written, and what a failure kept back by `goodseed upload`."""
    machine.install(example("Destinations"))
    url = f"folder://{tmp_path}/team"
    text = (
        "import goodseed\nwith goodseed.Run(run_id='one', project='p', capture_hardware_metrics=False, git_ref=False) "
        "as run:\n    run['lr'] = 0.1\n    run.log_metrics({'loss': float('nan'), 'acc': 0.5}, step=2.5)\n"
        "    run['text'].log('hello', step=1)"
    )
    machine.run("-c", text, GOODSEED_API_URL=url)
    rows = [json.loads(line) for line in (tmp_path / "team" / "p" / "one.jsonl").read_text().splitlines()]
    points = {row["path"]: row for row in rows if "step" in row}

    assert rows[-1] == {"status": "finished"}
    assert {"path": "lr", "type_tag": "float", "value": "0.1"} in rows
    assert (points["acc"]["step"], points["acc"]["value"], str(points["loss"]["value"])) == (2.5, 0.5, "nan")
    assert points["text"]["value"] == "hello"


def test_destination_that_fails(machine: Machine, tmp_path: Path) -> None:
    """What a destination refuses stays here alone; what it can't take now is copied later by `goodseed upload`."""
    code = example("Destinations").replace(
        "    def send_points(self, run, several):\n",
        "    def send_points(self, run, several):\n"
        "        import os, goodseed\n"
        "        if os.environ.get('BROKEN'): raise OSError('the share is away')\n"
        "        if any(points.path == 'bad' for points in several): raise goodseed.RemoteRefusedError('not that one')\n",
    )
    machine.install(code)
    url = f"folder://{tmp_path}/team"
    text = (
        "import goodseed\nrun = goodseed.Run(run_id='one', project='p', capture_hardware_metrics=False, git_ref=False)\n"
        "run.log_metrics({'loss': 1, 'bad': 2}, step=1)\nrun.close(timeout=1)"
    )
    broken = machine.run("-c", text, GOODSEED_API_URL=url, BROKEN="1")
    upload = machine.run("-m", "goodseed", "upload", "-p", "p", "--run-id", "one", status=1, GOODSEED_API_URL=url)
    rows = [json.loads(line) for line in (tmp_path / "team" / "p" / "one.jsonl").read_text().splitlines()]

    assert "the share is away" in broken.stderr
    assert "goodseed upload -p p --run-id one" in broken.stderr
    assert "not that one" in upload.stderr
    assert [row["path"] for row in rows if "step" in row] == ["loss"]


def test_unknown_destination(machine: Machine) -> None:
    """An address that no plugin knows is named, before any file is written."""
    text = "import goodseed\ngoodseed.Run(project='p')"
    done = machine.run("-c", text, status=1, GOODSEED_API_URL="folder:///nowhere")

    assert "ConfigurationError" in done.stderr
    assert "folder:///nowhere" in done.stderr
    assert not list(machine.home.rglob("*.sqlite"))


class Served:
    """`goodseed serve` with the machine's plugins."""

    def __init__(self, machine: Machine) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "goodseed", "serve", "--port", "0"],
            env=machine.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url = re.search(r"http://[^ ]+[0-9]", self.process.stdout.readline()).group(0)

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Status and JSON of an address."""
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers), timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def close(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()


def test_addresses_and_panels(machine: Machine) -> None:
    """A plugin's address answers pages of the same origin, and its panel is there for each run."""
    machine.install(example("Addresses and panels"))
    machine.script("run.log_metrics({'a': 1, 'b': 2}, step=0)\nrun['a'].log(2, step=1)")
    served = Served(machine)
    try:
        count = served.get("/api/plugins/acme/count?pattern=runs/*.sqlite")
        elsewhere = served.get(
            "/api/plugins/acme/count", **{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.org"}
        )
        nothing = served.get("/api/plugins/acme/other")
        panels = served.get("/api/ui/p/p/-/run/one/panels")
    finally:
        served.close()

    assert count == (200, {"files": 1})
    assert (elsewhere[0], nothing[0]) == (403, 404)
    assert panels == (200, {"panels": [{
        "name": "acme/lengths",
        "title": "How long the metrics are",
        "blocks": [
            {"kind": "text", "text": "2 metrics"},
            {"kind": "table", "columns": ["metric", "points"], "rows": [["a", 2], ["b", 1]]},
            {"kind": "bars", "labels": ["a", "b"], "values": [2.0, 1.0]},
        ],
        "problem": "",
    }]})  # fmt: skip


def test_broken_panels_and_addresses(machine: Machine) -> None:
    """A panel that raises says so on the page, and the others are there; an address that raises is a 4xx or a 500."""
    machine.install(
        """
from goodseed.hookspecs import Panel, Route, Table, Text, hookimpl
def bad(run): raise RuntimeError("oh")
def odd(run): return [Table(["x"], [[float("nan")], [None, 1], []]), 3]
def wrong(query, directory): return {}["missing"]
def worse(query, directory): raise RuntimeError("oh")
@hookimpl
def goodseed_panels():
    return [Panel("bad", "Bad", bad), Panel("odd", "Odd", odd), Panel("empty", "Empty", lambda run: []),
            Panel("good", "Good", lambda run: [Text("<b>hi</b>")])]
@hookimpl
def goodseed_routes():
    return [Route("wrong", wrong), Route("worse", worse), Route("../x", worse)]
"""
    )
    machine.script("run.log_metrics({'a': 1}, step=0)")
    served = Served(machine)
    try:
        status, answer = served.get("/api/ui/p/p/-/run/one/panels")
        wrong, worse = served.get("/api/plugins/acme/wrong"), served.get("/api/plugins/acme/worse")
        missing = served.get("/api/ui/p/p/-/run/none/panels")
    finally:
        served.close()

    assert status == 200
    problem = "The plugin acme failed to show this; the server's console says why."
    assert [(panel["title"], panel["problem"]) for panel in answer["panels"]] == [
        ("Bad", problem), ("Odd", problem), ("Good", ""),
    ]  # fmt: skip
    assert answer["panels"][2]["blocks"] == [{"kind": "text", "text": "<b>hi</b>"}]
    assert (wrong[0], worse[0], missing[0]) == (400, 500, 404)
