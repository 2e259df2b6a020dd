"""Reads the points of an ingest: bad ones are dropped and named, all others are taken."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from goodseed.columns import Points, unpack
from goodseed.errors import GoodseedError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.remote.wire import PACKED
from goodseed.storage.kinds import NUMBERS, TEXTS, kind_of, kinds
from goodseed.values import MAX_EXACT_INTEGER, NON_FINITE, as_step
from goodseed_hub.errors import ApiError
from goodseed_hub.stores.base import merged
from goodseed_hub.wire.lenient_json import loose_points
from goodseed_hub.wire.protobuf import decode_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from goodseed.storage.kinds import Kind, StoredValue
    from goodseed_hub.limits import Limits

    _Columns = tuple[str, list[float], list[float | str], list[float]]  # path, steps, values, times in milliseconds

__all__ = ["Ingest", "places", "read_points"]

_LATEST_MS: Final = 253_402_300_799_999.0  # the end of the year 9999
_MAX_REJECTED: Final = 100_000
_PROTOBUF: Final = "application/protobuf"


class _Point(msgspec.Struct, gc=False):
    """A point of the specification's kinds, for which there is a way that takes half as long."""

    path: str
    step: float
    timestampMs: float  # noqa: N815 - the protocol's name
    number: float | str | None = None
    text: str | None = None


class _Body(msgspec.Struct, gc=False):
    points: list[_Point]


_decoder: Final = msgspec.json.Decoder(_Body)


@dataclass(slots=True)
class Ingest:
    """The points of one request.

    Attributes:
        taken: Those that are as they should be.
        rejected: Index and reason of each that was not taken.
    """

    taken: list[Points] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)


def read_points(body: bytes, content_type: str, limits: Limits) -> Ingest:
    """The points in a plain body.

    Raises:
        ApiError: The body is no ingest request, or holds too many points.
    """
    if _type(content_type) == PACKED:
        return _read_packed(body, limits)
    if _type(content_type) == _PROTOBUF:
        return _read_each(decode_points(body, limits.max_points), limits)
    try:
        points = _decoder.decode(body).points
    except (msgspec.MsgspecError, RecursionError):  # a bad point, or a number that JSON does not have
        return _read_each(loose_points(body), limits)
    if len(points) > limits.max_points:
        raise ApiError.too_large(f"A request must have at most {limits.max_points:,} points.")
    return _read_all(points, limits) or _read_each(loose_points(body), limits)


def places(body: bytes, content_type: str, limits: Limits) -> list[tuple[int, str, str]]:
    """Index, kind and path of each point that `read_points` took from the same body."""
    if _type(content_type) == PACKED:
        series = unpack(body, limits.max_points)
        names = [(points.kind, points.path.lstrip("/")) for points in series for _ in points.steps]
        return [(index, kind, path) for index, (kind, path) in enumerate(names)]
    is_protobuf = _type(content_type) == _PROTOBUF
    points = decode_points(body, limits.max_points) if is_protobuf else loose_points(body)
    found = []
    for index, point in enumerate(points):
        if isinstance(point, dict) and isinstance(point.get("path"), str):
            kind = next((kind for kind in kinds() if point.get(kind.field) is not None), NUMBERS)
            found.append((index, kind.name, point["path"].lstrip("/")))
    return found


def _type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _read_packed(body: bytes, limits: Limits) -> Ingest:
    """All of them or none: a client whose points are not all as they should be sends them as JSON."""
    found: list[Points] = []
    steps: Sequence[float] | None = None
    try:
        for points in unpack(body, limits.max_points):
            if points.steps is not steps:  # series of one group share them
                steps = points.steps
                _check_packed(steps, points.times)
            _check_values(points, limits)
            path = check_attribute_path(points.path)
            found.append(points if path == points.path else points._replace(path=path))
    except (GoodseedError, ValueError, OverflowError) as error:
        raise ApiError.bad_request(str(error), "Ingest.Invalid") from error
    return Ingest(merged(found))


def _check_packed(steps: Sequence[float], times: Sequence[float]) -> None:
    if not (min(steps) > -MAX_EXACT_INTEGER and max(steps) < MAX_EXACT_INTEGER and math.isfinite(sum(steps))):
        raise InvalidValueError("A step is not finite, or beyond 2**53.")
    if not (min(times) >= 0 and max(times) <= _LATEST_MS / 1000.0 and math.isfinite(sum(times))):
        raise InvalidValueError("Times must be milliseconds since 1970.")


