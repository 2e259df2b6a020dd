"""A kind of series that this file alone makes up is logged, stored, read, listed, uploaded, kept by a hub, and downloaded."""

from __future__ import annotations

import base64
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hub_process import HubProcess

import goodseed
from goodseed.columns import pack_numbers, unpack_numbers
from goodseed.errors import InvalidTypeError, InvalidValueError, RunClosedError
from goodseed.paths import RunFiles
from goodseed.run.data import session_of
from goodseed.storage.kinds import NUMBERS, TEXTS, Kind, register, registered
from goodseed.storage.reader import RunReader


def stored(path: str, value: Any) -> bytes:
    """A list of numbers as a run file keeps it."""
    if not isinstance(value, list):
        raise InvalidTypeError(f"Vector {path!r} takes a list of numbers, not {value!r:.60}.")
    return pack_numbers(value)


VECTOR = Kind(
    name="vector",
    code=90,
    form=bytes,
    column="vector",
    record=15,
    field="vector",
    endpoint="vectors",
    to_stored=stored,
    from_stored=lambda content: unpack_numbers(content).tolist(),
    to_json=lambda content: base64.b64encode(content).decode(),
    from_json=lambda text: base64.b64decode(text, validate=True),
)
# A kind whose values have a text in them, and are packed all the same.
LABEL = replace(
    VECTOR,
    name="label",
    code=91,
    column="label",
    record=14,
    field="label",
    endpoint="labels",
    to_stored=lambda path, value: json.dumps(value).encode(),
    from_stored=lambda content: tuple(json.loads(content)),
    redacted=lambda content, redact: json.dumps([redact(json.loads(content)[0]), *json.loads(content)[1:]]).encode(),
)
PLUGIN = """
from goodseed.hookspecs import hookimpl
told = set()

@hookimpl
def goodseed_redact(path, text):
    return text.replace("secret", "***")

@hookimpl
def goodseed_points_stored(run, points):
    told.update(f"{one.path} {one.kind} {list(one.values)}" for one in points)
"""
POINTS = [(0.0, [1.0, -0.0, math.inf]), (0.5, []), (2.0, [math.nan, 5e-324])]

# What a process that knows the kind runs first: a plugin would be found through its entry point instead.
SITE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_made_up_kind
test_made_up_kind.register(test_made_up_kind.VECTOR)
"""


@pytest.fixture
def vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kind]:
    """The kind, known to this process and to every one that it starts."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with registered(VECTOR):
        yield VECTOR


def run_files(home: Path, run_id: str) -> RunFiles:
    """Where a run of the tests lies."""
    return RunFiles(home / "projects" / "default" / "default" / "runs" / f"{run_id}.sqlite")


def log_run(home: Path, run_id: str, **given: Any) -> goodseed.Run:
    """A run with points of every kind, open."""
    switches = dict.fromkeys(("capture_stdout", "capture_stderr", "capture_hardware_metrics", "git_ref"), False)
    options = {"storage": "local", "project": "default/default", "run_id": run_id, "goodseed_home": home}
    run = goodseed.Run(**{**switches, **options, **given})
    session = session_of(run)
    for step, value in POINTS:
        session.log_values(VECTOR, {"a/vector": value}, step)
        session.log_values(NUMBERS, {"loss": step / 3}, step)
        session.log_values(TEXTS, {"note": f"{step}"}, step)
    step, value = POINTS[-1]
    session.log_values(VECTOR, {"a/vector": value}, step)  # the same step again: the last one stays
    return run


def content(home: Path, run_id: str) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """Step, value as it is stored, and time of each point, by kind and path."""
    with closing(RunReader(run_files(home, run_id))) as reader:
        return {
            (kind.name, points.path): list(zip(points.steps, points.values, points.times, strict=True))
            for kind in reader.kinds()
            for points in reader.stored_points(kind)
        }


