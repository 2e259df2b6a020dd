"""Encodes and redacts what is logged in a run, and hands it to the run's backend."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from itertools import repeat
from typing import TYPE_CHECKING, Final

from goodseed.errors import GoodseedError, InvalidTypeError, InvalidValueError
from goodseed.paths import check_attribute_path
from goodseed.run.encoding import Encoder
from goodseed.run.point_columns import point_columns
from goodseed.run.process_end.ending import open_runs
from goodseed.storage.kinds import TEXTS
from goodseed.storage.string_sets import ADDED, REMOVED
from goodseed.values import as_step, decode_config, tag_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from goodseed.run.backends import Backend
    from goodseed.run.opening.request import Opened, Request
    from goodseed.run.source import Source
    from goodseed.storage.kinds import Kind

__all__ = ["Recorder"]

_logger: Final = logging.getLogger("goodseed")
_FIXED_FIELDS: Final = frozenset(
    {"sys/id", "sys/state", "sys/creation_time", "sys/modification_time", "sys/closed_time", "sys/end_reason"}
)


class Recorder:
    """What a run's session does while the run is open: it stores what is logged.

    It is a `goodseed.sink.Sink`: the methods of that protocol never raise because of the run's own trouble, and do
    nothing once the run is closed. The others raise what the methods of `goodseed.Run` say.

    Attributes:
        request: What was asked for.
        opened: What was opened.
        backend: Where everything goes; log calls use it directly.
        is_closed: The run takes no more points.
        encoder: Makes what is stored of what is logged, with the secrets redacted.
        lock: Held while what is stored depends on what was stored before.
    """

    def __init__(self, request: Request, opened: Opened, *, is_elsewhere: bool = False) -> None:
        """Nothing is written yet.

        Args:
            request: What was asked for.
            opened: What was opened.
            is_elsewhere: Another process writes the run, and this one can only read it.
        """
        self.request: Final = request
        self.opened: Final = opened
        self.backend: Final[Backend] = opened.backend
        self.is_closed = is_elsewhere
        self.lock = threading.RLock()
        self._known_sets: Final[set[str]] = set()  # paths that are known to hold a set of strings
        self.encoder: Final = Encoder(is_stored=self.is_written and not is_elsewhere)

    @property
    def path(self) -> Path | None:
        """The run's file; None where nothing is stored."""
        return self.opened.path

    @property
    def is_written(self) -> bool:
        """Whether this run is one that stores what is logged."""
        return self.path is not None and not self.request.is_read_only

    def source(self) -> Source:
        """What the run is read from, with all that was logged in it.

        Raises:
            DisabledError: The run stores nothing.
        """
        if self.request.is_read_only:
            open_runs.settle(self.path)
        return self.backend.source()

    # -- writing, for the facade ----------------------------------------------------------------------------------

    def log_values(
        self, kind: Kind, data: Mapping[str, object], step: float, *, at_seconds: float | None = None
    ) -> None:
        """Add one point to each of several series of any kind: all of them, or none.

        What is stored has passed the plugins that redact; `goodseed.Run.log_metrics` is the fast way for numbers.

        Args:
            kind: The kind of series.
            data: Values by path.
            step: Integer or float; a point that is there already at this step is replaced.
            at_seconds: When they were made, in seconds since the epoch; None for now.

        Raises:
            InvalidTypeError: ``data`` is not a mapping, a value is none of that kind, or the step is not a number.
            InvalidValueError: A path is invalid or given twice, or the step is invalid.
            RunClosedError: The run is closed.
        """
        if kind.has_buckets:
            self.backend.add_metrics(data, step, at_seconds)  # type: ignore[arg-type]
            return
        if not isinstance(data, Mapping):
            raise InvalidTypeError(f"Points must be a mapping of paths to values, not a {type(data).__name__}.")
        number = as_step(step)
        values = {check_attribute_path(path): value for path, value in data.items()}
        if len(values) < len(data):
            raise InvalidValueError(f"Two of the paths {list(data)!r:.200} are the same: rename one.")
        self._add_values(kind, values, number, at_seconds)

    def _add_values(self, kind: Kind, values: Mapping[str, object], step: float, at_seconds: float | None) -> None:
        if len(values) == 1:  # the most common case, and the fastest: there are no others to be left out
            for path, value in values.items():
                self.backend.add_value(kind, path, self.encoder.value(kind, path, value), step, at_seconds)
            return
        stored = {path: self.encoder.value(kind, path, value) for path, value in values.items()}
        for path, content in stored.items():
            self.backend.add_value(kind, path, content, step, at_seconds)

    def add_points(
        self, path: str, steps: Iterable[float], values: Iterable[object], timestamps: Iterable[object] | None
    ) -> None:
        """Add many points to one series; see `goodseed.Run.log_points`."""
        points = point_columns(path, steps, values, timestamps)
        times = points.times
        if isinstance(points.values, list):
            texts = [self.encoder.text(path, value) for value in points.values]
            moments = repeat(time.time()) if times is None else times
            self.backend.add_texts(path, zip(points.steps, texts, moments, strict=False))
        elif points.steps:
            self.backend.add_column(path, points.steps, points.values, times)

    def add_row(
        self, numbers: Mapping[str, float], texts: Mapping[str, object], step: float, at_seconds: float | None
    ) -> None:
        """Add points of checked paths and a checked step, at the time at which they were made: what importers log."""
        self.backend.add_metrics(numbers, step, at_seconds)
        self._add_values(TEXTS, texts, step, at_seconds)

    def set_configs(self, leaves: Mapping[str, object]) -> None:
        """Set configs, all of them or none.

        Raises:
            InvalidValueError: The run itself sets one of them.
        """
        for path in leaves:
            self.check_editable(path)
        with self.lock:
            rows = self.encoder.configs(leaves)
            if rows:
                self.backend.add_configs(rows)
            for path, value in leaves.items():
                self._known_sets.discard(path)
                if isinstance(value, set):
                    self._known_sets.add(path)

    def add_to_set(self, path: str, values: str | Iterable[str]) -> None:
        """Add strings to the set of strings at ``path``."""
        self._change_set(path, ADDED, tag_set(values, f"run[{path!r}].add()"))

    def remove_from_set(self, path: str, values: str | Iterable[str]) -> None:
        """Remove strings from the set of strings at ``path``."""
        self._change_set(path, REMOVED, tag_set(values, f"run[{path!r}].remove()"))

    def check_editable(self, path: str) -> str:
        """Return ``path``.

        Raises:
            InvalidValueError: The run itself sets this field.
        """
        if path in _FIXED_FIELDS:
            raise InvalidValueError(f"{path} is set by the run itself (sys/state by close).")
        return path

    def _change_set(self, path: str, change: str, values: set[str]) -> None:
        with self.lock:
            if path not in self._known_sets and self.path is not None and not self.is_closed:
                self._check_is_set(path)
            ((_, _, value, updated_at),) = self.encoder.configs({path: values})
            self.backend.add_configs([(path, change, value, updated_at)])
            self._known_sets.add(path)

    def _check_is_set(self, path: str) -> None:
        row = next((row for row in self.source().configs() if row["path"] == path), None)
        value = set() if row is None else decode_config(row["type_tag"], row["value"])
        if not isinstance(value, set):
            raise InvalidTypeError(
                f"{path!r} holds {value!r:.60}, which is not a set of strings that can be added to or removed from."
            )

    # -- the Sink -------------------------------------------------------------------------------------------------

    def log_metrics(self, data: Mapping[str, float], step: float, *, at_seconds: float | None = None) -> None:
        """Store one point in each named metric series."""
        with _late_is_fine("a sample"):
            self.backend.add_metrics(data, step, at_seconds)

    def log_strings(self, data: Mapping[str, str], step: float, *, at_seconds: float | None = None) -> None:
        """Store one point in each named string series."""
        with _late_is_fine("a line"):
            self._add_values(TEXTS, data, float(step), at_seconds)

    def log_lines(self, path: str, lines: Iterable[tuple[float, str, float]]) -> None:
        """Store many points of one string series."""
        with _late_is_fine("lines"):
            self.backend.add_texts(path, ((step, self.encoder.text(path, text), time) for step, text, time in lines))

    def log_configs(self, data: Mapping[str, object]) -> None:
        """Set each named config."""
        with _late_is_fine("a fact"):
            self.backend.add_configs(self.encoder.configs(data))

    def next_step(self, path: str) -> int:
        """The step after the last one stored under ``path``."""
        if self.opened.is_new:
            return 0  # what monitors a run counts its own steps, and a new run has none yet
        try:
            last = self.backend.last_step(path)
        except GoodseedError as error:
            _logger.warning("goodseed: the last step of %s is not known: %s", path, error)
            return 0
        return 0 if last is None else int(last) + 1


@contextlib.contextmanager
def _late_is_fine(what: str) -> Iterator[None]:
    """A producer's last call may come after the run was closed."""
    try:
        yield
    except GoodseedError as error:
        _logger.debug("goodseed: %s came too late: %s", what, error)
