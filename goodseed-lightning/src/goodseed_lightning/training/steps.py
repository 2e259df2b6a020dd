"""Chooses the step of a point that comes without one, or from the evaluation of a checkpoint."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final, Protocol, final

from goodseed import DisabledError, RemoteError, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Evaluation", "StepCounter", "last_step"]

_logger: Final = logging.getLogger("goodseed")


def last_step(run: Run, path: str) -> float | None:
    """The highest step that the series ``path`` of ``run`` has; None without a point, or where nothing is stored."""
    try:
        if path in run.get_metric_paths():
            data = run.get_metric_data(path, max_points=1)
            if data["downsampled"]:
                return float(data["buckets"][-1]["step_last"])
            points = data["raw_points"]
        else:
            points = run.get_string_data(path) if path in run.get_string_paths() else []
    except (DisabledError, RemoteError):
        return None
    return float(points[-1]["step"]) if points else None


class KnowsLastStep(Protocol):
    """A run of another process: a `goodseed_lightning.processes.relayed.RelayedRun`."""

    def last_step(self, path: str) -> float | None:
        """The highest step that the series ``path`` has; None without a point."""


class StepCounter:
    """Knows the last step of every path that was asked for, and so the next one."""

    def __init__(self) -> None:
        self._last: Final[dict[str, float]] = {}

    def note(self, paths: Iterable[str], step: float) -> None:
        """A point was logged at ``step`` under each of ``paths``."""
        if self._last:
            self._last.update(dict.fromkeys(paths, step))

    def next(self, run: Run | KnowsLastStep, paths: Iterable[str]) -> float:
        """The first whole step after the last one of all ``paths``; 0 where none has a point."""
        step = 0.0
        for path in paths:
            if path not in self._last:
                last = last_step(run, path) if isinstance(run, Run) else run.last_step(path)
                self._last[path] = -1.0 if last is None else last
            step = max(step, self._last[path] // 1 + 1)
        return step


@final
class Evaluation:
    """What ``validate`` or ``test`` evaluates: a Trainer that has not trained gives step 0 for every checkpoint.

    Attributes:
        step: The checkpoint's step; None where none is evaluated, or it is not known.
        epoch: The checkpoint's epoch; None where it is not known.
        is_of_new_trainer: Whether a model is evaluated by a Trainer that has neither trained it nor loaded it.
    """

    def __init__(self) -> None:
        self.step: int | None = None
        self.epoch: int | None = None
        self.is_of_new_trainer = False

    def __reduce__(self) -> tuple[type[Evaluation], tuple[()]]:
        return (Evaluation, ())

    def begin(self, model: Any) -> None:
        """A Trainer begins to do something with ``model``."""
        self.step = self.epoch = None
        self.is_of_new_trainer = False
        try:
            trainer = model.trainer
            if trainer is None or trainer.state.fn not in ("validate", "test"):
                return
            self.is_of_new_trainer = trainer.ckpt_path is None and trainer.global_step == 0
            if trainer.ckpt_path is not None:
                self._read(getattr(trainer._checkpoint_connector, "_loaded_checkpoint", None) or {}, trainer.ckpt_path)
        except Exception as error:  # noqa: BLE001 - a module without a Trainer, or another version of Lightning
            _logger.debug("goodseed: the evaluated checkpoint is not known: %r", error)

    def named(self, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
        """``metrics`` of a whole ``validate`` or ``test``, to which Lightning adds the epoch, with the checkpoint's."""
        if self.step is None:
            return metrics
        epoch = {} if self.epoch is None else {"epoch": self.epoch}
        return {**{name: value for name, value in metrics.items() if name != "epoch"}, **epoch}

    def _read(self, checkpoint: Any, path: object) -> None:
        named = re.search(r"step=(\d+)", str(path).replace("\\", "/").rpartition("/")[2])
        self.step = checkpoint.get("global_step", int(named[1]) if named else None)
        self.epoch = checkpoint.get("epoch")
