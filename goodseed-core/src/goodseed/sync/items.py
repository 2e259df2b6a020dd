"""Defines what an uploader sends: whole series in a request, or points by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from goodseed.columns import Points
    from goodseed.storage.kinds import StoredValue
    from goodseed.storage.outbox import PendingConfig

__all__ = ["MAX_BODY", "Item", "Request", "by_trait", "parts_of", "shown"]

MAX_BODY: Final = 8 << 20  # characters of a request: half of what the protocol allows
_SHOWN: Final = 120


class Item(NamedTuple):
    """A point that is sent by itself.

    Attributes:
        encoded: The point as the remote is sent it.
        size: About how many bytes that is.
        path: Its series.
        row: Step, value as it is stored, and time.
        trait: Why a remote without extensions may refuse it; empty if it may not.
    """

    encoded: Any
    size: int
    path: str
    row: tuple[float, StoredValue, float]
    trait: str


class Request(NamedTuple):
    """Whole series for one request, and its content; None if their points must be sent by themselves."""

    several: Sequence[Points]
    content: Any


def by_trait(items: Sequence[Item], *, takes_all: bool) -> list[tuple[str, list[Item]]]:
    """Groups of items: first those that any remote takes, then those that one may refuse, by the reason."""
    if takes_all:
        return [("", list(items))]
    groups: dict[str, list[Item]] = {"": []}
    for item in items:
        groups.setdefault(item.trait, []).append(item)
    return [(trait, group) for trait, group in groups.items() if group]


def parts_of(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """``items`` in requests of at most `MAX_BODY` characters, except for a single item that is longer."""
    start, size = 0, 0
    for index, item in enumerate(items):
        if size + item.size > MAX_BODY and index > start:
            yield items[start:index]
            start, size = index, 0
        size += item.size
    if len(items) > start:
        yield items[start:]


def shown(item: Item | PendingConfig) -> str:
    """The beginning of an item, for a warning."""
    text = (
        f"{item.encoded}" if isinstance(item, Item) else f"config {item.path!r} of {len(item.value or ''):,} characters"
    )
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
