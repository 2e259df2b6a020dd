"""Keeps computed bytes about runs, each with its keys, the token of its run, and a checksum."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, final

from goodseed.storage.cache.file import CacheFile, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Kept", "KeptRow"]


class KeptRow(NamedTuple):
    """Something that is kept.

    Attributes:
        keys: What it is found by, as many texts as its table has keys.
        token: The state of the run that it is about, such as `goodseed.storage.cache.token.rest_token`.
        content: The bytes.
    """

    keys: tuple[str, ...]
    token: str
    content: bytes


@final
class Kept:
    """One table of what is kept; for any number of threads."""

    def __init__(self, file: CacheFile, name: str, keys: tuple[str, ...], *, is_large: bool = True) -> None:
        """Nothing is read yet.

        Args:
            file: Where it is kept.
            name: The name of the table.
            keys: The names of its keys, in the order in which they are looked up.
            is_large: It may take most of the file, and is emptied when the file grows too large.
        """
        columns = ", ".join(f"{key} BLOB" for key in keys)
        file.add(
            Table(
                name,
                f"{columns}, token TEXT NOT NULL, checksum INTEGER NOT NULL, content BLOB NOT NULL, "
                f"PRIMARY KEY ({', '.join(keys)})",
                is_large,
            )
        )
        self._file: Final = file
        self._name: Final = name
        self._select: Final = f"SELECT {', '.join(keys)}, token, checksum, content FROM {name}"
        self._insert: Final = f"INSERT OR REPLACE INTO {name} VALUES ({', '.join('?' * (len(keys) + 3))})"
        self._keys: Final = keys

    def get(self, *keys: str, token: str) -> bytes | None:
        """What is kept under these keys, if the run is still as it was."""
        found = next(self.rows(*keys), None)
        return found.content if found is not None and found.token == token else None

    def rows(self, *keys: str) -> Iterator[KeptRow]:
        """What is kept under these first keys; a row that is damaged is left out."""
        where = " AND ".join(f"{key} = ?" for key in self._keys[: len(keys)])
        query = f"{self._select} WHERE {where}" if where else self._select
        for *stored, token, checksum, content in self._file.read(query, _encoded(keys)):
            if isinstance(content, bytes) and zlib.crc32(content) == checksum:
                with suppress(AttributeError, UnicodeDecodeError):
                    yield KeptRow(tuple(key.decode("utf-8", "surrogatepass") for key in stored), token, content)

    def put(self, rows: Iterable[KeptRow]) -> None:
        """Keep these in place of what was kept under their keys."""
        written = [(*_encoded(keys), token, zlib.crc32(content), content) for keys, token, content in rows]
        if written:
            self._file.write(self._insert, written)

    def forget(self, names: Iterable[str], values: Iterable[tuple[str, ...]]) -> None:
        """Remove what has one of several combinations of values of the keys ``names``."""
        where = " AND ".join(f"{name} = ?" for name in names)
        self._file.write(f"DELETE FROM {self._name} WHERE {where}", map(_encoded, values))


def _encoded(keys: Iterable[str]) -> tuple[bytes, ...]:
    """Keys as bytes: the name of a file, or a path in a damaged one, need not be valid text."""
    return tuple(key.encode("utf-8", "surrogatepass") for key in keys)
