"""Collects what the writer stores in one transaction."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Final

from goodseed.columns import Points
from goodseed.storage.kinds import NUMBERS, kinds
from goodseed.storage.rollup.growing import GrowingNodes
from goodseed.storage.series import KnownShape, SeriesIds, Shapes
from goodseed.storage.string_sets import apply_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from goodseed.storage.kinds import Kind, StoredValue

__all__ = ["BATCH_BYTES", "BATCH_POINTS", "Batch", "Tables", "Upsert"]

BATCH_POINTS: Final = 260_000  # transactions this large write each page of the table once; some 25 MB of memory
BATCH_BYTES: Final = 16 << 20  # as many records of one path; texts are longer

# A thousand rows a statement: the interpreter is left to the training thread while SQLite steps through them.
_ROWS_PER_STATEMENT: Final = (1000, 100, 10, 1) if sqlite3.sqlite_version_info >= (3, 32) else (200, 20, 1)

_META_KEYS: Final = {"sys/name": "name", "sys/state": "status", "sys/closed_time": "closed_at"}
_UPSERT_CONFIG: Final = """
    INSERT INTO configs (path, type_tag, value, updated_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE SET
        uploaded = CASE WHEN type_tag = excluded.type_tag AND value IS excluded.value THEN uploaded ELSE 0 END,
        type_tag = excluded.type_tag, value = excluded.value, updated_at = excluded.updated_at"""


class Tables:
    """What the writer remembers of the file over all of its batches."""

    def __init__(self, connection: sqlite3.Connection, nodes_of: Path | None = None) -> None:
        """Read the ids in the file.

        Args:
            connection: The writer's.
            nodes_of: The file, where nodes are kept with its points; any that it has are those of its points.
        """
        self.ids: Final = {kind.name: SeriesIds(connection, kind) for kind in kinds()}
        self.shapes: Final = Shapes(self.ids[NUMBERS.name])
        self.nodes: Final = None if nodes_of is None else GrowingNodes(connection, nodes_of)

    def store(self, connection: sqlite3.Connection) -> None:
        """Insert what is new, inside the caller's transaction."""
        for ids in self.ids.values():
            ids.store(connection)
        self.shapes.store(connection)

    def note_written(self, touched: Iterable[tuple[Sequence[int], float, float]]) -> None:
        """Metrics were written in this transaction that were in no batch: their ids, and between which steps."""
        if self.nodes is not None:
            for ids, low, high in touched:
                for id_ in ids:
                    self.nodes.note_written(id_, low, high)

    def stored(self) -> None:
        """The transaction is committed."""
        for ids in self.ids.values():
            ids.stored()
        self.shapes.stored()
        if self.nodes is not None:
            self.nodes.stored()


class Batch:
    """Points and configs in the order in which they were logged, to be stored in the order of the tables' keys.

    Attributes:
        size: How many points and configs it holds.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables: Final = tables
        self._rows: dict[KnownShape, list[tuple[float, ...]]] = {}
        self._columns: dict[int, tuple[list[float], list[float], list[float]]] = {}  # steps, values, times
        self._values: dict[Kind, list[tuple[int, float, StoredValue, float]]] = {}  # of the other kinds
        self._configs: list[Sequence[str]] = []
        self._shape = tables.shapes.get
        self.size = 0

    def add_shape(self, number: int, paths: Sequence[str]) -> None:
        """Take the paths of the shape ``number``, from now on."""
        for shape in self._tables.shapes.add(number, paths):
            for row in self._rows.pop(shape, ()):
                self._add_shared_row(shape, row)

    def add_point(self, number: int, time: float, step: float, value: float) -> bool:
        """One point in the only series of a shape; False when the shape is unknown."""
        shape = self._shape(number)
        if shape is None:
            return False
        self._add(shape.series[0], time, step, value)
        self.size += 1
        return True

    def add_row(self, number: int, body: memoryview) -> bool:
        """One point in each series of a shape; False when the shape is unknown, or not of that width."""
        shape = self._shape(number)
        if shape is None or len(body) != shape.layout.size:
            return False
        row = shape.layout.unpack(body)
        if shape.is_exclusive:
            self._rows.setdefault(shape, []).append(row)
        else:
            self._add_shared_row(shape, row)
        self.size += len(shape.series)
        return True

    def _add_shared_row(self, shape: KnownShape, row: tuple[float, ...]) -> None:
        _, time, step = row[:3]
        for series, value in zip(shape.series, row[3:], strict=True):
            self._add(series, time, step, value)

    def _add(self, series: int, time: float, step: float, value: float) -> None:
        column = self._columns.get(series)
        if column is None:
            column = self._columns[series] = ([], [], [])
        column[0].append(step)
        column[1].append(value)
        column[2].append(round(time, 3))

    def add_column(self, number: int, steps: list[float], values: list[float], times: list[float] | float) -> bool:
        """Many points in the only series of a shape, perhaps all of one time; False when the shape is unknown."""
        shape = self._shape(number)
        if shape is None:
            return False
        column = self._columns.setdefault(shape.series[0], ([], [], []))
        column[0].extend(steps)
        column[1].extend(values)
        column[2].extend(repeat(round(times, 3), len(steps)) if isinstance(times, float) else map(_rounded, times))
        self.size += len(steps)
        return True

    def add_value(self, kind: Kind, path: str, value: StoredValue, step: float, time: float) -> None:
        """One point in a series of another kind than numbers, as it is stored."""
        rows = self._values.get(kind)
        if rows is None:
            rows = self._values[kind] = []
        rows.append((self._tables.ids[kind.name][path], step, value, round(time, 3)))
        self.size += 1

    def add_configs(self, rows: Sequence[Sequence[str]]) -> None:
        """Configs as (path, type tag, value, time of the change)."""
        self._configs.extend(rows)
        self.size += len(rows)

    def has_config(self, path: str) -> bool:
        """Whether the config at ``path`` is among them."""
        return any(row[0] == path for row in self._configs)

    def keep_last(self) -> None:
        """Forget all points but that with the highest step of each series; of two at one step, the later one stays."""
        for shape, rows in self._rows.items():
            self._rows[shape] = [max(reversed(rows), key=lambda row: row[2])]
        for series, columns in self._columns.items():
            steps = columns[0]
            last = max(reversed(range(len(steps))), key=steps.__getitem__)
            self._columns[series] = ([steps[last]], [columns[1][last]], [columns[2][last]])
        for kind, points in self._values.items():
            latest: dict[int, tuple[int, float, StoredValue, float]] = {}
            for point in points:
                known = latest.get(point[0])
                if known is None or point[1] >= known[1]:
                    latest[point[0]] = point
            self._values[kind] = list(latest.values())

    def store(self, connection: sqlite3.Connection, on_progress: Callable[[], None] | None = None) -> None:
        """Write it all, inside the caller's transaction; may be called again if that one is rolled back.

        ``on_progress`` is called after every thousand points or so.
        """
        self._tables.store(connection)
        series = sorted(self._series(), key=lambda entry: entry[0])
        points = Upsert(connection, NUMBERS, on_progress=on_progress)
        nodes = self._tables.nodes
        if nodes is not None:
            nodes.begin(connection)
        for id_, steps, values, times in series:
            if nodes is not None:
                nodes.take(id_, steps, values, times)
            points.add_series(id_, steps, values, times)
        points.finish()
        if nodes is not None:
            nodes.finish()
        for kind, rows in self._values.items():
            rows.sort(key=lambda row: row[:2])  # a stable sort: of two points at one step, the later stays so
            others = Upsert(connection, kind, on_progress=on_progress)
            others.add(*zip(*rows, strict=True))
            others.finish()
        if self._configs:
            configs = apply_changes(connection, self._configs)
            connection.executemany(_UPSERT_CONFIG, configs)
            # Readers of many runs look at run_meta alone.
            meta = [(_META_KEYS[row[0]], row[2]) for row in configs if row[0] in _META_KEYS]
            connection.executemany("INSERT OR REPLACE INTO run_meta (key, value) VALUES (?, ?)", meta)

    def touched(self) -> Iterator[tuple[Sequence[int], float, float]]:
        """Which metrics `store` writes, by id, and the lowest and highest step of their points."""
        for shape, rows in self._rows.items():
            steps = [row[2] for row in rows]
            yield shape.series, min(steps), max(steps)
        for series, (steps, _, _) in self._columns.items():
            yield (series,), min(steps), max(steps)

    def points(self) -> Iterator[Points]:
        """The points that `store` writes, a series at a time, with their values as they were logged."""
        for id_, steps, values, times in self._series():
            yield Points(self._tables.ids[NUMBERS.name].path_of(id_), NUMBERS.name, steps, values, times)
        for kind, rows in self._values.items():
            by_series: dict[int, list[tuple[float, StoredValue, float]]] = {}
            for id_, *point in rows:
                by_series.setdefault(id_, []).append(tuple(point))  # type: ignore[arg-type]
            for id_, points in by_series.items():
                steps, stored, times = zip(*points, strict=True)
                path = self._tables.ids[kind.name].path_of(id_)
                yield Points(path, kind.name, steps, list(map(kind.from_stored, stored)), times)

    def _series(self) -> Iterator[tuple[int, Sequence[float], Sequence[float], Sequence[float]]]:
        for shape, rows in self._rows.items():
            _, times, steps, *values = zip(*rows, strict=True)
            rounded = [round(time, 3) for time in times]
            for series, column in zip(shape.series, values, strict=True):
                yield series, steps, column, rounded
        for series, (steps_of, values_of, times_of) in self._columns.items():
            yield series, steps_of, values_of, times_of


def _rounded(time: float) -> float:
    return round(time, 3)


class Upsert:
    """Writes rows of four values (series, step, value, time), a statement for a thousand of them.

    Columns are gathered, and each goes into its places of the parameters by one slice: a third of the price of going
    through the rows.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        kind: Kind,
        *,
        mark: int = 0,
        on_progress: Callable[[], None] | None = None,
    ) -> None:
        """Nothing is written yet.

        Args:
            connection: In a transaction.
            kind: Whose points they are.
            mark: The new value of ``uploaded``. If it is not 0, only stored rows that are still the same are marked.
            on_progress: Called after each statement.
        """
        self._connection: Final = connection
        self._table: Final = kind.point_table
        self._column: Final = kind.column
        self._mark: Final = mark
        self._on_progress: Final = on_progress
        self._columns: Final[tuple[list[StoredValue], ...]] = ([], [], [], [])

    def add(self, *columns: Iterable[StoredValue]) -> None:
        """Write some rows, now or later."""
        for mine, more in zip(self._columns, columns, strict=True):
            mine.extend(more)
        if len(self._columns[0]) >= _ROWS_PER_STATEMENT[0]:
            self._write(_ROWS_PER_STATEMENT[0])

    def add_series(
        self, id_: int, steps: Sequence[float], values: Sequence[StoredValue], times: Sequence[float]
    ) -> None:
        """Write rows of one series, now or later."""
        written, size = 0, _ROWS_PER_STATEMENT[0]
        if len(times) >= size:
            written = len(times) // size * size
            statement = _upsert_statement(self._table, self._column, size, self._mark, is_one_series=True)
            parameters: list[StoredValue] = [id_] * (3 * size + 1)
            for offset in range(0, written, size):
                for place, column in enumerate((steps, values, times), start=1):
                    parameters[place::3] = column[offset : offset + size]
                self._execute(statement, parameters)
        if written < len(times):
            self.add(repeat(id_, len(times) - written), steps[written:], values[written:], times[written:])

    def finish(self) -> None:
        """Write what is left."""
        for rows in _ROWS_PER_STATEMENT[1:]:
            self._write(rows)

    def _write(self, rows: int) -> None:
        statement = _upsert_statement(self._table, self._column, rows, self._mark)
        parameters: list[StoredValue] = [0] * (4 * rows)
        end = len(self._columns[0]) // rows * rows
        for offset in range(0, end, rows):
            for place, column in enumerate(self._columns):
                parameters[place::4] = column[offset : offset + rows]
            self._execute(statement, parameters)
        for column in self._columns:
            del column[:end]

    def _execute(self, statement: str, parameters: Sequence[StoredValue]) -> None:
        self._connection.execute(statement, parameters)
        if self._on_progress is not None:
            self._on_progress()


@lru_cache(maxsize=16)
def _upsert_statement(table: str, column: str, rows: int, mark: int, *, is_one_series: bool = False) -> str:
    """Writes so many rows; of one series, the parameters name that once: a fifth of the time goes into passing them."""
    places = ", ".join(
        f"(?1, ?{first}, ?{first + 1}, ?{first + 2})" if is_one_series else "(?, ?, ?, ?)"
        for first in range(2, 3 * rows + 2, 3)
    )
    if mark:  # one step of SQLite for a thousand rows, as an UPDATE of many rows needs version 3.33
        return f"""
            INSERT INTO {table} (series_id, step, {column}, ts) VALUES {places}
            ON CONFLICT (series_id, step) DO UPDATE SET uploaded = {mark:d}
            WHERE {column} IS excluded.{column} AND ts = excluded.ts"""
    return f"""
        INSERT INTO {table} (series_id, step, {column}, ts) VALUES {places}
        ON CONFLICT (series_id, step) DO UPDATE SET {column} = excluded.{column}, ts = excluded.ts, uploaded = 0"""
