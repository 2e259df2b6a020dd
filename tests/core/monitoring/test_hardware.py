"""Samples of the host and of plugins, and tools that misbehave."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from goodseed.hookspecs import hookimpl
from goodseed.monitoring.gpu.tools import Tool, kill_tool_of
from goodseed.monitoring.hardware import Hardware
from goodseed.monitoring.host import HostSampler
from goodseed.plugins import plugin_manager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

ALWAYS = {"memory", "memory_used_bytes", "memory_process_bytes"}
FROM_TWO = {"cpu", "cpu_process"}


class Plugin:
    """Offers the given samplers and facts through the hooks."""

    def __init__(self, samplers: list[Callable[[], Mapping[str, float]]]) -> None:
        self._samplers = samplers

    @hookimpl
    def goodseed_hardware_samplers(self) -> list[Callable[[], Mapping[str, float]]]:
        return self._samplers


@pytest.fixture
def offer() -> Iterator[Callable[..., None]]:
    """Registers a plugin for the time of the test."""
    manager = plugin_manager()
    plugins: list[Plugin] = []

    def register(*samplers: Callable[[], Mapping[str, float]]) -> None:
        plugins.append(Plugin(list(samplers)))
        manager.register(plugins[-1], name=f"test-{len(plugins)}")

    yield register
    for plugin in plugins:
        manager.unregister(plugin)


def never() -> bool:
    return False


def test_the_host_is_sampled_at_once_and_in_full_the_second_time() -> None:
    """Memory is known at once, shares of time after a second reading; percentages are in their range."""
    sampler = HostSampler()
    first = sampler()
    time.sleep(0.05)  # shares of time are those of a span
    second = sampler()

    assert set(first) == ALWAYS
    assert set(second) >= ALWAYS | FROM_TWO
    assert 0 <= second["cpu"] <= 100
    assert 0 < second["memory"] <= 100
    assert second["memory_process_bytes"] > 1_000_000


def test_the_work_of_this_process_is_seen() -> None:
    """A process that computes uses about one core, which counts as 100."""
    sampler = HostSampler()
    sampler()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass

    assert sampler()["cpu_process"] > 10


def test_the_memory_of_child_processes_counts(tmp_path: Path) -> None:
    """What children use is part of what the process uses."""
    import subprocess

    alone = HostSampler()()["memory_process_bytes"]
    child = subprocess.Popen(
        [sys.executable, "-c", "x = b'x' * 50_000_000; print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    together = HostSampler()()["memory_process_bytes"]
    child.communicate(b"\n")

    assert together > alone + 50_000_000


def test_a_first_sample_is_one_point_a_series(sink: Any) -> None:
    """What is known at once and what needs a second reading share the first step; later samples count on."""
    hardware = Hardware(sink, "m", never)
    hardware.take_first()
    hardware.complete_first()
    hardware.sample()
    points = [(step, name) for step, data in sink.metrics for name in data]

    assert len(points) == len(set(points))
    assert {(0, "m/memory"), (0, "m/cpu_process"), (1, "m/memory"), (1, "m/cpu_process")} <= set(points)
    assert {step for step, _ in points} == {0, 1}


def test_samples_go_on_after_those_of_a_resumed_run(sink: Any) -> None:
    """The step counts on from the one that the sink names."""
    sink.first_steps = {"m/memory": 12}
    hardware = Hardware(sink, "m", never)
    hardware.take_first()

    assert [step for step, _ in sink.metrics] == [12]


def test_goodseed_hardware_samplers(sink: Any, offer: Callable[..., None]) -> None:
    """A plugin's samplers are stored beside ours, at the same steps."""
    offer(lambda: {"tpu": 42, "tpu_memory": 1.5}, lambda: {"rainfall": 3})
    hardware = Hardware(sink, "m", never)
    hardware.take_first()
    hardware.complete_first()
    hardware.sample()
    tpu = [(step, data["m/tpu"], data["m/rainfall"]) for step, data in sink.metrics if "m/tpu" in data]

    assert tpu == [(0, 42.0, 3.0), (1, 42.0, 3.0)]


def test_a_failing_sampler_is_reported_once_and_given_up(
    sink: Any, offer: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """After three failures in a row it is called no more; the others go on."""
    calls: list[None] = []

    def broken() -> dict[str, float]:
        calls.append(None)
        raise RuntimeError("no such chip")

    offer(broken, lambda: {"good": 1})
    hardware = Hardware(sink, "m", never)
    hardware.take_first()
    with caplog.at_level(logging.WARNING, "goodseed"):
        hardware.complete_first()
        for _ in range(5):
            hardware.sample()

    assert len(calls) == 3
    assert len([record for record in caplog.records if "test-1" in record.getMessage()]) == 1
    assert sum("m/good" in data for _, data in sink.metrics) == 6


def test_nothing_is_stored_after_the_end(sink: Any) -> None:
    """A sampler that is still at work when the run is closed adds nothing."""
    Hardware(sink, "m", lambda: True).take_first()

    assert sink.metrics == []


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a shell script of that name on PATH."""
    if sys.platform == "win32":
        pytest.skip("the tool is a shell script")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def make(name: str, script: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return make


def test_a_missing_tool_is_not_usable() -> None:
    """A program that is not there costs one look at PATH."""
    tool = Tool("goodseed-no-such-tool")

    assert not tool.is_usable
    assert tool.run("--version") is None


def test_a_failing_tool_is_tried_no_more(tool: Callable[[str, str], None], tmp_path: Path) -> None:
    """It is run once."""
    tool("goodseed-failing", f"echo x >> {tmp_path}/runs; exit 3")
    failing = Tool("goodseed-failing")

    assert (failing.run(), failing.run()) == (None, None)
    assert (tmp_path / "runs").read_text() == "x\n"


def test_a_hanging_tool_is_killed_and_tried_no_more(tool: Callable[[str, str], None]) -> None:
    """Not by this run and not by the next one of the process."""
    tool("goodseed-hanging", "exec sleep 60")

    assert Tool("goodseed-hanging", timeout_seconds=0.1).run() is None
    assert not Tool("goodseed-hanging").is_usable


def test_a_tool_can_be_killed_from_outside(tool: Callable[[str, str], None]) -> None:
    """The end of a run does not wait for a tool."""
    import threading

    tool("goodseed-slow", "exec sleep 60")
    outputs: list[str | None] = []
    thread = threading.Thread(target=lambda: outputs.append(Tool("goodseed-slow", 50).run()))
    thread.start()
    while thread.is_alive():
        kill_tool_of(thread.ident)
        thread.join(0.02)

    assert outputs == [None]
