"""Reads NVIDIA GPUs through NVML where the package ``nvidia-ml-py`` is installed, else through ``nvidia-smi``."""

from __future__ import annotations

import importlib
import logging
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from goodseed.monitoring.gpu.cuda_visible_devices import chosen
from goodseed.monitoring.gpu.reading import GpuReading, as_number, numbers_of_names
from goodseed.monitoring.gpu.tools import Tool
from goodseed.monitoring.thread import importing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["NvmlReader", "SmiReader", "find", "parents_of_slices", "parse_smi"]

_logger: Final = logging.getLogger("goodseed")
_MIB: Final = 1024.0 * 1024.0
_QUERY: Final = (
    "--query-gpu=uuid,name,driver_version,utilization.gpu,memory.used,memory.total,power.draw,temperature.gpu",
    "--format=csv,noheader,nounits",
)
_SLICE: Final = re.compile(r"UUID: (MIG-[^)\s]+)")
_WHOLE: Final = re.compile(r"^GPU \d+:.*UUID: (GPU-[^)\s]+)")


def find() -> NvmlReader | SmiReader | None:
    """A reader, or None where this process may use no NVIDIA GPU."""
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    if value is not None and value.strip() in ("", "-1"):
        return None
    return _find_nvml(value) or _find_smi(value)


def _find_nvml(value: str | None) -> NvmlReader | None:
    try:
        with importing():
            pynvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    except Exception:  # the package's own trouble, or a warning that was made an error
        _logger.info("goodseed: pynvml can't be imported; nvidia-smi is tried instead.", exc_info=True)
        return None
    try:
        reader = NvmlReader(pynvml, value)
    except pynvml.NVMLError as error:  # no driver, no permission
        _logger.debug("goodseed: NVML is not usable: %s", error)
        return None
    return reader if reader.has_devices else None


def _find_smi(value: str | None) -> SmiReader | None:
    tool = Tool("nvidia-smi")
    reader = SmiReader(tool.run, value) if tool.is_usable else None
    return reader if reader is not None and reader.has_devices else None


class NvmlReader:
    """Reads through NVML, which takes about a millisecond and starts no process.

    Args:
        nvml: The module ``pynvml``.
        visible: The value of ``CUDA_VISIBLE_DEVICES``.

    Raises:
        nvml.NVMLError: There is no driver.
    """

    def __init__(self, nvml: Any, visible: str | None) -> None:
        self._nvml: Final = nvml
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        uuids = [_as_str(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]
        self._devices: Final[list[tuple[Any, Any]]] = []
        for device in chosen(visible, uuids):
            if isinstance(device, int):
                self._devices.append((handles[device], handles[device]))
            else:
                handle = nvml.nvmlDeviceGetHandleByUUID(device)
                self._devices.append((handle, nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)))

    @property
    def has_devices(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._devices)

    def read(self) -> list[GpuReading]:
        """One reading for each device; of a slice, power and temperature are those of the whole GPU."""
        return [self._reading(handle, whole) for handle, whole in self._devices]

    def facts(self) -> dict[str, object]:
        """Names and driver."""
        names = [_as_str(self._ask(self._nvml.nvmlDeviceGetName, handle) or "?") for handle, _ in self._devices]
        driver = self._ask(self._nvml.nvmlSystemGetDriverVersion)
        return {**numbers_of_names(names), **({} if driver is None else {"gpu_driver": _as_str(driver)})}

    def _reading(self, handle: Any, whole: Any) -> GpuReading:
        nvml = self._nvml
        rates = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        milliwatts = self._ask(nvml.nvmlDeviceGetPowerUsage, whole)
        return GpuReading(
            utilization_percent=None if rates is None else rates.gpu,
            memory_used_bytes=None if memory is None else memory.used,
            memory_percent=None if memory is None or not memory.total else 100.0 * memory.used / memory.total,
            power_watts=None if milliwatts is None else milliwatts / 1000.0,
            temperature_celsius=self._ask(nvml.nvmlDeviceGetTemperature, whole, nvml.NVML_TEMPERATURE_GPU),
        )

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return question(*arguments)
        except self._nvml.NVMLError:  # this device does not tell
            return None


