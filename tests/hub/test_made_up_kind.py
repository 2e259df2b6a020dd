"""A kind of series that this file alone makes up is logged, stored, read, uploaded, kept by a hub, and downloaded."""

from __future__ import annotations

import base64
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

from goodseed.columns import pack_numbers, unpack_numbers
from goodseed.errors import InvalidTypeError
from goodseed.paths import RunFiles
from goodseed.remote.client import Client
from goodseed.remote.transport import Transport
from goodseed.storage.kinds import NUMBERS, TEXTS, Kind, register, registered
from goodseed.storage.reader import RunReader
from goodseed.storage.writer import RunWriter
from goodseed.sync.worker import Registration, SyncWorker


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
    row_field="vector",
    to_stored=stored,
    from_stored=lambda content: unpack_numbers(content).tolist(),
    to_json=lambda content: base64.b64encode(content).decode(),
    from_json=lambda text: base64.b64decode(text, validate=True),
)
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


def log_run(home: Path, run_id: str) -> RunWriter:
    """A run with points of every kind, open."""
    meta = {"run_id": run_id, "project": "default/default", "status": "running"}
    writer = RunWriter(run_files(home, run_id), meta, is_new=True)
    for step, value in POINTS:
        writer.inbox.add_value(VECTOR, "a/vector", value, step)
        writer.inbox.add_value(NUMBERS, "loss", step / 3, step)
        writer.inbox.add_value(TEXTS, "note", f"{step}", step)
    writer.inbox.add_value(VECTOR, "a/vector", POINTS[-1][1], POINTS[-1][0])  # the same step again: the last one stays
    return writer


def content(home: Path, run_id: str) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """Step, value as it is stored, and time of each point, by kind and path."""
    with closing(RunReader(run_files(home, run_id))) as reader:
        return {
            (kind.name, points.path): list(zip(points.steps, points.values, points.times, strict=True))
            for kind in reader.kinds()
            for points in reader.stored_points(kind)
        }


def goodseed(hub: HubProcess, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, with a home of its own and the hub as its remote."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOODSEED_")}
    environment = {**kept, "GOODSEED_API_URL": hub.url, "GOODSEED_API_KEY": hub.key, "GOODSEED_HOME": str(home)}
    command = [sys.executable, "-m", "goodseed", *arguments, "-p", "default/default"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_logged_and_read_back(vectors: Kind, tmp_path: Path) -> None:
    """Points are there while the run is written and afterwards; a value of another type is refused at once."""
    writer = log_run(tmp_path, "one")
    writer.settle()
    with closing(RunReader(writer.files)) as reader:
        live = reader.points(vectors, "a/vector")
        last = reader.last_step("a/vector")
    with pytest.raises(InvalidTypeError, match="takes a list"):
        writer.inbox.add_value(vectors, "a/vector", "none", 3.0)
    writer.close("finished", meta={}, configs=[], timeout_seconds=10, is_patient=True)
    with closing(RunReader(writer.files)) as reader:
        closed = reader.points(vectors, "a/vector")
        paths = {kind.name: reader.paths(kind) for kind in reader.kinds()}

    assert repr(list(zip(live.steps, live.values, strict=True))) == repr(POINTS)
    assert repr(live) == repr(closed)
    assert last == 2.0
    assert paths == {"metric": ["loss"], "string": ["note"], "vector": ["a/vector"]}


def test_killed_process(vectors: Kind, tmp_path: Path) -> None:
    """What a process logged before it was killed is in the file for whoever opens it next."""
    script = (
        "import os, signal, sys; from pathlib import Path; import test_made_up_kind as here\n"
        "writer = here.log_run(Path(sys.argv[1]), 'killed'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=60, check=False)

    assert done.returncode == -signal.SIGKILL
    found = content(tmp_path, "killed")["vector", "a/vector"]
    assert [(step, value) for step, value, _ in found] == [(step, pack_numbers(value)) for step, value in POINTS]


def test_uploaded_and_downloaded(vectors: Kind, make_hub: Any, tmp_path: Path) -> None:
    """A hub that knows the kind takes it packed, from a live run and from a file, and gives it back as it was."""
    hub: HubProcess = make_hub()
    log_run(tmp_path, "file").close("finished", meta={}, configs=[], timeout_seconds=10, is_patient=True)
    upload = goodseed(hub, tmp_path, "upload")
    client = Client(Transport(hub.url, hub.key, is_http_allowed=False))
    worker = SyncWorker(client, Registration("default/default", "live", None, None))
    worker.start(10.0)
    writer = log_run(tmp_path, "live")
    worker.attach(writer)
    writer.settle()
    is_synced = worker.wait(30.0)
    writer.close("finished", meta={}, configs=[], timeout_seconds=10, is_patient=True)
    worker.stop()

    assert (upload.returncode, is_synced) == (0, True), upload.stderr
    for run_id in ("file", "live"):
        other = tmp_path / f"other-{run_id}"
        download = goodseed(hub, other, "download", "-r", run_id)
        assert download.returncode == 0, download.stderr
        assert content(other, run_id) == content(tmp_path, run_id)


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
    log_run(tmp_path, run_id).close("finished", meta={}, configs=[], timeout_seconds=10, is_patient=True)
    upload = goodseed(hub, tmp_path, "upload", "-r", run_id)
    other = tmp_path / "other"
    download = goodseed(hub, other, "download", "-r", run_id)

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
