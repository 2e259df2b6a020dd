"""Serves the protocol's endpoints that write runs and read them back."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from goodseed.server.queries import ServedRun
from goodseed.storage.kinds import NUMBERS, kinds
from goodseed.storage.reader import RunReader
from goodseed.times import as_utc
from goodseed.values import json_number
from goodseed_hub.errors import ApiError
from goodseed_hub.service import NewRun
from goodseed_hub.web.api.operations import OPERATIONS, points_operation
from goodseed_hub.web.calls import Endpoint, Reply, chunked
from goodseed_hub.wire.bodies import text_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from goodseed.storage.kinds import Kind
    from goodseed.storage.rollup.buckets import Bucket
    from goodseed_hub.registry.directory import RunRecord
    from goodseed_hub.web.calls import Call

__all__ = ["ENDPOINTS", "describe_run"]

_MAX_RUN_ID: Final = 128
_MAX_NAME: Final = 200
_MAX_PLACE: Final = 400
_WHOLE: Final = float(2**53)
_encode: Final = msgspec.json.Encoder().encode


def make_run(call: Call) -> Reply:
    """Make the run, or find it."""
    content = call.content()
    wanted = NewRun(
        workspace=text_field(content, "workspace", max_characters=_MAX_PLACE) or "",
        project=text_field(content, "project", max_characters=_MAX_PLACE) or "",
        run_id=text_field(content, "run_id", max_characters=_MAX_RUN_ID) or "",
        name=text_field(content, "experiment_name", max_characters=_MAX_NAME, is_optional=True),
        created_at=_time(content, "created_at"),
        modified_at=_time(content, "modified_at"),
    )
    state = call.hub.open_run(call.caller, wanted)
    return Reply({"id": state.record.id, "role": call.caller.roles.get(wanted.workspace)})


def _time(content: dict[str, Any], name: str) -> str | None:
    text = text_field(content, name, max_characters=64, is_optional=True)
    if not text:
        return None
    try:
        return as_utc(text)
    except (ValueError, OverflowError) as error:
        raise ApiError.bad_request(f"{name} must be a time in ISO 8601.") from error


def set_configs(call: Call) -> Reply:
    """Set configs."""
    record = _run(call, "member")
    configs = call.content(call.hub.limits.max_plain_bytes).get("configs")
    if not isinstance(configs, list):
        raise ApiError.bad_request("configs must be a list.", "Config.Invalid")
    call.hub.set_configs(record, configs)
    return Reply(status=204)


def ingest(call: Call) -> Reply:
    """Store points."""
    rejected = call.hub.ingest(_run(call, "member"), call.body, call.content_type)
    if not rejected:
        return Reply({})
    return Reply({"rejected": [{"index": index, "detail": detail} for index, detail in rejected]})


def set_status(call: Call) -> Reply:
    """The run goes on, or has ended."""
    record = _run(call, "member")
    call.hub.set_status(record, text_field(call.content(), "status", max_characters=20) or "")
    return Reply({})


def heartbeat(call: Call) -> Reply:
    """The run is alive."""
    call.hub.heartbeat(_run(call, "member"))
    return Reply({})


def get_run(call: Call) -> Reply:
    """A run's details."""
    record = _run(call, "viewer")
    with closing(_open(call, record)) as reader:
        rows = reader.configs()
    status = call.hub.directory.status(call.hub.state(record))
    configs = [
        {
            "path": row.path,
            "type_tag": row.type_tag,
            "value": ("failed" if status == "crashed" else status) if row.path == "sys/state" else row.value,
            "updated_at": row.updated_at,
        }
        for row in rows
    ]
    return Reply({**describe_run(call, record), "configs": configs})


def describe_run(call: Call, record: RunRecord) -> dict[str, Any]:
    """What the list of runs says of one."""
    state = call.hub.state(record)
    return {
        "id": record.id,
        "run_id": record.run_id,
        "workspace": record.workspace,
        "project": record.project,
        "experiment_name": state.name,
        "status": call.hub.directory.status(state),
        "created_at": state.created_at,
    }


def get_paths(call: Call) -> Reply:
    """The series of a run."""
    with closing(_open(call, _run(call, "viewer"))) as reader:
        return Reply([{"path": path, "type": kind.name} for kind in reader.kinds() for path in reader.paths(kind)])


