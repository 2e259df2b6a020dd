"""Serves the built dashboard's files."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from goodseed.server.plain import plain_page
from goodseed.server.routes import Answer, RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from goodseed.server.routes import Store

__all__ = ["WEB", "Pages"]

WEB: Final = Path(__file__).parents[2] / "web"
# What the files may be; a table of the system's could say anything.
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_HASHED: Final = re.compile(r".*[-.][A-Za-z0-9_-]{8,}\.\w+")
_FOREVER: Final = "public, max-age=31536000, immutable"
_INDEX: Final = "/index.html"


class Pages:
    """Everything that is no API: the dashboard, or a plain list of runs where it has not been built.

    The files are read once. Requested paths are looked up among them, so no address leads to any other file.
    """

    def __init__(self, directory: Path = WEB) -> None:
        self._files: Final = {
            f"/{path.relative_to(directory).as_posix()}": _answer(path)
            for path in sorted(directory.rglob("*"))
            if path.suffix in _TYPES and path.is_file() and not path.is_symlink()
        }

    def answer(self, store: Store, path: str, query: Mapping[str, Sequence[str]]) -> Answer:
        """The file at ``path``; the dashboard itself for any path that is not a file's, as it has pages of its own.

        Raises:
            RequestError: There is no such file.
        """
        index = self._files.get(_INDEX)
        found = self._files.get(path)
        if found is not None:
            return found
        is_asset = path.startswith("/assets/") or Path(path).suffix in _TYPES
        if is_asset or (index is None and path != "/"):
            raise RequestError("Not found", status=404, code="not_found")
        return index or plain_page(store, (query.get("project") or [""])[0])


def _answer(path: Path) -> Answer:
    content = path.read_bytes()
    is_hashed = path.parent.name == "assets" and _HASHED.fullmatch(path.name)
    return Answer(
        content,
        content_type=_TYPES[path.suffix],
        headers={
            "Cache-Control": _FOREVER if is_hashed else "no-cache",
            "ETag": f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"',
        },
    )
