"""What Goodseed's callback costs a Trainer of 1,000 tiny steps, beside no callback and a TensorBoard-like JSON logger.

Run it with ``python benchmarks/hf_fit.py [--rounds N]``, in an environment that has transformers and torch.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from fits import report
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from goodseed_hf import GoodseedCallback

_STEPS = 1_000


class _Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(8, 1)

    def forward(self, x: Any, **_: Any) -> dict[str, Any]:
        return {"loss": self.linear(x).square().mean()}


class _Lines(TrainerCallback):
    """The least that a logger can do: a line of JSON for each log, as the framework has no CSV logger."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**logs, "step": state.global_step}) + "\n")


def _fit(home: Path, callbacks: list[Any]) -> Callable[[], Any]:
    arguments = TrainingArguments(
        str(home / "out"), max_steps=_STEPS, per_device_train_batch_size=1, logging_steps=10, report_to="none",
        save_strategy="no", disable_tqdm=True, use_cpu=True, remove_unused_columns=False,
    )  # fmt: skip
    trainer = Trainer(_Model(), arguments, train_dataset=[{"x": torch.ones(8)}] * 8, callbacks=callbacks)
    trainer.remove_callback(PrinterCallback)
    return trainer.train


def _callbacks(home: Path) -> dict[str, Callable[[], list[Any]]]:
    return {
        "no callback": list,
        "no callback again": list,
        "JSON lines": lambda: [_Lines(home / f"{time.time_ns()}.jsonl")],
        "Goodseed": lambda: [GoodseedCallback(storage="local", goodseed_home=home)],
    }


def main() -> None:
    """Take turns, and print what each costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    report(f"A Trainer of {_STEPS:,} steps, logging every tenth", _callbacks, _fit, parser.parse_args().rounds)


if __name__ == "__main__":
    main()
