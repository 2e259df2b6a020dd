"""Describes one run of a project as the dashboard knows it, and when that last changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from goodseed.storage.catalog import RunSummary

__all__ = ["Entry", "basic_values"]


@final
class Entry:
    """One run of a project.

    Attributes:
        slot: Its place in the columns.
        run: What the list of runs says.
        token: The state of its file, as of the last look.
        rev: At which change of the project it was last changed.
        previous: The values of its ``sys/`` columns and last metrics before that change, by column.
        field_revs: At which change each of those columns last changed.
        ordinal: Its place in the order of creation, or of coming in where it was made before others that were there.
    """

    __slots__ = ("field_revs", "ordinal", "previous", "rev", "run", "slot", "token")

    def __init__(self, slot: int, run: RunSummary, token: str, rev: int) -> None:
        self.slot: Final = slot
        self.run = run
        self.token = token
        self.rev = rev
        self.ordinal = 0
        self.previous: dict[str, Any] | None = None
        self.field_revs: dict[str, int] = {}


def basic_values(run: RunSummary) -> dict[str, Any]:
    """What the list of runs says of one, by column."""
    return {
        "sys/name": run.name,
        "sys/state": run.state,
        "sys/tags": list(run.tags),
        "sys/creation_time": run.created_seconds,
        "sys/modification_time": run.modified_seconds,
        "sys/closed_time": run.closed_seconds,
        "sys/running_time": run.duration_seconds if run.state != "running" else None,
        "sys/trashed": bool(run.trashed),
        **{f"{point.path}:last": point.y for point in run.last_metrics},
    }
