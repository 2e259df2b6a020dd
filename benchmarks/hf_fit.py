"""What Goodseed's callback costs a Trainer of 1,000 tiny steps, beside no callback and a TensorBoard-like JSON logger.

Run it with ``python benchmarks/hf_fit.py [--rounds N]``, in an environment that has transformers and torch.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from measuring import span, table
from transformers import Trainer, TrainerCallback, TrainingArguments

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


def _train(directory: Path, callbacks: list[Any]) -> float:
    arguments = TrainingArguments(
        str(directory), max_steps=_STEPS, per_device_train_batch_size=1, logging_steps=10, report_to="none",
        save_strategy="no", disable_tqdm=True, use_cpu=True, remove_unused_columns=False,
    )  # fmt: skip
    data = [{"x": torch.ones(8)}] * 8
    trainer = Trainer(_Model(), arguments, train_dataset=data, callbacks=callbacks)
    start = time.perf_counter()
    trainer.train()
    return time.perf_counter() - start


def main() -> None:
    """Take turns, and print the medians of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        made = {
            "no callback": list,
            "JSON lines": lambda: [_Lines(home / f"{time.time_ns()}.jsonl")],
            "Goodseed": lambda: [GoodseedCallback(storage="local", goodseed_home=home)],
        }
        times: dict[str, list[float]] = {name: [] for name in made}
        for number in range(rounds + 1):
            for name, callbacks in made.items():
                used = callbacks()
                seconds = _train(home / "out", used)
                if number:  # the first round loads what all later ones have
                    times[name].append(seconds)
                for callback in used:
                    if isinstance(callback, GoodseedCallback):
                        callback.close()
    base = times["no callback"]
    rows = [
        [name, span(statistics.median(all_)),
         f"{(statistics.median(t / b for t, b in zip(all_, base, strict=True)) - 1) * 100:+.1f} %"]
        for name, all_ in times.items()
    ]  # fmt: skip
    table(f"A Trainer of {_STEPS:,} steps, logging every tenth", ["", "time", "against none"], rows)


if __name__ == "__main__":
    main()
