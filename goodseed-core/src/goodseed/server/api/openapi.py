"""Describes the specification's endpoints for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from goodseed.server.parameters import MAX_INTEGER
from goodseed.storage.kinds import kinds

__all__ = ["CONFIGS", "METRICS", "PATHS", "PROJECTS", "RUNS", "TEXTS", "TRASH"]

_TEXT: Final = {"type": "string"}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_COUNT: Final = {"type": "integer", "minimum": 0}
_NUMBER: Final = {"oneOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_ERRORS: Final = {
    "400": {"$ref": "#/components/responses/Error"},
    "404": {"$ref": "#/components/responses/Error"},
    "422": {"$ref": "#/components/responses/Error"},
}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _answers(schema: dict[str, Any], **others: Any) -> dict[str, Any]:
    found = {"description": "Found.", "content": {"application/json": {"schema": schema}}}
    return {"200": found, **_ERRORS, **others}


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _integer(name: str, description: str, low: int = 0) -> dict[str, Any]:
    return _query(name, {"type": "integer", "minimum": low, "maximum": MAX_INTEGER}, description)


_POINT: Final = _object(path=_TEXT, step=_NUMBER, value=_NUMBER, logged_at=_TEXT_OR_NULL)
_TEXT_POINT: Final = _object(path=_TEXT, step=_NUMBER, value=_TEXT, logged_at=_TEXT_OR_NULL)
_BUCKET: Final = _object(
    path=_TEXT,
    step=_NUMBER,
    value=_NUMBER,
    minY=_NUMBER,
    maxY=_NUMBER,
    downsampled={"type": "boolean"},
    logged_at=_TEXT_OR_NULL,
)
_WINDOW: Final = _object(
    points=_list(_BUCKET),
    firstPointIndex={"type": "integer"},
    lastPointIndex={"type": "integer"},
    totalCount=_COUNT,
    downsampled={"type": "boolean"},
)

PROJECTS: Final = {
    "responses": _answers(_object(projects=_list(_object(name=_TEXT, run_count=_COUNT, last_modified=_TEXT)))),
}
RUNS: Final = {
    "parameters": [_query("project", _TEXT, "Only the runs of this project.")],
    "responses": _answers(
        _object(
            runs=_list(
                _object(
                    project=_TEXT,
                    run_id=_TEXT,
                    experiment_name=_TEXT_OR_NULL,
                    created_at=_TEXT_OR_NULL,
                    closed_at=_TEXT_OR_NULL,
                    status={"enum": ["running", "finished", "failed"]},
                    state={"enum": ["running", "finished", "failed", "crashed"]},
                    end_reason=_TEXT_OR_NULL,
                    trashed={"type": "boolean"},
                    **{kind.paths_field: _TEXTS for kind in kinds()},
                )
            )
        )
    ),
}
CONFIGS: Final = {"responses": _answers(_object(configs={"type": "object"}))}
PATHS: Final = {"responses": _answers(_object(paths=_TEXTS))}
METRICS: Final = {
    "parameters": [
        _query("path", _TEXT, "Only this metric."),
        _integer("pointCount", "Return about this many buckets at most instead of points; requires path.", 1),
        _integer("firstPointIndex", "With pointCount: leave out the points before this one.", -MAX_INTEGER),
        _integer("lastPointIndex", "With pointCount: leave out the points after this one.", -MAX_INTEGER),
    ],
    "responses": _answers({"anyOf": [_object(metrics=_list(_POINT)), _WINDOW]}),
}
TEXTS: Final = {
    "parameters": [
        _query("path", _TEXT, "Only this series."),
        _integer("limit", "At most so many points."),
        _integer("offset", "With limit: leave out so many points first."),
        _integer("tail", "Only the last so many points; limit and offset are ignored."),
    ],
    "responses": _answers(_object(string_series=_list(_TEXT_POINT), total=_COUNT)),
}
TRASH: Final = {
    "responses": _answers(
        _object(ok={"const": True}),
        **{status: {"$ref": "#/components/responses/Error"} for status in ("401", "403", "409")},
    ),
}
