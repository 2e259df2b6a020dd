"""Every example of docs/hooks.md, as an installed plugin."""

from __future__ import annotations

import inspect
import json
import re
import signal
import subprocess
import sys

import pytest

from goodseed import hookspecs

from .conftest import PAGE, QUIET, Machine, example


def test_every_hook_is_described() -> None:
    """The page's table has every hook with its exact arguments, and an example has each; the module lists them all."""
    hooks = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("goodseed_")}
    rows = re.findall(r"^\| \[`(goodseed_\w+\(.*?\))`\]", PAGE, re.MULTILINE)
    examples = set(re.findall(r"^def (goodseed_\w+)\(", PAGE, re.MULTILINE))

    assert sorted(f"{name}({', '.join(inspect.signature(hook).parameters)})" for name, hook in hooks.items()) == sorted(
        rows
    )
    assert examples == set(hooks)
    assert set(hooks) <= set(hookspecs.__all__)


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


@pytest.mark.slow
def test_hanging_plugin_costs_ten_seconds(machine: Machine) -> None:
    """A plugin that never returns is left behind by name: the run goes on, and ends well."""
    machine.install(
        "import time\nfrom goodseed.hookspecs import hookimpl\n"
        "@hookimpl\ndef goodseed_run_closing(run, status):\n    time.sleep(1000)\n"
    )
    done = machine.script("run.log_metrics({'loss': 1}, step=0)")

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
    """However they are logged, from several threads and in overlapping shapes, and texts as well: as floats and texts."""
    machine.install(
        """
from collections import Counter
from goodseed.hookspecs import StoredPoints, hookimpl
seen = Counter()
@hookimpl
def goodseed_points_stored(run, points):
    for series in points:
        assert isinstance(series, StoredPoints)
        assert all(isinstance(value, str if series.kind == "string" else float) for value in series.values)
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
        run.log_metrics({"a": 1, f"b{k}": float("nan")}, step=k * 10000 + step)
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
