"""What the callback stores of model and arguments, and what it masks."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import configs

from .training import GoodseedCallback, Rows, arguments, make_model, torch, trainer, transformers

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of is their own


def test_secrets_by_any_name_are_masked(tmp_path: Path) -> None:
    """Keys and passwords in arguments, in lists and in addresses; other words are left as they are."""
    callback = GoodseedCallback()
    made = trainer(tmp_path, callback, max_steps=1)
    made.model.config.secret_key = "hunter2"
    made.model.config.aws_secret_access_key = "hunter2"
    made.model.config.wandb_apikey = "hunter2"
    made.model.config.pwd = "hunter2"
    made.model.config.remotes = [{"hub_token": "hunter2"}]
    made.model.config.database = "postgres://me:hunter2@host/db"
    made.model.config.pad_token = 3
    made.train()
    callback.run.flush()
    found = configs(callback.run)
    assert not [path for path, value in found.items() if "hunter2" in str(value)]
    assert found["model/config/database"] == "postgres://me:<masked>@host/db"
    assert found["model/config/pad_token"] == "3"


def test_config_that_cannot_be_told_costs_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A model's own code may raise: that part is named, and the others are stored."""

    class Odd:
        def to_dict(self) -> Any:
            raise RuntimeError("no dict")

    callback = GoodseedCallback()
    made = trainer(tmp_path, None, max_steps=1)
    made.train()
    made.model.config = Odd()
    state, control = made.state, made.control
    state.global_step = 0
    callback.on_train_begin(made.args, state, control, model=made.model)
    assert {"args/learning_rate", "model/parameters"} <= set(configs(callback.run))
    assert "model/config is not stored: no dict" in caplog.text


def test_configs_and_no_secret(tmp_path: Path) -> None:
    """Arguments, model configuration and sizes are configs; tokens are not readable anywhere."""
    callback = GoodseedCallback(name="mine")
    made = trainer(tmp_path, callback, hub_token="hf_SECRETSECRET", learning_rate=0.003)
    made.train()
    found = configs(callback.run)
    assert float(found["args/learning_rate"]) == 0.003
    assert found["model/config/hidden_size"] == "16"
    assert int(found["model/parameters"]) == sum(p.numel() for p in made.model.parameters())
    assert not any("SECRET" in str(value) for value in found.values())
    assert found["sys/name"] == "mine"


def test_run_name_names_the_run(tmp_path: Path) -> None:
    """The arguments' run_name is the run's name."""
    callback = GoodseedCallback()
    trainer(tmp_path, callback, run_name="tiny-bert").train()
    assert configs(callback.run)["sys/name"] == "tiny-bert"


class DictConfig(dict[str, int]):
    """A configuration that is a mapping."""

    use_cache = False


@pytest.mark.parametrize(
    "config",
    [None, DictConfig(hidden=3), types.SimpleNamespace(hidden=3, use_cache=False)],
    ids=["none", "dict", "object"],
)
def test_model_configs_of_all_shapes(tmp_path: Path, config: Any) -> None:
    """A model without a configuration, or with one of its own kind, is trained and tracked."""

    class Plain(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(8, 2)
            if config is not None:
                self.config = config

        def forward(self, input_ids: Any, labels: Any = None, **_: Any) -> Any:
            logits = self.linear(input_ids.float())
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    callback = GoodseedCallback()
    transformers.Trainer(Plain(), arguments(tmp_path), train_dataset=Rows(64), callbacks=[callback]).train()
    found = configs(callback.run)
    assert found["model/parameters"] == "18"
    assert found.get("model/config/hidden") == (None if config is None else "3")


def test_peft(tmp_path: Path) -> None:
    """An adapter's configuration is there, and how little is trained."""
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(make_model(), peft.LoraConfig(r=2, target_modules=["query"]))
    callback = GoodseedCallback()
    transformers.Trainer(model, arguments(tmp_path), train_dataset=Rows(64), callbacks=[callback]).train()
    found = configs(callback.run)
    assert found["model/peft/default/r"] == "2"
    assert int(found["model/trainable_parameters"]) < int(found["model/parameters"])
