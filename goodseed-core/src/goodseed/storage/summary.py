"""Reads what a list of runs shows of one run."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goodseed.config import DEFAULT_PROJECT
from goodseed.errors import FileFormatError
from goodseed.paths import RUN_SUFFIX, RunFiles
from goodseed.storage.inbox.overlay import show_unstored
from goodseed.storage.inbox.recovery import QUICK_BYTES, recover_if_abandoned
from goodseed.storage.kinds import NUMBERS, TEXTS
from goodseed.storage.life import (
    EARLIER_SECONDS,
    RESUMED_AT,
    earlier_seconds,
    last_sign,
    seconds_of,
    started_seconds,
)
from goodseed.storage.lock import heard_seconds, is_locked
from goodseed.storage.reader import LastPoint, is_at_rest
from goodseed.storage.schema import connect_read_only, lenient_text
from goodseed.times import as_utc, utc_text
from goodseed.values import decode_config

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_METRICS", "RunSummary", "by_run_id", "read_summary"]

MAX_METRICS: Final = 64
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
_COUNTS: Final = f"""
    SELECT (SELECT count(*) FROM configs),
        (SELECT count(*) FROM {NUMBERS.series_table}), (SELECT count(*) FROM {TEXTS.series_table})"""
# The first metrics that were logged, as the primary key has them; what monitoring logs ('0' follows '/') is left out.
_LAST_POINTS: Final = f"""
    SELECT s.path, p.step, p.y
    FROM (
        SELECT id, path FROM metric_series WHERE path < 'monitoring/' OR path >= 'monitoring0'
        ORDER BY id LIMIT {MAX_METRICS}
    ) AS s
    JOIN metric_points AS p ON p.series_id = s.id
    WHERE p.step = (SELECT max(step) FROM metric_points WHERE series_id = s.id)
    ORDER BY s.id"""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run, as a list of runs shows it.

    Attributes:
        path: Its file, absolute.
        run_id: The name of its file, without the suffix: unique in its project, and what ``resume_run_id`` takes.
        project: The directory that holds it; for a file outside of a ``runs`` directory what the run says itself.
        name: ``sys/name``; None for none.
        state: ``running``, ``finished``, ``failed``, or ``crashed`` when its writer died without closing it.
        created_at: When it was made, ISO 8601, as the file has it; None where it says nothing.
        modified_at: When it last changed, likewise; the time of the file where it says nothing.
        closed_at: When it was closed, likewise; None while it is open.
        created_seconds: `created_at` in seconds since the epoch; of the file where there is none.
        modified_seconds: `modified_at` in seconds since the epoch.
        started_seconds: When it was made, or resumed the last time, in seconds since the epoch.
        earlier_seconds: How long it lived before that.
        duration_seconds: How long it has lived: to its end, to its last sign of life, or to now while it is running,
            without the time between an end and a resumption; never negative.
        end_reason: ``sys/end_reason``; None where it ended well, or nobody knows.
        trashed: Whether it was moved to the trash.
        config_count: How many configs it has.
        metric_count: How many metrics, those of monitoring included.
        text_count: How many string series.
        tags_text: What `tags` reads.
        metrics_text: What `last_metrics` reads: a list of ten thousand runs needs few of them.
    """

    path: str
    run_id: str
    project: str
    name: str | None
    state: str
    created_at: str | None
    modified_at: str | None
    closed_at: str | None
    created_seconds: float
    modified_seconds: float
    started_seconds: float
    earlier_seconds: float
    duration_seconds: float
    end_reason: str | None
    trashed: bool
    config_count: int
    metric_count: int
    text_count: int
    tags_text: str
    metrics_text: str

    @property
    def files(self) -> RunFiles:
        """Where it lies, for a `goodseed.storage.reader.RunReader`."""
        return RunFiles(Path(self.path))

    @property
    def tags(self) -> tuple[str, ...]:
        """``sys/tags``, sorted."""
        return tuple(json.loads(self.tags_text))

    @property
    def last_metrics(self) -> tuple[LastPoint, ...]:
        """The point with the highest step of each metric, in the order in which the metrics were first logged.

        They are the first `MAX_METRICS`, and none that monitoring logs.
        """
        return tuple(LastPoint(*point) for point in json.loads(self.metrics_text))

    @property
    def status(self) -> str:
        """The state in the three words of the run file and the JSON API: a crashed run has ``failed``."""
        return "failed" if self.state == "crashed" else self.state

    @property
    def closed_seconds(self) -> float | None:
        """When it was closed, in seconds since the epoch; None while it is open."""
        return None if self.closed_at is None else seconds_of(self.closed_at, self.modified_seconds)

    def at(self, now_seconds: float) -> RunSummary:
        """The same, with the duration that a running run has at ``now_seconds`` since the epoch."""
        if self.state != "running":
            return self
        return replace(self, duration_seconds=self.earlier_seconds + max(0.0, now_seconds - self.started_seconds))


def by_run_id(runs: Iterable[RunSummary]) -> dict[str, RunSummary]:
    """The runs of one project by their id; of two that have the same, the one that lies in a ``runs`` directory."""
    found: dict[str, RunSummary] = {}
    for run in runs:
        known = found.get(run.run_id)
        if known is None or known.files.database.parent.name != "runs":
            found[run.run_id] = run
    return found


def read_summary(files: RunFiles, project: str | None) -> RunSummary:
    """Read one run; what a killed writer left in the inbox is brought in first where that takes no time, else shown.

    Args:
        files: Where it lies.
        project: Its project; None to take the one that the run names.

    Raises:
        FileFormatError: It is no run file, is damaged, or of a newer version.
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
            configs, metrics, texts = connection.execute(_COUNTS).fetchone()
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
    ended = max(modified_seconds, heard) if state == "crashed" else modified_seconds
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
        metric_count=metrics,
        text_count=texts,
        tags_text=json.dumps(_tags(fields.get("sys/tags"))),
        metrics_text=json.dumps([point for row in points if (point := _last_point(*row)) is not None]),
    )


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
