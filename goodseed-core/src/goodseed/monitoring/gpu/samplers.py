"""Offers the GPU samplers through the hooks that other plugins use; registered as ``goodseed-gpu``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodseed.monitoring.gpu import amd, apple, nvidia
from goodseed.monitoring.gpu.reading import numbers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from goodseed.monitoring.gpu.reading import GpuReader

__all__ = ["goodseed_facts", "goodseed_hardware_samplers"]


def goodseed_hardware_samplers() -> list[Callable[[], Mapping[str, float]]]:
    """One sampler for all GPUs of the first make that has any, so that they are numbered in one row."""
    reader = _find()
    return [] if reader is None else [lambda: numbers_of(reader.read())]


def goodseed_facts() -> dict[str, object]:
    """The GPUs' names and the driver's version."""
    reader = _find()
    return {} if reader is None else dict(reader.facts())


def _find() -> GpuReader | None:
    for find in (nvidia.find, amd.find, apple.find):
        reader = find()
        if reader is not None:
            return reader
    return None
