"""Every test gets a home of its own, a quiet Goodseed, and runs without monitoring unless it asks for it."""

from __future__ import annotations

import contextlib
import inspect
import os
import signal
from pathlib import Path
from typing import Any

import pytest

import goodseed

with contextlib.suppress(ImportError):  # not every session has property tests
    from hypothesis import settings

    # What is found by chance is found for everybody: the same examples in every run.
    settings.register_profile("same", derandomize=True, database=None)
    settings.load_profile("same")

_OFF = {
    "capture_stdout": False,
    "capture_stderr": False,
    "capture_hardware_metrics": False,
    "capture_traceback": False,
    "git_ref": False,
}


def pytest_configure(config: pytest.Config) -> None:
    """Let processes that tests start react to signals, whoever started the tests: nohup and shells ignore some.

    What a process ignores, its children ignore, too; what it handles, they don't.
    """
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, which is not made yet."""
    for name in list(os.environ):
        if name.startswith("GOODSEED_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GOODSEED_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GOODSEED_QUIET", "1")
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def _quiet_defaults(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch off what runs beside a run, for tests that are not marked with ``monitored``."""
    if request.node.get_closest_marker("monitored"):
        return
    parameters = list(inspect.signature(goodseed.Run.__init__).parameters.values())
    defaults = tuple(_OFF.get(p.name, p.default) for p in parameters if p.default is not inspect.Parameter.empty)
    monkeypatch.setattr(goodseed.Run.__init__, "__defaults__", defaults)


def points(run: goodseed.Run, path: str) -> dict[float, float]:
    """The points of a series, by step."""
    run.flush()
    return {point["step"]: point["y"] for point in run.get_metric_data(path)["raw_points"]}


def configs(run: goodseed.Run) -> dict[str, Any]:
    """The configs of a run, by path."""
    run.flush()
    return {row["path"]: row["value"] for row in run.get_configs()}
