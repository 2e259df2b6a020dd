"""Checks a request for series: which ones, over which axis, and how many points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from goodseed.server.dashboard.fields import Fields
from goodseed.server.routes import RequestError

if TYPE_CHECKING:
    from goodseed.server.routes import Request

__all__ = ["Item", "Wanted", "wanted_series"]

_MAX_SERIES: Final = 2_000
_MAX_ASKED: Final = 100_000
_MAX_POINTS: Final = 5_000
_FIELDS: Final = ("runs", "paths", "items", "x", "range", "edges", "points", "agg", "since", "offset")


class Item(NamedTuple):
    """One series that is asked for."""

    run: str
    path: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for series, checked.

    Attributes:
        items: Those of this answer.
        next: At which of all that are asked for the next answer is to begin; None at the end.
        x: ``step``, ``time``, ``wall``, or the path of a metric with or without ``metric:`` before it.
        range: The lowest and highest x; None for all.
        has_edges: With a range of steps, the points next to it, too: lines reach the edges of a chart.
        points: How many points or buckets at most.
        is_full: All columns.
        since: The cursors, by run and path.
    """

    items: list[Item]
    next: int | None
    x: str
    range: tuple[float, float] | None
    has_edges: bool
    points: int
    is_full: bool
    since: dict[str, Any]

    @property
    def is_keepable(self) -> bool:
        """Others will ask the same: whole series, as the page draws them first."""
        return self.range is None and not self.is_full and not self.since

    @property
    def asked(self) -> str:
        """What else than the series makes the answer."""
        return f"{self.points} {self.x}"

    def memory_key(self, token: str | None, path: str) -> tuple[object, ...]:
        """What an answer is kept under in memory: the state of the run's file, and all that it depends on."""
        return (token, path, self.x, (self.range, self.has_edges), self.points)


def wanted_series(request: Request) -> Wanted:
    """What ``request`` asks for.

    Raises:
        RequestError: It is invalid.
    """
    fields = Fields(request.body, *_FIELDS)
    items = _items(fields)
    offset = fields.integer("offset", 0, 0, _MAX_ASKED)
    agg = fields.text("agg", "minmax")
    if agg not in ("minmax", "all"):
        raise RequestError('agg must be "minmax" or "all"')
    since = fields.object("since")
    if any(not isinstance(cursor, str) for cursor in since.values()):
        raise RequestError("since must hold cursors, which are strings")
    end = offset + _MAX_SERIES
    return Wanted(
        items[offset:end],
        end if end < len(items) else None,
        fields.text("x") or "step",
        fields.range("range"),
        bool(fields.boolean("edges")),
        fields.integer("points", 800, 1, _MAX_POINTS),
        agg == "all",
        since,
    )


def _items(fields: Fields) -> list[Item]:
    runs, paths = fields.texts("runs", _MAX_ASKED), fields.texts("paths", _MAX_ASKED)
    asked = fields.array("items", _MAX_ASKED)
    if asked is not None:
        if runs is not None or paths is not None:
            raise RequestError("Give either items, or runs and paths")
        items = []
        for entry in asked:
            member = Fields(entry, "run", "path")
            items.append(Item(member.text("run"), member.text("path")))
        return items
    if runs is None or paths is None:
        raise RequestError("Give runs and paths, or items")
    if len(runs) * len(paths) > _MAX_ASKED:
        raise RequestError(f"runs × paths must be at most {_MAX_ASKED:,} series", code="too_many")
    return [Item(run, path) for path in paths for run in runs]
