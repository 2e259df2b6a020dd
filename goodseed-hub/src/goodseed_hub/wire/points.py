"""The points of an ingest: single bad ones are dropped and named, all others are taken."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from goodseed.errors import GoodseedError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.remote.packed import CONTENT_TYPE, unpack
from goodseed.values import MAX_EXACT_INTEGER, as_step
from goodseed_hub.errors import ApiError
from goodseed_hub.stores.base import Column
from goodseed_hub.wire.loose import loose_points
from goodseed_hub.wire.protobuf import decode_points

if TYPE_CHECKING:
    from collections.abc import Iterable

    from goodseed_hub.limits import Limits

__all__ = ["Points", "places", "read_points"]

_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LATEST_MS: Final = 253_402_300_799_999.0  # the end of the year 9999
_MAX_REJECTED: Final = 100_000
_PROTOBUF: Final = "application/protobuf"


class _Point(msgspec.Struct, gc=False):
    path: str
    step: float
    timestampMs: float  # noqa: N815 - the protocol's name
    number: float | str | None = None
    text: str | None = None


class _Body(msgspec.Struct, gc=False):
    points: list[_Point]


_decoder: Final = msgspec.json.Decoder(_Body)


@dataclass(slots=True)
class Points:
    """The points of one request.

    Attributes:
        metrics: Those of metrics, by path.
        texts: Those of string series, by path.
        rejected: Index and reason of each that was not taken.
    """

    metrics: dict[str, Column] = field(default_factory=dict)
    texts: dict[str, Column] = field(default_factory=dict)
    rejected: list[tuple[int, str]] = field(default_factory=list)


def read_points(body: bytes, content_type: str, limits: Limits) -> Points:
    """The points in a plain body.

    Raises:
        ApiError: The body is none of an ingest, or holds too many points.
    """
    if _type(content_type) == CONTENT_TYPE:
        return _read_packed(body, limits)
    if _type(content_type) == _PROTOBUF:
        return _read_each(decode_points(body, limits.max_points), limits)
    try:
        points = _decoder.decode(body).points
    except (msgspec.MsgspecError, RecursionError):  # a bad point, or a number that JSON does not have
        return _read_each(loose_points(body), limits)
    if len(points) > limits.max_points:
        raise ApiError.too_large(f"A request may have {limits.max_points:,} points.")
    return _read_all(points, limits) or _read_each(loose_points(body), limits)


def places(body: bytes, content_type: str, limits: Limits) -> list[tuple[int, str, str]]:
    """Index, kind and path of each point that `read_points` took from the same body."""
    if _type(content_type) == CONTENT_TYPE:
        series = [(path, len(values)) for group in unpack(body, limits.max_points) for path, values in group.series]
        paths = [path.lstrip("/") for path, count in series for _ in range(count)]
        return [(index, "metric", path) for index, path in enumerate(paths)]
    is_protobuf = _type(content_type) == _PROTOBUF
    points = decode_points(body, limits.max_points) if is_protobuf else loose_points(body)
    found = []
    for index, point in enumerate(points):
        if isinstance(point, dict) and isinstance(point.get("path"), str):
            kind = "metric" if point.get("text") is None else "string"
            found.append((index, kind, point["path"].lstrip("/")))
    return found


def _type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _read_packed(body: bytes, limits: Limits) -> Points:
    """All of them or none: a client whose points are not all as they should be sends them as JSON."""
    found = Points()
    try:
        for steps, times_ms, series in unpack(body, limits.max_points):
            if not (min(steps) > -MAX_EXACT_INTEGER and max(steps) < MAX_EXACT_INTEGER and math.isfinite(sum(steps))):
                raise InvalidValueError("A step is not finite, or beyond 2**53.")
            if not (min(times_ms) >= 0 and max(times_ms) <= _LATEST_MS and math.isfinite(sum(times_ms))):
                raise InvalidValueError("Times must be milliseconds since 1970.")
            for path, values in series:
                plain = check_attribute_path(path)
                column = found.metrics.get(plain)
                if column is None:
                    found.metrics[plain] = Column(steps, values, times_ms)
                else:
                    found.metrics[plain] = Column(
                        [*column.steps, *steps], [*column.values, *values], [*column.times_ms, *times_ms]
                    )
    except GoodseedError as error:
        raise ApiError.bad_request(str(error), "Ingest.Invalid") from error
    return found


def _read_all(points: list[_Point], limits: Limits) -> Points | None:
    """Take them all, quickly; None where one of them is not as it should be."""
    found = Points()
    metrics, texts = found.metrics, found.texts
    max_characters = limits.max_text_bytes // 4
    for point in points:
        path, step, time_ms, value = point.path, point.step, point.timestampMs, point.number
        columns: dict[str, Column] = metrics
        if value.__class__ is not float:
            if value is None:
                value, columns = point.text, texts
                if value is None or len(value) > max_characters:
                    return None
            else:
                value = _SPECIAL.get(value)  # type: ignore[arg-type]
                if value is None:
                    return None
        elif point.text is not None:
            return None
        if not (-MAX_EXACT_INTEGER < step < MAX_EXACT_INTEGER and 0 <= time_ms <= _LATEST_MS):
            return None
        column = columns.get(path)
        if column is None:
            try:
                plain = check_attribute_path(path)
            except GoodseedError:
                return None
            column = columns.setdefault(plain, Column())
            columns[path] = column
        column.steps.append(step + 0.0)  # -0.0 and 0.0 are one step
        column.values.append(value)  # type: ignore[arg-type]
        column.times_ms.append(time_ms)
    for columns in (metrics, texts):
        for path in [path for path in columns if path.startswith("/")]:
            del columns[path]  # its points are under the path without the slashes
    return found


def _read_each(points: Iterable[Any], limits: Limits) -> Points:
    """Look at one after the other."""
    found = Points()
    now_ms = time.time() * 1000
    index = -1
    for index, point in enumerate(points):
        if index >= limits.max_points:
            raise ApiError.too_large(f"A request may have {limits.max_points:,} points.")
        try:
            kind, path, step, time_ms, value = _checked(point, now_ms, limits)
        except (GoodseedError, ValueError, OverflowError) as error:
            found.rejected.append((index, str(error)[:300]))
            if len(found.rejected) > _MAX_REJECTED:
                raise ApiError.bad_request(
                    f"Over {_MAX_REJECTED:,} of the points are bad.", "Ingest.Invalid"
                ) from error
            continue
        columns = found.metrics if kind == "metric" else found.texts
        column = columns.get(path)
        if column is None:
            column = columns[path] = Column()
        column.steps.append(step)
        column.values.append(value)  # type: ignore[arg-type]
        column.times_ms.append(time_ms)
    return found


def _checked(point: Any, now_ms: float, limits: Limits) -> tuple[str, str, float, float, float | str]:
    if not isinstance(point, dict):
        raise ValueError("A point must be an object.")
    path = check_attribute_path(point.get("path"))
    step = point.get("step")
    if isinstance(step, bool) or not isinstance(step, (int, float)):
        raise ValueError("step must be a number.")
    time_ms = point.get("timestampMs", now_ms)
    if isinstance(time_ms, bool) or not isinstance(time_ms, (int, float)) or not 0 <= time_ms <= _LATEST_MS:
        raise ValueError("timestampMs must be milliseconds since 1970.")
    number, text = point.get("number"), point.get("text")
    if (number is None) == (text is None):
        raise ValueError("A point has either number or text.")
    if text is not None:
        if not isinstance(text, str):
            raise ValueError("text must be a string.")
        if len(text.encode()) > limits.max_text_bytes:  # raises for unpaired surrogates
            raise ValueError(f"A text may have {limits.max_text_bytes:,} bytes.")
        return "string", path, as_step(step), float(time_ms), text
    if isinstance(number, str):
        number = _SPECIAL.get(number)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise ValueError('number must be a number, or "NaN", "Infinity" or "-Infinity".')
    return "metric", path, as_step(step), float(time_ms), float(number)
