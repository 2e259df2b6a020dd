"""Describes the endpoints of one run for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from goodseed.server.dashboard.schemas import (
    BOOLEAN,
    CHANGED,
    COLOR,
    COUNT,
    MAYBE_REAL,
    MAYBE_TEXT,
    MAYBE_TIME,
    REAL,
    SERIES_TYPES,
    TEXT,
    VALUE,
    answers_of,
    body_of,
    integer,
    list_of,
    map_of,
    maybe,
    members_of,
    object_of,
    optional,
    page_of,
    query_of,
    row_of,
    several,
    text_answers,
)
from goodseed.server.parameters import MAX_INTEGER

__all__ = [
    "ATTEMPTS",
    "CONFIG",
    "DIFF_TEXT",
    "LOGS",
    "MOMENT",
    "PANELS",
    "PATCH",
    "REQUIREMENTS",
    "RUN",
    "SERIES_LIST",
    "SOURCE",
    "TEXTS",
]

_GIT: Final = map_of({"oneOf": [VALUE, map_of(VALUE)]})
_PROGRESS: Final = object_of(step=MAYBE_REAL, max_steps=MAYBE_REAL, eta_seconds=MAYBE_REAL)
_DESCRIBED: Final = object_of(
    id=TEXT, project=TEXT, name=MAYBE_TEXT, description=VALUE,
    state={"enum": ["running", "finished", "failed", "crashed"]}, tags=list_of(TEXT), color=MAYBE_TEXT,
    archived=BOOLEAN,
    trashed=BOOLEAN, ordinal=COUNT, created=MAYBE_TIME, modified=MAYBE_TIME, closed=MAYBE_TIME, duration=REAL,
    counts=object_of(config=COUNT, series=COUNT, text=COUNT, attempts=COUNT, kept=COUNT)
    | {"additionalProperties": COUNT},
    git=_GIT, env=map_of(VALUE),
    processes=list_of(map_of(VALUE)),
    parent=VALUE, progress=maybe(_PROGRESS),
    end_reason=MAYBE_TEXT, failure=maybe(object_of(reason=TEXT, traceback=MAYBE_TEXT)),
    reading=map_of(TEXT), rev=TEXT,
)  # fmt: skip
RUN: Final = {"responses": answers_of(_DESCRIBED)}
PATCH: Final = {
    "requestBody": body_of(
        members_of(
            name={"type": "string", "maxLength": 500},
            description={"type": "string", "maxLength": 100_000},
            tags=list_of({"type": "string", "maxLength": 200}, maxItems=200),
            color=maybe(COLOR),
            tags_before=list_of({"type": "string", "maxLength": 200}, maxItems=200),
            archived=BOOLEAN,
            trashed=BOOLEAN,
        )
        | {"dependentRequired": {"tags_before": ["tags"]}}
    ),
    "responses": answers_of(_DESCRIBED, *CHANGED),
}
CONFIG: Final = {
    "parameters": [*page_of(5_000), query_of("full", BOOLEAN, "Values of any length, whole.")],
    "responses": answers_of(
        object_of(
            items=list_of(optional(object_of(path=TEXT, type=TEXT, value=VALUE, updated=VALUE), cut=BOOLEAN)),
            total=COUNT,
            next=MAYBE_TEXT,
        )
    ),
}
SERIES_LIST: Final = {
    "parameters": [*page_of(1_000), query_of("kind", {"enum": SERIES_TYPES}, "Only these.")],
    "responses": answers_of(
        object_of(
            items=list_of(object_of(path=TEXT, kind=TEXT, step=MAYBE_REAL, last=VALUE, time=MAYBE_TIME)),
            total=COUNT,
            next=MAYBE_TEXT,
        )
    ),
}
ATTEMPTS: Final = {
    "responses": answers_of(
        object_of(
            attempts=list_of(
                object_of(
                    number=COUNT, opened=MAYBE_TEXT, closed=MAYBE_TEXT, state=TEXT, host=MAYBE_TEXT, job=MAYBE_TEXT,
                    commit=MAYBE_TEXT, first_step=MAYBE_REAL, last_step=MAYBE_REAL, end_reason=MAYBE_TEXT,
                    rewound_to=MAYBE_REAL,
                )
            ),
            kept=list_of(object_of(attempt=COUNT, path=TEXT, series=TEXT)),
        )
    )
}  # fmt: skip
MOMENT: Final = {
    "parameters": [
        {**query_of("path", {"type": "string", "minLength": 1}, "A metric."), "required": True},
        {**query_of("step", REAL, "A step of it."), "required": True},
    ],
    "responses": answers_of(object_of(step=REAL, time=MAYBE_TIME)),
}
TEXTS: Final = {
    "parameters": [
        several("path", "String series.", maxItems=16),
        query_of("until", REAL, "The last step wanted; without it the latest."),
        {**query_of("step", list_of(REAL, maxItems=200), "Just these steps."), "style": "form", "explode": True},
        query_of("q", {"type": "string", "maxLength": 200}, "What one of the texts must hold, in any case."),
        integer("limit", "How many steps at most.", 1, 200),
    ],
    "responses": answers_of(
        object_of(
            rows=list_of(
                object_of(step=REAL, time=MAYBE_TIME, values=list_of(MAYBE_TEXT), cut=list_of(COUNT)),
            ),
            next=MAYBE_REAL,
        )
    ),
}
_CELL: Final = {"type": ["string", "number", "boolean", "null"]}
PANELS: Final = {
    "responses": answers_of(
        object_of(
            panels=list_of(
                object_of(
                    name=TEXT,
                    title=TEXT,
                    blocks=list_of(
                        {
                            "oneOf": [
                                object_of(kind={"const": "text"}, text=TEXT),
                                object_of(kind={"const": "table"}, columns=list_of(TEXT), rows=list_of(list_of(_CELL))),
                                object_of(kind={"const": "bars"}, labels=list_of(TEXT), values=list_of(REAL)),
                            ]
                        }
                    ),
                    problem=TEXT,
                )
            )
        )
    )
}
LOGS: Final = {
    "parameters": [
        query_of("stream", {"type": "string", "pattern": "^(out|err|text)(,(out|err|text))*$"}, "Which, by commas."),
        query_of("namespace", TEXT, "Of one process only."),
        integer("from", "The first line; negative from the end.", -MAX_INTEGER),
        integer("around_ms", "The page around a time.", -MAX_INTEGER),
        integer("limit", "How many lines at most.", 1, 5_000),
        query_of("q", {"type": "string", "maxLength": 200}, "Text to be looked for."),
        integer("search_from", "Look for the text from that line on, as far as a quarter of a second leads."),
        query_of("cursor", {"type": "string", "pattern": "^[0-9]{1,15}-[0-9]{1,15}$"}, "That of an earlier answer."),
        query_of("full", BOOLEAN, "Lines of any length, whole."),
    ],
    "responses": answers_of(
        object_of(
            lines=list_of(row_of(COUNT, MAYBE_REAL, COUNT, TEXT, REAL)), total=COUNT, first=COUNT, folded=COUNT,
            matches=list_of(COUNT), match_total=COUNT, searched=COUNT, cut=list_of(COUNT), cursor=TEXT,
            streams=list_of(object_of(name=TEXT, kind={"enum": ["out", "err", "text"]}, namespace=TEXT, lines=COUNT)),
        )
    ),
}  # fmt: skip
_CHANGED_FILES: Final[dict[str, Any]] = {
    "files": list_of(object_of(path=TEXT, add=COUNT, status=TEXT, **{"del": COUNT})), "add": COUNT, "del": COUNT,
}  # fmt: skip
SOURCE: Final = {
    "responses": answers_of(
        object_of(
            commit=VALUE, branch=VALUE, dirty=VALUE, message=VALUE, author=VALUE, date=VALUE, remotes=VALUE,
            diff_url=MAYBE_TEXT, diff_bytes=COUNT, requirements_url=MAYBE_TEXT, command=MAYBE_TEXT,
            entrypoint=MAYBE_TEXT, **_CHANGED_FILES,
            upstream=maybe(object_of(commit=VALUE, branch=VALUE, diff_url=MAYBE_TEXT, **_CHANGED_FILES)),
        )
    )
}  # fmt: skip
DIFF_TEXT: Final = {
    "parameters": [query_of("against", {"enum": ["commit", "upstream"]}, "Which diff.")],
    "responses": text_answers(),
}
REQUIREMENTS: Final = {"responses": text_answers()}
