"""Maps paths to the ids of series, and the numbers of an inbox's shapes to paths."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from goodseed.storage.kinds import kinds_in
from goodseed.storage.schema import create_series_tables

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from goodseed.storage.kinds import Kind

__all__ = ["KnownShape", "SeriesIds", "Shapes", "row_layout"]


class SeriesIds:
    """The ids of one kind of series; new ones are stored with the batch that needs them."""

    def __init__(self, connection: sqlite3.Connection, kind: Kind) -> None:
        """Read the ids in the file."""
        self._kind: Final = kind
        table = kind.series_table
        rows = connection.execute(f"SELECT id, path FROM {table}") if kind in kinds_in(connection) else ()
        self._ids: dict[str, int] = {path: id_ for id_, path in rows}
        used = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        self._last: int = max([used[0] if used else 0, *self._ids.values()])
        self._new: list[tuple[int, str]] = []
        self._paths: dict[int, str] = {}

    def path_of(self, id_: int) -> str:
        """The path whose id that is."""
        if len(self._paths) != len(self._ids):
            self._paths = {id_: path for path, id_ in self._ids.items()}
        return self._paths[id_]

    def __getitem__(self, path: str) -> int:
        """The id of ``path``; a new path gets one."""
        id_ = self._ids.get(path)
        if id_ is None:
            self._last = id_ = self._last + 1
            self._ids[path] = id_
            self._new.append((id_, path))
        return id_

    def store(self, connection: sqlite3.Connection) -> None:
        """Insert the new ones, inside the caller's transaction; those that it has inserted already are left alone."""
        if self._new:
            if self._kind not in kinds_in(connection):
                create_series_tables(connection, self._kind)
            statement = f"INSERT OR IGNORE INTO {self._kind.series_table} (id, path) VALUES (?, ?)"
            connection.executemany(statement, self._new)

    def stored(self) -> None:
        """Forget which were new: the transaction is committed."""
        self._new.clear()


@dataclass(slots=True, eq=False)
class KnownShape:
    """A shape, as the writer knows it.

    Attributes:
        series: The id of each path's series.
        layout: Of the body of a ROW record: number, time, step and one value a path.
        is_exclusive: No other shape holds any of its series, and its rows need not be kept in order
            with theirs.
    """

    series: list[int]
    layout: struct.Struct
    is_exclusive: bool = True


def row_layout(width: int) -> struct.Struct:
    """The body of a ROW record: number, time, step and ``width`` values.

    Its alignment is native, as `struct` packs native doubles a third faster.
    """
    return struct.Struct(f"@Q{width + 2}d")


class Shapes:
    """The shapes of one session, and which series of numbers they share."""

    def __init__(self, ids: SeriesIds) -> None:
        self._ids: Final = ids
        self._known: dict[int, KnownShape] = {}
        self._owners: dict[int, KnownShape] = {}
        self._new: list[tuple[int, str]] = []
        self.get: Final = self._known.get

    def load(self, connection: sqlite3.Connection) -> None:
        """Learn the shapes that a dead session had stored."""
        for number, paths in connection.execute(
            "SELECT number, paths FROM inbox_shapes WHERE number > 0 ORDER BY number"
        ).fetchall():
            self._learn(number, json.loads(paths))

    def add(self, number: int, paths: Sequence[str]) -> list[KnownShape]:
        """Learn a shape; returns those that have stopped being exclusive by it."""
        self._new.append((number, json.dumps(paths, ensure_ascii=False)))
        return self._learn(number, paths)

    def _learn(self, number: int, paths: Iterable[str]) -> list[KnownShape]:
        ids = self._ids
        series = [ids[path] for path in paths]
        shape = KnownShape(series, row_layout(len(series)))
        self._known[number] = shape
        shared = []
        for id_ in series:
            owner = self._owners.setdefault(id_, shape)
            if owner is not shape:
                shape.is_exclusive = False
                if owner.is_exclusive:
                    owner.is_exclusive = False
                    shared.append(owner)
        return shared

    def store(self, connection: sqlite3.Connection) -> None:
        """Insert the new ones, inside the caller's transaction."""
        if self._new:
            connection.executemany("INSERT OR REPLACE INTO inbox_shapes (number, paths) VALUES (?, ?)", self._new)

    def stored(self) -> None:
        """Forget which were new: the transaction is committed."""
        self._new.clear()
