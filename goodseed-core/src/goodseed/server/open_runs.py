"""Reads one run for the server, in short queries with a deadline, and keeps runs at rest open."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, final

from goodseed.storage.cache.series import SeriesPaths
from goodseed.storage.cache.token import rest_token
from goodseed.storage.history.attempts import ATTEMPTS
from goodseed.storage.reader import RunReader
from goodseed.storage.schema import lenient_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from goodseed.paths import RunFiles
    from goodseed.storage.catalog import RunSummary
    from goodseed.storage.kinds import Kind

    Reading = Callable[[RunSummary], AbstractContextManager["OpenRun"]]  # as `OpenRuns.reading`

__all__ = ["OpenRun", "OpenRuns"]

_MAX_READERS: Final = 128
_KEPT: Final = -256  # KiB of a file that an open run keeps: there may be many, and the system keeps them too
_STEPS_BETWEEN_LOOKS: Final = 100_000
_LONGEST_SECONDS: Final = 30.0
_SERIES: Final = """
    SELECT id, path FROM {series} AS s
    WHERE EXISTS (SELECT 1 FROM {points} WHERE series_id = s.id) AND typeof(path) = 'text' ORDER BY path"""


class OpenRun(RunReader):
    """A run as the server reads it; to be used by one thread at a time.

    Invalid text comes with replacement characters. A query that takes half a minute is ended: a hostile file may hold
    one without end.
    """

    def __init__(self, files: RunFiles) -> None:
        super().__init__(files, is_polled=True)
        self._until = 0.0
        self.renew()
        self.limit_memory(_KEPT)
        self.connection.text_factory = lenient_text
        self.connection.set_progress_handler(self._is_over, _STEPS_BETWEEN_LOOKS)

    def renew(self) -> None:
        """Let the deadline begin again."""
        self._until = time.monotonic() + _LONGEST_SECONDS

    def rows(self, query: str, *parameters: object) -> list[Any]:
        """All rows of a query; a value that is not a text and should be, in a damaged file, comes as text.

        Raises:
            FileFormatError: The file is damaged.
        """
        rows = self.query(query, parameters)
        if any(bytes in map(type, row) for row in rows):
            return [tuple(lenient_text(value) if isinstance(value, bytes) else value for value in row) for row in rows]
        return rows

    def series_paths(self) -> SeriesPaths:
        """The paths of the series that hold a point, without those of earlier attempts."""
        with self.transaction():
            found = {kind.name: [path for _, path in self.series(kind)] for kind in self.kinds()}
        return SeriesPaths(
            {name: tuple(path for path in paths if not path.startswith(ATTEMPTS)) for name, paths in found.items()}
        )

    def series(self, kind: Kind, path: str | None = None) -> list[tuple[int, str]]:
        """The numbers and paths of the series of one kind that hold a point, by path, or of one of them."""
        found = self.query(_SERIES.format(series=kind.series_table, points=kind.point_table))
        return [(series, name) for series, name in found if path is None or path == name]

    def last_point(self, kind: Kind, series: int) -> tuple[Any, Any, Any] | None:
        """Step, value and time of a series' last point, the value as a list of series shows it; None without a point.

        Raises:
            FileFormatError: The file is damaged.
        """
        columns = f"step, {kind.shown_column}, ts"
        query = f"SELECT {columns} FROM {kind.point_table} WHERE series_id = ? ORDER BY step DESC LIMIT 1"
        rows = self.query(query, (series,)) if kind.form is bytes else self.rows(query, series)
        for step, stored, time_seconds in rows:
            try:
                return step, kind.shown(stored), time_seconds
            except (TypeError, ValueError):  # it is none of its kind
                return step, None if isinstance(stored, bytes) else stored, time_seconds
        return None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """As `RunReader.transaction`."""
        self.renew()
        with super().transaction() as connection:
            yield connection

    def _is_over(self) -> bool:
        return time.monotonic() > self._until


@final
class OpenRuns:
    """The runs that were read last; for any number of threads."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._readers: Final[dict[str, tuple[str, OpenRun]]] = {}

    def close(self) -> None:
        """Close all of them; a run that is read later is opened again."""
        with self._lock:
            readers = [reader for _, reader in self._readers.values()]
            self._readers.clear()
        for reader in readers:
            reader.close()

    @contextmanager
    def reading(self, run: RunSummary) -> Iterator[OpenRun]:
        """An open run. A run at rest stays open for later, unless its file changes.

        Raises:
            RunNotFoundError: It is gone.
            FileFormatError: It is damaged.
        """
        token = rest_token(run.files)
        reader = self._take(run.path, token) or OpenRun(run.files)
        reader.renew()
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        if token is None or rest_token(run.files) != token:
            reader.close()
        else:
            self._give_back(run.path, token, reader)

    def _take(self, path: str, token: str | None) -> OpenRun | None:
        with self._lock:
            known_token, reader = self._readers.pop(path, (None, None))
        if reader is not None and known_token != token:
            reader.close()
            return None
        return reader

    def _give_back(self, path: str, token: str, reader: OpenRun) -> None:
        with self._lock:
            old = [self._readers.pop(path, None)]
            self._readers[path] = (token, reader)
            while len(self._readers) > _MAX_READERS:
                old.append(self._readers.pop(next(iter(self._readers))))
        for entry in old:
            if entry is not None:
                entry[1].close()
