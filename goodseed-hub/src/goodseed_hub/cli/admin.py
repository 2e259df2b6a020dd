"""Manages keys, users, workspaces and projects from the shell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from goodseed_hub.cli.common import add_command, place, print_table
from goodseed_hub.errors import HubError
from goodseed_hub.registry.caller import ROLES
from goodseed_hub.registry.directory import check_name

if TYPE_CHECKING:
    import argparse

    from goodseed_hub.registry.access import Access
    from goodseed_hub.registry.directory import Directory

__all__ = ["add_commands"]


def add_commands(commands: Any) -> None:
    """Add the commands."""
    _add_keys(_group(commands, "keys", "make, list and revoke API keys"))
    _add_users(_group(commands, "users", "make, list and remove users"))
    _add_workspaces(_group(commands, "workspaces", "make workspaces, and say who may do what in them"))
    _add_projects(_group(commands, "projects", "make and list projects"))


def _group(commands: Any, name: str, summary: str) -> Any:
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    return parser.add_subparsers(title="commands", metavar="<command>", required=True)


def _add_keys(group: Any) -> None:
    create = add_command(group, "create", "make a key, and print it this once", _with(_create_key))
    create.add_argument("--user", default="admin", help="whose it is (default: admin)")
    create.add_argument("--label", default="", help="what it is for")
    create.add_argument(
        "--grant", action="append", default=[], metavar="WORKSPACE=ROLE",
        help=f"limit it to a workspace and a role ({', '.join(ROLES)}); several may be named",
    )  # fmt: skip
    add_command(group, "list", "list the keys, and when they were last used", _with(_list_keys))
    revoke = add_command(group, "revoke", "make a key invalid, from the next second on", _with(_revoke_key))
    revoke.add_argument("id", help="the key's id, as keys list shows it")


def _add_users(group: Any) -> None:
    create = add_command(group, "create", "make a user", _with(_create_user))
    create.add_argument("name")
    create.add_argument("--admin", action="store_true", help="may administer the hub")
    add_command(group, "list", "list the users and their roles", _with(_list_users))
    delete = add_command(group, "delete", "remove a user and the keys; runs stay", _with(_delete_user))
    delete.add_argument("name")


def _add_workspaces(group: Any) -> None:
    create = add_command(group, "create", "make a workspace", _with(_create_workspace))
    create.add_argument("name")
    add_command(group, "list", "list the workspaces and their members", _with(_list_workspaces))
    grant = add_command(group, "grant", "give a user a role", _with(_grant))
    grant.add_argument("workspace")
    grant.add_argument("user")
    grant.add_argument("role", choices=ROLES)
    remove = add_command(group, "remove", "take a user's role away", _with(_remove))
    remove.add_argument("workspace")
    remove.add_argument("user")


def _add_projects(group: Any) -> None:
    create = add_command(group, "create", "make a project", _with(_create_project))
    create.add_argument("project", metavar="WORKSPACE/PROJECT")
    add_command(group, "list", "list the projects", _with(_list_projects))


def _with(action: Any) -> Any:
    """A command that gets the registry."""

    def command(arguments: argparse.Namespace) -> int:
        from goodseed_hub.opening import open_registry

        with open_registry(*place(arguments)) as (_, access, directory):
            action(arguments, access, directory)
        return 0

    return command


def _create_key(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    grants = {}
    for text in arguments.grant:
        workspace, equals, role = text.partition("=")
        if not equals:
            raise HubError(f"--grant takes WORKSPACE=ROLE, not {text!r:.100}.")
        grants[workspace] = role
    print(access.create_key(arguments.user, arguments.label, grants)[1])


def _list_keys(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    rows = []
    keys = access.keys()
    for key in keys:
        limited = " ".join(f"{workspace}={role}" for workspace, role in sorted(key["grants"].items()))
        times = [_time(key["created_at"]), _time(key["last_used_at"])]
        rows.append([key["id"], key["user"], key["label"], limited or "all", *times])
    print_table(["id", "user", "label", "limited to", "made", "last used"], rows)


def _revoke_key(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    access.revoke_key(arguments.id)


def _create_user(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    access.create_user(check_name(arguments.name, "user"), is_admin=arguments.admin)


def _list_users(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    rows = []
    for user in access.users():
        roles = " ".join(f"{workspace}={role}" for workspace, role in sorted(user["roles"].items()))
        rows.append([user["name"], "admin" if user["is_admin"] else "", roles])
    print_table(["user", "", "roles"], rows)


def _delete_user(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    access.delete_user(arguments.name)


def _create_workspace(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    directory.create_workspace(arguments.name)


def _list_workspaces(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    rows = []
    for name in directory.workspaces():
        members = " ".join(f"{user}={role}" for user, role in access.members(name).items())
        rows.append([name, members])
    print_table(["workspace", "members"], rows)


def _grant(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    access.set_role(arguments.workspace, arguments.user, arguments.role)


def _remove(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    access.set_role(arguments.workspace, arguments.user, None)


def _create_project(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    workspace, slash, name = arguments.project.partition("/")
    if not slash:
        raise HubError(f"Name the workspace too: WORKSPACE/{workspace}.")
    directory.create_project(workspace, name)


def _list_projects(arguments: argparse.Namespace, access: Access, directory: Directory) -> None:
    rows = [
        [f"{workspace}/{project['name']}", project["run_count"]]
        for workspace in directory.workspaces()
        for project in directory.projects(workspace)
    ]
    print_table(["project", "runs"], rows)


def _time(seconds: float | None) -> str:
    return "never" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
