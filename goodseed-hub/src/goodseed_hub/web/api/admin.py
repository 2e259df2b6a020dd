"""Serves the admin API: users, keys, workspaces, roles."""

from __future__ import annotations

from typing import Any, Final

from goodseed_hub.errors import ApiError, HubError
from goodseed_hub.registry.caller import ROLES
from goodseed_hub.registry.directory import check_name
from goodseed_hub.web.api.operations import OPERATIONS
from goodseed_hub.web.calls import Call, Endpoint, Reply
from goodseed_hub.wire.bodies import text_field

__all__ = ["ENDPOINTS"]

_MAX_NAME: Final = 200


def list_keys(call: Call) -> Reply:
    """The caller's own keys; an admin's list has all, that of a limited key itself."""
    keys = call.hub.access.keys(None if call.caller.is_admin else call.caller.user)
    return Reply([key for key in keys if not call.caller.is_limited or key["id"] == call.caller.key_id])


def create_key(call: Call) -> Reply:
    """Make a key, shown once: for the caller, or by an admin for any user; it never has more rights than its maker."""
    if call.caller.is_limited:
        raise ApiError(403, "Auth.Forbidden", "No access", "A limited key can't create other keys.")
    content = call.content()
    user = text_field(content, "user", max_characters=_MAX_NAME, default=call.caller.user) or ""
    label = text_field(content, "label", max_characters=_MAX_NAME, default="") or ""
    grants = content.get("grants") or {}
    if not isinstance(grants, dict) or not all(isinstance(role, str) for role in grants.values()):
        raise ApiError.bad_request("grants must be an object: a role for each workspace.")
    for workspace in grants:
        text_field({"workspace": workspace}, "workspace", max_characters=_MAX_NAME)
    if user != call.caller.user:
        call.caller.require_admin()
    if not call.caller.is_admin:
        _check_grants(call, grants)
    try:
        key_id, key = call.hub.access.create_key(user, label, grants)
    except HubError as error:
        raise ApiError.bad_request(str(error), "Key.Invalid") from error
    return Reply({"id": key_id, "key": key, "user": user, "label": label, "grants": grants}, status=201)


def _check_grants(call: Call, grants: dict[str, str]) -> None:
    """A key gives nothing that its maker has not; without grants it can do what its user can, now and later."""
    for workspace, role in grants.items():
        if role not in ROLES:
            raise ApiError.bad_request(f"A role must be one of {', '.join(ROLES)}.", "Key.Invalid")
        call.caller.require(role, workspace)


def revoke_key(call: Call) -> Reply:
    """A key is no longer valid."""
    if call.caller.is_limited and call.path["key"] != call.caller.key_id:
        raise ApiError(404, "Key.NotFound", "Key not found", f"There is no key {call.path['key']!r:.100}.")
    try:
        call.hub.access.revoke_key(call.path["key"], None if call.caller.is_admin else call.caller.user)
    except HubError as error:
        raise ApiError(404, "Key.NotFound", "Key not found", str(error)) from error
    return Reply(status=204)


def list_users(call: Call) -> Reply:
    """All users, with their roles."""
    call.caller.require_admin()
    return Reply(call.hub.access.users())


def create_user(call: Call) -> Reply:
    """A new user."""
    call.caller.require_admin()
    content = call.content()
    name = text_field(content, "name", max_characters=_MAX_NAME) or ""
    is_admin = content.get("is_admin", False)
    if not isinstance(is_admin, bool):
        raise ApiError.bad_request("is_admin must be true or false.")
    try:
        check_name(name, "user")
    except HubError as error:
        raise ApiError.bad_request(str(error), "User.Invalid") from error
    try:
        call.hub.access.create_user(name, is_admin=is_admin)
    except HubError as error:
        raise ApiError(409, "User.Exists", "User exists", str(error)) from error
    return Reply({"name": name, "is_admin": is_admin}, status=201)


def delete_user(call: Call) -> Reply:
    """Remove a user; the runs stay."""
    call.caller.require_admin()
    _do(lambda: call.hub.access.delete_user(call.path["user"]), "User.NotFound")
    return Reply(status=204)


def create_workspace(call: Call) -> Reply:
    """A new workspace."""
    call.caller.require_admin()
    name = text_field(call.content(), "name", max_characters=_MAX_NAME) or ""
    try:
        check_name(name, "workspace")
        if "/" in name:
            raise HubError("The name of a workspace must not contain a slash.")
    except HubError as error:
        raise ApiError.bad_request(str(error), "Workspace.Invalid") from error
    try:
        call.hub.directory.create_workspace(name)
    except HubError as error:
        raise ApiError(409, "Workspace.Exists", "Workspace exists", str(error)) from error
    call.hub.access.forget()
    return Reply({"id": name, "name": name}, status=201)


def list_members(call: Call) -> Reply:
    """Who has which role in a workspace."""
    workspace = call.path["workspace"]
    call.caller.require("viewer", workspace)
    return Reply([{"user": user, "role": role} for user, role in call.hub.access.members(workspace).items()])


def set_member(call: Call) -> Reply:
    """Give a user a role in a workspace."""
    workspace = call.path["workspace"]
    call.caller.require("admin", workspace)
    role = text_field(call.content(), "role", max_characters=20) or ""
    if role not in ROLES:
        raise ApiError.bad_request(f"A role must be one of {', '.join(ROLES)}.", "Role.Invalid")
    _do(lambda: call.hub.access.set_role(workspace, call.path["user"], role), "User.NotFound")
    return Reply({"user": call.path["user"], "role": role})


def remove_member(call: Call) -> Reply:
    """Take a user's role in a workspace away."""
    workspace = call.path["workspace"]
    call.caller.require("admin", workspace)
    _do(lambda: call.hub.access.set_role(workspace, call.path["user"], None), "User.NotFound")
    return Reply(status=204)


def _do(action: Any, code: str) -> None:
    try:
        action()
    except HubError as error:
        raise ApiError(404, code, "Not found", str(error)) from error


_MEMBERS: Final = "/api/v1/workspaces/{workspace}/members"

ENDPOINTS: Final = (
    Endpoint("GET", "/api/v1/keys", list_keys, "The keys", OPERATIONS["list_keys"]),
    Endpoint("POST", "/api/v1/keys", create_key, "Make a key", OPERATIONS["create_key"]),
    Endpoint("DELETE", "/api/v1/keys/{key}", revoke_key, "Revoke a key", OPERATIONS["revoke_key"]),
    Endpoint("GET", "/api/v1/users", list_users, "The users", OPERATIONS["list_users"]),
    Endpoint("POST", "/api/v1/users", create_user, "Make a user", OPERATIONS["create_user"]),
    Endpoint("DELETE", "/api/v1/users/{user}", delete_user, "Remove a user", OPERATIONS["delete_user"]),
    Endpoint("POST", "/api/v1/workspaces", create_workspace, "Make a workspace", OPERATIONS["create_workspace"]),
    Endpoint("GET", _MEMBERS, list_members, "The members of a workspace", OPERATIONS["list_members"]),
    Endpoint("PUT", f"{_MEMBERS}/{{user}}", set_member, "Give a user a role", OPERATIONS["set_member"]),
    Endpoint("DELETE", f"{_MEMBERS}/{{user}}", remove_member, "Take a role away", OPERATIONS["remove_member"]),
)
