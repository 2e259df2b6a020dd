"""What the parsers make of outputs in the formats that the tools document, and which devices count."""

from __future__ import annotations

import json
import plistlib
from types import SimpleNamespace
from typing import Any

import pytest

from goodseed.monitoring.gpu.amd import AmdReader, parse_amd_smi, parse_rocm_smi, visible_indices
from goodseed.monitoring.gpu.apple import AppleReader, parse_ioreg
from goodseed.monitoring.gpu.cuda_visible_devices import chosen
from goodseed.monitoring.gpu.nvidia import NvmlReader, SmiReader, find, parents_of_slices, parse_smi
from goodseed.monitoring.gpu.reading import GpuReading, as_number, numbers_of

MIB = 1024.0**2

A, B = "GPU-11111111-aaaa-4444-8888-000000000001", "GPU-22222222-bbbb-4444-8888-000000000002"
SLICE = "MIG-33333333-cccc-5555-9999-000000000003"

SMI = f"""\
{A}, NVIDIA H100 80GB HBM3, 550.90.07, 97, 20480, 81920, 645.31, 61
{B}, NVIDIA H100 80GB HBM3, 550.90.07, 0, 0, 81920, [N/A], 28
"""
SMI_UNKNOWN = f"{A}, GRID T4-8Q, 535.1, [N/A], 512, 8192, [Not Supported], [N/A]\n"
SMI_LIST = f"""\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: {A})
GPU 1: NVIDIA A100-SXM4-40GB (UUID: {B})
  MIG 3g.20gb     Device  0: (UUID: {SLICE})
"""

ROCM = {
    "card0": {
        "Temperature (Sensor edge) (C)": "46.0",
        "Temperature (Sensor junction) (C)": "49.0",
        "Average Graphics Package Power (W)": "93.0",
        "GPU use (%)": "35",
        "GPU Memory Allocated (VRAM%)": "12",
        "VRAM Total Memory (B)": "68702699520",
        "VRAM Total Used Memory (B)": "17175674880",
    },
    "card1": {
        "Temperature (Sensor junction) (C)": "41.0",
        "Current Socket Graphics Package Power (W)": "141.0",
        "GPU use (%)": "0",
        "GPU Memory Allocated (VRAM%)": "3",
    },
    "system": {"Driver version": "6.3.6"},
}

AMD = [
    {
        "gpu": 0,
        "usage": {"gfx_activity": {"value": 88, "unit": "%"}, "umc_activity": {"value": 20, "unit": "%"}},
        "power": {"socket_power": {"value": 512, "unit": "W"}, "gfx_voltage": "N/A"},
        "temperature": {"edge": "N/A", "hotspot": {"value": 63, "unit": "C"}, "mem": {"value": 50, "unit": "C"}},
        "mem_usage": {
            "total_vram": {"value": 196592, "unit": "MB"},
            "used_vram": {"value": 98296, "unit": "MB"},
        },
    }
]


def test_numbers_of_nvidia_smi() -> None:
    """Load, memory, power and temperature of each device, in bytes, watts and degrees; N/A is left out."""
    readings = [row.reading for row in parse_smi(SMI)]

    assert readings == [
        GpuReading(97.0, 20480 * MIB, 25.0, 645.31, 61.0),
        GpuReading(0.0, 0.0, 0.0, None, 28.0),
    ]
    assert [row.reading for row in parse_smi(SMI_UNKNOWN)] == [GpuReading(None, 512 * MIB, 6.25, None, None)]


@pytest.mark.parametrize("output", ["", "No devices were found\n", "NVIDIA-SMI has failed because …\n"])
def test_an_answer_without_devices_gives_none(output: str) -> None:
    """What is no table is no device."""
    assert parse_smi(output) == []


def test_names_of_metrics() -> None:
    """One device has plain names, several are numbered; what is unknown is missing."""
    one, two = GpuReading(50.0, 1.0, 2.0, 3.0, 4.0), GpuReading(utilization_percent=10.0)

    assert numbers_of([one]) == {
        "gpu": 50.0,
        "gpu_memory_used_bytes": 1.0,
        "gpu_memory": 2.0,
        "gpu_power": 3.0,
        "gpu_temperature": 4.0,
    }
    assert numbers_of([two, two]) == {"gpu_0": 10.0, "gpu_1": 10.0}
    assert numbers_of([]) == {}


