"""Manages users, keys and roles, and authenticates requests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Final, final

from goodseed_hub.errors import HubError
from goodseed_hub.registry.caller import ROLES, Caller, check_role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from goodseed_hub.registry.database import Database

__all__ = ["Access"]

_SESSION_SECONDS: Final = 14 * 86_400.0
_REMEMBERED_SECONDS: Final = 1.0  # a key that is revoked from the shell works that much longer
_MAX_REMEMBERED: Final = 10_000
_NO_HASH: Final = hashlib.sha256(b"").hexdigest()


def _hash(secret: str) -> str:
    # The secrets are 256 random bits: there is nothing to guess, and no reason to make the hash slow.
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


@final
class Access:
    """The users, keys, roles and sessions in a database; for any number of threads."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database
        self._lock: Final = threading.Lock()
        self._remembered: Final[dict[str, tuple[float, Caller]]] = {}
        self._used: Final[dict[str, float]] = {}

    # -- who is asking --------------------------------------------------------------------------------------------

    def caller(self, key: str) -> Caller | None:
        """Who holds ``key``; None where it is unknown or revoked."""
        key_id, hash_ = _key_id(key), _hash(key)
        caller = self._recall(hash_)
        if caller is None:
            rows = self._database.rows(
                """SELECT k.hash, k.user_name, u.is_admin FROM hub_key k JOIN hub_user u ON u.name = k.user_name
                WHERE k.id = ? AND k.revoked_at IS NULL""",
                key_id,
            )
            known = rows[0][0] if rows else _NO_HASH
            if not hmac.compare_digest(known, hash_) or not rows:
                return None
            caller = self._describe(key_id, rows[0][1], is_admin=bool(rows[0][2]))
            self._remember(hash_, caller)
        self._used[key_id] = time.time()
        return caller

    def session_caller(self, token: str) -> Caller | None:
        """Who signed in for the session ``token``; None where it is over, or its key is revoked."""
        hash_ = _hash(f"session {token}")
        caller = self._recall(hash_)
        if caller is None:
            rows = self._database.rows(
                """SELECT k.id, k.user_name, u.is_admin FROM hub_session s
                JOIN hub_key k ON k.id = s.key_id JOIN hub_user u ON u.name = k.user_name
                WHERE s.hash = ? AND s.expires_at > ? AND k.revoked_at IS NULL""",
                hash_,
                time.time(),
            )
            if not rows:
                return None
            key_id, user, is_admin = rows[0]
            caller = self._describe(key_id, user, is_admin=bool(is_admin), csrf=_hash(f"csrf {token}"))
            self._remember(hash_, caller)
        self._used[caller.key_id] = time.time()
        return caller

    def _describe(self, key_id: str, user: str, *, is_admin: bool, csrf: str = "") -> Caller:
        grants = dict(self._database.rows("SELECT workspace, role FROM hub_key_grant WHERE key_id = ?", key_id))
        if is_admin:
            roles = {name: "admin" for (name,) in self._database.rows("SELECT name FROM hub_workspace")}
        else:
            roles = dict(self._database.rows("SELECT workspace, role FROM hub_member WHERE user_name = ?", user))
        if grants:  # a key can do less than its user, never more
            roles = {
                workspace: min(role, roles[workspace], key=ROLES.index)
                for workspace, role in grants.items()
                if workspace in roles
            }
        return Caller(key_id, user, is_admin and not grants, roles, csrf, bool(grants))

    def _recall(self, hash_: str) -> Caller | None:
        known = self._remembered.get(hash_)
        return known[1] if known is not None and known[0] > time.monotonic() else None

    def _remember(self, hash_: str, caller: Caller) -> None:
        with self._lock:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[hash_] = (time.monotonic() + _REMEMBERED_SECONDS, caller)

    def forget(self) -> None:
        """Look everything up again: something has changed."""
        with self._lock:
            self._remembered.clear()

    def write_last_uses(self) -> None:
        """Store when keys were last used, and remove the sessions that are over."""
        # In one order: several hubs may store those of the same keys at once.
        used = [(self._used.pop(key_id), key_id) for key_id in sorted(list(self._used))]  # noqa: C414 - it grows meanwhile
        with self._database.transaction():
            if used:
                self._database.execute_many("UPDATE hub_key SET last_used_at = ? WHERE id = ?", used)
            self._database.execute("DELETE FROM hub_session WHERE expires_at <= ?", time.time())

    # -- sessions -------------------------------------------------------------------------------------------------

    def begin_session(self, key: str) -> tuple[str, float] | None:
        """Begin a session for the holder of ``key``; returns its token and its seconds, None for an invalid key."""
        caller = self.caller(key)
        if caller is None:
            return None
        token = secrets.token_urlsafe(32)
        self._database.execute(
            "INSERT INTO hub_session (hash, key_id, expires_at) VALUES (?, ?, ?)",
            _hash(f"session {token}"),
            caller.key_id,
            time.time() + _SESSION_SECONDS,
        )
        return token, _SESSION_SECONDS

    def end_session(self, token: str) -> None:
        """The session is over."""
        self._database.execute("DELETE FROM hub_session WHERE hash = ?", _hash(f"session {token}"))
        self.forget()

    # -- keys -----------------------------------------------------------------------------------------------------

    def create_key(self, user: str, label: str = "", grants: Mapping[str, str] | None = None) -> tuple[str, str]:
        """A new key of ``user``: its id, and the key itself, which is not kept.

        Args:
            user: Whose it is.
            label: What it is for.
            grants: A role in each workspace that it is limited to; without it, it can do all that the user can.

        Raises:
            HubError: There is no such user or workspace.
        """
        self._must_have_user(user)
        for workspace, role in (grants or {}).items():
            self._must_have_workspace(workspace)
            check_role(role)
        key_id = secrets.token_hex(4)
        key = f"gsk_{key_id}_{secrets.token_urlsafe(32)}"
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO hub_key (id, hash, user_name, label, created_at) VALUES (?, ?, ?, ?, ?)",
                key_id, _hash(key), user, label, time.time(),
            )  # fmt: skip
            for workspace, role in (grants or {}).items():
                self._database.execute(
                    "INSERT INTO hub_key_grant (key_id, workspace, role) VALUES (?, ?, ?)", key_id, workspace, role
                )
        return key_id, key

    def keys(self, user: str | None = None) -> list[dict[str, Any]]:
        """The keys that are valid, without what is secret about them, the newest first."""
        self.write_last_uses()
        rows = self._database.rows(
            """SELECT id, user_name, label, created_at, last_used_at FROM hub_key
            WHERE revoked_at IS NULL AND (user_name = ? OR ? = '') ORDER BY created_at DESC, id""",
            user or "",
            user or "",
        )
        grants: dict[str, dict[str, str]] = {}
        for key_id, workspace, role in self._database.rows("SELECT key_id, workspace, role FROM hub_key_grant"):
            grants.setdefault(key_id, {})[workspace] = role
        names = ("id", "user", "label", "created_at", "last_used_at")
        return [{**dict(zip(names, row, strict=True)), "grants": grants.get(row[0], {})} for row in rows]

    def revoke_key(self, key_id: str, user: str | None = None) -> None:
        """The key is no longer valid, and its sessions are over.

        Raises:
            HubError: There is none of that id, or it is not of ``user``.
        """
        with self._database.transaction():
            count = self._database.execute(
                "UPDATE hub_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL AND (user_name = ? OR ? = '')",
                time.time(), key_id, user or "", user or "",
            )  # fmt: skip
            self._database.execute("DELETE FROM hub_session WHERE key_id = ?", key_id if count else "")
        self.forget()
        if not count:
            raise HubError(f"There is no key {key_id!r:.100}.")

    # -- users and roles ------------------------------------------------------------------------------------------

    def create_user(self, name: str, *, is_admin: bool = False) -> None:
        """Make a user.

        Raises:
            HubError: There is one of that name.
        """
        count = self._database.execute(
            "INSERT INTO hub_user (name, is_admin, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
            name, int(is_admin), time.time(),
        )  # fmt: skip
        if not count:
            raise HubError(f"The user {name!r:.100} exists already.")

    def delete_user(self, name: str) -> None:
        """Remove a user, the keys and the roles; runs stay.

        Raises:
            HubError: There is none, or no other is an admin.
        """
        self._must_have_user(name)
        with self._database.transaction():
            others = self._database.rows("SELECT count(*) FROM hub_user WHERE is_admin = 1 AND name <> ?", name)
            if not others[0][0]:
                raise HubError(f"{name!r:.100} is the only admin of the hub: make another one first.")
            now = time.time()
            self._database.execute("UPDATE hub_key SET revoked_at = ? WHERE user_name = ?", now, name)
            self._database.execute("DELETE FROM hub_member WHERE user_name = ?", name)
            self._database.execute("DELETE FROM hub_user WHERE name = ?", name)
        self.forget()

    def users(self) -> list[dict[str, Any]]:
        """The users, by name, each with the roles."""
        roles: dict[str, dict[str, str]] = {}
        for workspace, user, role in self._database.rows("SELECT workspace, user_name, role FROM hub_member"):
            roles.setdefault(user, {})[workspace] = role
        rows = self._database.rows("SELECT name, is_admin, created_at FROM hub_user ORDER BY name")
        return [
            {"name": name, "is_admin": bool(is_admin), "created_at": created_at, "roles": roles.get(name, {})}
            for name, is_admin, created_at in rows
        ]

    def set_role(self, workspace: str, user: str, role: str | None) -> None:
        """Give ``user`` a role in ``workspace``, or with None take it away.

        Raises:
            HubError: There is no such user, workspace or role.
        """
        self._must_have_workspace(workspace)
        self._must_have_user(user)
        if role is None:
            self._database.execute("DELETE FROM hub_member WHERE workspace = ? AND user_name = ?", workspace, user)
        else:
            check_role(role)
            self._database.execute(
                """INSERT INTO hub_member (workspace, user_name, role) VALUES (?, ?, ?)
                ON CONFLICT (workspace, user_name) DO UPDATE SET role = excluded.role""",
                workspace, user, role,
            )  # fmt: skip
        self.forget()

    def members(self, workspace: str) -> dict[str, str]:
        """The role of each member of ``workspace``."""
        return dict(
            self._database.rows(
                "SELECT user_name, role FROM hub_member WHERE workspace = ? ORDER BY user_name", workspace
            )
        )

    def _must_have_user(self, name: str) -> None:
        if not self._database.rows("SELECT 1 FROM hub_user WHERE name = ?", name):
            raise HubError(f"There is no user {name!r:.100}.")

    def _must_have_workspace(self, name: str) -> None:
        if not self._database.rows("SELECT 1 FROM hub_workspace WHERE name = ?", name):
            raise HubError(f"There is no workspace {name!r:.100}.")


def _key_id(key: str) -> str:
    parts = key.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "gsk" and "\0" not in key else ""
