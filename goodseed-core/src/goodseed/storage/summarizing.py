"""Reads what a list of runs shows of one run, and stores what a killed writer has left."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from typing import Final

from goodseed.config import DEFAULT_PROJECT
from goodseed.errors import FileFormatError
from goodseed.paths import RUN_SUFFIX, RunFiles
from goodseed.storage.history.attempts import IS_CURRENT
from goodseed.storage.inbox.overlay import show_unstored
from goodseed.storage.inbox.recovery import QUICK_BYTES, recover_if_abandoned
from goodseed.storage.kinds import NUMBERS, kinds_in
from goodseed.storage.life import (
    EARLIER_SECONDS,
    RESUMED_AT,
    earlier_seconds,
    last_sign,
    seconds_of,
    started_seconds,
)
from goodseed.storage.lock import heard_seconds, is_locked
from goodseed.storage.reader import is_at_rest
from goodseed.storage.schema import connect_read_only, lenient_text
from goodseed.storage.summary import MAX_METRICS, RunSummary
from goodseed.times import as_utc, utc_text
from goodseed.values import decode_config

__all__ = ["read_summary"]

_MAX_TEXT_CHARACTERS: Final = 1000
_MAX_TAGS_CHARACTERS: Final = 100_000

_META: Final = f"""
    SELECT key, substr(value, 1, {_MAX_TEXT_CHARACTERS}) FROM run_meta
    WHERE key IN
        ('status', 'project', 'name', 'experiment_name', 'created_at', 'modified_at', 'closed_at', 'trashed',
         'schema_version', '{EARLIER_SECONDS}', '{RESUMED_AT}')"""
_FIELDS: Final = f"""
    SELECT path, value FROM configs
    WHERE path IN ('sys/name', 'sys/tags', 'sys/modification_time', 'sys/end_reason')
        AND length(value) <= {_MAX_TAGS_CHARACTERS}
        AND (path <> 'sys/end_reason'
            OR updated_at >= coalesce((SELECT value FROM configs WHERE path = 'sys/closed_time'), ''))"""
# The first metrics that were logged, as the primary key has them; what monitoring logs ('0' follows '/') is left out.
_LAST_POINTS: Final = f"""
    SELECT s.path, p.step, p.{NUMBERS.column}
    FROM (
        SELECT id, path FROM {NUMBERS.series_table}
        WHERE (path < 'monitoring/' OR path >= 'monitoring0') AND {IS_CURRENT}
        ORDER BY id LIMIT {MAX_METRICS}
    ) AS s
    JOIN {NUMBERS.point_table} AS p ON p.series_id = s.id
    WHERE p.step = (SELECT max(step) FROM {NUMBERS.point_table} WHERE series_id = s.id)
    ORDER BY s.id"""


def read_summary(files: RunFiles, project: str | None) -> RunSummary:
    """Read one run; what a killed writer left in the inbox is brought in first where that takes no time, else shown.

    Args:
        files: The run's files.
        project: Its project; None to take the one that the run names.

    Raises:
        FileFormatError: It is not a run file, is damaged, or of a newer version.
        OSError: It can't be read, or is gone.
    """
    recover_if_abandoned(files, QUICK_BYTES)
    file_seconds = files.database.stat().st_mtime
    was_locked = is_locked(files.lock)  # asked before the status is read: a writer that is closing writes it first
    is_resting = not was_locked and is_at_rest(files)
    try:
        with closing(connect_read_only(files.database, is_at_rest=is_resting)) as connection:
            show_unstored(files, connection, is_last_enough=True)
            connection.text_factory = lenient_text
            connection.execute("BEGIN")  # one state for all that follows
            meta = {key: value for key, value in connection.execute(_META) if isinstance(value, str)}
            fields = {path: value for path, value in connection.execute(_FIELDS) if isinstance(value, str)}
            configs, series_counts = _counts(connection)
            points = connection.execute(_LAST_POINTS).fetchall()
            is_closed = meta.get("status", "running") != "running"
            heard = 0.0 if is_closed else last_sign(connection, heard_seconds(files.lock))
    except sqlite3.Error as error:
        raise FileFormatError(f"{files.database} can't be read: {error}.") from error
    state = meta.get("status", "running")
    has_lock = meta.get("schema_version", "1") != "1"  # files of version 1 are written without one
    if state == "running" and has_lock and not was_locked and not is_locked(files.lock):
        state = "crashed"
    elif state not in ("running", "finished"):
        state = "failed"
    created_at = _utc(meta.get("created_at"))
    closed_at = None if state == "running" else _utc(meta.get("closed_at"))
    modified_at = _utc(fields.get("sys/modification_time")) or _utc(meta.get("modified_at")) or closed_at
    modified_at = modified_at or utc_text(file_seconds)
    modified_seconds = seconds_of(modified_at, file_seconds)
    created_seconds = seconds_of(created_at, modified_seconds)
    started, earlier = started_seconds(meta, modified_seconds), earlier_seconds(meta)
    closed_seconds = seconds_of(closed_at, modified_seconds)  # either may be an imported run's own time
    ended = max(modified_seconds, heard) if state == "crashed" else min(modified_seconds, closed_seconds)
    return RunSummary(
        path=str(files.database),
        run_id=files.database.name.removesuffix(RUN_SUFFIX),
        project=project or meta.get("project") or DEFAULT_PROJECT,
        name=(fields.get("sys/name") or meta.get("name") or meta.get("experiment_name") or "")[:_MAX_TEXT_CHARACTERS]
        or None,
        state=state,
        created_at=created_at,
        modified_at=modified_at,
        closed_at=closed_at,
        created_seconds=created_seconds,
        modified_seconds=modified_seconds,
        started_seconds=started,
        earlier_seconds=earlier,
        duration_seconds=earlier + max(0.0, ended - started),
        end_reason=None if state == "running" else (fields.get("sys/end_reason") or "")[:_MAX_TEXT_CHARACTERS] or None,
        trashed=meta.get("trashed") == "true",
        config_count=configs,
        series_counts=series_counts,
        tags_text=json.dumps(_tags(fields.get("sys/tags"))),
        metrics_text=json.dumps([point for row in points if (point := _last_point(*row)) is not None]),
    )


def _counts(connection: sqlite3.Connection) -> tuple[int, dict[str, int]]:
    """How many configs there are, and how many series of each kind, without those of earlier attempts."""
    found = kinds_in(connection)
    counts = [f"(SELECT count(*) FROM {kind.series_table} WHERE {IS_CURRENT})" for kind in found]
    configs, *series = connection.execute(f"SELECT {', '.join(['(SELECT count(*) FROM configs)', *counts])}").fetchone()
    return configs, {kind.name: count for kind, count in zip(found, series, strict=True)}


def _utc(text: str | None) -> str | None:
    """The time in UTC; None for any other text."""
    try:
        return None if text is None else as_utc(text)
    except (ValueError, OverflowError):
        return None


def _tags(stored: str | None) -> list[str]:
    if stored is None:
        return []
    try:
        tags = decode_config("string_set", stored)
    except (FileFormatError, RecursionError):  # no reason to hide the run
        return []
    return sorted(str(tag) for tag in tags) if isinstance(tags, set) else []


def _last_point(path: object, step: object, y: object) -> tuple[str, float, float] | None:
    if isinstance(path, str) and isinstance(step, (int, float)) and isinstance(y, (int, float, type(None))):
        return (path[:_MAX_TEXT_CHARACTERS], float(step), math.nan if y is None else float(y))
    return None
