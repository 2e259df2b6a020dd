"""Finds plugins and calls their hooks.

Loading pluggy takes longer than opening a run, so it waits for the first package that offers a plugin, or the first who
asks for the manager. Until then our own plugins, which need no pluggy, are called directly.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pluggy

__all__ = [
    "ENTRY_POINT_GROUP",
    "Implementation",
    "call_each",
    "call_first",
    "call_for_items",
    "implementations",
    "plugin_manager",
    "report",
]

_logger: Final = logging.getLogger("goodseed")
ENTRY_POINT_GROUP: Final = "goodseed"
_ALL: Final = frozenset({"1", "all", "true", "yes", "on"})

_OURS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "goodseed-gpu": ("goodseed.monitoring.gpu.samplers", ("goodseed_hardware_samplers", "goodseed_facts")),
    "goodseed-values": ("goodseed.conversions", ("goodseed_config_value",)),
    "goodseed-import": ("goodseed.importing.sources", ("goodseed_importers",)),
}

_lock = threading.RLock()
_manager: pluggy.PluginManager | None = None
_reported: Final[set[tuple[str, str]]] = set()


class Implementation(NamedTuple):
    """One plugin's function for one hook.

    Attributes:
        plugin: The plugin's name.
        function: What it has for the hook.
        arguments: Which of the hook's arguments it takes.
    """

    plugin: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]


_known: Final[dict[str, tuple[Implementation, ...]]] = {}


def plugin_manager() -> pluggy.PluginManager:
    """The process's plugin manager, made on the first call: ours, then those of the entry-point group ``goodseed``.

    ``GOODSEED_DISABLE_PLUGINS`` leaves out those of entry points: all of them (``1`` or ``all``) or those that it
    names, separated by commas. One that can't be loaded is reported by name and left out.
    """
    global _manager
    with _lock:
        if _manager is None:
            _manager = _load()
            _known.clear()
        return _manager


def implementations(hook: str) -> tuple[Implementation, ...]:
    """Who implements the hook, the plugin that was registered last first, and ours last."""
    known = _known.get(hook)
    if known is not None:
        return known
    with _lock:
        if _manager is None and not _is_any_installed():
            found = tuple(_own(hook))
        else:
            calls = getattr(plugin_manager().hook, hook).get_hookimpls()
            found = tuple(_implementation(hook, call) for call in reversed(calls))
        return _known.setdefault(hook, found)


def _implementation(hook: str, call: Any) -> Implementation:
    """A function of a plugin; one that raises for a wrapper (``wrapper=True``), as those are not called."""
    if not (call.hookwrapper or getattr(call, "wrapper", False)):
        return Implementation(call.plugin_name, call.function, call.argnames)

    def refuse() -> None:
        raise TypeError(f"{hook} takes no wrapper (wrapper=True, hookwrapper=True): the function has to return")

    return Implementation(call.plugin_name, refuse, ())


def call_each(hook: str, **arguments: object) -> list[tuple[str, Any]]:
    """Call the hook on every plugin and return each answer except None, with the plugin's name.

    A plugin that raises is reported once for each hook; the others are still called.
    """
    return list(_answers(hook, arguments))


def call_first(hook: str, **arguments: object) -> Any:
    """The first answer that is not None, as `call_each` would give it; None when there is none."""
    return next((answer for _, answer in _answers(hook, arguments)), None)


def call_for_items(hook: str, *attributes: str) -> list[tuple[str, Any]]:
    """Call a hook whose answers are lists, and return each item that has all ``attributes``, with the plugin's name.

    What is no such item is reported as a failure of the plugin, and left out.
    """
    found = []
    for plugin, answer in call_each(hook):
        try:
            items = list(answer)
        except TypeError as error:
            report(plugin, hook, error)
            continue
        for item in items:
            missing = next((name for name in attributes if not hasattr(item, name)), None)
            if missing is None:
                found.append((plugin, item))
            else:
                report(plugin, hook, TypeError(f"{item!r:.100} has no {missing!r}"))
    return found


def _answers(hook: str, arguments: dict[str, object]) -> Iterator[tuple[str, Any]]:
    for plugin, function, names in implementations(hook):
        try:
            answer = function(*(arguments[name] for name in names))
            if isinstance(answer, GeneratorType):
                answer = list(answer)  # it may raise yet
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a plugin may end neither a task nor the process
            report(plugin, hook, error)
            continue
        if answer is not None:
            yield plugin, answer


def report(plugin: str, hook: str, error: BaseException) -> None:
    """Say that a plugin has failed in a hook; once for each."""
    if (plugin, hook) not in _reported:
        _reported.add((plugin, hook))
        _logger.warning("goodseed: plugin %s failed in %s (reported once).", plugin, hook, exc_info=error)


def _own(hook: str) -> Iterator[Implementation]:
    for name, (module, hooks) in _OURS.items():
        if hook in hooks:
            function = getattr(import_module(module), hook)
            code = function.__code__
            yield Implementation(name, function, code.co_varnames[: code.co_argcount])


def _load() -> pluggy.PluginManager:
    import pluggy

    from goodseed import hookspecs

    class Manager(pluggy.PluginManager):
        """Forgets with every change who implements what."""

        def register(self, plugin: object, name: str | None = None) -> str | None:
            _known.clear()
            return super().register(plugin, name)

        def unregister(self, plugin: object | None = None, name: str | None = None) -> Any:
            _known.clear()
            return super().unregister(plugin, name)

    manager = Manager("goodseed")
    manager.add_hookspecs(hookspecs)
    for name, (module, hooks) in _OURS.items():
        loaded = import_module(module)
        for hook in hooks:
            hookspecs.hookimpl(getattr(loaded, hook))
        manager.register(loaded, name=name)
    for name, target in _installed():
        if not manager.has_plugin(name):
            _register(manager, name, target)
    return manager


def _register(manager: pluggy.PluginManager, name: str, target: str) -> None:
    try:
        module, _, attribute = target.partition(":")
        plugin: object = import_module(module.strip())
        for part in filter(None, attribute.partition("[")[0].strip().split(".")):
            plugin = getattr(plugin, part)
        manager.register(plugin, name=name)
    except (Exception, SystemExit):
        _logger.warning("goodseed: plugin %s could not be loaded and is left out.", name, exc_info=True)


@lru_cache(maxsize=1)
def _is_any_installed() -> bool:
    return any(_installed())


def _installed() -> Iterator[tuple[str, str]]:
    """The name and the target of each entry point of our group that is not turned off.

    `importlib.metadata` finds the same in 35 ms, most of them its own import; this reads 100 packages in 2 ms.
    """
    disabled = {name.strip() for name in os.environ.get("GOODSEED_DISABLE_PLUGINS", "").split(",") if name.strip()}
    if any(name.lower() in _ALL for name in disabled):
        return
    seen: set[str] = set()
    for directory in sys.path:
        for text in _entry_point_files(directory or "."):
            for name, target in _entry_points(text):
                if name not in seen and name not in disabled:
                    seen.add(name)
                    yield name, target


def _entry_point_files(directory: str) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            packages = sorted(entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info")))
    except OSError:  # an archive, or nothing at all
        return
    for package in packages:
        try:
            text = Path(package, "entry_points.txt").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if f"[{ENTRY_POINT_GROUP}]" in text:
            yield text


def _entry_points(text: str) -> Iterator[tuple[str, str]]:
    is_ours = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            is_ours = line == f"[{ENTRY_POINT_GROUP}]"
        elif is_ours and not line.startswith(("#", ";")):
            name, equals, target = line.partition("=")
            if equals:
                yield name.strip(), target.strip()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
