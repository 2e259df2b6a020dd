"""Defines every hook that a plugin may implement, and what both sides promise.

A plugin is any object or module with functions of these names, marked with `hookimpl`. It is found through an entry
point in the group ``goodseed``, or registered with ``goodseed.plugins.plugin_manager().register(plugin)``. A hook that
raises is reported once, with the plugin's name, and never harms a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pluggy

from goodseed.hooktypes import (
    Bars,
    Block,
    Destination,
    Importer,
    Panel,
    Route,
    Run,
    StoredPoints,
    Table,
    Text,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import SupportsFloat

__all__ = [
    "Bars",
    "Block",
    "Destination",
    "Importer",
    "Panel",
    "Route",
    "Run",
    "StoredPoints",
    "Table",
    "Text",
    "goodseed_commands",
    "goodseed_config_value",
    "goodseed_facts",
    "goodseed_hardware_samplers",
    "goodseed_importers",
    "goodseed_metric_value",
    "goodseed_panels",
    "goodseed_points_stored",
    "goodseed_redact",
    "goodseed_routes",
    "goodseed_run_closed",
    "goodseed_run_closing",
    "goodseed_run_opened",
    "goodseed_run_resumed",
    "goodseed_sync_destination",
    "hookimpl",
    "hookspec",
]

hookspec: Final = pluggy.HookspecMarker("goodseed")
hookimpl: Final = pluggy.HookimplMarker("goodseed")


@hookspec
def goodseed_commands() -> (  # type: ignore[empty-body]
    Iterable[tuple[str, str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]]
):
    """Return commands for ``goodseed``, each its name, a line that says what it does, and two functions.

    The first function gets the command's parser and adds its arguments; the second does what the command is for, gets
    the arguments, and returns the exit status. It may raise `goodseed.GoodseedError` or `OSError` to fail with a
    sentence. Called when ``goodseed`` is asked for help or for a command that is not built in; a name that is taken
    is left out.
    """


@hookspec
def goodseed_hardware_samplers() -> Iterable[Callable[[], Mapping[str, float]]]:  # type: ignore[empty-body]
    """Return samplers of hardware that Goodseed does not know, none if this machine has none of it.

    Called once a run, on the run's monitoring thread. Each sampler is called without arguments on that thread, at once
    and then every interval (10 s), and returns numbers by name; they are stored as ``<namespace>/<name>``. It returns
    soon, as console lines wait meanwhile. One that raises three times in a row is not called again.
    """


@hookspec
def goodseed_facts() -> Mapping[str, object]:  # type: ignore[empty-body]
    """Return facts about this machine or process that do not change, by name; nothing secret.

    Called once a run, on the run's monitoring thread. They are stored as configs, ``<namespace>/<name>``.
    """


@hookspec
def goodseed_run_opened(run: Run) -> None:
    """A new run is open and may be written.

    This hook and the four below are called one after the other, on one thread of the run's own, which there is only
    where a plugin has one of them. What opens or closes the run waits for them, at most 10 s, or 1 s where a signal
    ends the process. Disabled and read-only runs call none.
    """


@hookspec
def goodseed_run_resumed(run: Run) -> None:
    """A run that was there is open again and may be written."""


@hookspec
def goodseed_points_stored(run: Run, points: Sequence[StoredPoints]) -> None:
    """Points are in the run file, some every quarter of a second while the run is written, a series once a call.

    What the hook logs to the run comes back to it, so log under paths that it passes over. If it falls a million points
    behind, the next ones are skipped, with one warning; the file has them.
    """


@hookspec
def goodseed_run_closing(run: Run, status: str) -> None:
    """The run is about to end as ``"finished"`` or ``"failed"``: all points were passed on; it may still be written."""


@hookspec
def goodseed_run_closed(run: Run, status: str) -> None:
    """The run is closed, and its file is whole: ``run.path`` may be read, copied or sent."""


@hookspec
def goodseed_config_value(path: str, value: object) -> object:
    """Return what to store for a config of a type that Goodseed does not know, or None to leave it to others.

    Called in the thread that logs, for whatever is no bool, int, float, str, None, date, datetime, enum, list, tuple,
    set or dict. The answer is one of those; a dict becomes one config a leaf. The first answer counts.
    """


@hookspec
def goodseed_metric_value(path: str, value: object) -> SupportsFloat | None:
    """Return the number to store for a value that is not a number, or None to leave it to others.

    Called in the thread that logs, for values that would be refused; numbers never come here. The first answer counts.
    """


@hookspec
def goodseed_redact(path: str, text: str) -> str | None:
    """Return what to store instead of a text, or None to store it as it is.

    Called in the thread that logs, for each config (as the text that is stored), each point of a string series and each
    console line; the plugins' answers are passed from one to the next. Where it raises, the text is not stored: a note
    that it was withheld is. Which plugins there are is looked up when the run opens.
    """


@hookspec
def goodseed_importers() -> Iterable[Importer]:  # type: ignore[empty-body]
    """Return sources for ``goodseed import``. Called for that command only; a name that is taken is left out."""


@hookspec
def goodseed_sync_destination(url: str, api_key: str) -> Destination | None:
    """Return where runs are copied to when ``GOODSEED_API_URL`` is ``url``, or None if that is another's.

    Never called for ``http`` and ``https``, which are Goodseed's own protocol. ``api_key`` is empty without a key.
    """


@hookspec
def goodseed_routes() -> Iterable[Route]:  # type: ignore[empty-body]
    """Return addresses that ``goodseed serve`` offers. Called when it starts."""


@hookspec
def goodseed_panels() -> Iterable[Panel]:  # type: ignore[empty-body]
    """Return panels for the page of a run. Called when ``goodseed serve`` starts."""
