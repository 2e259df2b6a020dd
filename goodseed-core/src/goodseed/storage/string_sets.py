"""Stores sets of strings, such as tags, and changes to them.

Adding a tag stores only the change, not the set that was read some time ago: it may have been changed since, on the
run's page or in another process. The process that writes the file applies the change to the stored set.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

__all__ = ["ADDED", "REMOVED", "SET", "apply_changes", "strings_of", "strings_text"]

SET: Final = "string_set"
ADDED: Final = "string_set+"  # in the inbox only: the value holds what is added to the set
REMOVED: Final = "string_set-"
_CONFIG: Final = "SELECT type_tag, value FROM configs WHERE path = ?"


def strings_of(tag: str, value: str | None) -> set[str]:
    """The strings of a stored set; empty for anything else."""
    if tag != SET or not value:
        return set()
    try:
        return {str(one) for one in json.loads(value)}
    except (ValueError, TypeError, RecursionError):
        return set()


def strings_text(strings: Iterable[str]) -> str:
    """A set of strings as it is stored."""
    return json.dumps(sorted(strings), ensure_ascii=False)


def apply_changes(connection: sqlite3.Connection, rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The configs ``rows`` with whole sets in place of changes, inside the caller's transaction."""
    if not any(row[1] in (ADDED, REMOVED) for row in rows):
        return rows
    result = []
    known: dict[str, tuple[str, str | None]] = {}
    for path, tag, value, updated_at in rows:
        new = (tag, value)
        if tag in (ADDED, REMOVED):
            before = known.get(path) or connection.execute(_CONFIG, (path,)).fetchone() or (SET, None)
            changed = strings_of(SET, value)
            strings = strings_of(*before)
            new = (SET, strings_text(strings | changed if tag == ADDED else strings - changed))
        known[path] = new
        result.append((path, *new, updated_at))
    return result
