"""Every example of docs/hooks.md, as an installed plugin."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import goodseed

PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
QUIET = 'storage="local", capture_hardware_metrics=False, git_ref=False'


def example(heading: str) -> str:
    """The code under a heading of the page."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)


class Machine:
    """A home, and a directory of packages that Python finds."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.packages = directory / "packages"
        self.packages.mkdir()
        path = [str(self.packages), str(Path(goodseed.__file__).parent.parent)]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GOODSEED_")},
            "PYTHONPATH": os.pathsep.join(path),
            "GOODSEED_HOME": str(self.home),
            "GOODSEED_QUIET": "1",
        }

    def install(self, code: str, name: str = "acme") -> None:
        """As pip would."""
        info = self.packages / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[console_scripts]\nx = y:z\n\n[goodseed]\n{name} = {name}_plugin\n")
        (self.packages / f"{name}_plugin.py").write_text(code)

    def run(self, *arguments: str, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """What Python does with the arguments."""
        done = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == status, done.stderr
        return done

    def script(self, body: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """What a training script does whose run is `run`."""
        lines = "\n    ".join(body.strip().splitlines())
        text = f"import goodseed\nwith goodseed.Run(run_id='one', project='p', {QUIET}) as run:\n    {lines}\n"
        return self.run("-c", text, **environment)

    def stored(self, run_id: str = "one") -> goodseed.Run:
        """A run, to be read."""
        return goodseed.Run(project="p", run_id=run_id, read_only=True, storage="local", goodseed_home=self.home)

    def configs(self, run_id: str = "one") -> dict[str, object]:
        """The configs of a run."""
        return {config["path"]: config["value"] for config in self.stored(run_id).get_configs()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_run_opened_resumed_closed(machine: Machine) -> None:
    """A plugin sees a run begin and end; while it is closing it may still be written."""
    machine.install(example("A run opened, resumed, closed"))
    first = machine.script("run.log_metrics({'loss': 1}, step=0)")
    again = machine.run(
        "-c", f"import goodseed\ngoodseed.Run(project='p', resume_run_id='one', {QUIET}).close('failed')"
    )

    assert first.stdout.splitlines() == ["opened one", "closed finished True"]
    assert again.stdout.splitlines() == ["resumed one", "closed failed True"]
    assert machine.configs()["acme/verdict"] == "it failed"


def test_hanging_plugin_costs_ten_seconds(machine: Machine) -> None:
    """A plugin that never returns is left behind by name: the run goes on, and ends well."""
    machine.install(
        "import time\nfrom goodseed.hookspecs import hookimpl\n"
        "@hookimpl\ndef goodseed_run_closing(run, status):\n    time.sleep(1000)\n"
    )
    begun = time.monotonic()
    done = machine.script("run.log_metrics({'loss': 1}, step=0)")

    assert time.monotonic() - begun < 60
    assert "acme takes over 10 s for goodseed_run_closing" in done.stderr
    assert machine.configs()["sys/state"] == "finished"


@pytest.mark.skipif(not hasattr(signal, "SIGTERM") or sys.platform == "win32", reason="Windows has no SIGTERM")
def test_signal_gives_plugins_a_second(machine: Machine) -> None:
    """A scheduler's SIGTERM ends a run whose plugin hangs, and its status is written."""
    machine.install(
        "import time\nfrom goodseed.hookspecs import hookimpl\n"
        "@hookimpl\ndef goodseed_run_closing(run, status):\n    time.sleep(1000)\n"
    )
    text = (
        f"import goodseed, time\nrun = goodseed.Run(run_id='one', project='p', {QUIET})\n"
        "run.log_metrics({'loss': 1}, step=0)\nprint('here', flush=True)\ntime.sleep(100)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", text], env=machine.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    process.terminate()
    process.wait(30)
    process.stdout.close()

    assert (machine.configs()["sys/state"], machine.configs()["sys/end_reason"]) == ("failed", "SIGTERM")