def command(hub: HubProcess, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, with a home of its own and the hub as its remote."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOODSEED_")}
    environment = {**kept, "GOODSEED_API_URL": hub.url, "GOODSEED_API_KEY": hub.key, "GOODSEED_HOME": str(home)}
    line = [sys.executable, "-m", "goodseed", *arguments, "-p", "default/default"]
    return subprocess.run(line, capture_output=True, text=True, env=environment, timeout=120)


def test_logged_and_read_back(vectors: Kind, tmp_path: Path) -> None:
    """Points are there while the run is written and afterwards; a value of another type is refused at once."""
    run = log_run(tmp_path, "one")
    session = session_of(run)
    run.flush()
    with closing(RunReader(run_files(tmp_path, "one"))) as reader:
        live = reader.points(vectors, "a/vector")
        last = reader.last_step("a/vector")
    with pytest.raises(InvalidTypeError, match="takes a list"):
        session.log_values(vectors, {"b": [1.0], "a/vector": "none"}, 3.0)
    with pytest.raises(InvalidValueError, match="step"):
        session.log_values(vectors, {"b": [1.0]}, math.nan)
    source = session.source()
    read = source.paths(vectors), source.series_data(vectors, "a/vector", limit=1, offset=1)
    run.close()
    with pytest.raises(RunClosedError):
        session.log_values(vectors, {"b": [1.0]}, 4.0)
    with closing(RunReader(run_files(tmp_path, "one"))) as reader:
        closed = reader.points(vectors, "a/vector")
        paths = {kind.name: reader.paths(kind) for kind in reader.kinds()}

    assert repr(list(zip(live.steps, live.values, strict=True))) == repr(POINTS)
    assert repr(live) == repr(closed)
    assert last == 2.0
    assert read == (["a/vector"], [{"step": 0.5, "value": []}])
    assert paths == {"metric": ["loss"], "string": ["note"], "vector": ["a/vector"]}


