"""Reads AMD GPUs through ``amd-smi`` or the older ``rocm-smi``, which come with the driver."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Final

from goodseed.monitoring.gpu.cuda_visible_devices import chosen
from goodseed.monitoring.gpu.reading import GpuReading, as_number
from goodseed.monitoring.gpu.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["AmdReader", "find", "parse_amd_smi", "parse_rocm_smi", "visible_indices"]

_AMD_SMI: Final = ("metric", "--usage", "--mem-usage", "--power", "--temperature", "--json")
_ROCM_SMI: Final = ("--showuse", "--showmemuse", "--showmeminfo", "vram", "--showpower", "--showtemp", "--json")
_UNITS: Final = {"B": 1.0, "KB": 1024.0, "MB": 1024.0**2, "GB": 1024.0**3}


def find() -> AmdReader | None:
    """A reader, or None where this process may use no AMD GPU."""
    for name, arguments, parse in (
        ("amd-smi", _AMD_SMI, parse_amd_smi),
        ("rocm-smi", _ROCM_SMI, parse_rocm_smi),
    ):
        tool = Tool(name)
        reader = AmdReader(tool.run, arguments, parse, os.environ) if tool.is_usable else None
        if reader is not None and reader.has_devices:
            return reader
    return None


class AmdReader:
    """Reads what one of the two tools prints.

    Args:
        run: Runs the tool with these arguments; None once it has failed.
        arguments: What to ask it.
        parse: Makes readings of its output.
        environ: Says which of the devices this process may use.
    """

    def __init__(
        self,
        run: Callable[..., str | None],
        arguments: tuple[str, ...],
        parse: Callable[[str], list[GpuReading]],
        environ: Mapping[str, str],
    ) -> None:
        self._run: Final = run
        self._arguments: Final = arguments
        self._parse: Final = parse
        self._indices: Final = visible_indices(environ, len(self._read_all()))

    @property
    def has_devices(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._indices)

    def read(self) -> list[GpuReading]:
        """One reading for each device; none once the tool has failed."""
        readings = self._read_all()
        return [readings[index] for index in self._indices if index < len(readings)]

    def facts(self) -> dict[str, object]:
        """How many devices there are."""
        return {"gpu_count": len(self._indices)}

    def _read_all(self) -> list[GpuReading]:
        return self._parse(self._run(*self._arguments) or "")


def visible_indices(environ: Mapping[str, str], count: int) -> list[int]:
    """The devices that ROCm shows to this process: ``ROCR_VISIBLE_DEVICES``, of those ``HIP_VISIBLE_DEVICES``."""
    shown = _indices(environ.get("ROCR_VISIBLE_DEVICES"), count)
    among = environ.get("HIP_VISIBLE_DEVICES", environ.get("CUDA_VISIBLE_DEVICES"))
    return [shown[index] for index in _indices(among, len(shown))]


def _indices(value: str | None, count: int) -> list[int]:
    if value is not None and "GPU-" in value:  # the tools do not print the UUIDs in the form that ROCm takes
        return list(range(count))
    return [index for index in chosen(value, [""] * count) if isinstance(index, int)]


def parse_rocm_smi(output: str) -> list[GpuReading]:
    """The devices in the JSON of ``rocm-smi``, by index."""
    cards = _as_json(output)
    if not isinstance(cards, dict):
        return []
    indices = sorted(int(name[4:]) for name in cards if re.fullmatch(r"card\d+", name))
    return [_rocm_reading(cards[f"card{index}"]) for index in indices]


def _rocm_reading(card: Mapping[str, object]) -> GpuReading:
    def first(*patterns: str) -> float | None:
        for pattern in patterns:
            for label, value in card.items():
                number = as_number(value) if re.fullmatch(pattern, label, re.IGNORECASE) else None
                if number is not None:
                    return number
        return None

    used = first(r"VRAM Total Used Memory \(B\)")
    total = first(r"VRAM Total Memory \(B\)")
    percent = first(r"GPU Memory Allocated \(VRAM%\)", r"GPU memory use \(%\)")
    return GpuReading(
        utilization_percent=first(r"GPU use \(%\)"),
        memory_used_bytes=used,
        memory_percent=100.0 * used / total if used is not None and total else percent,
        power_watts=first(r"(?:Average|Current Socket) Graphics Package Power \(W\)", r".*Package Power \(W\)"),
        temperature_celsius=first(
            r"Temperature \(Sensor edge\) \(C\)", r"Temperature \(Sensor junction\) \(C\)", r"Temperature .*\(C\)"
        ),
    )


def parse_amd_smi(output: str) -> list[GpuReading]:
    """The devices in the JSON of ``amd-smi metric``, by index."""
    parsed = _as_json(output)
    devices = parsed.get("gpu_data") if isinstance(parsed, dict) else parsed
    if not isinstance(devices, list):
        return []
    numbered = [device for device in devices if isinstance(device, dict) and isinstance(device.get("gpu"), int)]
    return [_amd_reading(device) for device in sorted(numbered, key=lambda device: device["gpu"])]


def _amd_reading(device: Mapping[str, Any]) -> GpuReading:
    def first(*paths: tuple[str, str]) -> float | None:
        for section, name in paths:
            group = device.get(section)
            number = _with_unit(group.get(name)) if isinstance(group, dict) else None
            if number is not None:
                return number
        return None

    used, total = first(("mem_usage", "used_vram")), first(("mem_usage", "total_vram"))
    return GpuReading(
        utilization_percent=first(("usage", "gfx_activity")),
        memory_used_bytes=used,
        memory_percent=100.0 * used / total if used is not None and total else None,
        power_watts=first(("power", "socket_power"), ("power", "average_socket_power")),
        temperature_celsius=first(("temperature", "edge"), ("temperature", "hotspot")),
    )


def _with_unit(value: object) -> float | None:
    if not isinstance(value, dict):
        return as_number(value)
    number = as_number(value.get("value"))
    return None if number is None else number * _UNITS.get(str(value.get("unit")), 1.0)


def _as_json(output: str) -> Any:
    try:
        return json.loads(output[min((i for i in map(output.find, "[{") if i >= 0), default=0) :])
    except ValueError:  # a warning instead of an answer
        return None
