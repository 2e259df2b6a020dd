"""Stores the dashboard's settings (colours, views) in the database that several hubs share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, final

from goodseed.paths import make_private_directory
from goodseed.server.settings import FILE_NAME, SettingsFiles

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from goodseed_hub.service import Hub

__all__ = ["SharedSettings"]


@final
class SharedSettings:
    """Settings in files, which are kept the same as the database's rows."""

    def __init__(self, hub: Hub) -> None:
        self._hub: Final = hub
        self._files: Final = SettingsFiles(hub.store.root)
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

    def runs(self, project: str) -> dict[str, dict[str, Any]]:
        """What is set for each run, by id."""
        return self._files.runs(project)

    def set_runs(self, project: str, run_ids: Iterable[str], changes: dict[str, Any]) -> None:
        """Set something for some runs; None takes it away."""
        self._files.set_runs(project, run_ids, changes)
        self._give(project)

    def views(self, project: str) -> dict[str, dict[str, Any]]:
        """The views by name."""
        return self._files.views(project)

    def set_view(self, project: str, name: str, content: dict[str, Any] | None) -> dict[str, Any] | None:
        """Store a view, or remove it; returns its entry, or the one that is no more."""
        entry = self._files.set_view(project, name, content)
        self._give(project)
        return entry

    def _give(self, project: str) -> None:
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
