"""Lists the projects and runs on this machine or at the remote."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from goodseed.config import Settings, Storage, is_web_address
from goodseed.credentials import find_key
from goodseed.errors import AuthenticationError, ConfigurationError
from goodseed.paths import check_project, home_directory

if TYPE_CHECKING:
    import os

    from goodseed.remote.client import Client

__all__ = ["list_projects", "list_runs"]

_FIELDS: Final = (
    *("run_id", "project", "name", "state", "end_reason", "created_at", "closed_at"),
    "duration_seconds",
)


def list_projects(
    workspace: str | None = None,
    *,
    storage: str | Storage | None = None,
    api_key: str | None = None,
    goodseed_home: str | os.PathLike[str] | None = None,
) -> list[dict[str, Any]]:
    """The projects, by name.

    Args:
        workspace: Only those of this workspace; None for all.
        storage: ``"local"`` or ``"cloud"``; default: ``GOODSEED_STORAGE``, else ``"cloud"`` where there is an API key.
        api_key: Default: ``GOODSEED_API_KEY``, else the one that ``goodseed login`` keeps.
        goodseed_home: Default: ``GOODSEED_HOME``, else ``~/.goodseed``.

    Returns:
        One dictionary a project: ``name`` (what ``project=`` takes) and ``workspace`` (None for a local project
        without one).

    Raises:
        AuthenticationError: There is no key, or the remote does not take it.
        RemoteError: The remote is unreachable, or refuses the key or project.
    """
    client = _client(storage, api_key)
    if client is not None:
        with closing(client):
            wanted = client.workspaces() if workspace is None else [workspace]
            found = [(name, f"{name}/{project}") for name in wanted for project in client.projects(name)]
    else:
        from goodseed.storage.catalog import Catalog

        with Catalog(home_directory(goodseed_home) / "projects", is_exact=True) as catalog:
            names = [project.name for project in catalog.projects()]
        found = [(name.partition("/")[0] if "/" in name else None, name) for name in names]  # type: ignore[misc]
        found = [entry for entry in found if workspace is None or entry[0] == workspace]
    return [{"name": name, "workspace": owner} for owner, name in sorted(found, key=lambda entry: entry[1])]


def list_runs(
    project: str,
    *,
    storage: str | Storage | None = None,
    api_key: str | None = None,
    goodseed_home: str | os.PathLike[str] | None = None,
) -> list[dict[str, Any]]:
    """The runs of a project, the newest first on this machine, in the remote's order there.

    Args:
        project: ``"project"`` or ``"workspace/project"``.
        storage: See `list_projects`.
        api_key: See `list_projects`.
        goodseed_home: See `list_projects`.

    Returns:
        One dictionary a run, wherever it is: ``run_id`` (what ``run_id=`` takes), ``project``, ``name``, ``state``
        (``running``, ``finished``, ``failed`` or ``crashed``), ``end_reason`` (None if it ended well, or the reason
        is unknown), ``created_at`` and ``closed_at`` (ISO 8601, UTC) and ``duration_seconds``. What a remote does not
        tell is None.

    Raises:
        InvalidTypeError, InvalidValueError: ``project`` is invalid.
        AuthenticationError: There is no key, or the remote does not take it.
        ProjectNotFoundError: The remote has no such project; on this machine, one without runs has none.
        RemoteError: The remote is unreachable, or refuses the key or project.
    """
    check_project(project)
    client = _client(storage, api_key)
    if client is not None:
        from goodseed.remote.client import split_project

        with closing(client):
            workspace, name = split_project(client, project)
            return [_remote_run(f"{workspace}/{name}", run) for run in client.runs(workspace, name)]
    from goodseed.storage.catalog import Catalog

    with Catalog(home_directory(goodseed_home) / "projects", is_exact=True) as catalog:
        runs = catalog.runs(project)
    return [{name: getattr(run, name) for name in _FIELDS} for run in runs]


def _remote_run(project: str, run: dict[str, Any]) -> dict[str, Any]:
    """A run that the remote lists, as `list_runs` gives it."""
    said = {key: value for key, value in run.items() if isinstance(value, str)}
    return dict.fromkeys(_FIELDS) | {
        "run_id": run["run_id"],
        "project": project,
        "name": said.get("experiment_name") or said.get("name"),
        "state": said.get("status") or said.get("state"),
        "created_at": said.get("created_at"),
    }


def _client(storage: str | Storage | None, api_key: str | None) -> Client | None:
    """The remote; None when this machine is asked."""
    settings = Settings.from_env()
    chosen = Storage.of(storage, "storage") if storage is not None else settings.storage
    if chosen is Storage.DISABLED:
        raise ConfigurationError('storage="disabled" keeps nothing that could be listed: use "local" or "cloud".')
    is_remote = chosen is Storage.CLOUD or (chosen is None and is_web_address(settings.api_url))
    key = find_key(settings, api_key) if is_remote else None
    if key is None:
        if chosen is Storage.CLOUD:
            raise AuthenticationError('storage="cloud" needs an API key: run goodseed login, or set GOODSEED_API_KEY.')
        return None
    from goodseed.remote.destination import connect

    return connect(settings.api_url, key, is_http_allowed=settings.is_http_allowed)
