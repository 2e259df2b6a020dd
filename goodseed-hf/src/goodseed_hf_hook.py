"""Registers "goodseed" with Transformers and Accelerate by name, as soon as a script imports one of them.

Neither has entry points. ``goodseed_hf.pth`` leaves a finder of one line as Python starts, which takes about 0.7 ms.
It loads this module when a script imports one of the two; the rest of Goodseed is loaded when the script asks for
"goodseed". ``GOODSEED_HF_HOOK=0`` switches it off.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing is not loaded as Python starts
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

__all__ = ["install"]


def install() -> None:
    """Wait for the modules that keep the names; register at once with those that are loaded already."""
    if any(type(finder) is _Finder for finder in sys.meta_path):
        return
    for name in _ADDITIONS:
        if name in sys.modules:
            _add(name, sys.modules[name])
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """Lets the other finders find a module that is waited for, and registers Goodseed when it is loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the spec that the other finders give, for a module whose loading is to be seen."""
        if name not in _ADDITIONS:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                _see(name, spec)
                return spec
        return None


def _see(name: str, spec: Any) -> None:
    try:
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _add(name, module)

        spec.loader.exec_module = exec_module
    except Exception:  # noqa: BLE001 - a loader of another kind: the import goes on without us
        return


def _add(name: str, module: ModuleType) -> None:
    try:
        _ADDITIONS[name](module)
    except Exception as error:  # noqa: BLE001 - a script that doesn't use us must not notice a version that differs
        import logging

        logging.getLogger("goodseed").debug("goodseed: %s does not take the name goodseed: %r", name, error)


def _add_to_transformers(module: Any) -> None:
    class GoodseedCallback:
        """Made by ``report_to``; the callback itself is loaded when a Trainer is."""

        def __new__(cls) -> Any:
            from goodseed_hf.callback import GoodseedCallbackByName

            return GoodseedCallbackByName()

    module.INTEGRATION_TO_CALLBACK.setdefault("goodseed", GoodseedCallback)
    available = module.get_available_reporting_integrations

    def get_available_reporting_integrations() -> list[str]:
        found = available()
        return found if "goodseed" in found else [*found, "goodseed"]

    module.get_available_reporting_integrations = get_available_reporting_integrations
    package: Any = sys.modules.get("transformers.integrations")
    if package is not None and "get_available_reporting_integrations" in vars(package):
        package.get_available_reporting_integrations = get_available_reporting_integrations


def _add_to_accelerate(module: Any) -> None:
    class GoodseedTracker:
        """Made by ``init_trackers``; the tracker itself is loaded then."""

        name = "goodseed"
        requires_logging_directory = False
        main_process_only = True

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            from goodseed_hf.tracker import GoodseedTracker

            return GoodseedTracker(*args, **kwargs)

    module.LOGGER_TYPE_TO_CLASS.setdefault("goodseed", GoodseedTracker)
    if "goodseed" not in module._available_trackers:
        module._available_trackers.append("goodseed")


_ADDITIONS = {
    "transformers.integrations.integration_utils": _add_to_transformers,
    "accelerate.tracking": _add_to_accelerate,
}
