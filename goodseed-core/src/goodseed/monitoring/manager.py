"""Starts and stops everything that watches one run."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from goodseed.monitoring.console.console import Console
from goodseed.monitoring.console.openers import Opener
from goodseed.monitoring.facts import installed_packages, machine_facts, process_facts
from goodseed.monitoring.gpu.tools import kill_tool_of
from goodseed.monitoring.hardware import Hardware
from goodseed.monitoring.thread import MonitoringThread, Task, importing
from goodseed.monitoring.traceback import formatted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from goodseed.sink import Sink

__all__ = ["Monitoring", "MonitoringOptions"]

_logger: Final = logging.getLogger("goodseed")
_CONSOLE_SECONDS: Final = 1.0
_SECOND_READING_SECONDS: Final = 0.2
_JOIN_SECONDS: Final = 0.4


@dataclass(frozen=True, slots=True)
class MonitoringOptions:
    """What to monitor.

    Attributes:
        stdout: Store what is written to stdout.
        stderr: Store what is written to stderr.
        hardware: Take samples of CPU, memory, disk, network and accelerators.
        traceback: Store the traceback of an exception that ends the run.
        namespace: Instead of ``monitoring/<hash>``.
        capture_fd: Capture file descriptors 1 and 2, and with them C libraries and child processes. POSIX only.
        interval_seconds: Between two samples.
    """

    stdout: bool = True
    stderr: bool = True
    hardware: bool = True
    traceback: bool = True
    namespace: str | None = None
    capture_fd: bool = False
    interval_seconds: float = 10.0

    @property
    def is_any(self) -> bool:
        """Whether anything is monitored; if not, only the facts that cost nothing are stored."""
        return self.stdout or self.stderr or self.hardware or self.traceback


class Monitoring:
    """Watches one run from `start` to `stop`. No method raises because of its own trouble.

    Args:
        sink: Where everything goes.
        options: What to watch.

    Attributes:
        namespace: The path under which everything is stored, ``monitoring/<hash>``: eight characters that this host,
            process and thread always give and others do not.
    """

    def __init__(self, sink: Sink, options: MonitoringOptions) -> None:
        self._sink: Final = sink
        self._options: Final = options
        self._hostname: Final = platform.node()
        self._tid: Final = threading.get_ident()
        self.namespace: Final = options.namespace or _namespace(self._hostname, self._tid)
        self._is_stopped = False
        self._is_foreign = False
        self._next_traceback_step: int | None = None
        names = [name for name, is_wanted in (("stdout", options.stdout), ("stderr", options.stderr)) if is_wanted]
        self._opener: Final = Opener()
        self._console: Final = Console(
            sink, self.namespace, names, capture_fd=options.capture_fd, hurry=self._hurry, opener=self._opener
        )
        self._hardware: Final = Hardware(sink, self.namespace, lambda: self._thread.is_stopping)
        self._thread: Final = MonitoringThread(self._tasks())

    def start(self) -> None:
        """Capture the streams, store the facts that cost nothing, and leave the rest to a thread."""
        try:
            self._console.start()
            self._store_facts({"hostname": self._hostname, "pid": os.getpid(), "tid": self._tid, **process_facts()})
            if self._options.is_any:
                self._thread.start()
        except Exception:  # a training runs without monitoring
            _logger.warning("goodseed: monitoring could not start.", exc_info=True)

    def is_concerned(self) -> bool:
        """Whether what the calling thread does belongs to this run, and not to one that it has opened itself."""
        return self._opener.is_concerned()

    def flush(self) -> None:
        """Hand over the console lines that have been written up to now."""
        if not self._is_stopped and not self._is_foreign:
            self._drain()

    def record_exception(
        self, exc_type: type[BaseException], exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Store the formatted traceback at ``<namespace>/traceback``, if that is wanted."""
        if self._options.traceback and not self._is_foreign:
            self.record_traceback(formatted(exc_type, exc, tb))

    def record_traceback(self, text: str) -> None:
        """Store a traceback, if that is wanted."""
        if not self._options.traceback or self._is_foreign:
            return
        path = f"{self.namespace}/traceback"
        try:
            step = self._next_traceback_step
            if step is None:
                step = self._sink.next_step(path)
            self._next_traceback_step = step + 1
            self._sink.log_strings({path: text}, step, at_seconds=time.time())
        except Exception:  # a traceback is worth less than the end of the run
            _logger.warning("goodseed: a traceback could not be stored.", exc_info=True)

    def stop(self) -> None:
        """Hand over what is left and leave the process as it was, within a second; the second call does nothing."""
        if self._is_stopped or self._is_foreign:
            return
        self._is_stopped = True
        kill_tool_of(self._thread.ident)
        self._thread.stop(_JOIN_SECONDS)
        try:
            self._console.stop()
        except Exception:  # the run closes in any case
            _logger.warning("goodseed: the last console lines could not be stored.", exc_info=True)
        self._opener.leave()

    def after_fork_in_child(self) -> None:
        """Leave everything to the parent: what the child prints goes to the terminal and is not stored."""
        self._is_foreign = True
        self._console.after_fork_in_child()

    def _tasks(self) -> list[Task]:
        tasks = [Task("store console lines", self._drain, _CONSOLE_SECONDS, _CONSOLE_SECONDS)]
        if self._options.hardware:
            interval = self._options.interval_seconds
            tasks += [
                Task("sample the hardware at once", self._hardware.take_first, 0.0, None),
                Task("sample the hardware", self._hardware.complete_first, _SECOND_READING_SECONDS, None),
                Task("go on sampling the hardware", self._hardware.sample, interval, interval),
            ]
        tasks.append(Task("gather facts", self._store_slow_facts, 0.0, None))
        return tasks

    def _hurry(self) -> None:
        self._thread.hurry()

    def _drain(self) -> None:
        try:
            self._console.drain()
        except Exception:  # the next round tries again
            _logger.warning("goodseed: console lines could not be stored.", exc_info=True)

    def _store_slow_facts(self) -> None:
        with importing():
            import psutil  # noqa: F401  # so that machine_facts finds it imported

            from goodseed.plugins import call_each, implementations

            implementations("goodseed_facts")
        self._store_facts({**machine_facts(), "packages": installed_packages()})
        if not self._options.hardware:
            return
        for plugin, facts in call_each("goodseed_facts"):
            if not hasattr(facts, "items"):
                _logger.warning("goodseed: the facts of plugin %s are not a mapping and are left out.", plugin)
            else:
                self._store_facts(facts)

    def _store_facts(self, facts: Mapping[str, object]) -> None:
        if not self._thread.is_stopping:
            self._sink.log_configs({f"{self.namespace}/{name}": value for name, value in facts.items()})


def _namespace(hostname: str, tid: int) -> str:
    key = f"{hostname}:{os.getpid()}:{tid}"
    return f"monitoring/{hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()[:8]}"
