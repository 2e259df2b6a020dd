"""Merges what people edit on a run's page with what the run's script writes.

A script and a page know of each other only through the run's configs. So neither writes a whole set of tags that it
read some time ago: both name what is added and what is removed, and the process that writes the file applies that to
the stored set. A hub gets whole values from its clients; `Edited` remembers what a client last sent for each config
that was edited on a page since, so that only what the *script* has changed is taken over.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from goodseed.errors import FileFormatError, RunInUseError
from goodseed.storage.batch import Tables
from goodseed.storage.history.rewinding import rewind, undo_rewind
from goodseed.storage.inbox.recovery import recover_if_abandoned
from goodseed.storage.lock import WriterLock
from goodseed.storage.rollup.as_of import kept_nodes, vouched_transaction
from goodseed.storage.schema import check_file, check_version, connect_writer, migrate, refuse_if_open
from goodseed.storage.string_sets import SET, strings_of, strings_text
from goodseed.times import now_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from goodseed.paths import RunFiles
    from goodseed.storage.history.rewinding import Rewind

__all__ = ["EDITED_PREFIX", "Edited", "Edits", "edit_run", "rewind_run", "undo_last_rewind"]

EDITED_PREFIX: Final = "edited:"
_BUSY_SECONDS: Final = 2.0
_CONFIG: Final = "SELECT type_tag, value FROM configs WHERE path = ?"
_UPSERT: Final = """
    INSERT INTO configs (path, type_tag, value, updated_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE SET type_tag = excluded.type_tag, value = excluded.value,
        updated_at = excluded.updated_at, uploaded = 0"""
_SET_META: Final = "INSERT OR REPLACE INTO run_meta (key, value) VALUES (?, ?)"
_DROP_META: Final = "DELETE FROM run_meta WHERE key = ?"


@dataclass(frozen=True, slots=True)
class Edits:
    """Changes to one run; those that are empty change nothing.

    Attributes:
        texts: Configs that become this text, by path.
        added: Strings that are added to the set of strings at each path.
        removed: Strings that are removed from it.
        is_trashed: Move the run to the trash, or back; None leaves it where it is.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, frozenset[str]] = field(default_factory=dict)
    removed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    is_trashed: bool | None = None

    @property
    def paths(self) -> list[str]:
        """The configs that are changed."""
        return sorted({*self.texts, *self.added, *self.removed})

    def rows(self, current: Mapping[str, tuple[str, str | None]]) -> list[tuple[str, str, str, str]]:
        """The configs as they are afterwards: path, type tag, value and time of the change.

        Args:
            current: Type tag and value of those of `paths` that the run has.
        """
        now = now_text()
        rows = [(path, "str", text, now) for path, text in self.texts.items()]
        for path in sorted({*self.added, *self.removed}):
            before = strings_of(*current.get(path, (SET, None)))
            after = (before | self.added.get(path, frozenset())) - self.removed.get(path, frozenset())
            rows.append((path, SET, strings_text(after), now))
        return rows

    def meta(self) -> dict[str, str | None]:
        """What changes in ``run_meta``; None takes a key away."""
        changes: dict[str, str | None] = {}
        if "sys/name" in self.texts:  # readers of many runs look at run_meta alone
            changes["name"] = self.texts["sys/name"]
        if self.is_trashed is not None:
            changes["trashed"] = "true" if self.is_trashed else None
        return changes


