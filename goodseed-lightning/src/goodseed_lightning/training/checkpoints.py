"""Logs the checkpoints that ``ModelCheckpoint`` saves, and names the directory that they go to."""

from __future__ import annotations

import json
import os
import weakref
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Checkpoints", "LogModel", "Saved", "file_name", "save_directory"]

_MAX_NAME_CHARACTERS: Final = 80
LogModel = Literal[True, False, "all"]


class Saved:
    """One checkpoint that was just saved.

    Attributes:
        path: Where it lies; empty where the callback does not say.
        score: What the callback watches; None where it watches nothing.
        step: The trainer's step; None where the callback does not say.
    """

    def __init__(self, callback: Any) -> None:
        last = getattr(callback, "_last_checkpoint_saved", "")
        self.path = str(last or getattr(callback, "last_model_path", "") or getattr(callback, "best_model_path", ""))
        self.score = _score(getattr(callback, "current_score", None))
        self.step: int | None = getattr(callback, "_last_global_step_saved", None)

    def point(self) -> dict[str, str | float]:
        """What becomes a point of a series, by the series' name; empty where the callback has saved nothing."""
        if not self.path:
            return {}
        return {"saved": self.path} if self.score is None else {"saved": self.path, "score": self.score}


class Checkpoints:
    """The checkpoint callbacks of a trainer, none of which it keeps alive."""

    def __init__(self) -> None:
        self._callbacks: list[Any] = []

    def add(self, callback: Any) -> str:
        """Remember ``callback``, a callback or a proxy of one; returns the namespace of what is said of it."""
        proxy = callback if type(callback) in weakref.ProxyTypes else weakref.proxy(callback)
        for number, known in enumerate(self._callbacks):
            if known is proxy:
                return _namespace(number)
        self._callbacks.append(proxy)
        return _namespace(len(self._callbacks) - 1)

    def facts(self) -> Iterator[tuple[str, dict[str, object]]]:
        """The namespace and the configs of every callback that is still there."""
        for number, callback in enumerate(self._callbacks):
            try:
                yield _namespace(number), facts(callback)
            except ReferenceError:  # its trainer is gone, and nothing about it changes any more
                continue

    def __deepcopy__(self, memo: object) -> Checkpoints:
        return Checkpoints()

    def __reduce__(self) -> tuple[Any, ...]:
        return Checkpoints, ()


def facts(callback: Any) -> dict[str, object]:
    """What ``callback`` has saved: the best and its score, the last, and all that it keeps."""
    found: dict[str, object] = {}
    if best := getattr(callback, "best_model_path", ""):
        found["best/path"] = str(best)
        score = _score(getattr(callback, "best_model_score", None))
        if score is not None:
            found["best/score"] = score
    if last := getattr(callback, "last_model_path", ""):
        found["last/path"] = str(last)
    if monitor := getattr(callback, "monitor", None):
        found["monitor"] = str(monitor)
        found["mode"] = str(getattr(callback, "mode", ""))
    kept = getattr(callback, "best_k_models", None)
    if kept:
        found["kept"] = json.dumps({str(path): _score(score) for path, score in kept.items()}, ensure_ascii=False)
    return found


def _namespace(number: int) -> str:
    return "checkpoints" if number == 0 else f"checkpoints/{number + 1}"


def _score(score: Any) -> float | None:
    return None if score is None else float(score)


def file_name(name: str) -> str:
    """``name`` with all replaced that a file's name can't hold on some system."""
    kept = "".join(letter if letter.isalnum() or letter in " -_.=+" else "-" for letter in name)
    return kept.strip(" .-")[:_MAX_NAME_CHARACTERS].strip(" .-") or "run"


def save_directory(log_dir: str | os.PathLike[str] | None, run_id: str) -> str:
    """The absolute path of a directory of the run's own, below ``log_dir`` or ``goodseed_logs``."""
    base = os.fspath(log_dir) if log_dir is not None else "goodseed_logs"
    return os.path.abspath(os.path.join(os.path.expanduser(base), run_id))
