"""The tiny model that the tests of this folder train, and how they read the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")
goodseed_hf = pytest.importorskip("goodseed_hf")
GoodseedCallback = goodseed_hf.GoodseedCallback


class Rows(torch.utils.data.Dataset):  # type: ignore[misc]
    """Sequences whose label is whether their first token is large."""

    def __init__(self, count: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.tokens = torch.randint(0, 32, (count, 8), generator=generator)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> dict[str, Any]:
        tokens = self.tokens[index]
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), "labels": int(tokens[0] > 15)}


def make_model(_trial: Any = None) -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=32,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    return transformers.BertForSequenceClassification(config)


def arguments(directory: Path, **more: Any) -> Any:
    defaults = {
        "output_dir": str(directory), "per_device_train_batch_size": 8, "max_steps": 6, "logging_steps": 2, "report_to": "none",
        "save_strategy": "no", "disable_tqdm": True, "use_cpu": True,
    }  # fmt: skip
    return transformers.TrainingArguments(**defaults | more)


def trainer(directory: Path, callback: Any, **more: Any) -> Any:
    callbacks = [] if callback is None else [callback]
    return transformers.Trainer(
        make_model(), arguments(directory, **more), train_dataset=Rows(64), eval_dataset=Rows(16), callbacks=callbacks
    )
