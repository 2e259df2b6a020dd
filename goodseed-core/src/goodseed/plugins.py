"""The plugin manager: who implements the hooks of `goodseed.hookspecs`."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    import pluggy

__all__ = ["ENTRY_POINT_GROUP", "call_each", "plugin_manager"]

_logger: Final = logging.getLogger("goodseed")
ENTRY_POINT_GROUP: Final = "goodseed"
_ALL: Final = frozenset({"1", "all", "true", "yes", "on"})

_lock = threading.RLock()
_manager: pluggy.PluginManager | None = None
_reported: Final[set[tuple[str, str]]] = set()


def plugin_manager() -> pluggy.PluginManager:
    """The process's plugin manager, made on the first call: ours, then those of the entry-point group ``goodseed``.

    ``GOODSEED_DISABLE_PLUGINS`` leaves out those of entry points: all of them (``1`` or ``all``) or those that it
    names, separated by commas. One that can't be loaded is reported by name and left out.
    """
    global _manager
    with _lock:
        if _manager is None:
            _manager = _load()
        return _manager


def call_each(hook: str, **arguments: object) -> list[tuple[str, Any]]:
    """Call the hook on every plugin and return each answer with the plugin's name, but for None.

    A plugin that raises is reported once for each hook; the others are called all the same.
    """
    manager = plugin_manager()
    answers = []
    for implementation in reversed(getattr(manager.hook, hook).get_hookimpls()):
        name = implementation.plugin_name
        try:
            answer = implementation.function(*(arguments[argument] for argument in implementation.argnames))
        except Exception:
            if (name, hook) not in _reported:
                _reported.add((name, hook))
                _logger.warning("goodseed: plugin %s failed in %s; said once.", name, hook, exc_info=True)
            continue
        if answer is not None:
            answers.append((name, answer))
    return answers


def _load() -> pluggy.PluginManager:
    import importlib.metadata

    import pluggy

    from goodseed import hookspecs
    from goodseed.monitoring import gpu

    manager = pluggy.PluginManager("goodseed")
    manager.add_hookspecs(hookspecs)
    manager.register(gpu, name="goodseed-gpu")
    disabled = {name.strip() for name in os.environ.get("GOODSEED_DISABLE_PLUGINS", "").split(",") if name.strip()}
    if any(name.lower() in _ALL for name in disabled):
        return manager
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        if entry_point.name not in disabled and not manager.has_plugin(entry_point.name):
            _register(manager, entry_point)
    return manager


def _register(manager: pluggy.PluginManager, entry_point: EntryPoint) -> None:
    try:
        manager.register(entry_point.load(), name=entry_point.name)
    except Exception:
        _logger.warning("goodseed: plugin %s could not be loaded and is left out.", entry_point.name, exc_info=True)


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
