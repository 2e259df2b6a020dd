"""What is logged: three shapes of the same trade, random doubles under realistic names."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["WORKLOADS", "Workload", "names", "random_rows"]


@dataclass(frozen=True, slots=True)
class Workload:
    """So many calls of so many metrics each."""

    name: str
    calls: int
    width: int

    @property
    def points(self) -> int:
        """How many points it logs."""
        return self.calls * self.width

    def __str__(self) -> str:
        return f"{self.name}: {self.calls:,} calls of {self.width:,} metric{'s' if self.width > 1 else ''}"


WORKLOADS = (Workload("W1", 50_000, 1), Workload("W2", 2_000, 100), Workload("W3", 20, 10_000))


def names(width: int) -> list[str]:
    """Metric paths as people choose them."""
    return [f"train/layer{number // 10}/metric{number}" for number in range(width)]


def random_rows(calls: int, width: int) -> Sequence[Sequence[float]]:
    """The values of each call: doubles that do not compress."""
    draw = random.Random(calls * width).random
    return [[draw() for _ in range(width)] for _ in range(calls)]
