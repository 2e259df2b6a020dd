"""What the dashboard keeps of a project (colours, views), where several hubs share one database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, final

from goodseed.paths import make_private_directory
from goodseed.server.ui.settings import FILE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from goodseed_hub.service import Hub

__all__ = ["SharedSettings"]


@final
class SharedSettings:
    """Keeps the file that the dashboard's handlers use, and the database's row, the same."""

    def __init__(self, hub: Hub) -> None:
        self._hub: Final = hub
        self._known: Final[dict[tuple[str, str], str]] = {}

    def fetch(self) -> None:
        """Write the files of which the database has another content."""
        for (workspace, project), content in self._hub.directory.dashboards().items():
            if self._known.get((workspace, project)) == content:
                continue
            path = self._path(f"{workspace}/{project}")
            make_private_directory(path.parent)
            draft = path.with_name(f"{path.name}-fetched")
            draft.write_text(content, encoding="utf-8")
            os.replace(draft, path)
            self._known[workspace, project] = content

    def give(self, project: str) -> None:
        """Store a project's file in the database, where it has changed."""
        workspace, _, name = project.partition("/")
        try:
            content = self._path(project).read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        if self._known.get((workspace, name)) != content:
            self._hub.directory.set_dashboard(workspace, name, content)
            self._known[workspace, name] = content

    def _path(self, project: str) -> Path:
        return self._hub.store.root.joinpath(*project.split("/"), FILE_NAME)