def get_metrics(call: Call) -> Reply:
    """One metric: its points, or so many buckets."""
    record = _run(call, "viewer")
    path = call.text("path")
    low, high = call.number("step_min"), call.number("step_max")
    max_points = call.integer("max_points", low=1, high=call.hub.limits.max_buckets)
    if max_points is None:
        return Reply(chunked(_metric_chunks(_open(call, record), path, low, high)))
    with closing(_open(call, record)) as reader:
        buckets = reader.metric_buckets(path, max_points, step_min=low, step_max=high)
        points = reader.points(NUMBERS, path, step_min=low, step_max=high) if buckets is None else None
    if points is None:
        return Reply({"path": path, "downsampled": True, "buckets": [_bucket(bucket) for bucket in buckets or ()]})
    raw = [_point(*point) for point in zip(points.steps, points.values, points.times, strict=True)]  # type: ignore[arg-type]
    return Reply({"path": path, "downsampled": False, "raw_points": raw})


def _bucket(bucket: Bucket) -> dict[str, Any]:
    return {
        "step_first": _step(bucket.step_first),
        "step_last": _step(bucket.step_last),
        "count": bucket.count,
        "min": bucket.min,
        "max": bucket.max,
        "mean": None if bucket.mean is None else json_number(bucket.mean),
        "last": json_number(bucket.last),
        "non_finite": bucket.non_finite,
    }


def _point(step: float, y: float | None, seconds: float) -> dict[str, Any]:
    return {"step": _step(step), "y": json_number(y), "timestampMs": round(seconds * 1000)}


def _metric_chunks(reader: ServedRun, path: str, low: float | None, high: float | None) -> Iterator[bytes]:
    with closing(reader):
        yield b'{"path":' + _encode(path) + b',"downsampled":false,"raw_points":['
        separator = b""
        for batch in reader.iterate_metrics(path):
            points = [
                _point(step, y, seconds)  # type: ignore[arg-type]
                for step, y, seconds in batch.rows
                if (low is None or step >= low) and (high is None or step <= high)
            ]
            if points:
                yield separator + _encode(points)[1:-1]
                separator = b","
        yield b"]}"


def _points_of(kind: Kind) -> Callable[[Call], Reply]:
    """Answers with a page of a series of a kind that has no buckets."""

    def get_points(call: Call) -> Reply:
        record = _run(call, "viewer")
        path = call.text("path")
        page = call.hub.limits.max_page
        limit = call.integer("limit", low=0, high=page, default=page)
        offset = call.integer("offset", low=0, high=2**53, default=0) or 0
        reader = RunReader(call.hub.store.files(record))
        try:
            total = reader.count(kind, path)
        except BaseException:
            reader.close()
            raise
        return Reply(chunked(_point_chunks(reader, kind, path, limit or 0, offset, total)))

    get_points.__name__ = f"get_{kind.endpoint}"  # the name of the operation
    return get_points


def _point_chunks(reader: RunReader, kind: Kind, path: str, limit: int, offset: int, total: int) -> Iterator[bytes]:
    with closing(reader):
        yield b'{"points":['
        separator = b""
        for some in reader.stored_points(kind, path, limit=limit, offset=offset):
            points = [
                {"step": _step(step), "value": kind.to_json(value), "timestampMs": round(seconds * 1000)}
                for step, value, seconds in zip(some.steps, some.values, some.times, strict=True)
            ]
            yield separator + _encode(points)[1:-1]
            separator = b","
        yield b'],"total":%d}' % total


def _run(call: Call, role: str) -> RunRecord:
    return call.hub.run(call.caller, call.path["id"], role)


def _open(call: Call, record: RunRecord) -> ServedRun:
    return ServedRun(call.hub.store.files(record))


def _step(step: float) -> float:
    """An integer where it is one."""
    return int(step) if -_WHOLE <= step <= _WHOLE and step == int(step) else step


_RUN: Final = "/api/v1/runs/{id}"

ENDPOINTS: Final = (
    Endpoint("POST", "/api/v1/runs", make_run, "Make a run, or find it", OPERATIONS["make_run"]),
    Endpoint("POST", f"{_RUN}/configs", set_configs, "Set configs", OPERATIONS["set_configs"]),
    Endpoint("POST", f"{_RUN}/ingest", ingest, "Store points", OPERATIONS["ingest"]),
    Endpoint("POST", f"{_RUN}/status", set_status, "Say whether a run has ended", OPERATIONS["set_status"]),
    Endpoint("POST", f"{_RUN}/heartbeat", heartbeat, "Say that a run is alive", OPERATIONS["heartbeat"]),
    Endpoint("GET", _RUN, get_run, "A run's details", OPERATIONS["get_run"]),
    Endpoint("GET", f"{_RUN}/paths", get_paths, "A run's series", OPERATIONS["get_paths"]),
    *(
        Endpoint("GET", f"{_RUN}/data/{kind.endpoint}", get_metrics, f"One {kind.name}", OPERATIONS["get_metrics"])
        if kind.has_buckets
        else Endpoint(
            "GET", f"{_RUN}/data/{kind.endpoint}", _points_of(kind), f"One {kind.name} series", points_operation(kind)
        )
        for kind in kinds()
    ),
)
