"""Reads a run of the remote with the same methods as a local one."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import RemoteError, RunNotFoundError
from goodseed.remote.client import split_project
from goodseed.remote.messages import WantedRun
from goodseed.storage.history.attempts import attempts_of, kept_series
from goodseed.storage.kinds import NUMBERS
from goodseed.values import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from goodseed.remote.client import Client
    from goodseed.storage.history.attempts import Attempt
    from goodseed.storage.kinds import Kind, StoredValue

__all__ = ["RemoteRun"]

_BUCKET_NUMBERS: Final = ("step_first", "step_last", "min", "max", "mean", "last")


class RemoteRun:
    """One run at the remote."""

    def __init__(self, client: Client, remote_id: str, details: dict[str, Any]) -> None:
        self.client: Final = client
        self.remote_id: Final = remote_id
        self.details: Final = details

    @classmethod
    def find(cls, client: Client, project: str, run_id: str) -> RemoteRun:
        """Find a run. Asking for its id would make it where there is none, so the list of runs is asked first.

        Raises:
            RunNotFoundError: There is no such run.
            AuthenticationError, ProjectNotFoundError, RemoteError: The remote fails or refuses.
        """
        workspace, name = split_project(client, project)
        details = next((run for run in client.runs(workspace, name) if run["run_id"] == run_id), None)
        if details is None:
            raise RunNotFoundError(f"{client.api_url} has no run {run_id!r} in project {project!r}.")
        return cls(client, client.create_run(WantedRun(workspace, name, run_id), is_written=False), details)

    def configs(self) -> list[dict[str, Any]]:
        """Every config by path, each with ``path``, ``type_tag``, ``value`` and ``updated_at``."""
        keys = ("path", "type_tag", "value", "updated_at")
        rows = [{key: _text(row, key) for key in keys} for row in self.client.run(self.remote_id)["configs"]]
        return sorted(rows, key=lambda row: row["path"])

    def paths(self, kind: Kind) -> list[str]:
        """The paths of the series of one kind, sorted."""
        return self.client.paths(self.remote_id, kind.name)

    def metric_data(
        self, path: str, *, step_min: float | None, step_max: float | None, max_points: int | None
    ) -> dict[str, Any]:
        """One metric, as `goodseed.Run.get_metric_data` gives it."""
        low = None if step_min is None or math.isinf(step_min) else step_min
        high = None if step_max is None or math.isinf(step_max) else step_max
        answer = self.client.series(self.remote_id, NUMBERS, path, step_min=low, step_max=high, max_points=max_points)
        with self._meaningful():
            if answer.get("downsampled") is True:
                return {"path": path, "downsampled": True, "buckets": [_bucket(item) for item in answer["buckets"]]}
            points = [{"step": float(item["step"]), "y": number_of(item["y"])} for item in answer["raw_points"]]
        return {"path": path, "downsampled": False, "raw_points": points}

    def points(self, kind: Kind, path: str) -> Iterator[tuple[float, StoredValue, float | None]]:
        """A series' points: step, value as it is stored, and the time in seconds, None where the remote says none."""
        if kind.has_buckets:
            for item in self.client.series(self.remote_id, kind, path)["raw_points"]:
                with self._meaningful():
                    number = number_of(item["y"])
                    yield float(item["step"]), None if math.isnan(number) else number, _seconds(item)
            return
        for item in self.client.pages(self.remote_id, kind, path):
            with self._meaningful():
                yield float(item["step"]), kind.from_json(item["value"]), _seconds(item)

    def kept_points(self, path: str) -> list[dict[str, Any]]:
        """What earlier attempts logged at ``path``, and is no longer the run's."""
        return [
            {"attempt": number, "step": step, "y": NUMBERS.from_stored(stored), "time": time}
            for number, _, kept in kept_series(self.paths(NUMBERS), path)
            for step, stored, time in self.points(NUMBERS, kept)
        ]

    def attempts(self) -> list[Attempt]:
        """The attempts of the run, in their order."""
        return attempts_of((row["path"], row["type_tag"], row["value"]) for row in self.configs())

    @contextlib.contextmanager
    def _meaningful(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            raise RemoteError(f"{self.client.api_url} sent invalid points: {error!r:.100}.") from error

    def series_data(self, kind: Kind, path: str, *, limit: int | None, offset: int) -> Iterator[dict[str, Any]]:
        """The points of a series without buckets by step, each with ``step`` and ``value``."""
        for item in self.client.pages(self.remote_id, kind, path, limit=limit, offset=offset):
            with self._meaningful():
                yield {"step": float(item["step"]), "value": kind.from_stored(kind.from_json(item["value"]))}


def _bucket(item: dict[str, Any]) -> dict[str, Any]:
    """A bucket; numbers that are strings on the wire are numbers again."""
    numbers = {key: number_of(item[key]) for key in _BUCKET_NUMBERS if item.get(key) is not None}
    return {**item, **numbers}


def _seconds(item: dict[str, Any]) -> float | None:
    stamp = item.get("timestampMs")
    return stamp / 1000 if isinstance(stamp, (int, float)) and not isinstance(stamp, bool) else None


def _text(row: object, key: str) -> str:
    value = row.get(key) if isinstance(row, dict) else None
    return value if isinstance(value, str) else ""
