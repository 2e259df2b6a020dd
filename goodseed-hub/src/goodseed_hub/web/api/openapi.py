"""Makes the OpenAPI document of the protocol's and the admin's endpoints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from goodseed_hub import __version__
from goodseed_hub.web.api.operations import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from goodseed_hub.web.calls import Endpoint

__all__ = ["make_document"]


def make_document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in re.findall(r"\{(\w+)\}", endpoint.pattern)
        ]
        paths.setdefault(endpoint.pattern, {})[endpoint.method.lower()] = {
            "operationId": endpoint.handler.__name__,
            "summary": endpoint.summary,
            **endpoint.operation,
            "parameters": [*parameters, *endpoint.operation.get("parameters", ())],
        }
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Goodseed hub", "version": __version__, "description": "docs/hub-api.md tells the rest."},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "responses": {"Error": {"description": "It is not done; nothing is stored.", "content": error}},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
