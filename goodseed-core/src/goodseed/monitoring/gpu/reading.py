"""Defines what is read of a GPU of any make, and the metrics' names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["GpuReader", "GpuReading", "as_number", "numbers_of", "numbers_of_names"]


@dataclass(frozen=True, slots=True)
class GpuReading:
    """The state of one device; None for values that the device does not report."""

    utilization_percent: float | None = None
    memory_used_bytes: float | None = None
    memory_percent: float | None = None
    power_watts: float | None = None
    temperature_celsius: float | None = None


class GpuReader(Protocol):
    """Reads the devices that this process may use."""

    def read(self) -> Sequence[GpuReading]:
        """One reading for each device, in the order in which this process numbers them; never raises."""

    def facts(self) -> Mapping[str, object]:
        """Names and driver, by config name; never raises."""


_NAMES = (
    ("gpu", "utilization_percent"),
    ("gpu_memory", "memory_percent"),
    ("gpu_memory_used_bytes", "memory_used_bytes"),
    ("gpu_power", "power_watts"),
    ("gpu_temperature", "temperature_celsius"),
)


def numbers_of(readings: Sequence[GpuReading]) -> dict[str, float]:
    """Metrics by name: ``gpu``, ``gpu_memory``, … of one device; ``gpu_0``, ``gpu_memory_0``, … of several."""
    numbers = {}
    for index, reading in enumerate(readings):
        suffix = f"_{index}" if len(readings) > 1 else ""
        for name, attribute in _NAMES:
            value = getattr(reading, attribute)
            if value is not None:
                numbers[name + suffix] = float(value)
    return numbers


def numbers_of_names(names: Sequence[str]) -> dict[str, str]:
    """Facts by name: ``gpu_name`` of one device; ``gpu_name_0``, … of several."""
    return {f"gpu_name_{index}" if len(names) > 1 else "gpu_name": name for index, name in enumerate(names)}


def as_number(text: object) -> float | None:
    """The number that a tool prints, with or without a unit; None for ``N/A`` and the like."""
    if isinstance(text, bool):
        return None
    if isinstance(text, int | float):
        return float(text)
    words = str(text).replace("%", " ").split()
    try:
        number = float(words[0])
    except (IndexError, ValueError):
        return None
    return number if abs(number) < float("inf") else None
