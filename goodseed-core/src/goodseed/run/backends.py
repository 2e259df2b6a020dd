"""Defines the storage backend of a run, and those for a file that is written, one that is read, and none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from goodseed.errors import DisabledError, ReadOnlyError
from goodseed.storage.writing.writer import CloseReport, RunWriter
from goodseed.terminal import Progress
from goodseed.values import STEP_REQUIRED, as_step

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from goodseed.run.source import LocalRun, Source
    from goodseed.storage.batch import Batch
    from goodseed.storage.kinds import Kind, StoredValue

__all__ = ["Backend", "DisabledBackend", "ReadOnlyBackend", "RunEnd", "WriterBackend"]


class RunEnd(NamedTuple):
    """How a run ends: what closing writes.

    Attributes:
        status: ``finished`` or ``failed``.
        configs: The last configs, as (path, type tag, value, time of the change).
        closed_at: ISO 8601 time.
    """

    status: str
    configs: Sequence[tuple[str, str, str, str]]
    closed_at: str


class Backend(Protocol):
    """What a `goodseed.Run` calls. The first are on the path of every log call: they are called directly."""

    @property
    def log_metrics(self) -> Callable[[Mapping[str, float], float], None]:
        """Take numbers by path, and a step."""

    @property
    def log_number(self) -> Callable[[str, float, float], None]:
        """Take a path, a number and a step."""

    @property
    def add_metrics(self) -> Callable[[Mapping[str, float], float, float | None], None]:
        """Take numbers by path, a step, and the time in seconds (None for now)."""

    @property
    def add_column(self) -> Callable[[str, array[float], array[float], array[float] | float | None], None]:
        """Take a path, steps and values of a metric, and their times, or one time for all (None for now)."""

    @property
    def add_value(self) -> Callable[[Kind, str, StoredValue, float, float | None], None]:
        """Take a kind, a path, a value as it is stored, a step, and the time in seconds (None for now)."""

    @property
    def add_texts(self) -> Callable[[str, Iterable[tuple[float, str, float]]], None]:
        """Take many points of one string series, each a step, a text and a time in seconds."""

    @property
    def add_configs(self) -> Callable[[Sequence[tuple[str, str, str, str]]], None]:
        """Take configs as (path, type tag, value, time of the change)."""

    def source(self) -> Source:
        """What to read from, brought up to date.

        Raises:
            DisabledError: There is nothing.
        """

    def last_step(self, path: str) -> float | None:
        """The highest step stored under ``path``; None without a point."""

    def flush(self, timeout: float | None) -> bool:
        """Wait until all is on the disk."""

    def settle(self, timeout: float | None) -> bool:
        """Wait until all is in the run file."""

    def watch(self, on_stored: Callable[[Batch], None]) -> None:
        """Let the thread that stores tell of each batch that is in the run file."""

    def sync(self) -> None:
        """Upload soon what is not uploaded yet."""

    def wait(self, timeout: float | None) -> bool:
        """Wait until all is stored, and uploaded where it is to be."""

    def close(self, end: RunEnd, *, is_patient: bool, timeout: float | None) -> CloseReport:
        """Store everything and write the run's end; as long as it takes, or, when not patient, for some seconds.

        ``timeout`` bounds the upload alone.
        """


class WriterBackend:
    """A run that is written.

    Attributes:
        writer: What writes it.
    """

    def __init__(self, writer: RunWriter, close_seconds: float) -> None:
        self.writer: Final = writer
        self._close_seconds: Final = close_seconds
        inbox = writer.inbox
        self.log_metrics: Final = inbox.log_metrics
        self.log_number: Final = inbox.log_number
        self.add_metrics: Final = inbox.add_metrics
        self.add_column: Final = inbox.add_column
        self.add_value: Final = inbox.add_value
        self.add_texts: Final = inbox.add_texts
        self.add_configs: Final = inbox.add_configs

    @property
    def path(self) -> Path:
        """The run file."""
        return self.writer.files.database

    def source(self) -> LocalRun:
        """The run's file, after all that was logged is in it."""
        from goodseed.run.source import LocalRun  # most training scripts never read

        inbox = self.writer.inbox
        return LocalRun(self.writer.files, None if self.writer.settle() else inbox.unstored)

    def last_step(self, path: str) -> float | None:
        """The highest step stored under ``path``; None without a point."""
        return self.source().last_step(path)

    def flush(self, timeout: float | None) -> bool:
        """Wait until all is on the disk."""
        return self.writer.flush(timeout)

    def settle(self, timeout: float | None) -> bool:
        """Wait until all is in the run file."""
        return self.writer.settle(timeout)

    def watch(self, on_stored: Callable[[Batch], None]) -> None:
        """Let the thread that stores tell of each batch that is in the run file."""
        self.writer.watch(on_stored)

    def sync(self) -> None:
        """There is nowhere to upload to."""

    def wait(self, timeout: float | None) -> bool:
        """Wait until all is stored."""
        return self.settle(timeout)

    def close(self, end: RunEnd, *, is_patient: bool, timeout: float | None) -> CloseReport:
        """Store everything and write the run's end; as long as it takes, or, when not patient, for some seconds."""
        inbox = self.writer.inbox
        total = inbox.waiting_bytes
        progress = Progress("Storing", total >> 20, "MiB")
        try:
            return self.writer.close(
                end.status,
                meta={"closed_at": end.closed_at},
                configs=end.configs,
                timeout_seconds=self._close_seconds,
                is_patient=is_patient,
                on_wait=(lambda: progress.show((total - inbox.waiting_bytes) >> 20)) if is_patient else None,
            )
        finally:
            progress.end()


class _Silent:
    """A backend that stores nothing."""

    def last_step(self, path: str) -> float | None:
        """Nothing is monitored that would go on at a step."""
        return None

    def flush(self, timeout: float | None) -> bool:
        """Nothing is to be written."""
        return True

    def settle(self, timeout: float | None) -> bool:
        """Nothing is to be written."""
        return True

    def watch(self, on_stored: Callable[[Batch], None]) -> None:
        """Nothing is ever stored."""

    def sync(self) -> None:
        """Nothing is to be uploaded."""

    def wait(self, timeout: float | None) -> bool:
        """Nothing is to be uploaded."""
        return True

    def close(self, end: RunEnd, *, is_patient: bool, timeout: float | None) -> CloseReport:
        """Nothing is to be written."""
        return CloseReport(is_stored=True, dropped=0)


class ReadOnlyBackend(_Silent):
    """A run that is read."""

    def __init__(
        self, source: Source, reason: str = "The run was opened with read_only=True. To write it, use resume_run_id."
    ) -> None:
        self._source: Final = source

        def refuse(*_: object, **__: object) -> None:
            raise ReadOnlyError(reason)

        self.log_metrics = self.log_number = self.add_metrics = self.add_column = refuse
        self.add_value = self.add_texts = self.add_configs = refuse

    def source(self) -> Source:
        """What it is read from."""
        return self._source


class DisabledBackend(_Silent):
    """A run that takes everything and keeps nothing."""

    def __init__(self) -> None:
        def ignore(*given: object) -> None:
            if any(argument is STEP_REQUIRED for argument in given):
                as_step(STEP_REQUIRED)  # raises, as it does where something is stored

        self.log_metrics = self.log_number = self.add_metrics = self.add_column = ignore
        self.add_value = self.add_texts = self.add_configs = ignore

    def source(self) -> Source:
        """There is none."""
        raise DisabledError('The run has storage="disabled": nothing was stored, and there is nothing to read.')
