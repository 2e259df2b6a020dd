"""Keeps the rollups of long series of runs that have ended."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, final

from goodseed.storage.cache.file import CacheFile, Checked, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RollupCache"]

_TABLE: Final = Table(
    "rollup",
    """run BLOB, path TEXT, token TEXT NOT NULL, checksum INTEGER NOT NULL, nodes BLOB NOT NULL,
    PRIMARY KEY (run, path)""",
    is_large=True,
)


@final
class RollupCache:
    """The packed nodes of series; for any number of threads."""

    def __init__(self, file: CacheFile) -> None:
        """They are kept in ``file``."""
        self._file: Final = file
        file.add(_TABLE)

    def get(self, run: str, path: str, token: str) -> bytes | None:
        """The nodes of a series, if the file of the run is still the same."""
        rows = self._file.read(
            "SELECT checksum, nodes FROM rollup WHERE run = ? AND path = ? AND token = ?",
            (os.fsencode(run), path, token),
        )
        return Checked.sound(*rows[0]) if rows else None

    def put(self, run: str, path: str, token: str, nodes: bytes) -> None:
        """Keep the nodes of a series."""
        row = (os.fsencode(run), path, token, *Checked.of(nodes))
        self._file.write("INSERT OR REPLACE INTO rollup VALUES (?, ?, ?, ?, ?)", [row])

    def forget(self, runs: Iterable[str]) -> None:
        """Remove what is about these runs."""
        self._file.write("DELETE FROM rollup WHERE run = ?", [(os.fsencode(run),) for run in runs])