class Edited:
    """What a client last sent for each config that was edited on a hub's page since."""

    def __init__(self, meta: Mapping[str, str | None]) -> None:
        """Begin with what `changes` gave earlier, among other keys of ``run_meta``."""
        self._sent: Final[dict[str, tuple[str, str | None]]] = {}
        self._changed: Final[set[str]] = set()
        self._name = meta.get("name")
        for key, text in meta.items():
            if key.startswith(EDITED_PREFIX) and text is not None:
                with contextlib.suppress(ValueError, TypeError):
                    tag, value = json.loads(text)
                    self._sent[key.removeprefix(EDITED_PREFIX)] = (str(tag), value)

    def note_meta(self, meta: Mapping[str, str | None]) -> None:
        """Take what a client sends for ``run_meta``: a name need not come as a config."""
        self._name = meta.get("name", self._name)

    def paths(self) -> list[str]:
        """The configs that have been edited."""
        return list(self._sent)

    def sent(self, path: str) -> str | None:
        """What the client last sent at ``path``; None if it was not edited, or the client sent nothing."""
        return self._sent.get(path, ("", None))[1]

    def edit(self, paths: Iterable[str], current: Mapping[str, tuple[str, str | None]]) -> None:
        """Remember, for the first edit of each of ``paths``, what the client had sent."""
        for path in paths:
            if path not in self._sent:
                nothing = ("str", self._name) if path == "sys/name" and self._name else ("null", None)
                self._sent[path] = current.get(path, nothing)
                self._changed.add(path)

    def merge(
        self, row: tuple[str, str, str, str], current: Mapping[str, tuple[str, str | None]]
    ) -> tuple[str, str, str, str] | None:
        """The value to store for a config that the client sends; None if the client has not changed it."""
        path, tag, value, updated_at = row
        if path not in self._sent:
            return row
        before = self._sent[path]
        if before == (tag, value):
            return None
        self._sent[path] = (tag, value)
        self._changed.add(path)
        if tag != SET:
            return row
        old, new = strings_of(*before), strings_of(tag, value)
        kept = strings_of(*current.get(path, (SET, None)))
        return (path, SET, strings_text((kept | (new - old)) - (old - new)), updated_at)

    def changes(self) -> dict[str, str | None]:
        """The rows to store in ``run_meta``."""
        return {EDITED_PREFIX + path: json.dumps(self._sent[path], ensure_ascii=False) for path in self._changed}


def edit_run(files: RunFiles, edits: Edits) -> None:
    """Change a run's file in one transaction, also while a process of this version writes it.

    Raises:
        RunInUseError: A running run was to be moved to the trash, or its writer keeps it locked, or is of an
            older version.
        FileFormatError: It can't be written.
        OSError: Its directory can't be written.
    """
    with _opened(files, is_alone=edits.is_trashed is not None) as connection:
        with vouched_transaction(connection, files.database):
            _apply(connection, edits)


def rewind_run(files: RunFiles, step: float) -> Rewind:
    """Take a run that no process writes back to a step; see `goodseed.storage.history.rewinding`.

    Raises:
        RunInUseError: A process writes it.
        FileFormatError: It can't be written.
        OSError: Its directory can't be written.
    """
    with _opened(files, is_alone=True) as connection, _transaction(connection):
        return rewind(connection, Tables(connection), step)


def undo_last_rewind(files: RunFiles) -> Rewind | None:
    """Take back the last rewind of a run that no process writes; None where there is nothing to take back.

    Raises:
        RunInUseError, FileFormatError, OSError: See `rewind_run`.
    """
    with _opened(files, is_alone=True) as connection, _transaction(connection):
        return undo_rewind(connection, Tables(connection))


@contextlib.contextmanager
def _opened(files: RunFiles, *, is_alone: bool) -> Iterator[sqlite3.Connection]:
    """A connection to write a run's file with, also while a process of this version writes it, unless ``is_alone``."""
    run_id = files.database.stem
    recover_if_abandoned(files)
    lock: WriterLock | None
    try:
        lock = WriterLock(files.lock)
    except RunInUseError:
        if is_alone:
            raise RunInUseError(f"The run {run_id!r:.200} is running: close it first.") from None
        lock = None  # its writer keeps no configs in memory: a short transaction between two of its own is safe
    busy = f"The run {run_id!r:.200} is being written, and its writer leaves no room: try again, or when it has ended."
    try:
        check_file(files.database)
        with contextlib.closing(connect_writer(files.database, busy_seconds=_BUSY_SECONDS)) as connection:
            version = check_version(connection, files.database)
            if version < 2:
                if lock is None:
                    raise RunInUseError(busy)
                refuse_if_open(connection, files.database)
                migrate(connection, version)
            if lock is None:
                yield connection
            else:
                with kept_nodes(connection, files.database):
                    yield connection
    except sqlite3.Error as error:
        if lock is None:
            raise RunInUseError(busy) from error
        raise FileFormatError(f"{files.database} can't be written: {error}.") from error
    finally:
        if lock is not None:
            lock.release()


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _apply(connection: sqlite3.Connection, edits: Edits) -> None:
    current = {path: row for path in edits.paths if (row := connection.execute(_CONFIG, (path,)).fetchone())}
    connection.executemany(_UPSERT, edits.rows(current))
    # The time of the last change stays: it is when the run ended.
    for key, value in edits.meta().items():
        if value is None:
            connection.execute(_DROP_META, (key,))
        else:
            connection.execute(_SET_META, (key, value))
