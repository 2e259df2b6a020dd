"""Lists every statement of the PostgreSQL store. Each names the run, by which the tables distribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing_extensions import LiteralString

__all__ = ["MIGRATIONS", "STATEMENTS"]

# The column `run` comes first in every key: the tables can be distributed by it. Payloads are compressed already.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "CREATE TABLE hub_head (run UUID PRIMARY KEY, seq BIGINT NOT NULL, points BIGINT NOT NULL)",
        """CREATE TABLE hub_segment (
            run UUID NOT NULL, seq BIGINT NOT NULL, points BIGINT NOT NULL, payload BYTEA NOT NULL,
            PRIMARY KEY (run, seq))""",
        "ALTER TABLE hub_segment ALTER COLUMN payload SET STORAGE EXTERNAL",
        """CREATE TABLE hub_block (
            run UUID NOT NULL, series UUID NOT NULL, seq_last BIGINT NOT NULL, part BIGINT NOT NULL,
            seq_first BIGINT NOT NULL, points BIGINT NOT NULL, step_first DOUBLE PRECISION NOT NULL,
            step_last DOUBLE PRECISION NOT NULL, lowest DOUBLE PRECISION, highest DOUBLE PRECISION,
            payload BYTEA NOT NULL, PRIMARY KEY (run, series, seq_last, part))""",
        "ALTER TABLE hub_block ALTER COLUMN payload SET STORAGE EXTERNAL",
        """CREATE TABLE hub_series (
            run UUID NOT NULL, series UUID NOT NULL, kind BIGINT NOT NULL, path TEXT NOT NULL,
            PRIMARY KEY (run, series))""",
        """CREATE TABLE hub_config (
            run UUID NOT NULL, series UUID NOT NULL, path TEXT NOT NULL, type_tag TEXT NOT NULL, value BYTEA NOT NULL,
            updated_at TEXT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (run, series))""",
        """CREATE TABLE hub_meta (
            run UUID NOT NULL, name TEXT NOT NULL, value TEXT, seq BIGINT NOT NULL, PRIMARY KEY (run, name))""",
    ),
    ("ALTER TABLE hub_head ADD COLUMN mark UUID",),
)

# The mark is another one after each change: after a restore, a number alone may stand for two different changes.
ADVANCE: Final[LiteralString] = """
    INSERT INTO hub_head (run, seq, points, mark) VALUES (%s, 1, %s, %s)
    ON CONFLICT (run) DO UPDATE
        SET seq = hub_head.seq + 1, points = hub_head.points + excluded.points, mark = excluded.mark
    RETURNING seq, points"""
HEADS: Final[LiteralString] = "SELECT run, seq, points, mark FROM hub_head WHERE run = ANY(%s::uuid[])"
COUNT_DOWN: Final[LiteralString] = "UPDATE hub_head SET points = greatest(0, points - %s) WHERE run = %s"

ADD_SEGMENT: Final[LiteralString] = "INSERT INTO hub_segment (run, seq, points, payload) VALUES (%s, %s, %s, %s)"
SEGMENT_SIZES: Final[LiteralString] = (
    "SELECT seq, points, octet_length(payload) FROM hub_segment WHERE run = %s ORDER BY seq LIMIT %s"
)
SEGMENTS: Final[LiteralString] = (
    "SELECT seq, points, payload FROM hub_segment WHERE run = %s AND seq > %s AND seq <= %s ORDER BY seq"
)
DELETE_SEGMENTS: Final[LiteralString] = "DELETE FROM hub_segment WHERE run = %s AND seq <= %s"

ADD_BLOCK: Final[LiteralString] = """
    INSERT INTO hub_block (
        run, series, seq_last, part, seq_first, points, step_first, step_last, lowest, highest, payload)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
BLOCKS: Final[LiteralString] = (
    "SELECT seq_last, payload FROM hub_block WHERE run = %s AND seq_last > %s ORDER BY seq_last, part"
)
TAILS: Final[LiteralString] = """
    SELECT series, seq_last, part, seq_first, points FROM hub_block WHERE run = %s AND series = ANY(%s::uuid[])
    ORDER BY series, seq_last DESC, part DESC"""
BLOCK: Final[LiteralString] = (
    "SELECT payload FROM hub_block WHERE run = %s AND series = %s AND seq_last = %s AND part = %s"
)
DELETE_BLOCK: Final[LiteralString] = (
    "DELETE FROM hub_block WHERE run = %s AND series = %s AND seq_last = %s AND part = %s"
)

ADD_SERIES: Final[LiteralString] = """
    INSERT INTO hub_series (run, series, kind, path) VALUES (%s, %s, %s, %s) ON CONFLICT (run, series) DO NOTHING"""
SERIES: Final[LiteralString] = "SELECT series FROM hub_series WHERE run = %s"

SET_CONFIG: Final[LiteralString] = """
    INSERT INTO hub_config (run, series, path, type_tag, value, updated_at, seq) VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (run, series) DO UPDATE SET type_tag = excluded.type_tag, value = excluded.value,
        updated_at = excluded.updated_at, seq = excluded.seq"""
CONFIG: Final[LiteralString] = "SELECT value FROM hub_config WHERE run = %s AND series = %s"
CURRENT: Final[LiteralString] = (
    "SELECT path, type_tag, value FROM hub_config WHERE run = %s AND series = ANY(%s::uuid[])"
)
CONFIGS: Final[LiteralString] = "SELECT path, type_tag, value, updated_at FROM hub_config WHERE run = %s AND seq > %s"

SET_META: Final[LiteralString] = """
    INSERT INTO hub_meta (run, name, value, seq) VALUES (%s, %s, %s, %s)
    ON CONFLICT (run, name) DO UPDATE SET value = excluded.value, seq = excluded.seq"""
EDITED: Final[LiteralString] = "SELECT name, value FROM hub_meta WHERE run = %s AND (name LIKE %s OR name = 'name')"
META: Final[LiteralString] = "SELECT name, value FROM hub_meta WHERE run = %s AND seq > %s"

LOCK: Final[LiteralString] = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 77)) AS run_is_mine"

STATEMENTS: Final[dict[str, str]] = {
    name: statement for name, statement in list(globals().items()) if name.isupper() and isinstance(statement, str)
}
