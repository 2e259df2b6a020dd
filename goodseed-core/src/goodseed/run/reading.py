"""What the ``get_…`` methods of a run answer, in the shapes of the specification."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.storage.reader import RunReader
from goodseed.values import as_step, decode_config

if TYPE_CHECKING:
    from goodseed.paths import RunFiles

__all__ = ["configs", "metric_data", "metric_paths", "string_data", "string_paths", "string_set"]

MAX_BUCKETS: Final = 1_000_000


def configs(files: RunFiles) -> list[dict[str, Any]]:
    """Every config as ``{path, type_tag, value, updated_at}``, by path."""
    with RunReader(files) as reader:
        return [asdict(row) for row in reader.configs()]


def string_set(files: RunFiles, path: str) -> set[str]:
    """The set of strings at ``path``; empty where there is no config.

    Raises:
        InvalidTypeError: The config there is something else.
    """
    with RunReader(files) as reader:
        row = next((row for row in reader.configs(path) if row.path == path), None)
    value = set() if row is None else decode_config(row.type_tag, row.value)
    if not isinstance(value, set):
        raise InvalidTypeError(f"{path!r} holds {value!r:.60}, which is no set of strings to add to or remove from.")
    return value


def metric_paths(files: RunFiles) -> list[str]:
    """The paths of the metrics, sorted."""
    with RunReader(files) as reader:
        return reader.metric_paths()


def string_paths(files: RunFiles) -> list[str]:
    """The paths of the string series, sorted."""
    with RunReader(files) as reader:
        return reader.string_paths()


def metric_data(
    files: RunFiles, path: str, step_min: float | None, step_max: float | None, max_points: int | None
) -> dict[str, Any]:
    """One metric, whole or in buckets; see `goodseed.Run.get_metric_data`."""
    low = None if step_min is None else as_step(step_min)
    high = None if step_max is None else as_step(step_max)
    limit = _count("max_points", max_points, 1)
    with RunReader(files) as reader:
        if limit is not None:
            buckets = reader.metric_buckets(path, min(limit, MAX_BUCKETS), step_min=low, step_max=high)
            if buckets is not None:
                return {"path": path, "downsampled": True, "buckets": [asdict(bucket) for bucket in buckets]}
        points = reader.metric_points(path, step_min=low, step_max=high)
    return {
        "path": path,
        "downsampled": False,
        "raw_points": [{"step": point.step, "y": point.y} for point in points],
    }


def string_data(files: RunFiles, path: str, limit: int | None, offset: int | None) -> list[dict[str, Any]]:
    """The points of a string series as ``{step, value}``, by step."""
    count, skip = _count("limit", limit, 0), _count("offset", offset, 0)
    with RunReader(files) as reader:
        points = reader.text_points(path, limit=count, offset=skip or 0)
    return [{"step": point.step, "value": point.value} for point in points]


def _count(argument: str, value: int | None, least: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InvalidTypeError(f"{argument} must be an integer, not {value!r:.60}.")
    number = value.__index__()
    if not least <= number < 2**63:
        raise InvalidValueError(f"{argument} must be at least {least} and below 2**63, not {value}.")
    return number
