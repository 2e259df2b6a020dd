"""Defines requests, answers, routes and the `Store` behind them, independent of any HTTP server."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast, final

from goodseed.errors import GoodseedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from goodseed.server.open_runs import OpenRun
    from goodseed.server.queries import ServedRun
    from goodseed.storage.cache.file import CacheFile
    from goodseed.storage.cache.series import SeriesPaths
    from goodseed.storage.catalog import ProjectSummary, RunSummary
    from goodseed.storage.edits import Edits

__all__ = ["JSON", "Answer", "Request", "RequestError", "Route", "Settings", "SharedState", "Store"]

JSON: Final = "application/json"


class RequestError(GoodseedError, ValueError):
    """A request that can't be answered; its message goes to the client.

    Attributes:
        status: The HTTP status, 400 to 499.
        code: A short name of the fault for programs, such as ``bad_filter``.
        hint: What to do instead, or empty.
        details: Further fields of the error, such as the column of a fault in a filter.
    """

    def __init__(
        self, message: str, *, status: int = 400, code: str = "bad_request", hint: str = "", **details: object
    ) -> None:
        super().__init__(message)
        self.status: Final = status
        self.code: Final = code
        self.hint: Final = hint
        self.details: Final = details


class Settings(Protocol):
    """What users have set beside the runs of each project: colours, the archive, views."""

    def runs(self, project: str) -> dict[str, dict[str, Any]]:
        """What is set for each run, by id."""

    def set_runs(self, project: str, run_ids: Iterable[str], changes: dict[str, Any]) -> None:
        """Set something for some runs; None takes it away. `RequestError` where it can't be stored."""

    def views(self, project: str) -> dict[str, dict[str, Any]]:
        """The views by name: ``updated`` and ``content``."""

    def set_view(self, project: str, name: str, content: dict[str, Any] | None) -> dict[str, Any] | None:
        """Store a view, or remove it; returns the new entry, or the removed one."""


class Closeable(Protocol):
    """Something that handlers keep about a store."""

    def close(self) -> None:
        """Close its files; what is asked later opens them again."""


_Kept = TypeVar("_Kept", bound=Closeable)


@final
class SharedState:
    """What handlers keep about one store between requests: an object of each class, for any number of threads."""

    def __init__(self, store: Store) -> None:
        """Nothing is kept yet.

        Args:
            store: What the objects are about; the only argument that they are made with.
        """
        self._store: Final = store
        self._lock: Final = threading.Lock()
        self._kept: Final[dict[Callable[[Store], Closeable], Closeable]] = {}

    def get(self, make: Callable[[Store], _Kept]) -> _Kept:
        """The object of the class ``make``, made when it is first asked for."""
        with self._lock:
            kept = self._kept.get(make)
            if kept is None:
                kept = self._kept[make] = make(self._store)
            return cast("_Kept", kept)

    def close(self) -> None:
        """Close what is kept; it may be used on."""
        with self._lock:
            kept = list(self._kept.values())
        for each in kept:
            each.close()


class Store(Protocol):
    """Where the runs come from: a `goodseed.storage.catalog.Catalog` behind a lock, or the hub's database."""

    @property
    def cache(self) -> CacheFile:
        """The file in which what took long to find out about these runs is kept; it may be deleted at any time."""

    @property
    def is_local(self) -> bool:
        """Whether these are the files that training processes write; otherwise they are a remote's."""

    @property
    def shared(self) -> SharedState:
        """What handlers keep about these runs; a store that shows a part of another has that one's."""

    @property
    def settings(self) -> Settings:
        """What users have set beside the runs."""

    def check_change(self, project: str | None) -> None:
        """Refuse a client that may not change what is in ``project``; None for a change that is about no project.

        Raises:
            RequestError: The status is 403, or 404 where the project is not theirs to see.
        """

    def look(self) -> None:
        """Let the next answer show the current state."""

    def projects(self) -> list[ProjectSummary]:
        """Every project, by name."""

    def runs(self, project: str | None = None) -> list[RunSummary]:
        """The runs of one project, or all, the newest first; the list is not to be changed."""

    def find(self, project: str, run_id: str) -> RunSummary:
        """One run; `RunNotFoundError` when there is none."""

    def open(self, project: str, run_id: str) -> ServedRun:
        """A reader of one run, for the caller to close; `RunNotFoundError` when there is none."""

    def reading(self, run: RunSummary) -> AbstractContextManager[OpenRun]:
        """One run, open to be read for some queries; a run at rest is kept open for the next.

        Raises:
            RunNotFoundError: It is gone.
            FileFormatError: It is damaged.
        """

    def series_paths(self, run: RunSummary) -> SeriesPaths:
        """Which series ``run`` has; none where it can't be read any more."""

    def edit(self, project: str, run_id: str, edits: Edits) -> None:
        """Change a run; `look` shows it at once.

        Raises:
            RunNotFoundError: There is no such run.
            RunInUseError: Its writer keeps it locked, or a running run was to be moved to the trash.
            FileFormatError, OSError: It can't be written.
        """


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler gets to see.

    Attributes:
        parameters: The decoded parts of the path that the route's pattern names.
        query: The decoded query string.
        body: The decoded JSON body, None without one.
        headers: The headers that a handler may need, with lower-case names (``accept``, ``if-none-match``).
    """

    parameters: Mapping[str, str]
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back.

    Attributes:
        content: Anything that JSON can say (NaN and infinities already made strings), or bytes, or an iterable of
            bytes that is sent chunk by chunk.
        status: The HTTP status.
        content_type: The type of ``content`` when it is bytes.
        headers: Further headers, such as ``ETag``.
    """

    content: Any = None
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One address of the API.

    Attributes:
        method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
        pattern: The path; ``{name}`` stands for one part, ``{name:path}`` for one that may hold slashes.
        handler: Answers a request out of a store.
        summary: What it is for, in one line.
        operation: Further fields of its OpenAPI operation: parameters, requestBody, responses.
        is_public: Whether pages of other origins may read it (CORS); only GETs of the specification's API are.
        changes_state: Whether it needs the same origin and the token.
    """

    method: str
    pattern: str
    handler: Callable[[Store, Request], Answer]
    summary: str
    operation: Mapping[str, Any] = field(default_factory=dict)
    is_public: bool = False
    changes_state: bool = False
