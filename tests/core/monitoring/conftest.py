"""A sink that remembers, and scripts that run in a process of their own."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import goodseed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

_SOURCE = Path(goodseed.__file__).parent.parent

# What a script of `run_monitored` begins with: a Monitoring over a sink that writes what it got to a file.
_PRELUDE = """
import json, os, sys
from goodseed.monitoring.manager import Monitoring, MonitoringOptions

class Sink:
    def __init__(self):
        self.lines, self.configs, self.metrics = {}, {}, []
    def log_metrics(self, data, step, *, at_seconds=None):
        self.metrics.append([step, dict(data)])
    def log_strings(self, data, step, *, at_seconds=None):
        for path, text in data.items():
            self.lines.setdefault(path.rsplit("/", 1)[1], {})[step] = text
    def log_lines(self, path, lines):
        for step, text, at_seconds in lines:
            self.log_strings({path: text}, step, at_seconds=at_seconds)
    def log_configs(self, data):
        self.configs.update(data)
    def next_step(self, path):
        return 0
    def save(self):
        lines = {name: list(texts.values()) for name, texts in self.lines.items()}
        with open(os.environ["SEEN"], "w") as file:
            json.dump({"lines": lines, "configs": self.configs, "metrics": self.metrics}, file)

sink = Sink()
def monitor(**options):
    monitoring = Monitoring(sink, MonitoringOptions(**{"hardware": False, **options}))
    monitoring.start()
    return monitoring
"""


@dataclass
class RecordingSink:
    """A real sink that keeps everything in memory; a step that comes twice overwrites, as in a run."""

    metrics: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    strings: dict[str, dict[float, str]] = field(default_factory=lambda: defaultdict(dict))
    times: dict[str, dict[float, float | None]] = field(default_factory=lambda: defaultdict(dict))
    configs: dict[str, object] = field(default_factory=dict)
    first_steps: dict[str, int] = field(default_factory=dict)

    def log_metrics(self, data: Mapping[str, float], step: float, *, at_seconds: float | None = None) -> None:
        self.metrics.append((step, dict(data)))

    def log_strings(self, data: Mapping[str, str], step: float, *, at_seconds: float | None = None) -> None:
        for path, text in data.items():
            self.strings[path][step] = text
            self.times[path][step] = at_seconds

    def log_lines(self, path: str, lines: Iterable[tuple[float, str, float]]) -> None:
        for step, text, at_seconds in lines:
            self.log_strings({path: text}, step, at_seconds=at_seconds)

    def log_configs(self, data: Mapping[str, object]) -> None:
        self.configs.update(data)

    def next_step(self, path: str) -> int:
        return self.first_steps.get(path, 0)

    def lines(self, path: str) -> list[str]:
        """The texts under ``path`` by step."""
        return [text for _, text in sorted(self.strings[path].items())]


@pytest.fixture
def sink() -> RecordingSink:
    """A sink in memory."""
    return RecordingSink()


@pytest.fixture
def terminal() -> io.BytesIO:
    """The test runs with fresh ``sys.stdout`` and ``sys.stderr`` of the ordinary type; what reaches the former."""
    return io.BytesIO()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Sets the streams for ``terminal``: pytest sets its own between a fixture and the test."""
    shown = pyfuncitem.funcargs.get("terminal")
    if not isinstance(shown, io.BytesIO):
        return (yield)
    before = sys.stdout, sys.stderr
    sys.stdout = io.TextIOWrapper(shown, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    streams = sys.stdout, sys.stderr  # kept until the end, as a stream that is collected closes what it wrote to
    try:
        return (yield)
    finally:
        sys.stdout, sys.stderr = before
        del streams


@dataclass(frozen=True)
class Seen:
    """What a script printed, how it ended, and what was stored of it."""

    returncode: int
    stdout: str
    stderr: str
    stored: Any


def _environment(**variables: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(_SOURCE), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **variables}


@pytest.fixture
def run_monitored(tmp_path: Path) -> Callable[[str], Seen]:
    """Runs a script in which ``monitor(**options)`` monitors; the script calls ``sink.save()``."""

    def run(body: str) -> Seen:
        seen = tmp_path / "seen.json"
        done = subprocess.run(
            [sys.executable, "-c", _PRELUDE + body],
            env=_environment(SEEN=str(seen)),
            capture_output=True,
            text=True,
            timeout=60,
        )
        stored = json.loads(seen.read_text()) if seen.exists() else None
        return Seen(done.returncode, done.stdout, done.stderr, stored)

    return run


@dataclass(frozen=True)
class StoredRun:
    """A run file, read with SQLite alone."""

    status: str
    series: dict[str, list[str]]
    configs: dict[str, str]
    metrics: dict[str, list[float]]


def _read(path: Path) -> StoredRun:
    connection = sqlite3.connect(path)
    try:
        series: dict[str, list[str]] = defaultdict(list)
        for name, text in connection.execute(
            "SELECT path, value FROM string_points JOIN string_series ON id = series_id ORDER BY path, step"
        ):
            series[name.rsplit("/", 1)[1]].append(text)
        metrics: dict[str, list[float]] = defaultdict(list)
        for name, number in connection.execute(
            "SELECT path, y FROM metric_points JOIN metric_series ON id = series_id ORDER BY path, step"
        ):
            metrics[name.rsplit("/", 1)[1]].append(number)
        configs = dict(connection.execute("SELECT path, value FROM configs"))
        (status,) = connection.execute("SELECT value FROM run_meta WHERE key = 'status'").fetchone()
    finally:
        connection.close()
    return StoredRun(status, dict(series), configs, dict(metrics))


@pytest.fixture
def read_run() -> Callable[[Path], StoredRun]:
    """Reads a run file."""
    return _read


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., Seen]:
    """Runs a script that makes one local run; ``stored`` is a `StoredRun`."""

    def run(body: str, *arguments: str) -> Seen:
        script = tmp_path / "script.py"
        script.write_text(body)
        home = tmp_path / "home"
        done = subprocess.run(
            [sys.executable, str(script), *arguments],
            env=_environment(GOODSEED_HOME=str(home), GOODSEED_STORAGE="local", GOODSEED_QUIET="1"),
            capture_output=True,
            text=True,
            timeout=60,
        )
        (path,) = home.rglob("*.sqlite")
        return Seen(done.returncode, done.stdout, done.stderr, _read(path))

    return run