def _check_values(points: Points, limits: Limits) -> None:
    """The values are what the kind stores; those of the metrics, of which there are most, can be nothing else."""
    kind = kind_of(points.kind)
    if kind is None:
        raise InvalidValueError(f"This hub knows no kind {points.kind!r:.60}: ask GET /api/v1/capabilities.")
    if not isinstance(points.values[0], kind.form):
        raise InvalidValueError(f"The values of {points.path!r:.200} are of another kind than {kind.name!r}.")
    if kind.form is not float:
        for value in points.values:
            _check_value(kind, value, limits)


def _check_value(kind: Kind, value: StoredValue, limits: Limits) -> None:
    size = len(value.encode() if isinstance(value, str) else value)  # type: ignore[arg-type]
    if size > limits.max_text_bytes:
        raise InvalidValueError(f"A {kind.field} must have at most {limits.max_text_bytes:,} bytes.")
    kind.from_stored(value)  # raises for bytes that are none of this kind


def _read_all(points: list[_Point], limits: Limits) -> Ingest | None:
    """Take them all, quickly; None where one of them is not as it should be."""
    metrics: dict[str, _Columns] = {}
    texts: dict[str, _Columns] = {}
    max_characters = limits.max_text_bytes // 4
    for point in points:
        path, step, time_ms, value = point.path, point.step, point.timestampMs, point.number
        columns = metrics
        if value.__class__ is not float:
            if value is None:
                value, columns = point.text, texts
                if value is None or len(value) > max_characters:
                    return None
            else:
                value = NON_FINITE.get(value)  # type: ignore[arg-type]
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
            column = columns.setdefault(plain, (plain, [], [], []))
            columns[path] = column
        column[1].append(step + 0.0)  # -0.0 and 0.0 are one step
        column[2].append(value)
        column[3].append(time_ms)
    return Ingest([*_points(NUMBERS, metrics), *_points(TEXTS, texts)])


def _points(kind: Kind, columns: dict[str, _Columns]) -> Iterator[Points]:
    for name, (path, steps, values, times_ms) in columns.items():
        if name == path:  # a name with slashes before it has the points of the one without
            yield Points(path, kind.name, steps, values, [ms / 1000.0 for ms in times_ms])


def _read_each(points: Iterable[Any], limits: Limits) -> Ingest:
    """Look at one after the other."""
    found = Ingest()
    taken: dict[tuple[str, str], Points] = {}
    now_ms = time.time() * 1000
    for index, point in enumerate(points):
        if index >= limits.max_points:
            raise ApiError.too_large(f"A request must have at most {limits.max_points:,} points.")
        try:
            kind, path, step, time_ms, value = _checked(point, now_ms, limits)
        except (GoodseedError, ValueError, OverflowError) as error:
            found.rejected.append((index, str(error)[:300]))
            if len(found.rejected) > _MAX_REJECTED:
                raise ApiError.bad_request(
                    f"More than {_MAX_REJECTED:,} of the points are invalid.", "Ingest.Invalid"
                ) from error
            continue
        column = taken.get((kind.name, path))
        if column is None:
            column = taken[kind.name, path] = Points(path, kind.name, [], [], [])
        column.steps.append(step)  # type: ignore[attr-defined]
        column.values.append(value)  # type: ignore[attr-defined]
        column.times.append(time_ms / 1000.0)  # type: ignore[attr-defined]
    found.taken = list(taken.values())
    return found


def _checked(point: Any, now_ms: float, limits: Limits) -> tuple[Kind, str, float, float, StoredValue]:
    if not isinstance(point, dict):
        raise ValueError("A point must be an object.")
    path = check_attribute_path(point.get("path"))
    step = point.get("step")
    if isinstance(step, bool) or not isinstance(step, (int, float)):
        raise ValueError("step must be a number.")
    time_ms = point.get("timestampMs", now_ms)
    if isinstance(time_ms, bool) or not isinstance(time_ms, (int, float)) or not 0 <= time_ms <= _LATEST_MS:
        raise ValueError("timestampMs must be milliseconds since 1970.")
    named = [kind for kind in kinds() if point.get(kind.field) is not None]
    if len(named) != 1:
        raise ValueError(f"A point has either {' or '.join(kind.field for kind in kinds())}.")
    kind = named[0]
    value = kind.from_json(point[kind.field])
    if kind.form is not float:
        _check_value(kind, value, limits)
    return kind, path, as_step(step), float(time_ms), value
