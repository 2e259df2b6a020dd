"""Runs the registry's statements on PostgreSQL."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final, final

import psycopg
from psycopg_pool import ConnectionPool

from goodseed_hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import LiteralString

    Connection = psycopg.Connection[tuple[Any, ...]]

__all__ = ["PostgresDatabase"]

_MAX_CONNECTIONS: Final = 20
_CONNECT_SECONDS: Final = 10
_WAIT_SECONDS: Final = 15.0
_EXCLUSIVE: Final = "SELECT pg_advisory_xact_lock(7381240192)"


@final
class PostgresDatabase:
    """A pool of connections; for any number of threads.

    Attributes:
        pool: The connections, for the store too; each commits by itself outside of a transaction.
    """

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            HubError: It can't be reached.
        """
        try:
            psycopg.connect(url, connect_timeout=_CONNECT_SECONDS).close()
        except psycopg.Error as error:
            raise HubError(f"The database can't be reached: {str(error).splitlines()[0]}.") from error
        self.pool: Final[ConnectionPool[Connection]] = ConnectionPool(
            url,
            min_size=1,
            max_size=_MAX_CONNECTIONS,
            timeout=_WAIT_SECONDS,
            kwargs={"autocommit": True, "application_name": "goodseed-hub"},
            open=False,
        )
        self._mine: Final = threading.local()
        self.pool.open()

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._connection() as connection:
            return connection.execute(_translated(statement), parameters).fetchall()

    def execute(self, statement: str, *parameters: object) -> int:
        """Do something."""
        with self._connection() as connection:
            return connection.execute(_translated(statement), parameters).rowcount

    def execute_many(self, statement: str, parameters: Sequence[Sequence[object]]) -> None:
        """Do the same for many."""
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.executemany(_translated(statement), parameters)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything or nothing."""
        if getattr(self._mine, "connection", None) is not None:
            yield
            return
        with self.pool.connection() as connection, connection.transaction():
            self._mine.connection = connection
            try:
                yield
            finally:
                self._mine.connection = None

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """The same, and no other process is in such a block meanwhile."""
        with self.transaction():
            self.rows(_EXCLUSIVE)
            yield

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Connection]:
        mine = getattr(self._mine, "connection", None)
        if mine is not None:
            yield mine
            return
        with self.pool.connection() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.pool.close()


def _translated(statement: str) -> LiteralString:
    return statement.replace("?", "%s")
