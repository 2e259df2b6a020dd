"""A tiny vision transformer on scikit-learn's digits, trained by Hugging Face's Trainer and tracked by Goodseed.

Run it with ``python examples/hf_digits.py``; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

import torch
from sklearn.datasets import load_digits
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification

from goodseed_hf import GoodseedCallback


class Digits(torch.utils.data.Dataset):
    """Images of 8 by 8 pixels."""

    def __init__(self, part: slice) -> None:
        images, labels = load_digits(return_X_y=True)
        self.images = torch.tensor(images[part] / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
        self.labels = labels[part]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"pixel_values": self.images[index], "labels": int(self.labels[index])}


def main() -> None:
    """Train, evaluate, and say where the run is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=float, default=8)
    parser.add_argument("--home", help="where the run is stored (default: ~/.goodseed)")
    options = parser.parse_args()
    config = ViTConfig(
        image_size=8, patch_size=2, num_channels=1, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, num_labels=10,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        arguments = TrainingArguments(
            directory, num_train_epochs=options.epochs, per_device_train_batch_size=32, learning_rate=3e-3,
            logging_steps=10, eval_strategy="epoch", save_strategy="no", report_to="none", disable_tqdm=True,
            run_name="tiny-vit", use_cpu=True,
        )  # fmt: skip
        callback = GoodseedCallback(
            project="digits", tags=["transformers"], storage="local", goodseed_home=options.home
        )
        trainer = Trainer(
            ViTForImageClassification(config), arguments, train_dataset=Digits(slice(1400)),
            eval_dataset=Digits(slice(1400, None)), callbacks=[callback],
            compute_metrics=lambda p: {"accuracy": float((p.predictions.argmax(-1) == p.label_ids).mean())},
        )  # fmt: skip
        trainer.train()
        result = trainer.evaluate()
    print(f"accuracy {result['eval_accuracy']:.3f}; the run is {callback.run.path}")
    callback.close()


if __name__ == "__main__":
    main()