@pytest.mark.parametrize(
    ("value", "devices"),
    [
        (None, [0, 1]),
        ("", []),
        ("-1", []),
        ("1", [1]),
        ("1,0", [1, 0]),
        (" 0 , 1 ", [0, 1]),
        ("0,-1,1", [0]),
        ("0,7,1", [0]),
        ("0,0", []),
        (B, [1]),
        ("GPU-11", [0]),
        ("GPU-", []),
        ("GPU-99", []),
        (SLICE, [SLICE]),
        ("void", []),
    ],
)
def test_the_devices_that_cuda_shows(value: str | None, devices: list[int | str]) -> None:
    """CUDA_VISIBLE_DEVICES is read as CUDA reads it: in its order, up to the first entry that names nothing."""
    assert chosen(value, [A, B]) == devices


@pytest.mark.parametrize(
    ("visible", "numbers"),
    [
        (None, {"gpu_0": 97.0, "gpu_1": 0.0}),
        ("0", {"gpu": 97.0}),
        ("1,0", {"gpu_0": 0.0, "gpu_1": 97.0}),
        ("-1", {}),
    ],
)
def test_only_visible_devices_are_read(visible: str | None, numbers: dict[str, float]) -> None:
    """A process sees the devices that it may use, numbered as it numbers them."""
    reader = SmiReader(lambda *_: SMI, visible)
    loads = {name: number for name, number in numbers_of(reader.read()).items() if name in ("gpu", "gpu_0", "gpu_1")}

    assert loads == numbers
    assert reader.has_devices == bool(numbers)


def test_facts_of_nvidia_smi() -> None:
    """Names and driver are told."""
    assert SmiReader(lambda *_: SMI, "0").facts() == {
        "gpu_name": "NVIDIA H100 80GB HBM3",
        "gpu_driver": "550.90.07",
    }


def test_a_slice_has_the_power_of_its_gpu() -> None:
    """Of a MIG slice, nvidia-smi tells only what belongs to the whole."""
    reader = SmiReader(lambda *arguments: SMI_LIST if arguments == ("-L",) else SMI, SLICE)

    assert parents_of_slices(SMI_LIST) == {SLICE: B}
    assert reader.read() == [GpuReading(temperature_celsius=28.0)]


def test_a_tool_that_fails_later_gives_nothing() -> None:
    """Readings stop when the tool does."""
    answers = [SMI, SMI, None]
    reader = SmiReader(lambda *_: answers.pop(0), None)

    assert len(reader.read()) == 2
    assert reader.read() == []


class Nvml:
    """The part of ``pynvml`` that is used, of a machine with two devices, one of which hides its power."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        """What NVML raises."""

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        return uuid

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: str) -> int:
        return 0

    def nvmlDeviceGetUUID(self, handle: int) -> bytes:
        return [A, B][handle].encode()

    def nvmlDeviceGetName(self, handle: int | str) -> str:
        return f"device {handle}"

    def nvmlSystemGetDriverVersion(self) -> bytes:
        return b"550.1"

    def nvmlDeviceGetUtilizationRates(self, handle: int | str) -> Any:
        if isinstance(handle, str):
            raise self.NVMLError("not supported")
        return SimpleNamespace(gpu=40 + handle)

    def nvmlDeviceGetMemoryInfo(self, handle: int | str) -> Any:
        return SimpleNamespace(used=25, total=100)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        if handle == 1:
            raise self.NVMLError("not supported")
        return 250_500

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return 55


def test_numbers_of_nvml() -> None:
    """NVML's milliwatts become watts, and a device that does not tell is no error."""
    reader = NvmlReader(Nvml(), None)

    assert reader.read() == [GpuReading(40, 25, 25.0, 250.5, 55), GpuReading(41, 25, 25.0, None, 55)]
    assert reader.facts() == {"gpu_name_0": "device 0", "gpu_name_1": "device 1", "gpu_driver": "550.1"}


def test_a_slice_through_nvml() -> None:
    """A MIG slice has its own memory and the power of the whole GPU."""
    reader = NvmlReader(Nvml(), SLICE)

    assert reader.read() == [GpuReading(None, 25, 25.0, 250.5, 55)]


def test_a_process_without_devices_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty CUDA_VISIBLE_DEVICES means no NVIDIA GPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    assert find() is None


def test_numbers_of_rocm_smi() -> None:
    """Both generations of labels are understood; a warning before the JSON does no harm."""
    expected = [GpuReading(35.0, 17175674880.0, 25.0, 93.0, 46.0), GpuReading(0.0, None, 3.0, 141.0, 41.0)]

    assert parse_rocm_smi("WARNING: AMD GPU device(s) is/are in a low-power state.\n" + json.dumps(ROCM)) == expected


