"""What the runs of trials have in common, whichever library makes the trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from goodseed.run.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["open_trial", "trial_name"]

_MAX_NAME_CHARACTERS: Final = 120


def trial_name(number: int | None, parameters: Mapping[str, Any]) -> str:
    """A readable name, such as ``trial 7: lr=0.01 depth=4``."""
    shown = " ".join(
        f"{name.rpartition('/')[2]}={value:.4g}" if isinstance(value, float) else f"{name.rpartition('/')[2]}={value}"
        for name, value in parameters.items()
        if isinstance(value, (bool, int, float, str))
    )
    start = "trial" if number is None else f"trial {number}"
    name = f"{start}: {shown}" if shown else start
    return name if len(name) <= _MAX_NAME_CHARACTERS else name[: _MAX_NAME_CHARACTERS - 1] + "…"


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
