"""Defines the types that calls to a remote take and return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goodseed.storage.kinds import Kind

__all__ = ["Body", "Capabilities", "Identity", "RejectedPoint", "WantedRun"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the remote can do beyond the plain protocol.

    Attributes:
        is_hub: It announces itself; all else holds for it alone.
        float_steps: It takes steps that are no integers.
        non_finite: It takes NaN and infinities, as strings.
        times: It gives back the time of every point.
        packed_points: It takes points as `goodseed.columns` packs them.
        columns: It takes columns of every kind as they are, and is no server but a plugin's destination.
        kinds: The names of the kinds of series that it takes; None for the specification's alone.
    """

    is_hub: bool = False
    float_steps: bool = False
    non_finite: bool = False
    times: bool = False
    packed_points: bool = False
    columns: bool = False
    kinds: frozenset[str] | None = None

    def takes(self, kind: Kind) -> bool:
        """Whether it takes points of that kind."""
        return kind.is_basic if self.kinds is None else kind.name in self.kinds

    def takes_packed(self, kind: Kind) -> bool:
        """Whether it takes them as whole columns."""
        return self.columns or (self.packed_points and kind.is_packed)


@dataclass(frozen=True, slots=True)
class WantedRun:
    """A run to make at the remote, or to find there.

    Attributes:
        workspace: Its workspace.
        project: Its project.
        run_id: Its id.
        name: Its display name; None for none.
        created_at: When it was made, ISO 8601; None where that is not known.
        modified_at: When it was last changed, for an imported run; None for now.
    """

    workspace: str
    project: str
    run_id: str
    name: str | None = None
    created_at: str | None = None
    modified_at: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an ingest, compressed."""

    content: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose key it is.

    Attributes:
        workspace: The default workspace of the key.
        user: The user; None where the remote does not say.
    """

    workspace: str
    user: str | None


@dataclass(frozen=True, slots=True)
class RejectedPoint:
    """A point of an accepted request that the remote did not take.

    Attributes:
        index: Its place in the request.
        reason: The remote's words.
    """

    index: int
    reason: str
