"""Types of the hooks in `goodseed.hookspecs`: what a plugin gets, what it returns, which interfaces it may offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Bars", "Block", "Destination", "Importer", "Panel", "Route", "Run", "StoredPoints", "Table", "Text"]


class Run(Protocol):
    """The `goodseed.Run` that a hook gets, and what plugins use of it; see there for what each promises."""

    @property
    def run_id(self) -> str:
        """The run's id, unique in its project."""

    @property
    def project(self) -> str:
        """The run's project."""

    @property
    def storage(self) -> str:
        """``"cloud"`` or ``"local"``."""

    @property
    def path(self) -> Path | None:
        """The run's SQLite file."""

    @property
    def is_closed(self) -> bool:
        """Whether the run takes no more points."""

    @property
    def monitoring_namespace(self) -> str | None:
        """Where what is monitored is stored."""

    def __getitem__(self, path: str) -> Any:
        """The attribute at ``path``."""

    def __setitem__(self, path: str, value: object) -> None:
        """Set the config at ``path``."""

    def log_metrics(self, data: Mapping[str, float], step: float) -> None:
        """Add one point to each of several metrics."""

    def log_strings(self, data: Mapping[str, object], step: float) -> None:
        """Add one point to each of several string series."""

    def log_configs(self, data: Mapping[str, object], flatten: bool = True) -> None:
        """Set several configs."""

    def get_configs(self) -> list[dict[str, Any]]:
        """Every config by path."""

    def get_metric_paths(self) -> list[str]:
        """The paths of the metrics."""

    def get_metric_data(
        self, path: str, *, step_min: float | None = None, step_max: float | None = None, max_points: int | None = None
    ) -> dict[str, Any]:
        """One metric, by step."""

    def get_string_paths(self) -> list[str]:
        """The paths of the string series."""

    def get_string_data(
        self, path: str, *, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """The points of a string series."""


class StoredPoints(NamedTuple):
    """Points of one series that are in the run file now, in the order in which they were logged.

    Attributes:
        path: The attribute path of the series.
        kind: ``"metric"``, ``"string"``, or the name of another kind of series.
        steps: The steps.
        values: As many numbers, of which NaN is one, or texts, or values of that kind.
        times: As many times of logging, in seconds since the epoch.
    """

    path: str
    kind: str
    steps: Sequence[float]
    values: Sequence[Any]
    times: Sequence[float]


class Importer(NamedTuple):
    """A source of runs for ``goodseed import NAME``.

    Attributes:
        name: What is typed.
        summary: What it reads, in a line.
        add_arguments: Adds to the command's parser.
        load: Gets the arguments and a function that opens a run: the arguments of `goodseed.Run`, except ``project``,
            ``goodseed_home`` and all that monitors, which are set already. Returns how many runs it has made. It may
            raise `goodseed.GoodseedError` or `OSError` to fail with a sentence.
    """

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    load: Callable[[argparse.Namespace, Callable[..., Any]], int]


class Route(NamedTuple):
    """An address of the local server: ``GET /api/plugins/<plugin>/<name>``.

    Attributes:
        name: Of letters, digits, ``-`` and ``_``.
        answer: Gets the query, the first value of each name, and the directory that is served; returns what JSON can
            say. A `GoodseedError`, `ValueError` or `LookupError` is the client's fault, its message the answer.
            May be called by several threads at once.
    """

    name: str
    answer: Callable[[Mapping[str, str], Path], Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph of a panel."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a panel: the names of its columns, and rows of texts, numbers, booleans or None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | bool | None]]


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart of a panel: a number for each label."""

    labels: Sequence[str]
    values: Sequence[float]


Block: TypeAlias = "Text | Table | Bars"


class Panel(NamedTuple):
    """A panel on the page of a run.

    Attributes:
        name: Of letters, digits, ``-`` and ``_``; unique in the plugin.
        title: What stands above it.
        show: Gets the `goodseed.Run`, open to be read, and returns what the panel shows; nothing leaves the panel out.
    """

    name: str
    title: str
    show: Callable[[Any], Iterable[Block]]


class Destination(Protocol):
    """Where runs are copied to, instead of a Goodseed server.

    All calls come from a background thread, one at a time. A `goodseed.RemoteRefusedError` says that it will never take
    what it was given: it is asked for smaller pieces, down to the one that is to blame. Any other exception says that
    it can't now: the same is sent again later, so each call may come twice.
    """

    def open_run(self, project: str, run_id: str, *, name: str | None, created_at: str | None) -> str:
        """Make the run or find it; returns whatever is to name it in the other calls."""

    def send_configs(self, run: str, configs: Sequence[Mapping[str, str]]) -> None:
        """Set configs, each with ``path``, ``type_tag`` and ``value``."""

    def send_points(self, run: str, several: Sequence[StoredPoints]) -> None:
        """Store points, the columns of several series; the next call may hold more of the same series."""

    def end_run(self, run: str, status: str) -> None:
        """The run is ``finished`` or ``failed``."""
