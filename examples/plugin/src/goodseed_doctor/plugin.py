"""The hooks: what Goodseed calls."""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import goodseed
from goodseed.hookspecs import Bars, Block, Panel, StoredPoints, Table, Text, hookimpl
from goodseed_doctor import webhook
from goodseed_doctor.detectors import Finding, Pulse, Watch

NAMESPACE = "doctor"
_STALL_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_PASSED_OVER = (f"{NAMESPACE}/", "monitoring/")

_doctors: dict[goodseed.Run, Doctor] = {}


class Doctor:
    """Watches one run."""

    def __init__(self, run: goodseed.Run) -> None:
        self._run = run
        self._watches: dict[str, Watch] = {}
        self._pulse = Pulse(float(os.environ.get("GOODSEED_DOCTOR_STALL_SECONDS") or _STALL_SECONDS))
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        threading.Thread(target=self._look_for_stalls, name="goodseed-doctor", daemon=True).start()

    def see(self, points: Sequence[StoredPoints]) -> None:
        """Take points that are stored."""
        for series in points:
            if series.kind != "metric" or series.path.startswith(_PASSED_OVER):
                continue
            watch = self._watches.get(series.path)
            if watch is None:
                watch = self._watches[series.path] = Watch(series.path)
            for step, value in zip(series.steps, series.values, strict=True):
                for finding in watch.see(step, float(value)):
                    self._tell(finding)
            with self._lock:
                for at, step in zip(series.times, series.steps, strict=True):
                    self._pulse.beat(at, step)

    def end(self) -> None:
        """The run is about to end."""
        self._is_over.set()
        self._run[f"{NAMESPACE}/healthy"] = not self._counts
        webhook.drain()

    def _look_for_stalls(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            with self._lock:
                finding = self._pulse.check(time.time())
            if finding is not None:
                self._tell(finding)

    def _tell(self, finding: Finding) -> None:
        number = sum(self._counts.values())
        self._counts[finding.kind] += 1
        run = self._run
        try:
            run[f"{NAMESPACE}/findings"].log(f"{finding.kind}: {finding.text}", step=number)
            run.log_configs({f"{NAMESPACE}/{finding.kind}": self._counts[finding.kind], f"{NAMESPACE}/healthy": False})
        except goodseed.RunClosedError:  # a stall that was found as the run ended
            return
        webhook.post(
            {
                "text": f"{run.project} {run.run_id}: {finding.text}",
                "project": run.project,
                "run": run.run_id,
                "kind": finding.kind,
                "path": finding.path,
                "step": finding.step,
            }
        )


@hookimpl
def goodseed_run_opened(run: goodseed.Run) -> None:
    """Begin to watch a run."""
    _doctors[run] = Doctor(run)


@hookimpl
def goodseed_run_resumed(run: goodseed.Run) -> None:
    """Begin to watch a run that goes on."""
    _doctors[run] = Doctor(run)


@hookimpl
def goodseed_points_stored(run: goodseed.Run, points: Sequence[StoredPoints]) -> None:
    """Look at what was stored."""
    if run in _doctors:
        _doctors[run].see(points)


@hookimpl
def goodseed_run_closing(run: goodseed.Run) -> None:
    """Write the verdict."""
    doctor = _doctors.pop(run, None)
    if doctor is not None:
        doctor.end()


@hookimpl
def goodseed_panels() -> list[Panel]:
    """What was found, on the run's page."""
    return [Panel("findings", "Training doctor", _show)]


def _show(run: goodseed.Run) -> Iterator[Block]:
    findings = [str(point["value"]).partition(": ") for point in run.get_string_data(f"{NAMESPACE}/findings")]
    if not findings:
        return
    yield Text(f"{len(findings)} finding{'s' * (len(findings) > 1)} in this run.")
    counts = Counter(kind for kind, _, _ in findings)
    if len(counts) > 1:
        yield Bars(list(counts), list(counts.values()))
    yield Table(["Kind", "What"], [(kind, text) for kind, _, text in findings])


def _examine(run: goodseed.Run) -> Iterable[Finding]:
    for path in run.get_metric_paths():
        if not path.startswith(_PASSED_OVER):
            watch = Watch(path)
            for point in run.get_metric_data(path)["raw_points"]:
                yield from watch.see(point["step"], point["y"])


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-p", "--project", help="default: GOODSEED_PROJECT")
    parser.add_argument("run_id")


def _command(arguments: argparse.Namespace) -> int:
    run = goodseed.Run(project=arguments.project, run_id=arguments.run_id, read_only=True, storage="local")
    findings = list(_examine(run))
    for finding in findings:
        print(f"{finding.kind}: {finding.text}".encode("ascii", "backslashreplace").decode())
    if not findings:
        print("healthy")
    return 1 if findings else 0


@hookimpl
def goodseed_commands() -> list[tuple[str, str, object, object]]:
    """``goodseed doctor``."""
    summary = "examine a run for NaN, spikes and plateaus; the status is 1 if there are any"
    return [("doctor", summary, _add_arguments, _command)]
