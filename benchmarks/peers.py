"""The other trackers, each called as its documentation says: offline, silent, nothing but metrics.

Runs in the peer's own environment: only the standard library and the peer are there.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from targets import Target, open_goodseed

__all__ = ["PEERS"]

# Name on the package index, and what opens it. What has no version is taken as the index has it on the day.
PEERS = {
    "goodseed==0.4.0": "peers:open_reference",
    "trackio": "peers:open_trackio",
    "wandb": "peers:open_wandb",
    "neptune-scale": "peers:open_neptune",
    "mlflow": "peers:open_mlflow",
    "tensorboardX": "peers:open_tensorboard",
}
_MLFLOW_BATCH = 1_000  # mlflow takes no more in one request

open_reference = open_goodseed  # the same API, in its own environment


def open_trackio(directory: str) -> Target:
    """``trackio.log``."""
    os.environ["TRACKIO_DIR"] = directory
    trackio: Any = importlib.import_module("trackio")
    trackio.init(project="bench", name="run", embed=False, auto_log_gpu=False, auto_log_cpu=False)
    return Target(lambda data, step: trackio.log(data, step=step), trackio.finish)


def open_wandb(directory: str) -> Target:
    """``run.log`` of an offline run."""
    wandb: Any = importlib.import_module("wandb")
    settings = wandb.Settings(
        mode="offline",
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
    )
    run = wandb.init(project="bench", dir=directory, settings=settings)
    return Target(lambda data, step: run.log(data, step=step), run.finish)


def open_neptune(directory: str) -> Target:
    """``run.log_metrics`` of an offline run."""
    neptune_scale: Any = importlib.import_module("neptune_scale")
    run = neptune_scale.Run(
        project="bench/bench",
        run_id="run",
        mode="offline",
        log_directory=directory,
        enable_console_log_capture=False,
        source_tracking_config=None,
    )
    return Target(lambda data, step: run.log_metrics(data, step=step), run.close)


def open_mlflow(directory: str) -> Target:
    """``mlflow.log_metrics`` into a SQLite file; ``log_batch``, in parts, for more than it takes at once."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    mlflow: Any = importlib.import_module("mlflow")
    entities: Any = importlib.import_module("mlflow.entities")
    mlflow.set_tracking_uri(f"sqlite:///{directory}/mlflow.db")
    run = mlflow.start_run()
    client = mlflow.MlflowClient()

    def log(data: dict[str, float], step: int) -> None:
        if len(data) <= _MLFLOW_BATCH:
            mlflow.log_metrics(data, step=step)
            return
        metrics = [entities.Metric(path, value, 0, step) for path, value in data.items()]
        for start in range(0, len(metrics), _MLFLOW_BATCH):
            client.log_batch(run.info.run_id, metrics=metrics[start : start + _MLFLOW_BATCH])

    return Target(log, mlflow.end_run)


def open_tensorboard(directory: str) -> Target:
    """``writer.add_scalar`` for each metric."""
    tensorboard: Any = importlib.import_module("tensorboardX")
    writer = tensorboard.SummaryWriter(directory)

    def log(data: dict[str, float], step: int) -> None:
        for path, value in data.items():
            writer.add_scalar(path, value, step)

    return Target(log, writer.close)
