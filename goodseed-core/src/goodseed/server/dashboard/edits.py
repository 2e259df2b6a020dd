"""Answers edits of runs: names, notes, tags, trash, and settings beside the runs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import FileFormatError, GoodseedError, RunInUseError
from goodseed.server.dashboard.fields import Fields, encodable
from goodseed.server.dashboard.run.runs import describe
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.routes import Answer, RequestError
from goodseed.storage.edits import Edits

if TYPE_CHECKING:
    from goodseed.server.dashboard.project.project_state import ProjectState
    from goodseed.server.dashboard.state import DashboardState
    from goodseed.server.routes import Request, Store

__all__ = ["change_run", "change_runs"]

_MAX_IDS: Final = 1_000
_MAX_TAGS: Final = 200
_MAX_TAG: Final = 200
_MAX_NAME: Final = 500
_MAX_DESCRIPTION: Final = 100_000
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
_FIELDS: Final = ("name", "description", "tags", "tags_before", "color", "archived", "trashed")
_OPERATIONS: Final = ("archive", "unarchive", "trash", "restore", "tag", "untag", "color")
_TAGS: Final = "sys/tags"


def change_run(store: Store, request: Request) -> Answer:
    """Change one run; all of it, or nothing that is in its file.

    ``tags`` are those that the run is to have. What has been added to or removed from the run since the tags in
    ``tags_before`` (by default those of the last listing) stays so.
    """
    fields = Fields(request.body, *_FIELDS)
    fields.refuse_null(*(name for name in _FIELDS if name != "color"))
    dashboard = dashboard_of(store)
    project, entry = dashboard.find(store, request)
    run = entry.run
    edits, beside = _edits(fields, run.tags), _changes_beside(fields)
    if edits.is_trashed == bool(run.trashed):
        edits = replace(edits, is_trashed=None)
    if edits != Edits():
        try:
            store.edit(run.project, run.run_id, edits)
        except RunInUseError as error:
            raise RequestError(str(error), status=409, code="run_in_use") from error
        except OSError as error:
            raise _unwritable(error) from error
    if beside:
        dashboard.settings.set_runs(project.name, [run.run_id], beside)
    store.look()
    project = dashboard.project(store, request.parameters["project"])
    return Answer(describe(store, project, project.the_entry(run.run_id)))


def _edits(fields: Fields, known_tags: tuple[str, ...]) -> Edits:
    """What changes in the run itself."""
    texts = {}
    if fields.has("name"):
        texts["sys/name"] = fields.text("name", max_characters=_MAX_NAME)
    if fields.has("description"):
        texts["sys/description"] = fields.text("description", max_characters=_MAX_DESCRIPTION)
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    if fields.has("tags"):
        tags = frozenset(fields.texts("tags", _MAX_TAGS, max_characters=_MAX_TAG) or ())
        before = fields.texts("tags_before", _MAX_TAGS, max_characters=_MAX_TAG)
        old = frozenset(known_tags if before is None else before)
        added, removed = tags - old, old - tags
    elif fields.has("tags_before"):
        raise RequestError("tags_before is only taken together with tags")
    return Edits(
        texts,
        {_TAGS: added} if added else {},
        {_TAGS: removed} if removed else {},
        fields.boolean("trashed"),
    )


def _changes_beside(fields: Fields) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if fields.has("color"):
        changes["color"] = _color(fields.text("color", max_characters=7) or None)
    if fields.has("archived"):
        changes["archived"] = fields.boolean("archived") or None
    return changes


def _color(value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and _COLOR.fullmatch(value)):
        raise RequestError("color must be a hexadecimal color such as #3d72d9, or null")
    return value.lower() if value else None


def change_runs(store: Store, request: Request) -> Answer:
    """Make the same change to many runs; the answer names those that fail."""
    fields = Fields(request.body, "ids", "op", "value")
    asked = fields.texts("ids", _MAX_IDS)
    if asked is None:
        raise RequestError("ids must list the ids of the runs")
    run_ids = list(dict.fromkeys(asked))
    operation = fields.text("op")
    if operation not in _OPERATIONS:
        raise RequestError(f"op must be one of {', '.join(_OPERATIONS)}")
    value = fields.text("value", max_characters=_MAX_TAG) or None
    if operation in ("tag", "untag") and not value:
        raise RequestError("value must be the tag, a string")
    if fields.has("value") != (operation in ("tag", "untag", "color")):
        raise RequestError("value is only taken with the operations tag, untag and color")
    dashboard = dashboard_of(store)
    project = dashboard.project(store, request.parameters["project"])
    failed: list[dict[str, str]] = []
    known = []
    for run_id in run_ids:
        if project.run(run_id) is None:
            failed.append({"id": run_id, "code": "not_found", "message": "There is no such run"})
        else:
            known.append(run_id)
    done = _change_beside(dashboard, project, known, operation, value)
    if done is None:
        done = []
        for run_id in known:
            try:
                _edit(store, project, run_id, operation, value)
                done.append(run_id)
            except (GoodseedError, OSError) as error:
                failed.append({"id": run_id, "code": _code(error), "message": str(error)})
    store.look()
    return Answer({"done": done, "failed": failed})


def _change_beside(
    dashboard: DashboardState, project: ProjectState, run_ids: list[str], operation: str, value: str | None
) -> list[str] | None:
    changes: dict[str, dict[str, Any]] = {"archive": {"archived": True}, "unarchive": {"archived": None}}
    if operation == "color":
        changes["color"] = {"color": _color(value)}
    if operation not in changes:
        return None
    if run_ids:
        dashboard.settings.set_runs(project.name, run_ids, changes[operation])
    return run_ids


def _edit(store: Store, project: ProjectState, run_id: str, operation: str, value: str | None) -> None:
    run = project.the_entry(run_id).run
    tags = {_TAGS: frozenset([encodable("value", value or "")])}
    if operation in ("trash", "restore"):
        edits = Edits(is_trashed=operation == "trash")
    else:
        edits = Edits(added=tags) if operation == "tag" else Edits(removed=tags)
    store.edit(run.project, run_id, edits)


def _code(error: Exception) -> str:
    if isinstance(error, RequestError):
        return error.code
    if isinstance(error, RunInUseError):
        return "run_in_use"
    if isinstance(error, FileNotFoundError):
        return "not_found"
    return "damaged_file" if isinstance(error, FileFormatError) else "read_only"


def _unwritable(error: OSError) -> RequestError:
    place = f"{error.filename} can't be written" if error.filename else "The run can't be written"
    return RequestError(f"{place}: {error.strerror or error}", status=409, code="read_only")
