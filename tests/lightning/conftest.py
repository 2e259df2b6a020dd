"""Real Trainers of every Lightning that is installed, on small data, in a directory of their own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import goodseed

FRAMEWORKS = ("lightning.pytorch", "pytorch_lightning")
_FOREIGN = "(lightning|pytorch_lightning|lightning_fabric|torch|torchmetrics|jsonargparse|pkg_resources)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What other packages warn of is theirs."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(f"ignore:::{_FOREIGN}"))


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> Any:
    """One of the packages that Lightning comes in."""
    pytest.importorskip("torch")
    return pytest.importorskip(request.param)


@pytest.fixture
def lightning() -> Any:
    """The first Lightning that is there."""
    pytest.importorskip("torch")
    for name in FRAMEWORKS:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    pytest.skip("there is no Lightning")


@pytest.fixture(autouse=True)
def _elsewhere(lightning: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning, without which nothing here runs, writes into the working directory."""
    pytest.importorskip("goodseed_lightning")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOODSEED_STORAGE", "local")


@pytest.fixture
def parts() -> Callable[[Any], SimpleNamespace]:
    """For a framework: a small model's class, its data, and a Trainer that keeps quiet."""

    def make(framework: Any) -> SimpleNamespace:
        import torch

        class Model(framework.LightningModule):  # type: ignore[misc]
            def __init__(self, lr: float = 0.1, width: int = 2, kind: type = torch.nn.Linear) -> None:
                super().__init__()
                self.save_hyperparameters()
                self.layer = kind(4, width)
                self.fails_at: int | None = None
                self.error: BaseException = ValueError("on purpose")

            def training_step(self, batch: Any, index: int) -> Any:
                if self.fails_at == self.trainer.global_step:
                    raise self.error
                loss = self.layer(batch[0]).square().mean()
                self.log("loss", loss, on_step=True, on_epoch=True)
                self.log("flag", True)
                return loss

            def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> None:
                self.log("val_loss", self.layer(batch[0]).square().mean())

            def test_step(self, batch: Any, index: int) -> None:
                self.log("test_loss", self.layer(batch[0]).square().mean())

            def predict_step(self, batch: Any, index: int) -> Any:
                return self.layer(batch[0])

            def configure_optimizers(self) -> Any:
                optimizer = torch.optim.SGD(self.parameters(), self.hparams.lr)
                return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]

        def data(count: int = 16) -> Any:
            generator = torch.Generator().manual_seed(0)
            return torch.utils.data.DataLoader(
                torch.utils.data.TensorDataset(torch.randn(count, 4, generator=generator)), 4
            )

        def trainer(logger: Any, **options: Any) -> Any:
            quiet = {
                "accelerator": "cpu",
                "devices": 1,
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "log_every_n_steps": 1,
                "max_epochs": 2,
            }
            return framework.Trainer(logger=logger, **{**quiet, **options})

        return SimpleNamespace(Model=Model, data=data, trainer=trainer)

    return make


@pytest.fixture
def stored() -> Callable[..., SimpleNamespace]:
    """What a run has stored, by path, without what is kept of every run."""

    def read(run_id: str, project: str = "default", home: Path | None = None) -> SimpleNamespace:
        with goodseed.Run(run_id=run_id, project=project, read_only=True, storage="local", goodseed_home=home) as run:
            configs = {row["path"]: row["value"] for row in run.get_configs()}
            metrics = {
                path: {point["step"]: point["y"] for point in run.get_metric_data(path)["raw_points"]}
                for path in run.get_metric_paths()
            }
            texts = {
                path: {point["step"]: point["value"] for point in run.get_string_data(path)}
                for path in run.get_string_paths()
            }
            return SimpleNamespace(configs=configs, metrics=metrics, texts=texts)

    return read
