"""Describes each endpoint for the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from goodseed.storage.kinds import kinds

if TYPE_CHECKING:
    from goodseed.storage.kinds import Kind

__all__ = ["OPERATIONS", "SCHEMAS", "points_operation"]

_TEXT: Final = {"type": "string"}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 200}
_ROLE: Final = {"enum": ["viewer", "member", "admin"]}
_STATUS: Final = {"enum": ["running", "finished", "failed", "crashed"]}
_SPECIAL: Final = {"enum": ["NaN", "Infinity", "-Infinity"]}
_NUMBER: Final = {"oneOf": [{"type": "number"}, _SPECIAL]}
_MAYBE_TEXT: Final = {"type": ["string", "null"]}
_TIME: Final = {"type": ["string", "null"], "description": "ISO 8601", "maxLength": 64}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def _list(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


SCHEMAS: Final[dict[str, Any]] = {
    "Error": _object({"error_code": _TEXT, "title": _TEXT, "detail": _TEXT}),
    "Run": _object(
        {"id": _TEXT, "run_id": _TEXT, "workspace": _TEXT, "project": _TEXT, "experiment_name": _MAYBE_TEXT,
         "status": _STATUS, "created_at": _TEXT}
    ),
    "Config": _object({"path": _TEXT, "type_tag": _TEXT, "value": _TEXT}, {"updated_at": _TEXT}),
    "Point": _object(
        {"path": {"type": "string", "minLength": 1, "maxLength": 4096}, "step": {"type": "number"}},
        {"timestampMs": {"type": "number"}, "number": _NUMBER, "text": _TEXT},
    ),
    "Bucket": _object(
        {"step_first": {"type": "number"}, "step_last": {"type": "number"}, "count": {"type": "integer"},
         "min": {"type": ["number", "null"]}, "max": {"type": ["number", "null"]},
         "mean": {"oneOf": [{"type": ["number", "null"]}, _SPECIAL]}, "last": _NUMBER,
         "non_finite": {"type": "integer"}}
    ),
    "Key": _object(
        {"id": _TEXT, "user": _TEXT, "label": _TEXT, "grants": {"type": "object"}},
        {"created_at": {"type": "number"}, "last_used_at": {"type": ["number", "null"]}, "key": _TEXT},
    ),
    "User": _object({"name": _TEXT, "is_admin": {"type": "boolean"}}),
    "Member": _object({"user": _TEXT, "role": _ROLE}),
    "Workspace": _object({"id": _TEXT, "name": _TEXT}, {"role": _ROLE}),
    "Project": _object(
        {"name": _TEXT, "workspace": _TEXT}, {"created_at": _TEXT, "run_count": {"type": "integer"}}
    ),
}  # fmt: skip


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _refused(*statuses: int) -> dict[str, Any]:
    return {str(status): {"$ref": "#/components/responses/Error"} for status in (401, 429, 503, *statuses)}


def _answer(schema: dict[str, Any], *refused: int, status: int = 200) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"responses": {str(status): {"description": "Done.", "content": content}, **_refused(*refused)}}


def _empty(*refused: int) -> dict[str, Any]:
    return {"responses": {"204": {"description": "Done."}, **_refused(*refused)}}


def _body(schema: dict[str, Any], *more: str) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in more}
    return {"requestBody": {"required": True, "content": content}}


def _query(name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


_ANY_POINT: Final = {
    "anyOf": [_ref("Point"), {}],
    "description": "A point. An invalid one is not stored, and named in the answer; the others are stored.",
}
_BODY: Final = (400, 403, 408, 413, 415)
_PATH: Final = _query("path", {"type": "string", "minLength": 1}, required=True)
_REJECTED: Final = _object({}, {"rejected": _list(_object({"index": {"type": "integer"}, "detail": _TEXT}))})

OPERATIONS: Final[dict[str, dict[str, Any]]] = {
    "make_run": {
        **_body(
            _object(
                {"workspace": _NAME, "project": _NAME, "run_id": {"type": "string", "maxLength": 128}},
                {"experiment_name": {"type": ["string", "null"], "maxLength": 200}, "created_at": _TIME,
                 "modified_at": _TIME},
            )
        ),
        **_answer(_object({"id": _TEXT}), 404, *_BODY),
    },
    "set_configs": {**_body(_object({"configs": _list(_ref("Config"), maxItems=1000)})), **_empty(404, *_BODY)},
    "ingest": {
        **_body(_object({"points": _list(_ANY_POINT)}), "application/protobuf", "application/x-goodseed-points"),
        **_answer(_REJECTED, 404, *_BODY),
    },
    "set_status": {
        **_body(_object({"status": {"enum": ["running", "finished", "failed"]}})),
        **_answer(_object({}), 404, *_BODY),
    },
    "heartbeat": _answer(_object({}), 403, 404),
    "get_run": _answer(
        {"allOf": [_ref("Run"), _object({"configs": _list(_ref("Config"))})]}, 404
    ),
    "get_paths": _answer(_list(_object({"path": _TEXT, "type": {"enum": [kind.name for kind in kinds()]}})), 404),
    "get_metrics": {
        "parameters": [
            _PATH,
            _query("step_min", {"type": "number"}),
            _query("step_max", {"type": "number"}),
            _query("max_points", {"type": "integer", "minimum": 1, "maximum": 10_000}),
        ],
        **_answer(
            _object(
                {"path": _TEXT, "downsampled": {"type": "boolean"}},
                {
                    "raw_points": _list(
                        _object({"step": {"type": "number"}, "y": _NUMBER, "timestampMs": {"type": "integer"}})
                    ),
                    "buckets": _list(_ref("Bucket")),
                },
            ),
            400,
            404,
        ),
    },
    "get_me": _answer(_object({"name": _TEXT, "user": _TEXT, "is_admin": {"type": "boolean"}}), 403),
    "get_capabilities": _answer(
        _object(
            {"server": _TEXT, "version": _TEXT, "float_steps": {"type": "boolean"}, "non_finite": {"type": "boolean"},
             "times": {"type": "boolean"}, "packed_points": {"type": "boolean"}, "kinds": _list(_TEXT),
             "limits": {"type": "object"}}
        )
    ),
    "list_workspaces": _answer(_list(_ref("Workspace"))),
    "list_projects": _answer(_list(_ref("Project")), 403),
    "create_project": {**_body(_object({"name": _NAME})), **_answer(_ref("Project"), *_BODY)},
    "list_runs": _answer(_list(_ref("Run")), 403, 404),
    "list_keys": _answer(_list(_ref("Key"))),
    "create_key": {
        **_body(
            _object(
                {}, {"user": _NAME, "label": {"type": "string", "maxLength": 200},
                     "grants": {"type": "object", "additionalProperties": _ROLE}}
            )
        ),
        **_answer(_ref("Key"), *_BODY, status=201),
    },
    "revoke_key": _empty(404),
    "list_users": _answer(_list(_ref("User")), 403),
    "create_user": {
        **_body(_object({"name": _NAME}, {"is_admin": {"type": "boolean"}})),
        **_answer(_ref("User"), 409, *_BODY, status=201),
    },
    "delete_user": _empty(403, 404),
    "create_workspace": {
        **_body(_object({"name": _NAME})),
        **_answer(_ref("Workspace"), 409, *_BODY, status=201),
    },
    "list_members": _answer(_list(_ref("Member")), 403),
    "set_member": {**_body(_object({"role": _ROLE})), **_answer(_ref("Member"), 404, *_BODY)},
    "remove_member": _empty(403, 404),
}  # fmt: skip


def points_operation(kind: Kind) -> dict[str, Any]:
    """The operation that answers with the points of one series of a kind without buckets."""
    value: dict[str, Any] = _TEXT if kind.form is str else {"description": "As the kind writes it in JSON."}
    point = _object({"step": {"type": "number"}, "value": value, "timestampMs": {"type": "integer"}})
    return {
        "parameters": [
            _PATH,
            _query("limit", {"type": "integer", "minimum": 0, "maximum": 10_000}),
            _query("offset", {"type": "integer", "minimum": 0, "maximum": 2**53}),
        ],
        **_answer(_object({"points": _list(point), "total": {"type": "integer"}}), 400, 404),
    }
