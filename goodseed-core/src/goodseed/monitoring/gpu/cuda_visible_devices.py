"""Parses ``CUDA_VISIBLE_DEVICES`` and similar variables: which devices a process may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["chosen"]


def chosen(value: str | None, uuids: Sequence[str]) -> list[int | str]:
    """The devices that the variable chooses, in its order, as CUDA reads it.

    Args:
        value: What the variable holds; None where it is not set, which chooses all.
        uuids: The UUIDs of the devices (``GPU-…``) by index.

    Returns:
        Indices, and the UUIDs of slices (``MIG-…``). The list ends before the first entry that names no device; an
        entry that comes twice makes it empty.
    """
    if value is None:
        return list(range(len(uuids)))
    found: list[int | str] = []
    for entry in value.split(","):
        device = _device(entry.strip(), uuids)
        if device is None:
            break
        found.append(device)
    return found if len(set(found)) == len(found) else []


def _device(entry: str, uuids: Sequence[str]) -> int | str | None:
    if entry.isdecimal():
        return int(entry) if int(entry) < len(uuids) else None
    if entry.startswith("MIG-"):
        return entry
    if entry.startswith("GPU-"):
        matching = [index for index, uuid in enumerate(uuids) if uuid.startswith(entry)]
        return matching[0] if len(matching) == 1 else None
    return None
