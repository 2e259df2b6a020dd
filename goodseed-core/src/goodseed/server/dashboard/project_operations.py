"""Describes the endpoints of a project and of all projects for the OpenAPI document."""

from __future__ import annotations

from typing import Final

from goodseed.server.dashboard.schemas import (
    ANY_OBJECT,
    BOOLEAN,
    CHANGED,
    COLOR,
    COUNT,
    MAYBE_NUMBER,
    MAYBE_REAL,
    MAYBE_TEXT,
    MAYBE_TIME,
    NUMBER,
    REAL,
    SERIES_TYPES,
    TEXT,
    VALUE,
    answers_of,
    body_of,
    defaulted,
    integer,
    list_of,
    map_of,
    maybe,
    members_of,
    object_of,
    page_of,
    query_of,
    several,
    tuple_of,
)
from goodseed.server.parameters import MAX_INTEGER

__all__ = [
    "ATTRS",
    "BULK",
    "CHANGES",
    "DIFF",
    "HARDWARE",
    "PROJECTS",
    "RUNS_GET",
    "RUNS_POST",
    "SERIES",
    "VIEWS",
    "VIEW_DELETE",
    "VIEW_GET",
    "VIEW_PUT",
]

PROJECTS: Final = {
    "responses": answers_of(
        list_of(
            object_of(
                name=TEXT, ws=TEXT, project=TEXT, runs=COUNT, running=COUNT, trashed=COUNT, updated=MAYBE_TIME,
                activity=list_of(COUNT),
            )
        )
    )
}  # fmt: skip
ATTRS: Final = {
    "parameters": [*page_of(1_000), query_of("kind", {"enum": ["config", *SERIES_TYPES]}, "Only these.")],
    "responses": answers_of(
        object_of(
            items=list_of(
                object_of(
                    path=TEXT, kind=TEXT, type=TEXT, n_runs=COUNT,
                    n_distinct={"type": ["integer", "null"]}, min=MAYBE_REAL, max=MAYBE_REAL, sample=list_of(VALUE),
                )
            ),
            total=COUNT,
            next=MAYBE_TEXT,
            rev=TEXT,
        )
    ),
}  # fmt: skip

HARDWARE: Final = {
    "parameters": [several("runs", "Of these runs.")],
    "responses": answers_of(object_of(runs=map_of(map_of(list_of(TEXT))))),
}

_AGGREGATE: Final = object_of(n=COUNT, mean=NUMBER, std=MAYBE_NUMBER, min=REAL, max=REAL)
_EXTREME: Final = {"type": ["number", "string", "null"]}
_TABLE: Final = answers_of(
    object_of(
        rev=TEXT,
        total=COUNT,
        ids=list_of(TEXT),
        columns=map_of(list_of(VALUE)),
        types=map_of(MAYBE_TEXT),
        stats=map_of(object_of(count=COUNT, min=_EXTREME, max=_EXTREME, distinct=COUNT)),
        groups=maybe(
            list_of(object_of(key=list_of(VALUE), n=COUNT, counted=COUNT, offset=COUNT, agg=map_of(_AGGREGATE)))
        ),
        unknown=list_of(TEXT),
    ),
    "415",
)
_TRASHED: Final = {"enum": ["no", "only", "all"]}
_SORT: Final = list_of(tuple_of(TEXT, {"enum": ["asc", "desc"]}), maxItems=8)
RUNS_POST: Final = {
    "requestBody": body_of(
        **defaulted(
            filter=TEXT,
            columns=list_of(TEXT, maxItems=100),
            sort=_SORT,
            group_by=list_of(TEXT, maxItems=4),
            offset={**COUNT, "maximum": MAX_INTEGER},
            limit={"type": "integer", "minimum": 0, "maximum": 1_000},
            ids=list_of(TEXT, maxItems=20_000),
            trashed=_TRASHED,
        )
    ),
    "responses": _TABLE,
}
RUNS_GET: Final = {
    "parameters": [
        query_of("filter", TEXT, "Which runs; docs/dashboard-api.md has the language."),
        several("columns", "Which columns."),
        several("sort", "By which columns; with a '-' before the name the highest first.", maxItems=8),
        several("group_by", "By which columns the runs stand together.", maxItems=4),
        integer("offset", "How many to leave out."),
        integer("limit", "How many at most.", 1, 1_000),
        several("ids", "Only these runs."),
        query_of("trashed", _TRASHED, "Which of those in the trash."),
    ],
    "responses": _TABLE,
}