def test_points_stored(machine: Machine) -> None:
    """A plugin is told each point after it is stored, and what it logs about them is in the run at its end."""
    machine.install(example("Points that are stored"))
    machine.script(
        """
for step in range(5000):
    run.log_metrics({"loss": float("nan") if step in (7, 4999) else 1.0, "acc": 1.0}, step=step)
run["lr"].log(0.1, step=1)
"""
    )

    assert machine.stored().get_string_data("acme/nan") == [
        {"step": 7.0, "value": "loss is NaN"},
        {"step": 4999.0, "value": "loss is NaN"},
    ]


def test_every_point_is_told_once(machine: Machine) -> None:
    """However they are logged, from several threads and in overlapping shapes, and texts as well."""
    machine.install(
        """
from collections import Counter
from goodseed.hookspecs import hookimpl
seen = Counter()
@hookimpl
def goodseed_points_stored(run, points):
    for series in points:
        assert len(series.steps) == len(series.values) == len(series.times)
        seen[series.kind, series.path] += len(series.steps)
@hookimpl
def goodseed_run_closed(run, status):
    print(sorted(seen.items()))
"""
    )
    done = machine.script(
        """
import threading
def work(k):
    for step in range(2000):
        run.log_metrics({"a": 1, f"b{k}": 2}, step=k * 10000 + step)
        run[f"c{k}"].log(step, step=step)
    run["text"].log("hello", step=k)
threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    )

    assert eval(done.stdout) == [
        (("metric", "a"), 4000),
        *[(("metric", path), 2000) for path in ("b0", "b1", "c0", "c1")],
        (("string", "text"), 2),
    ]


def test_slow_plugin_is_left_behind(machine: Machine) -> None:
    """Points that a plugin is too slow for are in the file all the same, and it is said once."""
    machine.install(
        "import sys, time\nfrom goodseed.hookspecs import hookimpl\n"
        "@hookimpl\ndef goodseed_points_stored(run, points):\n"
        "    while not hasattr(sys, 'all_is_stored'):\n        time.sleep(0.01)\n"
    )
    done = machine.script(
        """
import sys
data = {f"m{k}": 1.0 for k in range(1000)}
for step in range(2500):
    run.log_metrics(data, step=step)
run.flush()
sys.all_is_stored = True
"""
    )

    assert done.stderr.count("are too slow and miss some") == 1
    assert len(machine.stored().get_metric_data("m999")["raw_points"]) == 2500


def test_values_of_other_types(machine: Machine) -> None:
    """A type that Goodseed does not know becomes configs, or a number, by a plugin; without one it is refused as ever."""
    body = """
run["z"] = 3 + 4j
run.log_configs({"list": [1j]}, flatten=False)
run["z"].log(3 + 4j, step=0)
run.log_metrics({"w": 6 + 8j}, step=0)
"""
    text = (
        f"import goodseed\nwith goodseed.Run(project='p', run_id='two', {QUIET}) as run:\n    run['z'].log(1j, step=0)"
    )
    refused = machine.run("-c", text, status=1)
    machine.install(example("Values of other types"))
    machine.script(body)
    configs = machine.configs()

    assert "InvalidTypeError" in refused.stderr
    assert (configs["z/real"], configs["z/imag"]) == ("3.0", "4.0")
    assert [machine.stored().get_metric_data(path)["raw_points"][0]["y"] for path in ("z", "w")] == [5.0, 10.0]


def test_secrets_are_redacted(machine: Machine) -> None:
    """What a plugin redacts is in no byte of the run, whichever way it came: config, tag, text, console, traceback."""
    machine.install(example("Secrets"))
    text = f"""
import goodseed
with goodseed.Run(run_id='one', project='p', tags=["sk-tag1"], {QUIET}) as run:
    run["parameters"] = {{"db/password": "hunter2", "key": "sk-abc123", "n": 3, "list": ["sk-list1"]}}
    run["remark"].log("my key is sk-def456", step=0)
    print("export KEY=sk-ghi789")
    raise ValueError("bad key sk-jkl012")
"""
    machine.run("-c", text, status=1)
    configs = machine.configs()
    written = b"".join(path.read_bytes() for path in machine.home.rglob("*") if path.is_file())

    assert (configs["parameters/db/password"], configs["parameters/n"]) == ("***", "3")
    assert configs["parameters/key"] == "sk-***"
    assert configs["sys/tags"] == '["sk-***"]'
    assert machine.stored().get_string_data("remark") == [{"step": 0.0, "value": "my key is sk-***"}]
    secrets = (b"hunter2", b"abc123", b"tag1", b"list1", b"def456", b"ghi789", b"jkl012")
    assert [secret for secret in secrets if secret in written] == []


def test_failing_redaction_withholds(machine: Machine) -> None:
    """A redactor that raises lets nothing through, and harms no run."""
    machine.install(
        "from goodseed.hookspecs import hookimpl\n"
        "@hookimpl\ndef goodseed_redact(path, text):\n    if path == 'secret': raise RuntimeError('oh')\n"
    )
    done = machine.script("run['secret'] = 'hunter2'\nrun['open'] = 'fine'")

    assert machine.configs()["secret"] == "(withheld: plugin acme could not redact it)"
    assert machine.configs()["open"] == "fine"
    assert done.stderr.count("plugin acme failed in goodseed_redact") == 1


def test_facts_and_samplers(machine: Machine) -> None:
    """A plugin's facts are configs of the run, and its samples metrics."""
    machine.install(example("Hardware and facts"))
    machine.run(
        "-c",
        """
import goodseed, time
with goodseed.Run(run_id='one', project='p', storage="local", git_ref=False) as run:
    name = run.monitoring_namespace
    for _ in range(200):
        if f"{name}/tpu_0_util" in run.get_metric_paths(): break
        time.sleep(0.1)
    for _ in range(200):
        if any(config["path"] == f"{name}/tpu_name" for config in run.get_configs()): break
        time.sleep(0.1)
""",
    )
    names = {path.split("/")[-1] for path in machine.stored().get_metric_paths()}

    assert "tpu_0_util" in names
    assert [value for path, value in machine.configs().items() if path.endswith("/tpu_name")] == ["v9"]


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
    assert "line 2: '[1]' is no JSON object" in bad.stderr
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
    assert (points["acc"]["step"], points["acc"]["y"], str(points["loss"]["y"])) == (2.5, 0.5, "nan")
    assert points["text"]["string_value"] == "hello"


def test_destination_that_fails(machine: Machine, tmp_path: Path) -> None:
    """What a destination refuses stays here alone; what it can't take now is copied later by `goodseed upload`."""
    code = example("Destinations").replace(
        "    def send_points(self, run, points):\n",
        "    def send_points(self, run, points):\n"
        "        import os, goodseed\n"
        "        if os.environ.get('BROKEN'): raise OSError('the share is away')\n"
        "        if any(point['path'] == 'bad' for point in points): raise goodseed.RemoteRefusedError('not that one')\n",
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


BROKEN = "from goodseed.hookspecs import hookimpl\n" + "".join(
    f"@hookimpl\ndef {hook}({arguments}):\n    raise {error}\n"
    for hook, arguments, error in [
        ("goodseed_run_opened", "run", "RuntimeError('oh')"),
        ("goodseed_run_closing", "run, status", "SystemExit(3)"),
        ("goodseed_run_closed", "run, status", "ValueError"),
        ("goodseed_points_stored", "run, points", "MemoryError"),
        ("goodseed_config_value", "path, value", "KeyError"),
        ("goodseed_metric_value", "path, value", "RuntimeError"),
        ("goodseed_facts", "", "RuntimeError"),
        ("goodseed_hardware_samplers", "", "RuntimeError"),
    ]
)


def test_broken_plugin_harms_no_run(machine: Machine) -> None:
    """A plugin that raises in every hook is named once for each, and the run is whole; turned off, it is not heard of."""
    machine.install(BROKEN)
    body = """
for step in range(100):
    run.log_metrics({"loss": 1}, step=step)
    if step % 50 == 0:
        import time; time.sleep(0.4)
run["odd"] = 1j
"""
    on = machine.script(body)
    machine.run("-c", "import shutil, os; shutil.rmtree(os.environ['GOODSEED_HOME'])")
    off = machine.script(body, GOODSEED_DISABLE_PLUGINS="acme")

    said = re.findall(r"plugin acme failed in (goodseed_\w+)", on.stderr)
    assert sorted(said) == sorted(
        f"goodseed_{hook}" for hook in ("run_opened", "run_closing", "run_closed", "points_stored", "config_value")
    )
    assert off.stderr == ""
    assert len(machine.stored().get_metric_data("loss")["raw_points"]) == 100
    assert machine.configs()["odd"] == "1j"


ODD = """
import asyncio
from goodseed.hookspecs import hookimpl

@hookimpl
def goodseed_points_stored(run, points):
    raise asyncio.CancelledError

@hookimpl(wrapper=True)
def goodseed_redact(path, text):
    return (yield)

@hookimpl(wrapper=True)
def goodseed_config_value(value):
    return (yield)

@hookimpl
def goodseed_commands():
    yield "first", "does", (lambda parser: None), (lambda arguments: 0)
    raise RuntimeError("oh")

@hookimpl
def goodseed_importers():
    return [("no", "importer")]

@hookimpl
def goodseed_hardware_samplers():
    yield from ()
    raise RuntimeError("oh")

@hookimpl
def goodseed_routes():
    yield 3
"""


def test_odd_plugin_harms_nothing(machine: Machine) -> None:
    """Generators that raise, answers of another kind, wrappers, the end of a task: each is named, and the rest goes on."""
    machine.install(ODD)
    done = machine.script("run.log_metrics({'loss': 1}, step=0)\nrun['odd'] = 1j\nrun['secret'] = 'hunter2'")
    said = set(re.findall(r"plugin acme failed in (goodseed_\w+)", done.stderr))

    assert {"goodseed_points_stored", "goodseed_redact", "goodseed_config_value"} <= said
    assert "takes over" not in done.stderr
    assert "hunter2" not in str(machine.configs()["secret"])
    help_ = machine.run("-m", "goodseed", "--help")
    assert "plugin acme failed in goodseed_commands" in help_.stderr
    assert "serve" in help_.stdout
    importing = machine.run("-m", "goodseed", "import", "--help")
    assert "csv" in importing.stdout
    assert "plugin acme failed in goodseed_importers" in importing.stderr


def test_command_whose_arguments_cannot_be_added(machine: Machine) -> None:
    """The other commands are there all the same."""
    machine.install(
        "from goodseed.hookspecs import hookimpl\n"
        "def add(parser): raise RuntimeError('oh')\n"
        "@hookimpl\ndef goodseed_commands(): return [('bad', 'does', add, lambda arguments: 0)]\n"
    )
    done = machine.run("-m", "goodseed", "--help")

    assert "serve" in done.stdout
    assert "plugin acme failed in goodseed_commands" in done.stderr


def test_without_plugins_pluggy_is_not_loaded(machine: Machine) -> None:
    """A run that has no plugin pays for none: neither pluggy nor the search through packages' metadata is loaded."""
    done = machine.script(
        "import sys\nrun['a'] = 1\nrun.log_metrics({'x': 1}, step=0)\nprint('pluggy' in sys.modules)",
        GOODSEED_DISABLE_PLUGINS="1",
    )

    assert done.stdout == "False\n"


def test_omegaconf_is_plain(machine: Machine) -> None:
    """OmegaConf's configs become one config a leaf, interpolations resolved, through our own hook."""
    pytest.importorskip("omegaconf")
    machine.script(
        """
from omegaconf import OmegaConf
run["cfg"] = OmegaConf.create({"lr": 0.1, "twice": "${lr}", "layers": [1, 2], "gone": "???", "deep": {"a": 1}})
run.log_configs({"whole": OmegaConf.create({"bad": "${nowhere}"})}, flatten=False)
"""
    )
    configs = machine.configs()

    assert (configs["cfg/lr"], configs["cfg/twice"], configs["cfg/deep/a"]) == ("0.1", "0.1", "1")
    assert (configs["cfg/layers"], configs["cfg/gone"]) == ("[1, 2]", "???")
    assert json.loads(configs["whole"]) == {"bad": "${nowhere}"}