def test_killed_process(vectors: Kind, tmp_path: Path) -> None:
    """What a process logged before it was killed is in the file for whoever opens it next."""
    script = (
        "import os, signal, sys; from pathlib import Path; import test_made_up_kind as here\n"
        "run = here.log_run(Path(sys.argv[1]), 'killed'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=60, check=False)

    assert done.returncode == -signal.SIGKILL
    found = content(tmp_path, "killed")["vector", "a/vector"]
    assert [(step, value) for step, value, _ in found] == [(step, pack_numbers(value)) for step, value in POINTS]


def test_uploaded_and_downloaded(vectors: Kind, make_hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that knows the kind takes it packed, from a live run and from a file, and gives it back as it was."""
    hub: HubProcess = make_hub()
    log_run(tmp_path, "file").close()
    upload = command(hub, tmp_path, "upload")
    monkeypatch.setenv("GOODSEED_API_URL", hub.url)
    with log_run(tmp_path, "live", storage="cloud", api_key=hub.key) as run:
        is_synced = run.wait(60)

    assert (upload.returncode, is_synced) == (0, True), upload.stderr
    for run_id in ("file", "live"):
        other = tmp_path / f"other-{run_id}"
        download = command(hub, other, "download", "-r", run_id)
        assert download.returncode == 0, download.stderr
        assert content(other, run_id) == content(tmp_path, run_id)


def test_listed_and_counted(vectors: Kind, make_hub: Any, tmp_path: Path) -> None:
    """The page's lists of series and attributes, its counts, the JSON API and `goodseed list` show what a run has of it."""
    hub: HubProcess = make_hub()
    log_run(tmp_path, "listed").close()
    command(hub, tmp_path, "upload")
    page = "/api/ui/p/default/default/-"
    ids = ("path", "kind", "type", "n_runs")
    attributes = [[item[name] for name in ids] for item in hub.ask("GET", f"{page}/attrs?kind=vector")[1]["items"]]
    series = hub.ask("GET", f"{page}/run/listed/attrs")[1]["items"]
    counts = hub.ask("GET", f"{page}/run/listed")[1]["counts"]
    (run,) = hub.ask("GET", "/api/runs?project=default/default")[1]["runs"]
    (summary,) = json.loads(command(hub, tmp_path, "list", "--json").stdout)["runs"]

    assert attributes == [["a/vector", "vector", "bytes", 1]]
    assert [(item["path"], item["kind"], item["step"]) for item in series] == [
        ("a/vector", "vector", 2),
        ("loss", "series", 2),
        ("note", "text", 2),
    ]
    assert [item["last"] for item in series[::2]] == [VECTOR.to_json(pack_numbers(POINTS[-1][1])), "2.0"]
    assert [counts[name] for name in ("series", "text", "vector")] == [1, 1, 1]
    assert [run[name] for name in ("metric_paths", "string_series_paths", "vector_paths")] == [
        ["loss"],
        ["note"],
        ["a/vector"],
    ]
    assert [summary[f"{noun}_count"] for noun in ("metric", "text", "vector")] == [1, 1, 1]


def test_plugins(vectors: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins that redact see the texts in a value before it is stored, and those that are told of points get them all."""
    (tmp_path / "acme.py").write_text(PLUGIN)
    information = tmp_path / "acme-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[goodseed]\nacme = acme\n")
    script = (
        "import sys; from pathlib import Path; import test_made_up_kind as here\n"
        "with here.registered(here.LABEL), here.log_run(Path(sys.argv[1]), 'told') as run:\n"
        "    here.session_of(run).log_values(here.LABEL, {'label': ('secret', 1)}, 0)\n"
        "    here.session_of(run).log_values(here.TEXTS, {'text': 'secret'}, 0)\n"
        "import acme; print(*acme.told, sep='\\n')"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "label label [('***', 1)]\n" in done.stdout
    assert "text string ['***']\n" in done.stdout
    assert "a/vector vector [[1.0" in done.stdout


def test_json(vectors: Kind, make_hub: Any) -> None:
    """The hub takes the kind as JSON, too, refuses what is none of it point by point, and lists it."""
    hub: HubProcess = make_hub()
    run = hub.make_run("json")
    text = base64.b64encode(pack_numbers([1.5, math.nan])).decode()
    answer = hub.ingest(
        run,
        [
            {"path": "v", "step": 1, "timestampMs": 5, "vector": text},
            {"path": "v", "step": 2, "timestampMs": 5, "vector": "many!"},
            {"path": "m", "step": 1, "timestampMs": 5, "number": 1},
        ],
    )

    assert [rejected["index"] for rejected in answer["rejected"]] == [1]
    assert hub.ask("GET", f"/api/v1/runs/{run}/paths")[1] == [
        {"path": "m", "type": "metric"},
        {"path": "v", "type": "vector"},
    ]
    assert hub.ask("GET", f"/api/v1/runs/{run}/data/vectors?path=v")[1] == {
        "points": [{"step": 1, "value": text, "timestampMs": 5}],
        "total": 1,
    }
    assert "vector" in hub.ask("GET", "/api/v1/capabilities")[1]["kinds"]


def test_hub_that_does_not_know_it(hub: HubProcess, vectors: Kind, tmp_path: Path) -> None:
    """What a remote does not take stays in the run file, with one warning; everything else is uploaded."""
    run_id = f"unknown-{Path(hub.data).parent.name}"
    log_run(tmp_path, run_id).close()
    upload = command(hub, tmp_path, "upload", "-r", run_id)
    other = tmp_path / "other"
    download = command(hub, other, "download", "-r", run_id)

    assert upload.stderr.count("'vector'") == 1
    assert download.returncode == 0, download.stderr
    assert content(other, run_id) == {
        name: points for name, points in content(tmp_path, run_id).items() if name[0] != "vector"
    }


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": "A b"},
        {"name": "x", "record": 16},
        {"name": "x", "record": 5},
        {"name": "x", "code": 77, "record": 15},
    ],
    ids=["same", "name", "record-too-high", "record-taken", "field"],
)
def test_names_and_numbers_are_its_own(vectors: Kind, change: dict[str, Any]) -> None:
    """A kind with an invalid name or number, or with what another one has, is refused."""
    with pytest.raises(ValueError, match="kind"):
        register(replace(VECTOR, **change))
