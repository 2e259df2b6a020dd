"""Runs ``goodseed plugins``: lists the plugins and the hooks that they implement."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Final

from goodseed.cli.command import Command
from goodseed.plugins import ENTRY_POINT_GROUP, plugin_manager
from goodseed.terminal import printable, write

if TYPE_CHECKING:
    import argparse

__all__ = ["COMMAND"]

_DESCRIPTION: Final = """\
List the plugins: those of installed packages (entry-point group goodseed) and our own,
with the hooks that each implements.

GOODSEED_DISABLE_PLUGINS=1 turns those of packages off, GOODSEED_DISABLE_PLUGINS=NAME,NAME
the named ones.
"""


def _no_arguments(_: argparse.ArgumentParser) -> None:
    """There are none."""


def _run(_: argparse.Namespace) -> int:
    manager = plugin_manager()
    packages = {
        point.name: f"{point.dist.name} {point.dist.version}" if point.dist is not None else "?"
        for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    }
    loaded = dict(manager.list_name_plugin())
    for name, plugin in loaded.items():
        hooks = sorted(caller.name for caller in manager.get_hookcallers(plugin) or ())
        write([printable(f"{name}  ({packages.get(name, 'goodseed')})  {', '.join(hooks) or 'no hook'}")])
    for name in sorted(packages.keys() - loaded.keys()):
        write([printable(f"{name}  ({packages[name]})  off, or could not be loaded")])
    return 0


COMMAND: Final = Command("plugins", "list the plugins", _DESCRIPTION, _no_arguments, _run)
