"""Measures CPU, memory, disk and network of the machine and of this process with its children."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from goodseed.monitoring.thread import importing

__all__ = ["HostSampler"]

_WALK_SHARE: Final = 0.0005  # of a core: what looking for child processes may cost on a machine with many


class HostSampler:
    """Returns numbers by name, as docs/monitoring.md lists them.

    What is a rate or a share of time is missing from the first call: it needs a second one to compare with.
    """

    def __init__(self) -> None:
        with importing():
            import psutil
        self._psutil: Final = psutil
        self._process: Final = psutil.Process(os.getpid())
        self._tree: list[Any] = [self._process]
        self._next_walk_at = 0.0
        self._before: dict[str, float] = {}
        self._before_at = 0.0
        self._busy_before: tuple[float, float] | None = None
        self._process_before: dict[int, float] = {}

    def __call__(self) -> dict[str, float]:
        """Take a sample."""
        now = time.monotonic()
        elapsed = now - self._before_at if self._before_at else 0.0
        numbers = {**self._memory(), **self._cpu(), **self._tree_numbers(elapsed), **self._rates(elapsed)}
        self._before_at = now
        return numbers

    def _memory(self) -> dict[str, float]:
        memory = self._psutil.virtual_memory()
        return {"memory": memory.percent, "memory_used_bytes": float(memory.total - memory.available)}

    def _cpu(self) -> dict[str, float]:
        times = self._psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # Linux counts the time of guests in user and nice already.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        before, self._busy_before = self._busy_before, (total - idle, total)
        if before is None or total <= before[1]:
            return {}
        share = (total - idle - before[0]) / (total - before[1])
        return {"cpu": min(max(100.0 * share, 0.0), 100.0)}

    def _tree_numbers(self, elapsed: float) -> dict[str, float]:
        self._walk_tree()
        cpu_seconds: dict[int, float] = {}
        memory_bytes = 0.0
        for process in self._tree:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory_bytes += process.memory_info().rss
                cpu_seconds[process.pid] = times.user + times.system
            except self._psutil.Error:  # it has ended since, or is not ours
                continue
        before, self._process_before = self._process_before, cpu_seconds
        numbers = {"memory_process_bytes": memory_bytes}
        if elapsed > 0:
            used = sum(max(seconds - before.get(pid, seconds), 0.0) for pid, seconds in cpu_seconds.items())
            numbers["cpu_process"] = 100.0 * used / elapsed
        return numbers

    def _walk_tree(self) -> None:
        started = time.monotonic()
        if started < self._next_walk_at:
            return
        cost = time.thread_time()
        try:
            children = self._process.children(recursive=True) if _may_have_children() else []
            self._tree = [self._process, *children]
        except self._psutil.Error:  # a system that hides processes
            self._tree = [self._process]
        self._next_walk_at = started + (time.thread_time() - cost) / _WALK_SHARE

    def _rates(self, elapsed: float) -> dict[str, float]:
        counters = {**self._disk(), **self._network()}
        before, self._before = self._before, counters
        if elapsed <= 0:
            return {}
        # A counter that goes back has been reset (a device was removed).
        return {
            f"{name}_per_second": (count - before[name]) / elapsed
            for name, count in counters.items()
            if count >= before.get(name, float("inf"))
        }

    def _disk(self) -> dict[str, float]:
        try:
            counters = self._psutil.disk_io_counters()
        except (OSError, RuntimeError, NotImplementedError):  # a container without /proc/diskstats
            return {}
        if counters is None:
            return {}
        return {"disk_read_bytes": float(counters.read_bytes), "disk_written_bytes": float(counters.write_bytes)}

    def _network(self) -> dict[str, float]:
        try:
            cards = self._psutil.net_io_counters(pernic=True)
        except (OSError, RuntimeError, NotImplementedError):
            return {}
        outside = [card for name, card in cards.items() if not name.startswith("lo")]
        return {
            "network_sent_bytes": float(sum(card.bytes_sent for card in outside)),
            "network_received_bytes": float(sum(card.bytes_recv for card in outside)),
        }


def _may_have_children() -> bool:
    """Whether this process has child processes, as far as known without listing all of the machine's processes."""
    try:
        for thread in Path("/proc/self/task").iterdir():
            with (thread / "children").open("rb", buffering=0) as file:
                if file.read(1):
                    return True
    except OSError:  # another system, a kernel that does not tell, or a thread that has ended meanwhile
        return True
    return False
