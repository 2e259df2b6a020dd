"""Finds the trial of a hyperparameter search that the calling code is part of."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Trial", "current_trial", "number_of_ray", "trial_name"]

_logger: Final = logging.getLogger("goodseed")

_MAX_NAME_CHARACTERS: Final = 120


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes:
        number: Which trial of its search it is, from 0, or its id where the search counts none.
        params: The hyperparameters that were chosen so far.
        was_pruned: Whether the search has ended it early, or is about to; asked as the run ends.
    """

    number: int | str
    params: Mapping[str, Any]
    was_pruned: Callable[[], bool]

    @property
    def name(self) -> str:
        """What a run is called that was given no name, such as ``trial 7: lr=0.01 depth=4``."""
        return trial_name(self.number, self.params)

    def configs(self) -> dict[str, object]:
        """``trial/number`` and the hyperparameters, each under ``trial/``."""
        return {"trial": {**self.params, "number": self.number}}


def trial_name(number: int | str | None, params: Mapping[str, Any]) -> str:
    """The name of a trial's run, such as ``trial 7: lr=0.01 depth=4``."""
    shown = " ".join(
        f"{name.rpartition('/')[2]}={value:.4g}" if isinstance(value, float) else f"{name.rpartition('/')[2]}={value}"
        for name, value in params.items()
        if isinstance(value, (bool, int, float, str))
    )
    start = "trial" if number is None else f"trial {number}"
    name = f"{start}: {shown}" if shown else start
    return name if len(name) <= _MAX_NAME_CHARACTERS else name[: _MAX_NAME_CHARACTERS - 1] + "…"


def number_of_ray(trial_id: str) -> int | None:
    """Which trial it is: Ray Tune counts at the end of an id, such as ``3f2a1_00007``."""
    count = trial_id.rpartition("_")[2]
    return int(count) if count.isdecimal() else None


def current_trial() -> Trial | None:
    """The trial of Optuna, keras-tuner or Ray Tune that calls this function; None outside of a search."""
    try:
        return _on_the_stack() or _of_ray()
    except Exception as error:  # noqa: BLE001 - another version of a search may be built differently
        _logger.debug("goodseed: the trial of a search can't be read: %r", error)
        return None


def _on_the_stack() -> Trial | None:
    """The searches hand a trial to the objective alone: it is an argument of a function that is being called."""
    makers = [
        (kind, make)
        for module, name, make in (
            ("optuna.trial", "Trial", _of_optuna),
            ("keras_tuner.src.engine.trial", "Trial", _of_keras_tuner),
        )
        if isinstance(kind := getattr(sys.modules.get(module), name, None), type)
    ]
    frame = sys._getframe(1) if makers else None
    while frame is not None:
        for value in tuple(frame.f_locals.values()):
            for kind, make in makers:
                if type(value) is kind:
                    return make(value)
        frame = frame.f_back
    return None


def _of_optuna(trial: Any) -> Trial:
    def was_pruned() -> bool:
        state = trial.study.trials[trial.number].state.name
        return bool(state == "PRUNED" or (state == "RUNNING" and trial.should_prune()))

    return Trial(trial.number, dict(trial.params), was_pruned)


def _of_keras_tuner(trial: Any) -> Trial:
    number = int(trial.trial_id) if str(trial.trial_id).isdecimal() else str(trial.trial_id)
    return Trial(number, dict(trial.hyperparameters.values), lambda: False)


def _of_ray() -> Trial | None:
    tune = sys.modules.get("ray.tune")
    context: Any = tune.get_context() if tune is not None else None
    trial_id = context.get_trial_id() if context is not None else None
    if trial_id is None:
        return None
    number = number_of_ray(trial_id)
    return Trial(str(context.get_trial_name() or trial_id) if number is None else number, {}, lambda: False)
