"""What the OpenAPI document says of the dashboard's endpoints."""

from __future__ import annotations

from typing import Any, Final

from goodseed.server.parameters import MAX_INTEGER

__all__ = [
    "ATTRS",
    "BULK",
    "CHANGES",
    "CONFIG",
    "DIFF",
    "DIFF_TEXT",
    "HARDWARE",
    "LOGS",
    "MOMENT",
    "PANELS",
    "PATCH",
    "PROJECTS",
    "REQUIREMENTS",
    "RUN",
    "RUNS_GET",
    "RUNS_POST",
    "SERIES",
    "SERIES_LIST",
    "SOURCE",
    "TEXTS",
    "VIEWS",
    "VIEW_DELETE",
    "VIEW_GET",
    "VIEW_PUT",
]  # fmt: skip

_TEXT: Final = {"type": "string"}
_MAYBE_TEXT: Final = {"type": ["string", "null"]}
_BOOLEAN: Final = {"type": "boolean"}
_COLOR: Final = {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_REAL: Final = {"type": "number"}
_MAYBE_REAL: Final = {"type": ["number", "null"]}
_NUMBER: Final = {"oneOf": [_REAL, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_MAYBE_NUMBER: Final = {"oneOf": [_MAYBE_REAL, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_VALUE: Final = {"type": ["string", "number", "boolean", "null", "array"], "items": {"type": "string"}}
_MAYBE_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_ANY_OBJECT: Final[dict[str, Any]] = {"type": "object"}


def _list(items: dict[str, Any], **limits: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def _members(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _body(*variants: dict[str, Any], **properties: Any) -> dict[str, Any]:
    schema = {"oneOf": variants} if variants else _members(**properties)
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _answers(schema: dict[str, Any], *others: str, **content: Any) -> dict[str, Any]:
    found = {"description": "Found.", "content": {"application/json": {"schema": schema}, **content}}
    errors = {status: {"$ref": "#/components/responses/Error"} for status in ("400", "404", "422", *others)}
    return {"200": found, **errors}


def _text_answers() -> dict[str, Any]:
    answers = _answers({})
    answers["200"] = {"description": "Found.", "content": {"text/plain": {"schema": _TEXT}}}
    return answers


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _several(name: str, description: str, **limits: Any) -> dict[str, Any]:
    return _query(name, _list(_TEXT, **limits), description) | {"style": "form", "explode": True}


def _integer(name: str, description: str, low: int = 0, high: int = MAX_INTEGER) -> dict[str, Any]:
    return _query(name, {"type": "integer", "minimum": low, "maximum": high}, description)


def _page(limit: int) -> list[dict[str, Any]]:
    return [
        _query("q", _TEXT, "Words to be held, in any case."),
        _query("prefix", _TEXT, "How the path begins."),
        _integer("limit", "How many at most.", 1, limit),
        _query("cursor", _TEXT, "The `next` of the page before."),
    ]


_CHANGED: Final = ("401", "403", "409", "415")

PROJECTS: Final = {
    "responses": _answers(
        _list(
            _object(
                name=_TEXT, ws=_TEXT, project=_TEXT, runs=_COUNT, running=_COUNT, trashed=_COUNT, updated=_MAYBE_TIME,
                activity=_list(_COUNT),
            )
        )
    )
}  # fmt: skip
ATTRS: Final = {
    "parameters": [*_page(1_000), _query("kind", {"enum": ["config", "series", "text"]}, "Only these.")],
    "responses": _answers(
        _object(
            items=_list(
                _object(
                    path=_TEXT, kind={"enum": ["config", "series", "text"]}, type=_TEXT, n_runs=_COUNT,
                    n_distinct={"type": ["integer", "null"]}, min=_MAYBE_REAL, max=_MAYBE_REAL, sample=_list(_VALUE),
                )
            ),
            total=_COUNT,
            next=_MAYBE_TEXT,
            rev=_TEXT,
        )
    ),
}  # fmt: skip

HARDWARE: Final = {
    "parameters": [_several("runs", "Of these runs.")],
    "responses": _answers(_object(runs=_map(_map(_list(_TEXT))))),
}

_AGGREGATE: Final = _object(n=_COUNT, mean=_NUMBER, std=_MAYBE_NUMBER, min=_REAL, max=_REAL)
_EXTREME: Final = {"type": ["number", "string", "null"]}
_TABLE: Final = _answers(
    _object(
        rev=_TEXT,
        total=_COUNT,
        ids=_list(_TEXT),
        columns=_map(_list(_VALUE)),
        types=_map(_TEXT),
        stats=_map(_object(count=_COUNT, min=_EXTREME, max=_EXTREME, distinct=_COUNT)),
        groups={
            "oneOf": [
                {"type": "null"},
                _list(_object(key=_list(_VALUE), n=_COUNT, counted=_COUNT, offset=_COUNT, agg=_map(_AGGREGATE))),
            ]
        },
        unknown=_list(_TEXT),
    ),
    "415",
)
_TRASHED: Final = {"enum": ["no", "only", "all"]}
_SORT: Final = _list(
    {"type": "array", "prefixItems": [_TEXT, {"enum": ["asc", "desc"]}], "minItems": 2, "maxItems": 2}, maxItems=8
)
RUNS_POST: Final = {
    "requestBody": _body(
        filter=_TEXT,
        columns=_list(_TEXT, maxItems=100),
        sort=_SORT,
        group_by=_list(_TEXT, maxItems=4),
        offset=_COUNT,
        limit={"type": "integer", "minimum": 0, "maximum": 1_000},
        ids=_list(_TEXT, maxItems=20_000),
        trashed=_TRASHED,
    ),
    "responses": _TABLE,
}
RUNS_GET: Final = {
    "parameters": [
        _query("filter", _TEXT, "Which runs; docs/dashboard-api.md has the language."),
        _several("columns", "Which columns."),
        _several("sort", "By which columns; with a '-' before the name the highest first.", maxItems=8),
        _several("group_by", "By which columns the runs stand together.", maxItems=4),
        _integer("offset", "How many to leave out."),
        _integer("limit", "How many at most.", 1, 1_000),
        _several("ids", "Only these runs."),
        _query("trashed", _TRASHED, "Which of those in the trash."),
    ],
    "responses": _TABLE,
}

_STATS: Final = _object(
    count=_COUNT, last=_MAYBE_NUMBER, min=_MAYBE_REAL, max=_MAYBE_REAL, mean=_MAYBE_NUMBER, argmin=_MAYBE_REAL,
    argmax=_MAYBE_REAL,
)  # fmt: skip
_ONE_SERIES: Final = _object(
    run=_TEXT, path=_TEXT, n=_COUNT, total=_COUNT, raw=_BOOLEAN, x=_list(_REAL), last=_list(_NUMBER),
    nonfinite=_list({"type": "array"}), cursor=_MAYBE_TEXT, stats=_STATS, **{"from": _MAYBE_REAL},
)  # fmt: skip
_WANTED: Final[dict[str, Any]] = {
    "x": _TEXT,
    "range": {"oneOf": [{"type": "null"}, _list(_REAL, minItems=2, maxItems=2)]},
    "edges": _BOOLEAN,
    "points": {"type": "integer", "minimum": 1, "maximum": 5_000},
    "agg": {"enum": ["minmax", "all"]},
    "since": _map(_TEXT),
    "offset": {"type": "integer", "minimum": 0, "maximum": 100_000},
}
SERIES: Final = {
    "requestBody": _body(
        _members("runs", "paths", runs=_list(_TEXT), paths=_list(_TEXT), **_WANTED),
        _members("items", items=_list(_members(run=_TEXT, path=_TEXT)), **_WANTED),
    ),
    "responses": _answers(
        _object(rev=_TEXT, series=_list(_ONE_SERIES), next={"type": ["integer", "null"]}),
        "415",
        **{"application/x-goodseed-series": {"schema": {"type": "string", "format": "binary"}}},
    ),
}

_GIT: Final = _map(_VALUE)
_DESCRIBED: Final = _object(
    id=_TEXT, project=_TEXT, name=_MAYBE_TEXT, description=_VALUE,
    state={"enum": ["running", "finished", "failed", "crashed"]}, tags=_list(_TEXT), color=_VALUE, archived=_BOOLEAN,
    trashed=_BOOLEAN, ordinal=_COUNT, created=_MAYBE_TIME, modified=_MAYBE_TIME, closed=_MAYBE_TIME, duration=_REAL,
    counts=_object(config=_COUNT, series=_COUNT, text=_COUNT), git=_GIT, env=_map(_VALUE),
    processes=_list(_map(_VALUE)),
    parent=_VALUE, progress={"type": ["object", "null"]},
    end_reason=_MAYBE_TEXT, failure={"oneOf": [{"type": "null"}, _object(reason=_TEXT, traceback=_MAYBE_TEXT)]},
    reading=_map(_TEXT), rev=_TEXT,
)  # fmt: skip
RUN: Final = {"responses": _answers(_DESCRIBED)}
PATCH: Final = {
    "requestBody": _body(
        name={"type": "string", "maxLength": 500},
        description={"type": "string", "maxLength": 100_000},
        tags=_list({"type": "string", "maxLength": 200}, maxItems=200),
        color={"oneOf": [{"type": "null"}, _COLOR]},
        archived=_BOOLEAN,
        trashed=_BOOLEAN,
    ),
    "responses": _answers(_DESCRIBED, *_CHANGED),
}
_IDS: Final = _list(_TEXT, maxItems=1_000)
BULK: Final = {
    "requestBody": _body(
        _members("ids", "op", ids=_IDS, op={"enum": ["archive", "unarchive", "trash", "restore"]}),
        _members("ids", "op", "value", ids=_IDS, op={"enum": ["tag", "untag"]},
                 value={"type": "string", "minLength": 1, "maxLength": 200}),
        _members("ids", "op", "value", ids=_IDS, op={"const": "color"}, value={"oneOf": [{"type": "null"}, _COLOR]}),
    ),
    "responses": _answers(
        _object(done=_list(_TEXT), failed=_list(_object(id=_TEXT, code=_TEXT, message=_TEXT))), *_CHANGED
    ),
}  # fmt: skip
CONFIG: Final = {
    "parameters": [*_page(5_000), _query("full", _BOOLEAN, "Values of any length, whole.")],
    "responses": _answers(
        _object(
            items=_list(_object(path=_TEXT, type=_TEXT, value=_VALUE, updated=_VALUE)), total=_COUNT, next=_MAYBE_TEXT
        )
    ),
}
SERIES_LIST: Final = {
    "parameters": [*_page(1_000), _query("kind", {"enum": ["series", "text"]}, "Only these.")],
    "responses": _answers(
        _object(
            items=_list(
                _object(path=_TEXT, kind={"enum": ["series", "text"]}, step=_MAYBE_REAL, last=_VALUE, time=_MAYBE_TIME)
            ),
            total=_COUNT,
            next=_MAYBE_TEXT,
        )
    ),
}
MOMENT: Final = {
    "parameters": [
        {**_query("path", {"type": "string", "minLength": 1}, "A metric."), "required": True},
        {**_query("step", _REAL, "A step of it."), "required": True},
    ],
    "responses": _answers(_object(step=_MAYBE_NUMBER, time=_MAYBE_TIME)),
}
TEXTS: Final = {
    "parameters": [
        _several("path", "String series.", maxItems=16),
        _query("until", _REAL, "The last step wanted; without it the latest."),
        {**_query("step", _list(_REAL, maxItems=200), "Just these steps."), "style": "form", "explode": True},
        _query("q", {"type": "string", "maxLength": 200}, "What one of the texts must hold, in any case."),
        _integer("limit", "How many steps at most.", 1, 200),
    ],
    "responses": _answers(
        _object(
            rows=_list(
                _object(step=_NUMBER, time=_MAYBE_TIME, values=_list(_MAYBE_TEXT), cut=_list(_COUNT)),
            ),
            next=_MAYBE_NUMBER,
        )
    ),
}
_CELL: Final = {"type": ["string", "number", "boolean", "null"]}
PANELS: Final = {
    "responses": _answers(
        _object(
            panels=_list(
                _object(
                    name=_TEXT,
                    title=_TEXT,
                    blocks=_list(
                        {
                            "oneOf": [
                                _object(kind={"const": "text"}, text=_TEXT),
                                _object(kind={"const": "table"}, columns=_list(_TEXT), rows=_list(_list(_CELL))),
                                _object(kind={"const": "bars"}, labels=_list(_TEXT), values=_list(_REAL)),
                            ]
                        }
                    ),
                    problem=_TEXT,
                )
            )
        )
    )
}
DIFF: Final = {
    "requestBody": _body(
        _members(
            "runs", runs=_list(_TEXT, minItems=2, maxItems=50, uniqueItems=True), base=_TEXT, prefix=_TEXT, q=_TEXT
        )
    ),
    "responses": _answers(
        _object(
            paths=_list(_TEXT), types=_map(_TEXT), values=_map(_list(_VALUE)), missing=_map(_list(_COUNT)), same=_COUNT,
            base=_TEXT, truncated=_BOOLEAN,
        ),
        "415",
    ),
}  # fmt: skip
LOGS: Final = {
    "parameters": [
        _query("stream", {"type": "string", "pattern": "^(out|err|text)(,(out|err|text))*$"}, "Which, by commas."),
        _query("namespace", _TEXT, "Of one process only."),
        _integer("from", "The first line; negative from the end.", -MAX_INTEGER),
        _integer("around_ms", "The page around a time.", -MAX_INTEGER),
        _integer("limit", "How many lines at most.", 1, 5_000),
        _query("q", {"type": "string", "maxLength": 200}, "Text to be looked for."),
        _query("cursor", {"type": "string", "pattern": "^[0-9]{1,15}-[0-9]{1,15}$"}, "That of an earlier answer."),
        _query("full", _BOOLEAN, "Lines of any length, whole."),
    ],
    "responses": _answers(
        _object(
            lines=_list({"type": "array", "minItems": 5, "maxItems": 5}), total=_COUNT, first=_COUNT, folded=_COUNT,
            matches=_list(_COUNT), match_total=_COUNT, cut=_list(_COUNT), cursor=_TEXT,
            streams=_list(_object(name=_TEXT, kind={"enum": ["out", "err", "text"]}, namespace=_TEXT, lines=_COUNT)),
        )
    ),
}  # fmt: skip
SOURCE: Final = {
    "responses": _answers(
        _object(
            commit=_VALUE, branch=_VALUE, dirty=_VALUE, message=_VALUE, author=_VALUE, date=_VALUE, remotes=_VALUE,
            files=_list(_object(path=_TEXT, add=_COUNT, status=_TEXT, **{"del": _COUNT})), add=_COUNT,
            diff_url=_MAYBE_TEXT, diff_bytes=_COUNT, requirements_url=_MAYBE_TEXT, command=_MAYBE_TEXT,
            entrypoint=_MAYBE_TEXT, upstream={"type": ["object", "null"]}, **{"del": _COUNT},
        )
    )
}  # fmt: skip
DIFF_TEXT: Final = {
    "parameters": [_query("against", {"enum": ["commit", "upstream"]}, "Which diff.")],
    "responses": _text_answers(),
}
REQUIREMENTS: Final = {"responses": _text_answers()}
VIEWS: Final = {"responses": _answers(_object(views=_list(_object(name=_TEXT, updated=_MAYBE_TIME))))}
_VIEW_NAME: Final = [
    {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$"},
    }
]
VIEW_GET: Final = {"parameters": _VIEW_NAME, "responses": _answers(_ANY_OBJECT)}
VIEW_PUT: Final = {
    "parameters": _VIEW_NAME,
    "requestBody": {"required": True, "content": {"application/json": {"schema": _ANY_OBJECT}}},
    "responses": _answers(_object(name=_TEXT, updated=_MAYBE_TIME), *_CHANGED),
}
VIEW_DELETE: Final = {"parameters": _VIEW_NAME, "responses": _answers(_object(ok=_BOOLEAN), *_CHANGED)}
CHANGES: Final = {
    "parameters": [
        _query("since", _TEXT, "The rev of an earlier answer."),
        _several("watch", "Runs whose series and logs are on screen."),
        _several("paths", "Which of their series."),
        _several("columns", "Which columns of runs that changed."),
    ],
    "responses": {
        **_answers(
            _object(
                rev=_TEXT, reset=_BOOLEAN, running=_COUNT, total=_COUNT, runs=_list(_map(_VALUE)), removed=_list(_TEXT),
                series=_map(_map(_TEXT)), logs=_map(_TEXT),
            )
        ),
        "304": {"description": "Nothing has moved."},
    },
}  # fmt: skip
