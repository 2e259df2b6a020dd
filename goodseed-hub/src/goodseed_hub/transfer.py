"""Moves everything between a data directory and a database, copies it, and exports it as rows."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from goodseed.errors import RunNotFoundError
from goodseed.paths import make_private_directory
from goodseed.server.settings import FILE_NAME
from goodseed.storage.forks import GatedConnection
from goodseed.storage.reader import RunReader
from goodseed.storage.scan import scan
from goodseed_hub.errors import HubError
from goodseed_hub.opening import DATABASE_NAME, PROJECTS
from goodseed_hub.registry.database import SqliteDatabase
from goodseed_hub.stores.base import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TextIO

    from goodseed.columns import Points
    from goodseed.storage.kinds import Kind, StoredValue
    from goodseed_hub.registry.directory import RunRecord, RunState
    from goodseed_hub.service import Hub
    from goodseed_hub.stores.base import RunStore

__all__ = ["COLUMNS", "backup", "export_rows", "move", "write_rows"]

_logger: Final = logging.getLogger("goodseed")
_TABLES: Final = (
    "hub_user", "hub_workspace", "hub_member", "hub_project", "hub_key", "hub_key_grant", "hub_run", "hub_dashboard",
)  # fmt: skip
_QUOTE: Final = '"'
_SPECIAL: Final = re.compile('[,"\r\n]')
_CHUNK_POINTS: Final = 100_000
COLUMNS: Final = ("workspace", "project", "run_id", "kind", "path", "step", "value", "time")


def move(source: Hub, target: Hub, *, is_again: bool, on_run: Callable[[int, int], None]) -> int:
    """Copy everything from one hub to another; returns how many points were copied.

    Args:
        source: What is to be copied; it stays as it is.
        target: Where to: new, unless ``is_again``.
        is_again: An earlier move was interrupted: data that exists already is written again.
        on_run: Called after each run, with how many of how many are done.

    Raises:
        HubError: The target is not new, or a run has other data in the end.
    """
    if not is_again and (target.access.users() or target.directory.runs()):
        raise HubError("The target holds something already. To continue an interrupted move, pass --again.")
    with target.database.transaction():
        for table in _TABLES:
            _copy_table(source, target, table)
    _move_settings(source, target)
    states = source.directory.runs()
    total = 0
    for count, state in enumerate(states, start=1):
        try:
            total += _move_run(source.store, target.store, state)
        except RunNotFoundError as error:
            _logger.warning("goodseed: %s Only its name is moved.", error)
        on_run(count, len(states))
    return total


def _copy_table(source: Hub, target: Hub, table: str) -> None:
    rows = source.database.rows(f"SELECT * FROM {table}")
    target.database.execute(f"DELETE FROM {table}")
    if rows:
        places = ", ".join("?" * len(rows[0]))
        target.database.execute_many(f"INSERT INTO {table} VALUES ({places})", rows)


def _move_settings(source: Hub, target: Hub) -> None:
    """What the dashboard keeps of a project is a file beside its runs, or a row of the database."""
    for workspace in source.directory.workspaces():
        for project in source.directory.projects(workspace):
            place = Path(workspace, *project["name"].split("/"), FILE_NAME)
            content = source.directory.dashboard(workspace, project["name"])
            with contextlib.suppress(FileNotFoundError):
                if not source.store.is_shared:
                    content = (source.store.root / place).read_text(encoding="utf-8")
            if content is None:
                continue
            if target.store.is_shared:
                target.directory.set_dashboard(workspace, project["name"], content)
            else:
                path = target.store.root / place
                make_private_directory(path.parent)
                path.write_text(content, encoding="utf-8")


def _move_run(source: RunStore, target: RunStore, state: RunState) -> int:
    record = state.record
    count = 0
    with closing(RunReader(source.files(record))) as reader:
        meta = {key: value for key, value in reader.meta().items() if key not in ("schema_version", "hub_seq")}
        configs = [
            (
                row.path,
                row.type_tag,
                meta.get("status", row.value) if row.path == "sys/state" else row.value,
                row.updated_at,
            )
            for row in reader.configs()
        ]
        for change in _changes(reader):
            target.write(record, change)
            count += sum(len(points.steps) for points in change.points)
        target.write(record, Change(configs=configs, meta=dict(meta), is_last=True))
    with closing(RunReader(target.files(record))) as copy:
        found = sum(copy.count(kind, path) for kind in copy.kinds() for path in copy.paths(kind))
    if found != count:
        raise HubError(f"The run {record.run_id!r} has {count:,} points, and {found:,} where it was copied to.")
    return count


def _changes(reader: RunReader) -> Iterator[Change]:
    several: list[Points] = []
    size = 0
    for kind in reader.kinds():
        for points in reader.stored_points(kind):
            several.append(points)
            size += len(points.steps)
            if size >= _CHUNK_POINTS:
                yield Change(points=several)
                several, size = [], 0
    if several:
        yield Change(points=several)


# -- copies -------------------------------------------------------------------------------------------------------


def backup(directory: Path, target: Path, on_file: Callable[[int], None] = lambda count: None) -> int:
    """Copy a data directory, also while it is served; returns how many runs were copied.

    Each file is copied as of one moment. A run that is made meanwhile may be missing; none that was there before is.

    Raises:
        HubError: There is no data directory, or something is at the target.
        OSError, sqlite3.Error: It can't be read or written.
    """
    if not (directory / DATABASE_NAME).is_file():
        raise HubError(f"There is no hub's data in {directory}.")
    if target.exists() and any(target.iterdir()):
        raise HubError(f"{target} is not empty.")
    make_private_directory(target)
    database = SqliteDatabase(directory / DATABASE_NAME)
    try:
        database.backup(target / DATABASE_NAME)
    finally:
        database.close()
    root = directory / PROJECTS
    count = 0
    for count, path in enumerate(sorted(scan(root).runs), start=1):
        _copy_file(root / path, target / PROJECTS / path)
        on_file(count)
    for settings in root.rglob(FILE_NAME):
        copy = target / PROJECTS / settings.relative_to(root)
        make_private_directory(copy.parent)
        shutil.copyfile(settings, copy)
    return count


def _copy_file(path: Path, copy_path: Path) -> None:
    make_private_directory(copy_path.parent)
    os.close(os.open(copy_path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    address = f"file:{quote(os.fsencode(path))}?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True, factory=GatedConnection)) as connection,
        closing(sqlite3.connect(copy_path, factory=GatedConnection)) as copy,
    ):
        connection.backup(copy)


# -- plain rows ---------------------------------------------------------------------------------------------------


def export_rows(store: RunStore, records: Iterable[RunRecord]) -> Iterator[tuple[Any, ...]]:
    """A row for every point and every config, as `COLUMNS` names its fields; a config has no step."""
    for record in records:
        start = (record.workspace, record.project, record.run_id)
        try:
            files = store.files(record)
        except RunNotFoundError as error:
            _logger.warning("goodseed: %s It is left out.", error)
            continue
        with closing(RunReader(files)) as reader:
            for row in reader.configs():
                yield (*start, f"config/{row.type_tag}", row.path, None, row.value, row.updated_at)
            for kind in reader.kinds():
                for points in reader.stored_points(kind):
                    for step, value, seconds in zip(points.steps, points.values, points.times, strict=True):
                        yield (*start, kind.name, points.path, step, _plain(kind, value), seconds)


def _plain(kind: Kind, value: StoredValue) -> float | str:
    """A value as a row has it: a number, NaN by its name; a text; anything else as JSON."""
    if value is None:
        return str(kind.to_json(value))
    return json.dumps(kind.to_json(value)) if isinstance(value, bytes) else value


def write_rows(rows: Iterator[tuple[Any, ...]], output: TextIO, kind: str) -> int:
    """Write rows as ``csv`` or ``jsonl``; returns how many."""
    count = 0
    if kind == "csv":
        output.write(_csv_line(COLUMNS))
        for count, row in enumerate(rows, start=1):  # noqa: B007 - it is the answer
            output.write(_csv_line(row))
        return count
    for row in rows:
        values = [str(value) if value in (float("inf"), float("-inf")) else value for value in row]
        output.write(json.dumps(dict(zip(COLUMNS, values, strict=True)), ensure_ascii=False) + "\n")
        count += 1
    return count


def _csv_line(row: Iterable[object]) -> str:
    """As `csv.writer` has it, which takes no NUL before Python 3.11."""
    return ",".join(map(_csv_field, row)) + "\r\n"


def _csv_field(value: object) -> str:
    text = "" if value is None else str(value)
    return f'"{text.replace(_QUOTE, _QUOTE * 2)}"' if _SPECIAL.search(text) else text
