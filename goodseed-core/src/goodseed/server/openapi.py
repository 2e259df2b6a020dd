"""Makes the OpenAPI document from the routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from goodseed import __version__
from goodseed.server.routes import Answer, Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from goodseed.server.routes import Request, Store

__all__ = ["make_document", "make_route"]

_ERROR: Final = {
    "oneOf": [
        {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
        {
            "type": "object",
            "properties": {
                "error": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in ("code", "message", "hint")},
                    "required": ["code", "message", "hint"],
                }
            },
            "required": ["error"],
        },
    ]
}
_OPERATION_FIELDS: Final = frozenset({"parameters", "requestBody", "responses", "tags", "description"})


def make_route(routes: Iterable[Route]) -> Route:
    """The route at which the document that describes ``routes``, and itself, can be read."""

    def get_document(store: Store, request: Request) -> Answer:
        return Answer(document)

    route = Route("GET", "/api/openapi.json", get_document, "This document", is_public=True)
    document = make_document((*routes, route))
    return route


def make_document(routes: Iterable[Route]) -> dict[str, Any]:
    """The document that describes ``routes``."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = re.sub(r"\{(\w+):path\}", r"{\1}", route.pattern)
        told = {one["name"] for one in route.operation.get("parameters", ()) if one["in"] == "path"}
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in re.findall(r"\{(\w+)\}", path)
            if name not in told
        ]
        operation = {name: value for name, value in route.operation.items() if name in _OPERATION_FIELDS}
        operation["parameters"] = [*parameters, *operation.get("parameters", ())]
        # Any request may be too long, or hold what no address may: those are refused before an operation is found.
        too_long = ("400", "413", "414", "431") if "requestBody" in operation else ("400", "414", "431")
        refused = {status: {"$ref": "#/components/responses/Error"} for status in too_long}
        operation["responses"] = refused | dict(operation.get("responses", {"200": {"description": "Found."}}))
        if route.changes_state:
            operation["security"] = [{"token": []}]
        paths.setdefault(path, {})[route.method.lower()] = {"summary": route.summary, **operation}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Goodseed", "version": __version__, "description": "docs/http-api.md tells the rest."},
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "responses": {
                "Error": {
                    "description": "It can't be answered.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
