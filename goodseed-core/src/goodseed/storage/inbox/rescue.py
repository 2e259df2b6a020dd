"""Copies an inbox that found no room on the disk to a directory for temporary files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from goodseed.storage.inbox.records import renumbered, shape_record
from goodseed.storage.inbox.segments import HEADER_BYTES, Segment, segment_header, whole_granules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["copy_elsewhere", "count_records"]


def copy_elsewhere(
    name: str, segments: Sequence[Segment], shapes: Iterable[tuple[int, Sequence[str]]], *, after: int
) -> Path | None:
    """Write an inbox that holds ``segments``; returns where, or None where there is no room either.

    It begins with all shapes, so that it can be read also by who finds the file closed, and knows none of them.

    Args:
        name: The name of the file.
        segments: What it is to hold, oldest first.
        shapes: The number and the paths of each shape.
        after: Its generations start with the one after this, so that recovery finds no gap.
    """
    import shutil
    import tempfile

    directory = None
    try:
        directory = Path(tempfile.mkdtemp(prefix="goodseed-"))
        part = directory / "part"
        with part.open("wb") as copy:
            copy.write(_shapes_segment(shapes, after + 1))
            for generation, segment in enumerate(segments, after + 2):
                content = bytearray(segment.memory[:])
                end, _ = renumbered(content, HEADER_BYTES, segment.generation, generation)
                content[:HEADER_BYTES] = segment_header(segment.size, generation, end)
                copy.write(content)
        return part.replace(directory / name)
    except OSError:
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)
        return None


def _shapes_segment(shapes: Iterable[tuple[int, Sequence[str]]], generation: int) -> bytes:
    content = bytearray(HEADER_BYTES) + b"".join(shape_record(number, paths) for number, paths in sorted(shapes))
    end, _ = renumbered(content, HEADER_BYTES, 0, generation)
    content[:HEADER_BYTES] = segment_header(whole_granules(end), generation, end)
    return bytes(content.ljust(whole_granules(end), b"\0"))


def count_records(segments: Iterable[Segment]) -> int:
    """How many records these hold."""
    return sum(renumbered(bytearray(segment.memory[:]), HEADER_BYTES, segment.generation, 0)[1] for segment in segments)
