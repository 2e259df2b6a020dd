"""Defines the schemas that the dashboard's OpenAPI document is made of."""

from __future__ import annotations

from typing import Any, Final

from goodseed.server.parameters import MAX_INTEGER
from goodseed.storage.kinds import kinds

__all__ = [
    "ANY_OBJECT",
    "BOOLEAN",
    "CHANGED",
    "COLOR",
    "COUNT",
    "MAYBE_NUMBER",
    "MAYBE_REAL",
    "MAYBE_TEXT",
    "MAYBE_TIME",
    "NUMBER",
    "REAL",
    "SERIES_TYPES",
    "TEXT",
    "VALUE",
    "answers_of",
    "body_of",
    "defaulted",
    "integer",
    "list_of",
    "map_of",
    "maybe",
    "members_of",
    "object_of",
    "optional",
    "page_of",
    "query_of",
    "row_of",
    "several",
    "text_answers",
    "tuple_of",
]

SERIES_TYPES: Final = [kind.page_type for kind in kinds()]
TEXT: Final = {"type": "string"}
MAYBE_TEXT: Final = {"type": ["string", "null"]}
BOOLEAN: Final = {"type": "boolean"}
COLOR: Final = {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"}
COUNT: Final = {"type": "integer", "minimum": 0}
REAL: Final = {"type": "number"}
MAYBE_REAL: Final = {"type": ["number", "null"]}
NUMBER: Final = {"oneOf": [REAL, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
MAYBE_NUMBER: Final = {"oneOf": [MAYBE_REAL, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
VALUE: Final = {"type": ["string", "number", "boolean", "null", "array"], "items": {"type": "string"}}
MAYBE_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
ANY_OBJECT: Final[dict[str, Any]] = {"type": "object", "additionalProperties": True}


def maybe(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or null."""
    return {"oneOf": [{"type": "null"}, schema]}


def tuple_of(*members: dict[str, Any]) -> dict[str, Any]:
    """A list of just these."""
    return {"type": "array", "prefixItems": list(members), "minItems": len(members), "maxItems": len(members)}


def row_of(*members: dict[str, Any]) -> dict[str, Any]:
    """The same in an answer, where schemathesis 4 takes no `prefixItems`: the members are for who makes types of it."""
    return {"type": "array", "x-members": list(members), "minItems": len(members), "maxItems": len(members)}


def optional(schema: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """An object that may have more."""
    return {**schema, "properties": {**schema["properties"], **properties}}


def list_of(items: dict[str, Any], **limits: Any) -> dict[str, Any]:
    """A list."""
    return {"type": "array", "items": items, **limits}


def object_of(**properties: Any) -> dict[str, Any]:
    """An object that has all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def map_of(values: dict[str, Any]) -> dict[str, Any]:
    """An object of any names."""
    return {"type": "object", "additionalProperties": values}


def members_of(*required: str, **properties: Any) -> dict[str, Any]:
    """An object of a request: what is not ``required`` may be left out, and others are refused."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def defaulted(**properties: Any) -> dict[str, Any]:
    """Members of a question, each of which may be left out, or null, for its default."""
    return {name: maybe(schema) for name, schema in properties.items()}


def body_of(*variants: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """The body of a request: one object, or one of several."""
    schema = {"oneOf": variants} if len(variants) > 1 else variants[0] if variants else members_of(**properties)
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def answers_of(schema: dict[str, Any], *others: str, **content: Any) -> dict[str, Any]:
    """The answers of an operation: what is found, and the errors."""
    found = {"description": "Found.", "content": {"application/json": {"schema": schema}, **content}}
    errors = {status: {"$ref": "#/components/responses/Error"} for status in ("400", "404", "422", *others)}
    return {"200": found, **errors}


def text_answers() -> dict[str, Any]:
    """The answers of an operation that gives plain text."""
    answers = answers_of({})
    answers["200"] = {"description": "Found.", "content": {"text/plain": {"schema": TEXT}}}
    return answers


def query_of(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """A parameter of the query."""
    return {"name": name, "in": "query", "schema": schema, "description": description}


def several(name: str, description: str, **limits: Any) -> dict[str, Any]:
    """A parameter that may be given several times."""
    return query_of(name, list_of(TEXT, **limits), description) | {"style": "form", "explode": True}


def integer(name: str, description: str, low: int = 0, high: int = MAX_INTEGER) -> dict[str, Any]:
    """A parameter that is a whole number."""
    return query_of(name, {"type": "integer", "minimum": low, "maximum": high}, description)


def page_of(limit: int) -> list[dict[str, Any]]:
    """The parameters of a list that is read page by page."""
    return [
        query_of("q", TEXT, "Words to be held, in any case."),
        query_of("prefix", TEXT, "How the path begins."),
        integer("limit", "How many at most.", 1, limit),
        query_of("cursor", TEXT, "The `next` of the page before."),
    ]


CHANGED: Final = ("401", "403", "409", "415")
