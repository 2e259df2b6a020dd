"""One run as the dashboard reads it: rows in short queries, each with a deadline."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from goodseed.storage.reader import RunReader
from goodseed.storage.schema import lenient_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from goodseed.paths import RunFiles

__all__ = ["OpenRun"]

_KEPT: Final = -256  # KiB of a file that an open run keeps: there may be many, and the system keeps them too
_STEPS_BETWEEN_LOOKS: Final = 100_000
_LONGEST_SECONDS: Final = 30.0


class OpenRun(RunReader):
    """An open run; to be used by one thread at a time.

    Invalid text comes with replacement characters. A query that takes half a minute is ended: a hostile file may hold
    one without end.
    """

    def __init__(self, files: RunFiles) -> None:
        super().__init__(files)
        self._until = 0.0
        self.renew()
        self.limit_memory(_KEPT)
        self._connection.text_factory = lenient_text
        self._connection.set_progress_handler(self._is_over, _STEPS_BETWEEN_LOOKS)

    def renew(self) -> None:
        """Let the deadline begin anew."""
        self._until = time.monotonic() + _LONGEST_SECONDS

    def rows(self, query: str, *parameters: object) -> list[Any]:
        """All rows of a query; a value that is no text and should be, in a damaged file, comes as text.

        Raises:
            FileFormatError: The file is damaged.
        """
        rows = self._rows(query, parameters)
        if any(bytes in map(type, row) for row in rows):
            return [tuple(lenient_text(value) if isinstance(value, bytes) else value for value in row) for row in rows]
        return rows

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """As `RunReader.transaction`."""
        self.renew()
        with super().transaction() as connection:
            yield connection

    def _is_over(self) -> bool:
        return time.monotonic() > self._until
