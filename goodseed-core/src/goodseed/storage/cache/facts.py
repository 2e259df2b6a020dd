"""Keeps the columns of the table of runs: configs, and aggregates of metrics."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple, final

from goodseed.storage.cache.file import CacheFile, Checked, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Fact", "FactCache"]

_TABLE: Final = Table(
    "fact",
    """project BLOB, name TEXT, run BLOB, token TEXT NOT NULL, checksum INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (project, name, run)""",
    is_large=True,
)


class Fact(NamedTuple):
    """Something that was read of a run.

    Attributes:
        name: What it is.
        run: The run's file.
        token: The state of the file, see `goodseed.storage.cache.token.file_token`.
        content: What was read.
    """

    name: str
    run: str
    token: str
    content: bytes


@final
class FactCache:
    """What was read of the runs of projects; for any number of threads."""

    def __init__(self, file: CacheFile) -> None:
        """It is kept in ``file``."""
        self._file: Final = file
        file.add(_TABLE)

    def get(self, project: str, name: str) -> list[Fact]:
        """What is kept under ``name`` of the runs of ``project``."""
        rows = self._file.read(
            "SELECT run, token, checksum, content FROM fact WHERE project = ? AND name = ?",
            (os.fsencode(project), name),
        )
        found = []
        for run, token, checksum, content in rows:
            sound = Checked.sound(checksum, content)
            if sound is not None and isinstance(token, str) and isinstance(run, bytes):
                found.append(Fact(name, os.fsdecode(run), token, sound))
        return found

    def put(self, project: str, facts: Iterable[Fact]) -> None:
        """Keep some."""
        rows = [
            (os.fsencode(project), name, os.fsencode(run), token, *Checked.of(content))
            for name, run, token, content in facts
        ]
        if rows:
            self._file.write("INSERT OR REPLACE INTO fact VALUES (?, ?, ?, ?, ?, ?)", rows)

    def forget(self, project: str, runs: Iterable[str]) -> None:
        """Remove what is about these runs."""
        rows = [(os.fsencode(project), os.fsencode(run)) for run in runs]
        self._file.write("DELETE FROM fact WHERE project = ? AND run = ?", rows)
