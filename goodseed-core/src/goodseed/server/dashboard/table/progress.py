"""Estimates how far a run is, and when it will be done."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from goodseed.server.dashboard.project.column_values import plain_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from goodseed.storage.catalog import RunSummary

__all__ = ["Progress", "first_max_steps", "progress_of"]

_MAX_STEPS: Final = re.compile(r"(?:.*/)?(?:max_steps|total_steps|num_steps)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        step: The highest step that it has logged; None before the first.
        max_steps: How many it will make.
        part: The two's ratio, from 0 to 1; None before the first.
        eta_seconds: How long it still takes at its pace so far; None unless it is running and has a pace.
    """

    step: float | None
    max_steps: float
    part: float | None
    eta_seconds: float | None

    def as_json(self) -> dict[str, Any]:
        """What the run's page shows of it."""
        return {
            "step": plain_value(self.step),
            "max_steps": plain_value(self.max_steps),
            "eta_seconds": plain_value(self.eta_seconds),
        }


def first_max_steps(configs: Mapping[str, Mapping[int, Any]]) -> dict[int, float]:
    """How many steps each run will make, by slot, from the configs that say so; of several the shortest path.

    Args:
        configs: The values of each config, by slot.
    """
    found: dict[int, float] = {}
    for path in sorted(filter(_MAX_STEPS.fullmatch, configs), key=lambda path: (len(path), path)):
        for slot, value in configs[path].items():
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if is_number and 0 < value < math.inf:
                found.setdefault(slot, value)
    return found


def progress_of(run: RunSummary, step: float | None, max_steps: float) -> Progress:
    """How far a run of ``max_steps`` steps is that has logged ``step``."""
    if step is None:
        return Progress(None, max_steps, None, None)
    part = min(1.0, max(0.0, step / max_steps))
    took = run.earlier_seconds + run.modified_seconds - run.started_seconds
    eta = max(0.0, max_steps - step) * took / step if run.state == "running" and step > 0 and took > 0 else None
    return Progress(step, max_steps, part, eta)
