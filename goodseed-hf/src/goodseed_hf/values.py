"""Converts what Transformers and Accelerate hand over into points and configs."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

import goodseed
from goodseed.config_values import config_leaves
from goodseed.values import as_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Steps", "Writer", "renamed"]

_logger: Final = logging.getLogger("goodseed")
_PREFIXES: Final = ("eval_", "test_")
# Arguments that may hold secrets. Transformers masks some of them itself.
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
    """``eval_loss`` is ``eval/loss``, ``rewards/chosen`` is ``train/rewards/chosen``: as Transformers rewrites them."""
    for prefix in _PREFIXES:
        if name.startswith(prefix) and len(name) > len(prefix):
            return f"{prefix[:-1]}/{name[len(prefix) :]}"
    return f"train/{name}"


class Steps:
    """Finds a step for values whose step has others already, so that none replaces another."""

    def __init__(self) -> None:
        self._last: Final[dict[str, tuple[float, int, object]]] = {}

    def forget(self) -> None:
        """Let values that are logged from now on replace those at the same step."""
        self._last.clear()

    def see(self, run: goodseed.Run, paths: Iterable[str], step: float) -> None:
        """Look which of ``paths`` the run has points of, at ``step`` and up to the next."""
        for path in {*paths}.difference(self._last).intersection(run.get_metric_paths()):
            found = run.get_metric_data(path, step_min=step, step_max=step + 0.999_999)["raw_points"]
            if found:
                self._last[path] = (step, len(found) - 1, found[-1]["y"])

    def free(self, values: Mapping[str, Any], step: float) -> float:
        """Return ``step``, or one behind it where it has another value already: 4, then 4.5, 4.67, 4.75."""
        plain = {path: value for path, value in values.items() if isinstance(value, (int, float, str))}
        known = [(*self._last[path], value) for path, value in plain.items() if path in self._last]
        taken = [(count, last != value) for at, count, last, value in known if at == step]
        count = max((count for count, _ in taken), default=0) + any(differs for _, differs in taken)
        self._last.update({path: (step, count, value) for path, value in plain.items()})
        return step + count / (count + 1)


class Writer:
    """Stores what can be stored, and warns once of each name that can't."""

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
            except Exception as error:  # noqa: BLE001 - a foreign tensor may raise anything
                self.refuse(path, error)
        if numbers:
            self._each(run.log_metrics, numbers, step)
        if texts:
            self._each(run.log_strings, texts, step)

    def leaves(self, value: Any, path: str) -> dict[str, object]:
        """The configs in ``value``, by path; secrets are masked, and values that can't be read are warned of."""
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
        """Warn once that ``path`` is left out."""
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
