"""Reads load and memory of Apple GPUs from ``ioreg``, which needs no root but has neither power nor temperature."""

from __future__ import annotations

import plistlib
import sys
from typing import TYPE_CHECKING, Final
from xml.parsers.expat import ExpatError

from goodseed.monitoring.gpu.reading import GpuReading, as_number, numbers_of_names
from goodseed.monitoring.gpu.tools import Tool
from goodseed.monitoring.thread import importing

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AppleReader", "find", "parse_ioreg"]

_ARGUMENTS: Final = ("-a", "-r", "-d", "1", "-c", "IOAccelerator")


def find() -> AppleReader | None:
    """A reader, or None where this is no Mac."""
    if sys.platform != "darwin":
        return None
    tool = Tool("ioreg")
    reader = AppleReader(tool.run, _memory_bytes()) if tool.is_usable else None
    return reader if reader is not None and reader.has_devices else None


class AppleReader:
    """Reads what ``ioreg`` prints.

    Args:
        run: Runs the tool with these arguments; None once it has failed.
        memory_bytes: The machine's memory, which its GPU shares.
    """

    def __init__(self, run: Callable[..., str | None], memory_bytes: float) -> None:
        self._run: Final = run
        self._memory_bytes: Final = memory_bytes
        self._names: Final = [name for name, _ in parse_ioreg(run(*_ARGUMENTS) or "", memory_bytes)]

    @property
    def has_devices(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._names)

    def read(self) -> list[GpuReading]:
        """One reading for each device; none once the tool has failed."""
        return [reading for _, reading in parse_ioreg(self._run(*_ARGUMENTS) or "", self._memory_bytes)]

    def facts(self) -> dict[str, object]:
        """Names."""
        return dict(numbers_of_names(self._names))


def parse_ioreg(output: str, memory_bytes: float) -> list[tuple[str, GpuReading]]:
    """Names and readings of the devices in the property list that ``ioreg -a`` prints."""
    try:
        devices = plistlib.loads(output.encode())
    except (ValueError, plistlib.InvalidFileException, ExpatError):
        return []
    found = []
    for device in devices if isinstance(devices, list) else []:
        statistics = device.get("PerformanceStatistics") if isinstance(device, dict) else None
        if isinstance(statistics, dict):
            used = as_number(statistics.get("In use system memory"))
            reading = GpuReading(
                utilization_percent=as_number(statistics.get("Device Utilization %")),
                memory_used_bytes=used,
                memory_percent=100.0 * used / memory_bytes if used is not None and memory_bytes else None,
            )
            found.append((_name(device.get("model")), reading))
    return found


def _name(model: object) -> str:
    text = model.decode("utf-8", "replace") if isinstance(model, bytes) else str(model or "Apple GPU")
    return text.rstrip("\0")


def _memory_bytes() -> float:
    with importing():
        import psutil
    return float(psutil.virtual_memory().total)
