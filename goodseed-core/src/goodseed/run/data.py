"""The reading methods of `goodseed.Run`."""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.storage.history.attempts import ATTEMPTS
from goodseed.storage.kinds import NUMBERS, TEXTS
from goodseed.values import as_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from goodseed.run.session import RunSession
    from goodseed.storage.history.attempts import Attempt

__all__ = ["RunData", "session_of"]

_logger: Final = logging.getLogger("goodseed")


def session_of(run: RunData) -> RunSession:
    """The session of a `goodseed.Run`: for modules of ours that do with it what the class has no method for."""
    return run._session


class RunData:
    """The methods of `goodseed.Run` that read."""

    def __init__(self, session: RunSession) -> None:
        self._session: Final = session
        self._unknown_paths: Final[set[str]] = set()

    def get_metric_paths(self) -> list[str]:
        """The paths of the metrics, sorted.

        Raises:
            DisabledError: The run stores nothing.
            RemoteError: The run is on the remote, which is unreachable.
        """
        return [path for path in self._session.source().paths(NUMBERS) if not path.startswith(ATTEMPTS)]

    @property
    def attempts(self) -> list[Attempt]:
        """The lives of the run: one, and one more for each time it was resumed.

        Each has ``number``, ``opened_at``, ``closed_at``, ``state``, ``host``, ``job_id``, ``commit``, ``first_step``,
        ``last_step``, ``end_reason`` and ``rewound_to``; what is unknown is None. Times are ISO 8601 in UTC.

        Raises:
            DisabledError: The run stores nothing.
            RemoteError: The run is on the remote, which is unreachable.
        """
        return self._session.source().attempts()

    def get_metric_data(
        self,
        path: str,
        *,
        step_min: float | None = None,
        step_max: float | None = None,
        max_points: int | None = None,
        superseded: bool = False,
    ) -> dict[str, Any]:
        """One metric, by step.

        Args:
            path: Its path; one that no metric has gives no points, and a warning that names the nearest.
            step_min: The first step wanted; may be infinite.
            step_max: The last step wanted; may be infinite.
            max_points: Where there are more points than that, give at most so many buckets instead.
            superseded: Give what is no longer the run's, too: values that others have replaced at the same step, and
                points beyond a rewind, as ``superseded``.

        Returns:
            ``path``, ``downsampled``, and ``raw_points`` (``step``, ``y``), or, when downsampled, ``buckets``
            (``step_first``, ``step_last``, ``count``, ``min``, ``max``, ``mean``, ``last``, ``non_finite``): exact over
            the points of the bucket; ``min``, ``max`` and ``mean`` over the finite ones, None if there is none. Each of
            ``superseded`` has ``attempt`` (the number of the one that logged it), ``step``, ``y`` and ``time`` (seconds
            since the epoch).

        Raises:
            InvalidValueError: ``max_points`` is below 1.
            DisabledError: The run stores nothing.
            RemoteError: The run is on the remote, which is unreachable.
        """
        path, limit = check_attribute_path(path), _count("max_points", max_points, 1)
        low, high = _bound(step_min), _bound(step_max)
        source = self._session.source()
        data = source.metric_data(path, step_min=low, step_max=high, max_points=limit)
        if superseded:
            kept = source.kept_points(path)
            steps = (-math.inf if low is None else low, math.inf if high is None else high)
            data["superseded"] = [point for point in kept if steps[0] <= point["step"] <= steps[1]]
        if data.get("raw_points") == [] and not data.get("superseded"):
            self._warn_if_unknown(path, "metric", partial(source.paths, NUMBERS))
        return data

    def get_string_paths(self) -> list[str]:
        """The paths of the string series, sorted.

        Raises:
            DisabledError: The run stores nothing.
            RemoteError: The run is on the remote, which is unreachable.
        """
        return [path for path in self._session.source().paths(TEXTS) if not path.startswith(ATTEMPTS)]

    def get_string_data(
        self, path: str, *, limit: int | None = None, offset: int | None = None
    ) -> list[dict[str, Any]]:
        """The points of a string series by step, each with ``step`` and ``value``.

        Args:
            path: Its path; one that no series has gives no points, and a warning that names the nearest.
            limit: At most so many.
            offset: Leave out the first so many.

        Raises:
            InvalidValueError: ``limit`` or ``offset`` is below 0.
            DisabledError: The run stores nothing.
            RemoteError: The run is on the remote, which is unreachable.
        """
        path, count, skip = check_attribute_path(path), _count("limit", limit, 0), _count("offset", offset, 0)
        source = self._session.source()
        data = list(source.series_data(TEXTS, path, limit=count, offset=skip or 0))
        if not data:
            self._warn_if_unknown(path, "string series", partial(source.paths, TEXTS))
        return data

    def _warn_if_unknown(self, path: str, kind: str, known_paths: Callable[[], list[str]]) -> None:
        """Warn once that there is no such series, and name the nearest: a typing error looks like no data."""
        if path in self._unknown_paths:
            return
        known = known_paths()
        if path in known:
            return
        self._unknown_paths.add(path)
        from difflib import get_close_matches

        close = get_close_matches(path, known, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"It has {len(known):,} of them."
        _logger.warning("goodseed: the run has no %s %r. %s", kind, path, hint)

    def get_configs(self) -> list[dict[str, Any]]:
        """Every config by path, each with ``path``, ``type_tag``, ``value`` (as stored) and ``updated_at``.

        Raises:
            DisabledError: The run stores nothing.
            RemoteError: The run is on the remote, which is unreachable.
        """
        return self._session.source().configs()


def _bound(step: float | None) -> float | None:
    return step if step in (None, math.inf, -math.inf) else as_step(step)


def _count(argument: str, value: int | None, least: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InvalidTypeError(f"{argument} must be an integer, not {value!r:.60}.")
    number = value.__index__()
    if not least <= number < 2**63:
        raise InvalidValueError(f"{argument} must be at least {least} and below 2**63, not {value}.")
    return number
