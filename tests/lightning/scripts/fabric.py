"""Log from Fabric in two processes: FRAMEWORK STRATEGY."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from goodseed_lightning import GoodseedLogger


def work(fabric: Any) -> None:
    """What each process does."""
    for step in range(5):
        fabric.log("loss", 1.0 / (step + 1), step=step)
        fabric.log_dict({"a": step, "b": -step})
    fabric.logger.log_hyperparams({"lr": 0.1})


def main() -> None:
    """Start the processes."""
    fabric = importlib.import_module(sys.argv[1]).Fabric(
        accelerator="cpu", devices=2, strategy=sys.argv[2], loggers=GoodseedLogger(run_id="fabric")
    )
    fabric.launch(work)


if __name__ == "__main__":
    main()
