"""Readers show what a run has accepted also while, or where, it can't be stored in its file."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import goodseed
from goodseed.server.dashboard.routes import ROUTES
from goodseed.server.routes import Request
from goodseed.server.store import CatalogStore
from goodseed.storage.catalog import Catalog
from goodseed.storage.kinds import TEXTS

OPTIONS = {"project": "p", "run_id": "r", "storage": "local"}
QUIET = {"git_ref": False, "capture_hardware_metrics": False, "capture_stdout": False, "capture_stderr": False}


@contextmanager
def nobody_may_write(home: Path) -> Iterator[None]:
    """The run's file takes nothing meanwhile, as on a full disk."""
    path = home / "projects" / "p" / "runs" / "r.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def read(path: str = "loss") -> list[tuple[float, float]]:
    """The points of a metric, as another process reads them."""
    code = (
        "import goodseed, json, sys\n"
        f"with goodseed.Run(**{OPTIONS!r}, read_only=True) as run:\n"
        f"    print(json.dumps([[p['step'], p['y']] for p in run.get_metric_data({path!r})['raw_points']]))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return [tuple(point) for point in json.loads(done.stdout)]


def _leave(logging: str, **options: Any) -> None:
    """Open a run in a process, which can store only its first point, does ``logging`` and is killed."""
    code = (
        "import goodseed, os, signal, sqlite3\n"
        f"run = goodseed.Run(**{OPTIONS!r}, **{QUIET!r}, **{options!r})\n"
        "run.log_metrics({'loss': 1.0, 'acc': 0.5}, step=0)\n"
        "run.flush()\n"
        "lock = sqlite3.connect(run.path, isolation_level=None); lock.execute('BEGIN IMMEDIATE')\n"
        f"{logging}"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert -signal.SIGKILL == done.returncode, done.stderr


@pytest.fixture
def abandoned(home: Path) -> None:
    """A run that was killed before it could store its last points, a text, a config and a tag."""
    _leave(
        "run.log_metrics({'loss': 0.5, 'acc': 0.6}, step=1)\n"
        "run.log_metrics({'loss': 9.0}, step=0)\n"
        "run['new/metric'].log(float('nan'), step=2.5)\n"
        "run.log_strings({'note': 'hello'}, step=1)\n"
        "run['lr'] = 0.1; run['sys/tags'].add('late')\n",
        tags=["old"],
    )


def test_of_a_killed_run_everything_is_shown(abandoned: None, home: Path) -> None:
    """What lies in the inbox of a dead process is read, listed and served where it can't be brought into the file."""
    before = (home / "projects" / "p" / "runs" / "r.sqlite-inbox").read_bytes()
    with nobody_may_write(home):
        with goodseed.Run(**OPTIONS, read_only=True) as run:
            points = {path: run.get_metric_data(path)["raw_points"] for path in run.get_metric_paths()}
            texts = run.get_string_data("note")
            configs = {row["path"]: row["value"] for row in run.get_configs()}
            bucket = run.get_metric_data("loss", max_points=1)["buckets"][0]
        store = CatalogStore(home / "projects")
        summary = store.find("p", "r")
        handler = next(route.handler for route in ROUTES if route.pattern.endswith("/series"))
        body = {"runs": ["r"], "paths": ["loss"], "points": 100}
        (series,) = json.loads(b"".join(handler(store, Request({"project": "p"}, {}, body)).content))["series"]
        store.close()
        assert before == (home / "projects" / "p" / "runs" / "r.sqlite-inbox").read_bytes()
    stored = read("loss")

    assert [{"step": 0.0, "y": 9.0}, {"step": 1.0, "y": 0.5}] == points["loss"]
    assert [{"step": 0.0, "y": 0.5}, {"step": 1.0, "y": 0.6}] == points["acc"]
    assert [2.5, True] == [
        points["new/metric"][0]["step"],
        points["new/metric"][0]["y"] != points["new/metric"][0]["y"],
    ]
    assert [{"step": 1.0, "value": "hello"}] == texts
    assert ("0.1", '["late", "old"]') == (configs["lr"], configs["sys/tags"])
    assert (2, 0.5, 9.0, 0.5) == (bucket["count"], bucket["min"], bucket["max"], bucket["last"])
    assert (3, ("late", "old"), "crashed") == (summary.metric_count, summary.tags, summary.state)
    assert [9.0, 0.5] == series["last"]
    assert [(0.0, 9.0), (1.0, 0.5)] == stored


def test_of_a_live_run_everything_is_shown(home: Path) -> None:
    """While the disk takes nothing, this process reads all that was logged, and others what is older than a second."""
    with goodseed.Run(**OPTIONS, **QUIET) as run:
        run.log_metrics({"loss": 1.0}, step=0)
        run.flush()
        with nobody_may_write(home):
            run.log_metrics({"loss": 0.5}, step=1)
            run.log_metrics({"loss": 0.25, "acc": 1.0}, step=2)
            mine = [(point["step"], point["y"]) for point in run.get_metric_data("loss")["raw_points"]]
            deadline = time.monotonic() + 20
            while len(read()) < 3 and time.monotonic() < deadline:
                time.sleep(0.2)
            others = read()
        assert run.flush()
        after = read()

    expected = [(0.0, 1.0), (1.0, 0.5), (2.0, 0.25)]
    assert [expected] * 3 == [mine, others, after]


def test_a_directory_that_must_not_be_written(abandoned: None, home: Path) -> None:
    """A user who may only read the directory sees all of a run that was killed, and nothing is made there."""
    if os.name != "posix" or os.getuid() != 0:
        pytest.skip("needs another user, whom only root can become")
    runs = home / "projects" / "p" / "runs"
    for directory in (home, *home.parents):
        if str(directory).startswith(("/tmp", "/var")) and directory != Path("/tmp"):
            directory.chmod(0o755)
    for path in home.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = sorted(path.name for path in runs.iterdir())
    code = (
        "import goodseed, os, sqlite3, logging, plistlib, urllib.parse\n"
        "import goodseed.run.run, goodseed.run.source, goodseed.storage.reader\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"with goodseed.Run(**{OPTIONS!r}, read_only=True, goodseed_home={str(home)!r}) as run:\n"
        "    print(sorted(run.get_metric_paths()), len(run.get_metric_data('loss')['raw_points']))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "['acc', 'loss', 'new/metric'] 2\n" == done.stdout
    assert before == sorted(path.name for path in runs.iterdir())


@pytest.mark.parametrize(("paths", "end"), [(["acc"], "closed"), (["loss", "acc"], "terminated")])
def test_what_found_no_room_is_kept_elsewhere(home: Path, tmp_path: Path, paths: list[str], end: str) -> None:
    """A run that ends while its disk is full leaves everything in an inbox elsewhere, which can be moved back.

    Records of one path fill the inbox's segments to the last byte.
    """
    ending = "run.close()" if end == "closed" else "os.kill(os.getpid(), signal.SIGTERM)"
    code = (
        "import goodseed, os, resource, signal, sqlite3\n"
        f"run = goodseed.Run(**{OPTIONS!r}, **{QUIET!r})\n"
        "run.flush()\n"
        "lock = sqlite3.connect(run.path, isolation_level=None); lock.execute('BEGIN IMMEDIATE')\n"
        "unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, unlimited))\n"
        f"for step in range(20_000): run.log_metrics(dict.fromkeys({paths!r}, -step), step=step)\n"
        "run['lr'] = 0.5\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))\n"
        f"{ending}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    (kept,) = tmp_path.glob("goodseed-*/r.sqlite-inbox")
    kept.replace(home / "projects" / "p" / "runs" / "r.sqlite-inbox")
    with goodseed.Run(**OPTIONS, read_only=True) as run:
        points = run.get_metric_data("acc")["raw_points"]
        configs = {row["path"]: row["value"] for row in run.get_configs()}

    assert str(kept) in done.stderr
    assert [-step for step in range(20_000)] == [point["y"] for point in points]
    assert ("0.5", "finished" if end == "closed" else "failed") == (configs["lr"], configs["sys/state"])


def test_what_was_kept_elsewhere_is_stored_later(home: Path, tmp_path: Path) -> None:
    """What a full disk made a run keep elsewhere can be moved back also after others have opened, and resumed, the run."""
    code = (
        "import goodseed, os, resource, signal, sqlite3\n"
        f"run = goodseed.Run(**{OPTIONS!r}, **{QUIET!r})\n"
        "run.log_metrics({'loss': 1.0, 'acc': 1.0}, step=-1)\n"
        "run.flush()\n"
        "lock = sqlite3.connect(run.path, isolation_level=None); lock.execute('BEGIN IMMEDIATE')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))\n"
        "for step in range(10_000): run.log_metrics({'loss': step, 'acc': -step}, step=step)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "TMPDIR": str(tmp_path)})
    (kept,) = tmp_path.glob("goodseed-*/r.sqlite-inbox")
    before = len(read("acc"))
    with goodseed.Run(project="p", resume_run_id="r", storage="local", **QUIET) as run:
        run.log_metrics({"new": 1.0}, step=0)
    kept.replace(home / "projects" / "p" / "runs" / "r.sqlite-inbox")

    assert before < 10_001
    assert [float(-step) for step in range(-1, 10_000)] == [value for _, value in read("acc")]
    assert [(0.0, 1.0)] == read("new")


@pytest.fixture
def left_much(home: Path) -> Path:
    """A run that was killed while its disk took nothing, and left 12 MB of texts; returns its inbox."""
    _leave(
        "for step in range(600):\n"
        "    run.log_strings({'note': str(step) * 7_000}, step=step)\n"
        "    run.log_metrics({'loss': -step, 'acc': 0.5}, step=step)\n"
        "run['lr'] = 0.1\n"
    )
    return home / "projects" / "p" / "runs" / "r.sqlite-inbox"


def test_a_list_stores_nothing_that_takes_long(left_much: Path, home: Path) -> None:
    """Listing runs shows what much in the inbox of a killed one says, and leaves it there."""
    before = left_much.read_bytes()
    with Catalog(home / "projects") as catalog:
        (run,) = catalog.runs()

    assert before == left_much.read_bytes()
    assert ("crashed", 2, 1) == (run.state, run.metric_count, run.text_count)
    assert {"loss": -599.0, "acc": 0.5} == {point.path: point.y for point in run.last_metrics}


def test_a_server_shows_and_then_stores_what_was_left(left_much: Path, home: Path) -> None:
    """A page sees all of a killed run at once, and a thread of the server brings it into the file meanwhile."""
    store = CatalogStore(home / "projects")
    try:
        with closing(store.open("p", "r")) as run:
            first = run.count(TEXTS, "note")
        deadline = time.monotonic() + 60
        while left_much.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
            with closing(store.open("p", "r")) as run:
                assert 600 == run.count(TEXTS, "note")
    finally:
        store.close()

    assert 600 == first
    assert not left_much.exists()
    assert [(float(step), float(-step)) for step in range(600)] == read()


def test_storing_what_was_left_may_be_killed(left_much: Path, home: Path) -> None:
    """Whoever is killed while it brings in what a killed run left leaves the rest to the next one."""
    code = (
        "import goodseed, os, signal, sys, threading, time\n"
        f"threading.Timer(float(sys.argv[1]), os.kill, (os.getpid(), signal.SIGKILL)).start()\n"
        f"goodseed.Run(project='p', resume_run_id='r', storage='local', **{QUIET!r})\n"
        "time.sleep(60)"
    )
    for seconds in (0.3, 0.35, 0.4):
        subprocess.run([sys.executable, "-c", code, str(seconds)], check=False, capture_output=True)
    points = read()
    with goodseed.Run(**OPTIONS, read_only=True) as run:
        texts = run.get_string_data("note")
        lr = next(row["value"] for row in run.get_configs() if row["path"] == "lr")

    assert [(float(step), float(-step)) for step in range(600)] == points
    assert [str(step) * 7_000 for step in range(600)] == [point["value"] for point in texts]
    assert "0.1" == lr
