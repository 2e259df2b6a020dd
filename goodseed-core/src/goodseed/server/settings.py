"""Stores what users set beside the runs (colours, archive, views): one JSON file a project, in its directory."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, final

from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.paths import check_project
from goodseed.server.routes import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["FILE_NAME", "SettingsFiles"]

FILE_NAME: Final = ".goodseed-dashboard.json"
_MAX_FILE_BYTES: Final = 64 << 20
_MAX_VIEW_BYTES: Final = 256 << 10
_MAX_VIEWS: Final = 200


@final
class SettingsFiles:
    """The settings of the projects under a directory; for any number of threads.

    A file that can't be read counts as empty, and is kept under another name when something new is stored.
    """

    def __init__(self, root: Path) -> None:
        """Nothing is read yet.

        Args:
            root: The directory that holds the projects.
        """
        self._root: Final = root
        self._lock: Final = threading.Lock()
        self._known: Final[dict[str, tuple[object, dict[str, Any]]]] = {}

    def runs(self, project: str) -> dict[str, dict[str, Any]]:
        """What is set for each run, by id: ``color``, ``archived``, and when a latecomer was first ``seen``."""
        with self._lock:
            return dict(self._load(project)["runs"])

    def set_runs(self, project: str, run_ids: Iterable[str], changes: dict[str, Any]) -> None:
        """Set something for some runs; None takes it away.

        Raises:
            RequestError: The file can't be written.
        """
        with self._lock:
            content = self._load(project)
            runs = dict(content["runs"])
            for run_id in run_ids:
                merged = {**runs.get(run_id, {}), **changes}
                entry = {name: value for name, value in merged.items() if value is not None}
                runs.pop(run_id, None)
                if entry:
                    runs[run_id] = entry
            self._store(project, {**content, "runs": runs})

    def views(self, project: str) -> dict[str, dict[str, Any]]:
        """The views by name: ``updated`` and ``content``."""
        with self._lock:
            return dict(self._load(project)["views"])

    def set_view(self, project: str, name: str, content: dict[str, Any] | None) -> dict[str, Any] | None:
        """Store a view, or remove it; returns the new entry, or the removed one.

        Raises:
            RequestError: It is too large, there are too many, or the file can't be written.
        """
        if content is not None and len(json.dumps(content)) > _MAX_VIEW_BYTES:
            raise RequestError(f"A view must have at most {_MAX_VIEW_BYTES >> 10} kB", code="too_many")
        with self._lock:
            known = self._load(project)
            views = dict(known["views"])
            entry = views.pop(name, None)
            if content is not None:
                if entry is None and len(views) >= _MAX_VIEWS:
                    raise RequestError(
                        f"A project can have at most {_MAX_VIEWS} views", code="too_many", hint="Delete one first."
                    )
                entry = views[name] = {"updated": time.time(), "content": content}
            elif entry is None:
                return None
            self._store(project, {**known, "views": views})
            return dict(entry)

    def _path(self, project: str) -> Path | None:
        try:
            directory = self._root.joinpath(*check_project(project).split("/"))
        except (InvalidValueError, InvalidTypeError):  # a run outside of a project's directory may name any
            return None
        # A symbolic link could lead out of the root.
        is_inside = directory.is_dir() and os.path.realpath(directory) == os.path.abspath(directory)
        return directory / FILE_NAME if is_inside else None

    def _load(self, project: str) -> dict[str, Any]:
        path = self._path(project)
        state: object = None
        if path is not None:
            with suppress(OSError):
                found = path.stat()
                state = (found.st_mtime_ns, found.st_size, found.st_ino)
        known = self._known.get(project)
        if known is not None and (known[0] == state or path is None):
            return known[1]
        content: dict[str, Any] = {"runs": {}, "views": {}}
        if path is not None and state is not None:
            with suppress(OSError, ValueError, RecursionError):
                if not path.is_symlink() and path.stat().st_size <= _MAX_FILE_BYTES:
                    content = _checked(json.loads(path.read_bytes()))
        self._known[project] = (state, content)
        return content

    def _store(self, project: str, content: dict[str, Any]) -> None:
        path = self._path(project)
        if path is None:
            self._known[project] = (None, content)
            return
        try:
            descriptor, name = tempfile.mkstemp(prefix=f"{FILE_NAME}-", dir=path.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump({"version": 1, **content}, file, ensure_ascii=True)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise RequestError(
                f"{path} can't be written: {error.strerror}", status=409, code="read_only", hint="Check the directory."
            ) from error
        self._known.pop(project, None)


def _checked(loaded: Any) -> dict[str, Any]:
    """The valid parts of a file's content: it may have been edited, or be foreign."""
    if not isinstance(loaded, dict):
        return {"runs": {}, "views": {}}
    runs, views = loaded.get("runs"), loaded.get("views")
    runs = runs if isinstance(runs, dict) else {}
    return {
        "runs": {key: value for key, value in runs.items() if isinstance(value, dict)},
        "views": {
            key: value
            for key, value in views.items()
            if isinstance(value, dict)
            and isinstance(value.get("content"), dict)
            and isinstance(value.get("updated"), (int, float))
        }
        if isinstance(views, dict)
        else {},
    }
