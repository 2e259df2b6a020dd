"""What ``fork()`` means for what this process writes: the child owns none of it."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ForkAware", "watch_forks"]


class ForkAware(Protocol):
    """Something that a fork must not catch in the middle."""

    def before_fork(self) -> None:
        """Come to rest, within a second."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Own nothing any more; take no lock."""


_watched: Final[weakref.WeakSet[ForkAware]] = weakref.WeakSet()
_at_rest: Final[list[ForkAware]] = []


def watch_forks(watched: ForkAware) -> None:
    """Tell ``watched`` of every fork of this process for as long as it lives."""
    _watched.add(watched)


def _before() -> None:
    _at_rest.extend(_watched)
    for watched in _at_rest:
        watched.before_fork()


def _take_rested() -> Iterable[ForkAware]:
    rested = _at_rest.copy()
    _at_rest.clear()
    return rested


def _after_in_parent() -> None:
    for watched in _take_rested():
        watched.after_fork_in_parent()


def _after_in_child() -> None:
    _watched.clear()
    for watched in _take_rested():
        watched.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
