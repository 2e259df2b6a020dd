"""Defines the registry's tables as numbered migrations: applied once, in order, never edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from goodseed_hub.errors import HubError

if TYPE_CHECKING:
    from goodseed_hub.registry.database import Database

__all__ = ["MIGRATIONS", "apply_migrations"]

_VERSION_TABLE: Final = "CREATE TABLE IF NOT EXISTS hub_version (part TEXT PRIMARY KEY, version BIGINT NOT NULL)"

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "CREATE TABLE hub_setting (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
        """CREATE TABLE hub_user (
            name TEXT PRIMARY KEY, is_admin BIGINT NOT NULL, created_at DOUBLE PRECISION NOT NULL)""",
        "CREATE TABLE hub_workspace (name TEXT PRIMARY KEY, created_at DOUBLE PRECISION NOT NULL)",
        """CREATE TABLE hub_member (
            workspace TEXT NOT NULL, user_name TEXT NOT NULL, role TEXT NOT NULL,
            PRIMARY KEY (workspace, user_name))""",
        """CREATE TABLE hub_project (
            workspace TEXT NOT NULL, name TEXT NOT NULL, created_at DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (workspace, name))""",
        """CREATE TABLE hub_key (
            id TEXT PRIMARY KEY, hash TEXT NOT NULL, user_name TEXT NOT NULL, label TEXT NOT NULL,
            created_at DOUBLE PRECISION NOT NULL, last_used_at DOUBLE PRECISION, revoked_at DOUBLE PRECISION)""",
        """CREATE TABLE hub_key_grant (
            key_id TEXT NOT NULL, workspace TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (key_id, workspace))""",
        """CREATE TABLE hub_session (
            hash TEXT PRIMARY KEY, key_id TEXT NOT NULL, expires_at DOUBLE PRECISION NOT NULL)""",
        """CREATE TABLE hub_run (
            id TEXT PRIMARY KEY, workspace TEXT NOT NULL, project TEXT NOT NULL, run_id TEXT NOT NULL, name TEXT,
            status TEXT NOT NULL, created_at TEXT NOT NULL, ended_at DOUBLE PRECISION,
            seen_at DOUBLE PRECISION NOT NULL, UNIQUE (workspace, project, run_id))""",
        """CREATE TABLE hub_dashboard (
            workspace TEXT NOT NULL, project TEXT NOT NULL, content TEXT NOT NULL, PRIMARY KEY (workspace, project))""",
    ),
)


def apply_migrations(database: Database, part: str, migrations: tuple[tuple[str, ...], ...]) -> None:
    """Bring the tables of ``part`` to the newest version: all of it or nothing.

    Raises:
        HubError: They are of a newer version than this one knows.
    """
    with database.exclusive():
        database.execute(_VERSION_TABLE)
        rows = database.rows("SELECT version FROM hub_version WHERE part = ?", part)
        version = rows[0][0] if rows else 0
        if version > len(migrations):
            raise HubError(
                f"The tables of the {part} have version {version}; this hub knows up to {len(migrations)}. Update it."
            )
        for statements in migrations[version:]:
            for statement in statements:
                database.execute(statement)
        database.execute(
            "INSERT INTO hub_version (part, version) VALUES (?, ?) ON CONFLICT (part) DO UPDATE SET version = ?",
            part,
            len(migrations),
            len(migrations),
        )
