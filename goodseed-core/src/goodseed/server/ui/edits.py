"""Changing runs: what is in their files, unless somebody writes them, and what is kept beside."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import FileFormatError, GoodseedError, RunInUseError
from goodseed.server.routes import Answer, RequestError
from goodseed.server.ui.fields import Fields, encodable
from goodseed.server.ui.runs import describe
from goodseed.server.ui.state import desk_of, is_local
from goodseed.storage.lock import WriterLock
from goodseed.storage.recovery import recover_if_abandoned
from goodseed.storage.schema import check_file, check_version, connect_writer, migrate, refuse_if_open
from goodseed.storage.session import now_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from goodseed.server.routes import Request, Store
    from goodseed.server.ui.projects import Project
    from goodseed.server.ui.state import Desk
    from goodseed.storage.catalog import RunSummary

__all__ = ["change_run", "change_runs"]

_BUSY_SECONDS: Final = 2.0
_MAX_IDS: Final = 1_000
_MAX_TAGS: Final = 200
_MAX_TAG: Final = 200
_MAX_NAME: Final = 500
_MAX_DESCRIPTION: Final = 100_000
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
_FIELDS: Final = ("name", "description", "tags", "color", "archived", "trashed")
_OPERATIONS: Final = ("archive", "unarchive", "trash", "restore", "tag", "untag", "color")
_UPSERT: Final = """
    INSERT INTO configs (path, type_tag, value, updated_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE SET type_tag = excluded.type_tag, value = excluded.value,
        updated_at = excluded.updated_at, uploaded = 0"""
_TAGS: Final = "SELECT value FROM configs WHERE path = 'sys/tags' AND type_tag = 'string_set'"


def change_run(store: Store, request: Request) -> Answer:
    """Change one run; all of it, or nothing that is in its file."""
    fields = Fields(request.body, *_FIELDS)
    stored = _stored_changes(fields)
    beside = _changes_beside(fields)
    is_trashed = fields.boolean("trashed")
    desk = desk_of(store)
    project = desk.project(store, request.parameters["project"])
    run = project.the_entry(request.parameters["run_id"]).run
    if stored:
        _write(store, run, lambda connection: _upsert(connection, stored))
    if is_trashed is not None and is_trashed != bool(run.trashed):
        store.set_trashed(run.project, run.run_id, is_trashed=is_trashed)
    if beside:
        desk.settings.set_runs(project.name, [run.run_id], beside)
    _see_changes(store)
    project = desk.project(store, request.parameters["project"])
    return Answer(describe(store, project, project.the_entry(run.run_id)))


def _stored_changes(fields: Fields) -> list[tuple[str, str, str]]:
    """Path, type tag and text of the configs that are to be set."""
    changes = []
    if fields.has("name"):
        changes.append(("sys/name", "str", fields.text("name", max_characters=_MAX_NAME)))
    if fields.has("description"):
        changes.append(("sys/description", "str", fields.text("description", max_characters=_MAX_DESCRIPTION)))
    if fields.has("tags"):
        tags = fields.texts("tags", _MAX_TAGS, max_characters=_MAX_TAG) or []
        changes.append(("sys/tags", "string_set", _tags_text(set(tags))))
    return changes


def _tags_text(tags: set[str]) -> str:
    return json.dumps(sorted(tags), ensure_ascii=False)


def _changes_beside(fields: Fields) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if fields.has("color"):
        changes["color"] = _color(fields.text("color", max_characters=7) or None)
    if fields.has("archived"):
        changes["archived"] = fields.boolean("archived") or None
    return changes


def _color(value: Any) -> str | None:
    if value is not None and not (isinstance(value, str) and _COLOR.fullmatch(value)):
        raise RequestError("color must be such as #3d72d9, or null")
    return value.lower() if value else None


def change_runs(store: Store, request: Request) -> Answer:
    """The same change for many runs; those that fail are told."""
    fields = Fields(request.body, "ids", "op", "value")
    asked = fields.texts("ids", _MAX_IDS)
    if asked is None:
        raise RequestError("ids must be the runs")
    run_ids = list(dict.fromkeys(asked))
    operation = fields.text("op")
    if operation not in _OPERATIONS:
        raise RequestError(f"op must be one of {', '.join(_OPERATIONS)}")
    value = fields.text("value", max_characters=_MAX_TAG) or None
    if operation in ("tag", "untag") and not value:
        raise RequestError("value must be the tag")
    if fields.has("value") != (operation in ("tag", "untag", "color")):
        raise RequestError("value goes with tag, untag and color")
    desk = desk_of(store)
    project = desk.project(store, request.parameters["project"])
    failed: list[dict[str, str]] = []
    known = []
    for run_id in run_ids:
        if project.run(run_id) is None:
            failed.append({"id": run_id, "code": "not_found", "message": "There is no such run"})
        else:
            known.append(run_id)
    done = _change_beside(desk, project, known, operation, value)
    if done is None:
        done = []
        for run_id in known:
            try:
                _change_file(store, project, run_id, operation, value)
                done.append(run_id)
            except (GoodseedError, OSError) as error:
                failed.append({"id": run_id, "code": _code(error), "message": str(error)})
    _see_changes(store)
    return Answer({"done": done, "failed": failed})


def _change_beside(
    desk: Desk, project: Project, run_ids: list[str], operation: str, value: str | None
) -> list[str] | None:
    changes: dict[str, dict[str, Any]] = {"archive": {"archived": True}, "unarchive": {"archived": None}}
    if operation == "color":
        changes["color"] = {"color": _color(value)}
    if operation not in changes:
        return None
    if run_ids:
        desk.settings.set_runs(project.name, run_ids, changes[operation])
    return run_ids


def _change_file(store: Store, project: Project, run_id: str, operation: str, value: str | None) -> None:
    run = project.the_entry(run_id).run
    if operation in ("trash", "restore"):
        store.set_trashed(run.project, run_id, is_trashed=operation == "trash")
        return
    tag = encodable("value", value or "")

    def change(connection: sqlite3.Connection) -> None:
        row = connection.execute(_TAGS).fetchone()
        try:
            tags = {str(one) for one in json.loads(row[0])} if row else set()
        except (ValueError, TypeError, RecursionError):
            tags = set()
        tags = tags | {tag} if operation == "tag" else tags - {tag}
        _upsert(connection, [("sys/tags", "string_set", _tags_text(tags))])

    _write(store, run, change)


def _code(error: Exception) -> str:
    if isinstance(error, RequestError):
        return error.code
    if isinstance(error, RunInUseError):
        return "run_in_use"
    if isinstance(error, FileNotFoundError):
        return "not_found"
    return "damaged_file" if isinstance(error, FileFormatError) else "read_only"


def _upsert(connection: sqlite3.Connection, changes: list[tuple[str, str, str]]) -> None:
    now = now_text()
    connection.executemany(_UPSERT, [(*change, now) for change in changes])
    # Readers of many runs look at run_meta alone. The time of the last change stays: it is when the run ended.
    meta = [("name", value) for path, _, value in changes if path == "sys/name"]
    connection.executemany("INSERT OR REPLACE INTO run_meta (key, value) VALUES (?, ?)", meta)


def _write(store: Store, run: RunSummary, change: Callable[[sqlite3.Connection], None]) -> None:
    """Change a run's file in one transaction.

    Raises:
        RequestError: A process writes it, and leaves no room, or an older version writes it.
        FileFormatError: It can't be written.
    """
    if run.state == "running" and not is_local(store):
        raise _in_use(run)
    files = run.files
    recover_if_abandoned(files)
    lock: WriterLock | None = None
    try:
        lock = WriterLock(files.lock)
    except RunInUseError:  # its process keeps no configs in memory: a short transaction between two of its own is safe
        lock = None
    except OSError as error:
        raise RequestError(
            f"{files.database.parent} can't be written: {error.strerror}", status=409, code="read_only"
        ) from error
    try:
        check_file(files.database)
        with contextlib.closing(connect_writer(files.database, busy_seconds=_BUSY_SECONDS)) as connection:
            version = check_version(connection, files.database)
            if version < 2:
                if lock is None:
                    raise _in_use(run)
                refuse_if_open(connection, files.database)
                migrate(connection, version)
            connection.execute("BEGIN IMMEDIATE")
            change(connection)
            connection.execute("COMMIT")
            if lock is not None:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        if lock is None:
            raise _in_use(run) from error
        raise FileFormatError(f"{files.database} can't be written: {error}.") from error
    finally:
        if lock is not None:
            lock.release()


def _in_use(run: RunSummary) -> RequestError:
    return RequestError(
        f"The run {run.run_id!r:.200} is being written: its name, description and tags can't be changed now",
        status=409,
        code="run_in_use",
        hint="Try again, or change them when the run has ended.",
    )


def _see_changes(store: Store) -> None:
    """Let the next look at the runs be a new one, where the store can be told."""
    look = getattr(store, "look", None)
    if look is not None:
        look()