def test_rocm_smi_as_recorded() -> None:
    """What users of several generations recorded of rocm-smi is understood: labels, cases, and what was left out."""
    recorded = [
        {"GPU use (%)": "0", "VRAM Total Memory (B)": "21458059264", "VRAM Total Used Memory (B)": "27856896"},
        {"Average Graphics Package Power (W)": "222.0", "Temperature (Sensor mem) (c)": "79.0", "Fan Speed (%)": "45",
         "Temperature (Sensor junction) (c)": "103.0", "Temperature (Sensor edge) (c)": "77.0"},
        {"Max Graphics Package Power (W)": "560.0", "Average Graphics Package Power (W)": "128.0", "GPU use (%)": "100",
         "GFX Activity": "1141796410", "GPU memory use (%)": "0", "Memory Activity": "237430125"},
    ]  # fmt: skip
    readings = [parse_rocm_smi(json.dumps({"card0": card})) for card in recorded]

    assert [
        [GpuReading(0.0, 27856896.0, pytest.approx(0.1298, abs=1e-4), None, None)],
        [GpuReading(None, None, None, 222.0, 77.0)],
        [GpuReading(100.0, None, 0.0, 128.0, None)],
    ] == readings


def test_amd_smi_as_recorded() -> None:
    """What users recorded of amd-smi is understood, a device that tells nothing included."""
    quiet = {"timestamp": 1769014607, "gpu": 0, "usage": "N/A", "power": {"socket_power": "N/A", "gfx_voltage": "N/A"}}
    percent = {name: {"value": value, "unit": "%"} for name, value in (("gfx_activity", 42), ("umc_activity", 1))}
    busy = {"gpu": 0, "usage": {**percent, "vcn_activity": [{"value": 0, "unit": "%"}, "N/A", "N/A", "N/A"]}}

    assert [[GpuReading(None, None, None, None, None)], [GpuReading(42.0, None, None, None, None)]] == [
        parse_amd_smi(json.dumps([device])) for device in (quiet, busy)
    ]


@pytest.mark.parametrize("output", [AMD, {"gpu_data": AMD}])
def test_numbers_of_amd_smi(output: object) -> None:
    """Both forms of the answer are understood; megabytes become bytes."""
    assert parse_amd_smi(json.dumps(output)) == [GpuReading(88.0, 98296 * MIB, 50.0, 512.0, 63.0)]


@pytest.mark.parametrize("output", ["", "ERROR: no GPU", "[]", "{}", "3"])
def test_an_amd_answer_without_devices_gives_none(output: str) -> None:
    """What is no list of devices is no device."""
    assert parse_amd_smi(output) == []
    assert parse_rocm_smi(output) == []


@pytest.mark.parametrize(
    ("environ", "indices"),
    [
        ({}, [0, 1, 2, 3]),
        ({"HIP_VISIBLE_DEVICES": "2"}, [2]),
        ({"CUDA_VISIBLE_DEVICES": "1"}, [1]),
        ({"ROCR_VISIBLE_DEVICES": "2,3", "HIP_VISIBLE_DEVICES": "1"}, [3]),
        ({"ROCR_VISIBLE_DEVICES": ""}, []),
    ],
)
def test_the_devices_that_rocm_shows(environ: dict[str, str], indices: list[int]) -> None:
    """ROCm's variables choose, the second among what the first leaves."""
    assert visible_indices(environ, 4) == indices


def test_an_amd_reader_reads_what_is_visible() -> None:
    """Only the chosen device is read."""
    reader = AmdReader(lambda *_: json.dumps(ROCM), (), parse_rocm_smi, {"HIP_VISIBLE_DEVICES": "1"})

    assert [reading.power_watts for reading in reader.read()] == [141.0]


def test_numbers_of_ioreg() -> None:
    """Load and memory of an Apple GPU come from its performance statistics."""
    devices = [
        {
            "model": "Apple M2 Max",
            "PerformanceStatistics": {"Device Utilization %": 42, "In use system memory": 8 * 1024**3},
        },
        {"IOClass": "something else"},
    ]
    output = plistlib.dumps(devices).decode()
    reader = AppleReader(lambda *_: output, 32.0 * 1024**3)

    assert reader.read() == [GpuReading(42.0, 8.0 * 1024**3, 25.0)]
    assert reader.facts() == {"gpu_name": "Apple M2 Max"}
    assert parse_ioreg("", 1.0) == parse_ioreg("<nonsense", 1.0) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12.0), ("12.5 W", 12.5), ("7%", 7.0), (3, 3.0), ("N/A", None), ("", None), (None, None), ("inf", None)],
)
def test_numbers_with_units(text: object, number: float | None) -> None:
    """A unit is ignored, and what is no number is None."""
    assert as_number(text) == number
