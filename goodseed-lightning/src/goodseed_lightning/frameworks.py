"""Finds the installed Lightning packages: their logger base class and the rank of this process.

``pytorch_lightning`` and ``lightning`` hold the same code twice, with a ``Logger`` class each. A logger that derives
from both is one to either's ``Trainer`` and ``Fabric``.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from lightning_utilities.core import rank_zero

__all__ = ["LoggerBase", "is_rank_zero", "versions"]

_logger: Final = logging.getLogger("goodseed")
# Where each package has its Logger; that of Fabric alone counts only where there is no Trainer.
_TRAINERS: Final = ("pytorch_lightning.loggers.logger", "lightning.pytorch.loggers.logger")
_FABRICS: Final = ("lightning_fabric.loggers.logger", "lightning.fabric.loggers.logger")


def _loggers(modules: tuple[str, ...], failures: list[Exception]) -> tuple[type, ...]:
    found = []
    for name in modules:
        if find_spec(name.partition(".")[0]) is None:
            continue
        try:
            found.append(import_module(name).Logger)
        except Exception as error:  # noqa: BLE001 - one may be broken, or a folder of that name; the other is enough
            _logger.debug("goodseed: %s can't be imported: %s", name, error)
            failures.append(error)
    return tuple(found)


def _installed() -> tuple[type, ...]:
    """The ``Logger`` class of every Lightning that is installed.

    Raises:
        ImportError: None is installed.
    """
    failures: list[Exception] = []
    is_first = not any(name.partition(".")[0] in sys.modules for name in _TRAINERS)
    messages = getattr(rank_zero, "log", None)
    classes = _loggers(_TRAINERS, failures) or _loggers(_FABRICS, failures)
    if messages is not None and not is_first:
        rank_zero.log = messages  # the last one imported takes the messages of all, which a script may have silenced
    if not classes:
        remedy = "pip install lightning, or pip install pytorch-lightning"
        cause = failures[0] if failures else None
        raise ImportError(f"goodseed_lightning needs a Lightning that can be imported: {remedy}.") from cause
    return classes


if TYPE_CHECKING:
    from lightning.pytorch.loggers.logger import Logger as _Lightning
    from pytorch_lightning.loggers.logger import Logger as _PyTorchLightning

    class LoggerBase(_PyTorchLightning, _Lightning):  # type: ignore[misc]
        """A logger to every Lightning that is installed."""
else:
    LoggerBase = type("LoggerBase", _installed(), {"__module__": __name__})


def versions() -> dict[str, str]:
    """The versions of the packages whose loggers `LoggerBase` derives from, by the name of their distribution."""
    packages = {base.__module__.partition(".")[0] for base in LoggerBase.__bases__}
    return {name.replace("_", "-"): str(sys.modules[name].__version__) for name in sorted(packages)}


def is_rank_zero() -> bool:
    """Whether this process is the one that logs; alone it is."""
    return not getattr(rank_zero.rank_zero_only, "rank", 0)
