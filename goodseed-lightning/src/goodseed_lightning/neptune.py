"""Replaces the ``NeptuneLogger`` that Lightning no longer has, with its constructor and namespaces."""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from goodseed import InvalidValueError
from goodseed_lightning.frameworks import is_rank_zero
from goodseed_lightning.logger import GoodseedLogger, logged_run
from goodseed_lightning.neptune_run import NeptuneRun

if TYPE_CHECKING:
    from torch.nn import Module

    import goodseed

__all__ = ["NeptuneLogger"]

_STORAGES: Final = {"offline": "local", "debug": "disabled", "async": None, "sync": None}
# What neptune.init_run takes and Goodseed has no use for.
_WITHOUT_EFFECT: Final = (
    "api_token",
    "dependencies",
    "enable_remote_signals",
    "fail_on_exception",
    "flush_period",
    "proxies",
    "source_files",
    "async_lag_callback",
    "async_lag_threshold",
    "async_no_progress_callback",
    "async_no_progress_threshold",
)


class NeptuneLogger(GoodseedLogger):
    """Takes what Lightning's ``NeptuneLogger`` took, and stores it in a `goodseed.Run` under the same paths.

    Metrics lie under ``<prefix>/``, at the Trainer's step; hyperparameters under ``<prefix>/hyperparams/``;
    ``<prefix>/model/`` has the best checkpoint's path and score, and the paths of those that are kept. Files are not
    copied: where Neptune had the file, the run has its path.

    Args:
        api_key: Neptune's token, which is neither used nor stored. Goodseed's own comes from ``GOODSEED_API_KEY``.
        project: ``"project"`` or ``"workspace/project"``; default: ``GOODSEED_PROJECT``, else ``"default"``.
        name: Display name of the run.
        run: An open `goodseed.Run` to log to, which is never closed here.
        log_model_checkpoints: Store where ``ModelCheckpoint`` saves.
        prefix: Put before every path that the logger writes.
        **neptune_run_kwargs: What else ``neptune.init_run`` or `goodseed.Run` takes. ``with_id`` and
            ``custom_run_id`` name the run; ``mode="offline"`` keeps it on this machine and ``"debug"`` nowhere. What
            has no counterpart is left out, with a warning.

    Raises:
        InvalidTypeError, InvalidValueError, ConfigurationError: An argument is invalid.
    """

    LOGGER_JOIN_CHAR = "-"
    PARAMETERS_KEY = "hyperparams"
    ARTIFACTS_KEY = "artifacts"

    def __init__(
        self,
        *,
        api_key: str | None = None,
        project: str | None = None,
        name: str | None = None,
        run: goodseed.Run | None = None,
        log_model_checkpoints: bool | None = True,
        prefix: str = "training",
        **neptune_run_kwargs: Any,
    ) -> None:
        super().__init__(
            name,
            project=project,
            log_model=bool(log_model_checkpoints),
            prefix=prefix,
            run=run,
            **_run_arguments(neptune_run_kwargs),
        )
        self._names_checkpoints: Final = bool(log_model_checkpoints)
        self._kept: set[str] = set()

    @property
    def experiment(self) -> Any:
        """The run, as code for Neptune uses it, ``experiment["a/b"].append(value)`` for instance."""
        run, own = super().experiment, logged_run(self)
        return NeptuneRun(run, own.steps, own.report) if is_rank_zero() else run

    @property
    def run(self) -> Any:
        """The same as ``experiment``."""
        return self.experiment

    def log_model_summary(self, model: Module, max_depth: int = -1) -> None:
        """Set ``<prefix>/model/summary`` to Lightning's summary of ``model``."""
        if not is_rank_zero():
            return
        package = next(base.__module__ for base in type(model).__mro__ if base.__name__ == "LightningModule")
        framework = "lightning.pytorch" if package.startswith("lightning.") else "pytorch_lightning"
        summary = import_module(f"{framework}.utilities.model_summary").ModelSummary(model, max_depth=max_depth)
        own = logged_run(self)
        own.set_configs({f"{own.prefix}model/summary": str(summary)})

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Store the best checkpoint's path and score, and the path of each that is kept; None where one was."""
        if not self._names_checkpoints or not is_rank_zero():
            return
        best = getattr(checkpoint_callback, "best_model_path", "")
        score = getattr(checkpoint_callback, "best_model_score", None)
        paths = {best, getattr(checkpoint_callback, "last_model_path", "")}
        paths = (paths | set(getattr(checkpoint_callback, "best_k_models", None) or ())) - {""}
        directory = getattr(checkpoint_callback, "dirpath", None)
        kept: dict[str, object] = {_model_name(path, directory): path for path in paths}
        gone = dict.fromkeys(self._kept - set(kept))
        self._kept = set(kept)
        own = logged_run(self)
        namespace = f"{own.prefix}model"
        own.set_configs({f"{namespace}/checkpoints/{key}": path for key, path in {**gone, **kept}.items()})
        if best:
            own.set_configs({f"{namespace}/best_model_path": best})
        if score is not None:
            own.set_configs({f"{namespace}/best_model_score": float(score)})

    def finalize(self, status: str) -> None:
        """Set ``<prefix>/status``, and end the stage as `GoodseedLogger.finalize` does."""
        own = logged_run(self)
        if status and is_rank_zero() and own.handle.current() is not None:
            own.set_configs({f"{own.prefix}status": status})
        super().finalize(status)


def _model_name(path: str, directory: object) -> str:
    stem = os.path.splitext(path)[0]
    return os.path.relpath(stem, str(directory)).replace(os.sep, "/") if directory else stem


def _run_arguments(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `goodseed.Run` that are meant."""
    arguments = dict(given)
    ignored = [key for key in _WITHOUT_EFFECT if arguments.pop(key, None) is not None and key != "api_token"]
    if ignored:
        warnings.warn(f"{', '.join(ignored)}: Goodseed has no such setting.", UserWarning, stacklevel=3)
    mode = arguments.pop("mode", None)
    if mode is not None:
        if mode not in _STORAGES:
            raise InvalidValueError(f"mode must be one of {', '.join(map(repr, _STORAGES))}, not {mode!r}.")
        arguments.setdefault("storage", _STORAGES[mode])
    names = [arguments.pop(key, None) for key in ("with_id", "custom_run_id")]
    run_id = next((name for name in names if name is not None), None)
    if run_id is not None:
        arguments.setdefault("run_id", run_id)
    return arguments
