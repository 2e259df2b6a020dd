"""Fabric, which reports to its loggers itself, and the command line of Lightning."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

FABRICS = ("lightning.fabric", "lightning_fabric")


@pytest.fixture(params=FABRICS)
def fabric(request: pytest.FixtureRequest) -> Any:
    """The Fabric of one of the packages."""
    pytest.importorskip("torch")
    return pytest.importorskip(request.param).Fabric


def test_fabric_trains(fabric: Any, stored: Any) -> None:
    """What Fabric logs, with a step and without, is in the run, and a watched module's norms are, too."""
    import torch

    from goodseed_lightning import GoodseedLogger

    ours = GoodseedLogger(run_id="fabric", prefix="fabric")
    one = fabric(accelerator="cpu", devices=1, loggers=[ours])
    one.launch()
    module = torch.nn.Linear(2, 1)
    ours.watch(module, log="gradients", log_freq=2)
    model, optimizer = one.setup(module, torch.optim.SGD(module.parameters(), 0.1))
    for step in range(3):
        loss = model(torch.ones(4, 2)).square().mean()
        one.backward(loss)
        optimizer.step()
        one.log("loss", loss, step=step)
        one.log_dict({"a": torch.tensor(float(step)), "b": step})
    one.logger.log_hyperparams({"lr": 0.1})
    assert one.logger is ours
    ours.experiment.close()
    found = stored("fabric")

    assert {0.0, 1.0, 2.0} == set(found.metrics["fabric/loss"])
    assert {0.0: 0.0, 1.0: 1.0, 2.0: 2.0} == found.metrics["fabric/a"]
    assert {0.0, 2.0} == set(found.metrics["fabric/gradients/weight/norm"])
    assert "0.1" == found.configs["fabric/hyperparams/lr"]


def test_one_class_is_a_logger_of_every_package(framework: Any) -> None:
    """The loggers are those of either package, to whoever asks with isinstance."""
    from goodseed_lightning import GoodseedLogger, NeptuneLogger

    base = import_module(f"{framework.__name__}.loggers").Logger

    assert isinstance(GoodseedLogger(), base)
    assert isinstance(NeptuneLogger(), base)


@pytest.mark.parametrize("by", ["options", "file"])
def test_command_line(framework: Any, parts: Any, stored: Any, tmp_path: Path, by: str) -> None:
    """LightningCLI makes the logger from options or a file, with Run's own arguments, and saves its config for each run."""
    pytest.importorskip("jsonargparse")
    command_line = import_module(f"{framework.__name__}.cli").LightningCLI
    kit = parts(framework)
    if by == "options":
        given = [
            "--trainer.logger=goodseed_lightning.GoodseedLogger",
            "--trainer.logger.project=cli",
            "--trainer.logger.name=from options",
            "--trainer.logger.log_model=all",
            "--trainer.logger.dict_kwargs.tags=[a, b]",
        ]
    else:
        file = tmp_path / "logger.yaml"
        file.write_text(
            "trainer:\n  logger:\n    class_path: goodseed_lightning.GoodseedLogger\n    init_args:\n"
            "      project: cli\n      name: from file\n      log_model: all\n    dict_kwargs:\n      tags: [a, b]\n"
        )
        given = [f"--config={file}"]
    options = ["--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false"]
    for _ in range(2):
        cli = command_line(kit.Model, args=[*given, *options, "--model.lr=0.25"], run=False)
        cli.trainer.fit(cli.model, kit.data())
        ours = cli.trainer.logger
        ours.experiment.close()
        found = stored(ours.version, project="cli")

        assert f"from {by}" == found.configs["sys/name"]
        assert '["a", "b"]' == found.configs["sys/tags"]
        assert {"checkpoints/saved"} == set(found.texts)
        assert "0.25" == found.configs["hyperparams/lr"]
        assert Path(ours.save_dir, "config.yaml").is_file()
