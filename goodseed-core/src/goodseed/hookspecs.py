"""Every hook that a plugin may implement, and what is promised on both sides.

A plugin is any object or module with functions of these names, marked with `hookimpl`. It is found through an entry
point in the group ``goodseed``, or registered with ``goodseed.plugins.plugin_manager().register(plugin)``. A hook that
raises is reported once, with the plugin's name, and never harms a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["goodseed_commands", "goodseed_facts", "goodseed_hardware_samplers", "hookimpl", "hookspec"]

hookspec: Final = pluggy.HookspecMarker("goodseed")
hookimpl: Final = pluggy.HookimplMarker("goodseed")


@hookspec
def goodseed_commands() -> (  # type: ignore[empty-body]
    Iterable[tuple[str, str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]]
):
    """Return commands for ``goodseed``, each its name, a line that says what it does, and two functions.

    The first function gets the command's parser and adds its arguments; the second does what the command is for, gets
    the arguments, and returns the exit status. It may raise `goodseed.GoodseedError` or `OSError` to fail with a
    sentence. Called when ``goodseed`` is asked for help or for a command that is none of its own; a name that is taken
    is left out.
    """


@hookspec
def goodseed_hardware_samplers() -> Iterable[Callable[[], Mapping[str, float]]]:  # type: ignore[empty-body]
    """Return samplers of hardware that Goodseed does not know, none if this machine has none of it.

    Called once a run, on the run's monitoring thread. Each sampler is called without arguments on that thread, at once
    and then every interval (10 s), and returns numbers by name; they are stored as ``<namespace>/<name>``. It returns
    soon, as console lines wait meanwhile. One that raises three times in a row is called no more.
    """


@hookspec
def goodseed_facts() -> Mapping[str, object]:  # type: ignore[empty-body]
    """Return facts about this machine or process that do not change, by name; nothing secret.

    Called once a run, on the run's monitoring thread. They are stored as configs, ``<namespace>/<name>``.
    """