@dataclass(frozen=True, slots=True)
class SmiRow:
    """A line of ``nvidia-smi``."""

    uuid: str
    name: str
    driver: str
    reading: GpuReading


def parse_smi(output: str) -> list[SmiRow]:
    """The devices that ``nvidia-smi`` lists, by index."""
    rows = []
    for line in output.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 8 and cells[0].startswith("GPU-"):
            used, total = as_number(cells[4]), as_number(cells[5])
            reading = GpuReading(
                utilization_percent=as_number(cells[3]),
                memory_used_bytes=None if used is None else used * _MIB,
                memory_percent=100.0 * used / total if used is not None and total else None,
                power_watts=as_number(cells[6]),
                temperature_celsius=as_number(cells[7]),
            )
            rows.append(SmiRow(cells[0], cells[1], cells[2], reading))
    return rows


def parents_of_slices(listing: str) -> dict[str, str]:
    """The UUID of the whole GPU by that of each slice, from ``nvidia-smi -L``."""
    parents = {}
    parent = None
    for line in listing.splitlines():
        whole, slice_ = _WHOLE.match(line), _SLICE.search(line)
        if whole is not None:
            parent = whole[1]
        elif slice_ is not None and parent is not None:
            parents[slice_[1]] = parent
    return parents


class SmiReader:
    """Reads through ``nvidia-smi``; for a slice it reports values of the whole GPU, except memory and load.

    Args:
        run: Runs the tool with these arguments; None once it has failed.
        visible: The value of ``CUDA_VISIBLE_DEVICES``.
    """

    def __init__(self, run: Callable[..., str | None], visible: str | None) -> None:
        self._run: Final = run
        rows = parse_smi(run(*_QUERY) or "")
        devices = chosen(visible, [row.uuid for row in rows])
        parents = parents_of_slices(run("-L") or "") if any(isinstance(device, str) for device in devices) else {}
        self._wanted: Final = [
            (rows[device].uuid, False) if isinstance(device, int) else (_parent(device, parents), True)
            for device in devices
        ]
        self._facts: Final = _smi_facts(rows, [uuid for uuid, _ in self._wanted])

    @property
    def has_devices(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._wanted)

    def read(self) -> Sequence[GpuReading]:
        """One reading for each device; none once the tool has failed."""
        by_uuid = {row.uuid: row.reading for row in parse_smi(self._run(*_QUERY) or "")}
        if not by_uuid:
            return []
        return [
            _of_slice(by_uuid.get(uuid)) if is_slice else by_uuid.get(uuid, GpuReading())
            for uuid, is_slice in self._wanted
        ]

    def facts(self) -> Mapping[str, object]:
        """Names and driver."""
        return self._facts


def _parent(slice_uuid: str, parents: Mapping[str, str]) -> str:
    if slice_uuid.startswith("MIG-GPU-"):  # drivers before R470: MIG-GPU-<uuid>/<instance>/<compute instance>
        return slice_uuid.removeprefix("MIG-").partition("/")[0]
    return parents.get(slice_uuid, "")


def _of_slice(whole: GpuReading | None) -> GpuReading:
    if whole is None:
        return GpuReading()
    return GpuReading(power_watts=whole.power_watts, temperature_celsius=whole.temperature_celsius)


def _smi_facts(rows: Sequence[SmiRow], uuids: Sequence[str]) -> dict[str, object]:
    names = {row.uuid: row.name for row in rows}
    facts: dict[str, object] = dict(numbers_of_names([names.get(uuid, "?") for uuid in uuids]))
    return {**facts, "gpu_driver": rows[0].driver} if rows else facts


def _as_str(text: Any) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
