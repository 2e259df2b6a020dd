"""Monitoring as a run uses it."""

from __future__ import annotations

import hashlib
import os
import platform
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import goodseed
from goodseed.monitoring.manager import Monitoring, MonitoringOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until it holds, at most 20 s."""
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_the_namespace_is_that_of_host_process_and_thread(sink: Any) -> None:
    """Eight characters that this thread always gives and another does not; another namespace can be given."""
    key = f"{platform.node()}:{os.getpid()}:{threading.get_ident()}"
    digest = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
    others: list[str] = []
    thread = threading.Thread(target=lambda: others.append(Monitoring(sink, MonitoringOptions()).namespace))
    thread.start()
    thread.join()

    assert Monitoring(sink, MonitoringOptions()).namespace == f"monitoring/{digest[:8]}"
    assert others != [f"monitoring/{digest[:8]}"]
    assert Monitoring(sink, MonitoringOptions(namespace="mine")).namespace == "mine"


@pytest.mark.usefixtures("terminal")
def test_lines_are_stored_while_the_run_goes_on(sink: Any) -> None:
    """Nobody has to close or flush to see them, the last state of an unfinished line included."""
    monitoring = Monitoring(sink, MonitoringOptions(hardware=False, namespace="m"))
    monitoring.start()
    print("epoch 1")
    print("\r 10%", end="")
    wait_for(lambda: sink.lines("m/stdout") == ["epoch 1", " 10%"])
    print("\r100%")
    monitoring.flush()
    flushed = sink.lines("m/stdout")
    monitoring.stop()

    assert flushed == ["epoch 1", "100%"]


def test_what_is_not_wanted_is_not_stored(sink: Any) -> None:
    """Each part can be left out."""
    monitoring = Monitoring(
        sink, MonitoringOptions(stdout=False, stderr=False, hardware=False, traceback=False, namespace="m")
    )
    monitoring.start()
    print("x")
    monitoring.record_exception(ValueError, ValueError("x"), None)
    monitoring.stop()

    assert sink.strings == {}
    assert sink.metrics == []
    assert {"m/hostname", "m/pid", "m/tid"} <= set(sink.configs)


def test_samples_and_facts_come_by_themselves(sink: Any) -> None:
    """The first sample is taken at once, later ones at the interval, and the slow facts arrive."""
    monitoring = Monitoring(sink, MonitoringOptions(stdout=False, stderr=False, namespace="m", interval_seconds=0.05))
    monitoring.start()
    wait_for(lambda: "m/packages" in sink.configs and max(step for step, _ in sink.metrics) >= 2)
    monitoring.stop()
    after_the_end = len(sink.metrics)
    time.sleep(0.12)  # longer than two samples would take

    assert sink.configs["m/platform"] == platform.platform()
    assert len(sink.metrics) == after_the_end


def test_tracebacks_have_steps_of_their_own(sink: Any) -> None:
    """A second exception does not overwrite the first."""
    monitoring = Monitoring(sink, MonitoringOptions(hardware=False, namespace="m"))
    monitoring.record_exception(ValueError, ValueError("one"), None)
    monitoring.record_exception(ValueError, ValueError("two"), None)

    assert sink.lines("m/traceback") == ["ValueError: one", "ValueError: two"]


def test_trouble_of_the_sink_harms_nobody(sink: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A sink that raises is warned of, and no method raises."""

    def broken(*_: object, **__: object) -> None:
        raise OSError("disk gone")

    sink.log_strings = sink.log_configs = sink.log_metrics = broken
    monitoring = Monitoring(sink, MonitoringOptions(namespace="m"))
    monitoring.start()
    print("x")
    monitoring.flush()
    monitoring.record_exception(ValueError, ValueError("x"), None)
    monitoring.stop()

    assert "disk gone" in caplog.text


def test_stopping_twice_and_without_start_is_harmless(sink: Any) -> None:
    """The end is idempotent."""
    started, unstarted = (Monitoring(sink, MonitoringOptions(namespace="m")) for _ in range(2))
    started.start()
    started.stop()
    started.stop()
    unstarted.stop()

    assert not [thread for thread in threading.enumerate() if thread.name == "goodseed-monitoring"]


@pytest.mark.monitored
def test_a_run_stores_all_of_it(tmp_path: Path, read_run: Callable[[Path], Any]) -> None:
    """Console, first sample and facts are in the file of a run that was open for a moment."""
    with goodseed.Run(storage="local", goodseed_home=tmp_path, project="demo", run_id="r") as run:
        print("hello")
        wait_for(lambda: run.flush() and f"{run.monitoring_namespace}/cpu_process" in run.get_metric_paths())
    assert run.path is not None
    stored = read_run(run.path)

    assert stored.series["stdout"] == ["hello"]
    assert {"cpu_process", "memory", "memory_process_bytes"} <= set(stored.metrics)
    assert stored.configs[f"{run.monitoring_namespace}/pid"] == str(os.getpid())


@pytest.mark.monitored
def test_nested_runs_each_store_their_lines(tmp_path: Path, read_run: Callable[[Path], Any]) -> None:
    """Each run holds what was printed while it was open."""
    options: dict[str, Any] = {"storage": "local", "goodseed_home": tmp_path, "capture_hardware_metrics": False}
    outer = goodseed.Run(run_id="outer", **options)
    print("1")
    inner = goodseed.Run(run_id="inner", **options)
    print("2")
    outer.close()
    print("3")
    inner.close()
    print("4")
    assert outer.path is not None
    assert inner.path is not None

    assert read_run(outer.path).series["stdout"] == ["1", "2"]
    assert read_run(inner.path).series["stdout"] == ["2", "3"]


def test_the_last_line_before_a_signal_is_stored(run_script: Callable[..., Any]) -> None:
    """What was printed just before SIGTERM is in the file."""
    seen = run_script(
        """
import goodseed, os, signal, time
run = goodseed.Run()
print("last words", end="")
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(20)
"""
    )

    assert seen.stored.series["stdout"] == ["last words"]
    assert seen.stored.status == "failed"


def test_a_hundred_thousand_lines_are_all_there(run_script: Callable[..., Any]) -> None:
    """A burst of lines as fast as Python prints them loses none, or says how many."""
    seen = run_script(
        """
import goodseed
with goodseed.Run(capture_hardware_metrics=False) as run:
    for number in range(100_000):
        print(number)
"""
    )

    assert seen.stored.series["stdout"] == [str(number) for number in range(100_000)]