_STATS: Final = object_of(
    count=COUNT, last=MAYBE_NUMBER, min=MAYBE_REAL, max=MAYBE_REAL, mean=MAYBE_NUMBER, argmin=MAYBE_REAL,
    argmax=MAYBE_REAL,
)  # fmt: skip
_ONE_SERIES: Final = object_of(
    run=TEXT, path=TEXT, n=COUNT, total=COUNT, raw=BOOLEAN, x=list_of(REAL), last=list_of(NUMBER),
    nonfinite=list_of({"type": "array"}), cursor=MAYBE_TEXT, stats=_STATS, **{"from": MAYBE_REAL},
)  # fmt: skip
_WANTED: Final = defaulted(
    x=TEXT,
    range=tuple_of(REAL, REAL),
    edges=BOOLEAN,
    points={"type": "integer", "minimum": 1, "maximum": 5_000},
    agg={"enum": ["minmax", "all"]},
    since=map_of(TEXT),
    offset={"type": "integer", "minimum": 0, "maximum": 100_000},
)
SERIES: Final = {
    "requestBody": body_of(
        members_of("runs", "paths", runs=list_of(TEXT), paths=list_of(TEXT), **_WANTED),
        members_of("items", items=list_of(members_of(run=TEXT, path=TEXT)), **_WANTED),
    ),
    "responses": answers_of(
        object_of(rev=TEXT, series=list_of(_ONE_SERIES), next={"type": ["integer", "null"]}),
        "415",
        **{"application/x-goodseed-series": {"schema": {"type": "string", "format": "binary"}}},
    ),
}

_IDS: Final = list_of(TEXT, maxItems=1_000)
BULK: Final = {
    "requestBody": body_of(
        members_of("ids", "op", ids=_IDS, op={"enum": ["archive", "unarchive", "trash", "restore"]}),
        members_of("ids", "op", "value", ids=_IDS, op={"enum": ["tag", "untag"]},
                 value={"type": "string", "minLength": 1, "maxLength": 200}),
        members_of("ids", "op", "value", ids=_IDS, op={"const": "color"}, value=maybe(COLOR)),
    ),
    "responses": answers_of(
        object_of(done=list_of(TEXT), failed=list_of(object_of(id=TEXT, code=TEXT, message=TEXT))), *CHANGED
    ),
}  # fmt: skip
DIFF: Final = {
    "requestBody": body_of(
        members_of(
            "runs", runs=list_of(TEXT, minItems=2, maxItems=50, uniqueItems=True),
            **defaulted(base=TEXT, prefix=TEXT, q=TEXT),
        )
    ),
    "responses": answers_of(
        object_of(
            paths=list_of(TEXT), types=map_of(TEXT), values=map_of(list_of(VALUE)), missing=map_of(list_of(COUNT)),
            same=COUNT, base=TEXT, truncated=BOOLEAN,
        ),
        "415",
    ),
}  # fmt: skip
VIEWS: Final = {"responses": answers_of(object_of(views=list_of(object_of(name=TEXT, updated=MAYBE_TIME))))}
_VIEW_NAME: Final = [
    {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$"},
    }
]
VIEW_GET: Final = {"parameters": _VIEW_NAME, "responses": answers_of(ANY_OBJECT)}
VIEW_PUT: Final = {
    "parameters": _VIEW_NAME,
    "requestBody": {"required": True, "content": {"application/json": {"schema": ANY_OBJECT}}},
    "responses": answers_of(object_of(name=TEXT, updated=MAYBE_TIME), *CHANGED),
}
VIEW_DELETE: Final = {"parameters": _VIEW_NAME, "responses": answers_of(object_of(ok=BOOLEAN), *CHANGED)}
_CHANGED_RUN: Final = {**map_of(VALUE), "properties": {"id": TEXT}, "required": ["id"]}
CHANGES: Final = {
    "parameters": [
        query_of("since", TEXT, "The rev of an earlier answer."),
        several("watch", "Runs whose series and logs are on screen."),
        several("paths", "Which of their series."),
        several("columns", "Which columns of runs that changed."),
    ],
    "responses": {
        **answers_of(
            object_of(
                rev=TEXT, reset=BOOLEAN, running=COUNT, total=COUNT, runs=list_of(_CHANGED_RUN), removed=list_of(TEXT),
                series=map_of(map_of(TEXT)), logs=map_of(TEXT),
            )
        ),
        "304": {"description": "Nothing has moved."},
    },
}  # fmt: skip
