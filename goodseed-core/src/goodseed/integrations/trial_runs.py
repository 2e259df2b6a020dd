"""Opens the run of a trial, whichever library makes the trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from goodseed.run.run import Run
from goodseed.trials import trial_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["open_trial"]


def open_trial(number: int | None, trial_id: str, parameters: Mapping[str, Any], **run_arguments: Any) -> Run:
    """Open the run of a trial: its number and id under ``trial``, its parameters under ``parameters``.

    Args:
        number: Which trial it is; None where the library does not count.
        trial_id: The library's id of it.
        parameters: What it tries.
        **run_arguments: Those of `goodseed.Run`; a ``name`` takes the place of the readable one.
    """
    run = Run(**{"name": trial_name(number, parameters), **run_arguments})
    run["trial"] = {"id": trial_id} if number is None else {"id": trial_id, "number": number}
    if parameters:
        run["parameters"] = dict(parameters)
    return run
