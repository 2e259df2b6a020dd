"""Keeps the series of charts as they were sent, from one start of a server to the next."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple, final

from goodseed.storage.cache.file import CacheFile, Checked, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ChartCache", "KeptChart"]

_TABLE: Final = Table(
    "chart",
    """run BLOB, path TEXT, asked TEXT, token TEXT NOT NULL, checksum INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (run, path, asked)""",
    is_large=True,
)


class KeptChart(NamedTuple):
    """A series as it was sent.

    Attributes:
        run: The run's file.
        path: The series.
        asked: What else was asked for.
        token: The state of the file, see `goodseed.storage.cache.token.rest_token`.
        content: What was sent.
    """

    run: str
    path: str
    asked: str
    token: str
    content: bytes


@final
class ChartCache:
    """The series that were sent last; for any number of threads."""

    def __init__(self, file: CacheFile) -> None:
        """They are kept in ``file``."""
        self._file: Final = file
        file.add(_TABLE)

    def get(self, run: str, path: str, asked: str, token: str) -> bytes | None:
        """What was sent, if the file of the run is still the same."""
        rows = self._file.read(
            "SELECT checksum, content FROM chart WHERE run = ? AND path = ? AND asked = ? AND token = ?",
            (os.fsencode(run), path, asked, token),
        )
        return Checked.sound(*rows[0]) if rows else None

    def put(self, charts: Iterable[KeptChart]) -> None:
        """Keep some."""
        rows = [
            (os.fsencode(run), path, asked, token, *Checked.of(content)) for run, path, asked, token, content in charts
        ]
        if rows:
            self._file.write("INSERT OR REPLACE INTO chart VALUES (?, ?, ?, ?, ?, ?)", rows)

    def forget(self, runs: Iterable[str]) -> None:
        """Remove what is about these runs."""
        self._file.write("DELETE FROM chart WHERE run = ?", [(os.fsencode(run),) for run in runs])
