"""What Transformers and Accelerate hand over, as a run stores it."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

import goodseed
from goodseed.config_values import config_leaves
from goodseed.values import as_number

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Writer", "last_step", "renamed"]

_logger: Final = logging.getLogger("goodseed")
_PREFIXES: Final = ("eval_", "test_")
# Arguments that may hold what nobody else should read. Transformers masks some of them itself.
_SECRET: Final = re.compile(
    r"(^|_|-)(token|secret|password|passwd|pwd|(api|access|private|secret|auth|account|encryption)_?-?key|apikey"
    r"|credentials?|connection_string)$",
    re.IGNORECASE,
)
_IN_URL: Final = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]+(?=@)")
_MASK: Final = "<masked>"


def _masked(key: str, text: str) -> str:
    """The text without what looks like a secret: all of it under such a key, else the password in an address."""
    return _MASK if text and _SECRET.search(key) else _IN_URL.sub(rf"\1:{_MASK}", text)


def renamed(name: str) -> str:
    """``eval_loss`` is ``eval/loss``, ``loss`` is ``train/loss``; what has a slash stays as it is."""
    if "/" in name:
        return name
    for prefix in _PREFIXES:
        if name.startswith(prefix) and len(name) > len(prefix):
            return f"{prefix[:-1]}/{name[len(prefix) :]}"
    return f"train/{name}"


class Writer:
    """Stores what can be stored, and says once of each name what can't."""

    def __init__(self) -> None:
        self._refused: Final[set[str]] = set()

    def log(self, run: goodseed.Run, values: Mapping[str, Any], step: float) -> None:
        """Add a point to each metric; texts become points of string series. ``values`` stays as it is."""
        numbers, texts = {}, {}
        for path, value in values.items():
            if isinstance(value, str):
                texts[path] = value
                continue
            try:
                numbers[path] = _number(path, value)
            except Exception as error:  # whatever a foreign tensor may raise
                self.refuse(path, error)
        if numbers:
            self._each(run.log_metrics, numbers, step)
        if texts:
            self._each(run.log_strings, texts, step)

    def leaves(self, value: Any, path: str) -> dict[str, object]:
        """The configs in ``value``, by path; what looks like a secret is masked, what can't be read said by name."""
        return {**config_leaves(value, path, on_refused=self.refuse, replace=_masked)}

    def log_configs(self, run: goodseed.Run, configs: Mapping[str, object]) -> None:
        """Set each config."""
        try:
            run.log_configs(configs, flatten=False)
        except (goodseed.InvalidValueError, goodseed.InvalidTypeError):
            for path, value in configs.items():
                try:
                    run.log_configs({path: value}, flatten=False)
                except (goodseed.InvalidValueError, goodseed.InvalidTypeError) as error:
                    self.refuse(path, error)

    def refuse(self, path: str, error: Exception) -> None:
        """Say, once, that ``path`` is left out."""
        if path not in self._refused:
            self._refused.add(path)
            _logger.warning("goodseed: %s is not stored: %s", path, error)

    def _each(self, log: Any, values: Mapping[str, Any], step: float) -> None:
        try:
            log(values, step=step)
        except (goodseed.InvalidValueError, goodseed.InvalidTypeError):
            for path, value in values.items():
                try:
                    log({path: value}, step=step)
                except (goodseed.InvalidValueError, goodseed.InvalidTypeError) as error:
                    self.refuse(path, error)


def _number(path: str, value: Any) -> float:
    if getattr(value, "ndim", 0):
        value = value.reshape(())  # of one element, or refused
    return as_number(path, value)


def last_step(run: goodseed.Run, prefixes: tuple[str, ...]) -> float:
    """The highest step of the metrics whose paths begin so; -1 where there is none, or nothing can be read."""
    steps = [-1.0]
    try:
        for path in run.get_metric_paths():
            if path.startswith(prefixes):
                data = run.get_metric_data(path, max_points=1)
                points = data["buckets"] if data["downsampled"] else data["raw_points"]
                steps += [point["step_last" if data["downsampled"] else "step"] for point in points[-1:]]
    except (goodseed.DisabledError, goodseed.RemoteError):
        return -1.0
    return max(steps)
