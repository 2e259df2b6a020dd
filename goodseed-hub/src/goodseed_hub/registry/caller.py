"""Describes an authenticated caller, and what each role permits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from goodseed_hub.errors import ApiError, HubError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ROLES", "Caller", "check_role"]

ROLES: Final = ("viewer", "member", "admin")


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    Attributes:
        key_id: The key, by its public part.
        user: Whose key it is.
        is_admin: May administer users and workspaces, and has every role everywhere.
        roles: The role in each workspace that the key reaches.
        csrf: For a session of the dashboard, what a change must carry beside the cookie.
        is_limited: The key was given less than its user has: it reads and revokes no other key, and makes none.
    """

    key_id: str
    user: str
    is_admin: bool
    roles: Mapping[str, str] = field(default_factory=dict)
    csrf: str = ""
    is_limited: bool = False

    @property
    def default_workspace(self) -> str | None:
        """The workspace to use where a request names none."""
        if "default" in self.roles:
            return "default"
        return min(self.roles, default=None)

    def may(self, role: str, workspace: str) -> bool:
        """Whether it has ``role``, or more, in ``workspace``."""
        has = self.roles.get(workspace)
        return has is not None and ROLES.index(has) >= ROLES.index(role)

    def require(self, role: str, workspace: str) -> None:
        """Refuse a caller with less than ``role`` in ``workspace``.

        Raises:
            ApiError: 403.
        """
        if not self.may(role, workspace):
            raise ApiError.no_access(workspace)

    def require_admin(self) -> None:
        """Refuse a caller who may not administer the hub.

        Raises:
            ApiError: 403.
        """
        if not self.is_admin:
            raise ApiError(403, "Auth.Forbidden", "No access", "Only an admin of the hub may do that.")


def check_role(role: str) -> None:
    """Make sure that ``role`` is one.

    Raises:
        HubError: The name is invalid.
    """
    if role not in ROLES:
        raise HubError(f"A role must be one of {', '.join(ROLES)}, not {role!r:.40}.")
