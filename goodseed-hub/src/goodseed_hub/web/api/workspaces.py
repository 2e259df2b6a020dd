"""Serves the protocol's endpoints about keys, workspaces and projects, and the capabilities."""

from __future__ import annotations

from typing import Final

from goodseed.storage.kinds import kinds
from goodseed_hub import __version__
from goodseed_hub.errors import ApiError
from goodseed_hub.web.api.operations import OPERATIONS
from goodseed_hub.web.calls import Call, Endpoint, Reply
from goodseed_hub.wire.bodies import text_field

__all__ = ["ENDPOINTS"]

_MAX_NAME: Final = 400


def get_me(call: Call) -> Reply:
    """Whose key this is."""
    workspace = call.caller.default_workspace
    if workspace is None:
        raise ApiError(403, "Auth.Forbidden", "No access", "The key has access to no workspace.")
    return Reply({"name": workspace, "user": call.caller.user, "is_admin": call.caller.is_admin})


def get_capabilities(call: Call) -> Reply:
    """What the hub can do beyond the plain protocol."""
    return Reply(
        {
            "server": "goodseed-hub",
            "version": __version__,
            "float_steps": True,
            "non_finite": True,
            "times": True,
            "packed_points": True,
            "kinds": [kind.name for kind in kinds()],
            "limits": call.hub.limits.announced(),
        }
    )


def list_workspaces(call: Call) -> Reply:
    """The workspaces that the key reaches."""
    return Reply([{"id": name, "name": name, "role": role} for name, role in sorted(call.caller.roles.items())])


def list_projects(call: Call) -> Reply:
    """The projects of a workspace."""
    workspace = call.path["workspace"]
    call.caller.require("viewer", workspace)
    return Reply(call.hub.directory.projects(workspace))


def create_project(call: Call) -> Reply:
    """Make a project, or find it."""
    workspace = call.path["workspace"]
    call.caller.require("member", workspace)
    name = text_field(call.content(), "name", max_characters=_MAX_NAME) or ""
    call.hub.make_project(workspace, name)
    return Reply({"name": name, "workspace": workspace})


def list_runs(call: Call) -> Reply:
    """The runs of a project, the newest first."""
    workspace, project = call.path["workspace"], call.path["project"]
    call.caller.require("viewer", workspace)
    directory = call.hub.directory
    if not directory.has_project(workspace, project):
        raise ApiError.project_not_found(f"{workspace}/{project}")
    return Reply(
        [
            {
                "id": state.record.id,
                "run_id": state.record.run_id,
                "workspace": workspace,
                "project": project,
                "experiment_name": state.name,
                "status": directory.status(state),
                "created_at": state.created_at,
            }
            for state in directory.runs(workspace, project)
        ]
    )


_PROJECTS: Final = "/api/v1/workspaces/{workspace}/projects"

ENDPOINTS: Final = (
    Endpoint("GET", "/api/v1/auth/me", get_me, "Whose key this is", OPERATIONS["get_me"]),
    Endpoint("GET", "/api/v1/capabilities", get_capabilities, "What the hub can do", OPERATIONS["get_capabilities"]),
    Endpoint("GET", "/api/v1/workspaces", list_workspaces, "The key's workspaces", OPERATIONS["list_workspaces"]),
    Endpoint("GET", _PROJECTS, list_projects, "The projects of a workspace", OPERATIONS["list_projects"]),
    Endpoint("POST", _PROJECTS, create_project, "Make a project, or find it", OPERATIONS["create_project"]),
    Endpoint("GET", f"{_PROJECTS}/{{project}}/runs", list_runs, "The runs of a project", OPERATIONS["list_runs"]),
)
