"""What a run says of the checkpoints, and of the model while it trains."""

from __future__ import annotations

import copy
import gc
import json
import logging
import pickle
import weakref
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import goodseed


def fitted(framework: Any, parts: Any, log_model: Any, **checkpoint: Any) -> tuple[Any, Any]:
    """A logger and the checkpoint callback of a fit of three epochs."""
    from goodseed_lightning import GoodseedLogger

    kit = parts(framework)
    callback = import_module(f"{framework.__name__}.callbacks").ModelCheckpoint(**checkpoint)
    ours = GoodseedLogger(run_id="kept", log_model=log_model)
    kit.trainer(ours, callbacks=[callback], max_epochs=3).fit(kit.Model(), kit.data(), kit.data())
    return ours, callback


def test_kept_checkpoints(framework: Any, parts: Any, stored: Any) -> None:
    """log_model=True stores the paths and scores of the best, the last and all that are kept."""
    ours, callback = fitted(framework, parts, True, monitor="val_loss", save_top_k=2, save_last=True)
    ours.experiment.close()
    found = stored("kept")
    configs = {path: value for path, value in found.configs.items() if path.startswith("checkpoints/")}
    kept = json.loads(configs.pop("checkpoints/kept"))

    assert {
        "checkpoints/best/path": callback.best_model_path,
        "checkpoints/best/score": str(float(callback.best_model_score)),
        "checkpoints/last/path": callback.last_model_path,
        "checkpoints/monitor": "val_loss",
        "checkpoints/mode": "min",
    } == configs
    assert {path: float(score) for path, score in callback.best_k_models.items()} == kept
    assert all(Path(path).is_file() for path in kept)
    assert {} == found.texts


def test_every_checkpoint(framework: Any, parts: Any, stored: Any) -> None:
    """log_model="all" adds a point for every checkpoint that was ever saved."""
    ours, _ = fitted(framework, parts, "all", monitor="val_loss", filename="{epoch}")
    ours.experiment.close()
    found = stored("kept")

    assert ["epoch=0.ckpt", "epoch=1.ckpt", "epoch=2.ckpt"] == [
        Path(path).name for path in found.texts["checkpoints/saved"].values()
    ]
    assert found.texts["checkpoints/saved"].keys() == found.metrics["checkpoints/score"].keys()


def test_no_checkpoints_by_default(framework: Any, parts: Any, stored: Any) -> None:
    """log_model=False stores nothing of checkpoints."""
    ours, callback = fitted(framework, parts, False, monitor="val_loss")

    ours.experiment.close()
    assert Path(callback.best_model_path).is_relative_to(ours.save_dir)
    assert not [path for path in stored("kept").configs if path.startswith("checkpoints")]


def test_callbacks_are_not_kept_alive(framework: Any, parts: Any, stored: Any) -> None:
    """A callback dies with its trainer, and the logger goes on without it; pickles and copies hold none."""
    ours, callback = fitted(framework, parts, True, monitor="val_loss")
    others = pickle.dumps(ours), copy.deepcopy(ours)
    dead = weakref.ref(callback)
    del callback
    gc.collect()
    ours.finalize("success")

    assert dead() is None
    assert b"ModelCheckpoint" not in others[0]


def test_several_callbacks(lightning: Any, parts: Any, stored: Any) -> None:
    """Each ModelCheckpoint has its own place."""
    from goodseed_lightning import GoodseedLogger

    kit, callbacks = parts(lightning), import_module(f"{lightning.__name__}.callbacks")
    saving = [
        callbacks.ModelCheckpoint(monitor="val_loss", filename="val"),
        callbacks.ModelCheckpoint(monitor="loss_epoch", filename="train"),
    ]
    ours = GoodseedLogger(run_id="two", log_model=True)
    kit.trainer(ours, callbacks=saving).fit(kit.Model(), kit.data(), kit.data())
    ours.experiment.close()
    configs = stored("two").configs

    assert {"val_loss", "loss_epoch"} == {configs["checkpoints/monitor"], configs["checkpoints/2/monitor"]}


def test_watch(framework: Any, parts: Any, stored: Any) -> None:
    """Watch stores norms and histograms of gradients and parameters at the Trainer's step, every so many steps."""
    from goodseed_lightning import GoodseedLogger

    kit, ours = parts(framework), GoodseedLogger(run_id="watched")
    model = kit.Model()
    ours.watch(model, log_freq=3)
    kit.trainer(ours, max_epochs=2).fit(model, kit.data())
    ours.experiment.close()
    found = stored("watched")
    kinds = ("gradients", "parameters")

    for kind in kinds:
        for name in (f"{kind}/norm", f"{kind}/layer/weight/norm", f"{kind}/layer/bias/norm"):
            assert {0.0, 3.0, 6.0} == set(found.metrics[name])
    weight = json.loads(found.texts["parameters/layer/weight/histogram"][6.0])
    assert (8, 32, 8) == (weight["count"], len(weight["counts"]), sum(weight["counts"]))
    assert weight["min"] <= weight["mean"] <= weight["max"]
    norms = [found.metrics[f"parameters/layer/{name}/norm"][6.0] for name in ("weight", "bias")]
    assert found.metrics["parameters/norm"][6.0] == pytest.approx(sum(norm**2 for norm in norms) ** 0.5, rel=1e-6)


def test_watch_alone_and_no_more(lightning: Any, stored: Any) -> None:
    """Any module is watched at any optimizer, what is not finite is counted; unwatch, and the end of a model, end it."""
    import torch

    from goodseed_lightning import GoodseedLogger

    ours = GoodseedLogger(run_id="alone")
    model, other = torch.nn.Linear(2, 1, bias=False), torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters())
    ours.watch(model, log="gradients", log_freq=1)
    for factor in (1.0, float("nan")):
        optimizer.zero_grad()
        (model(torch.ones(1, 2)).sum() * factor).backward()
        optimizer.step()
        torch.optim.SGD(other.parameters(), 0.1).step()
    ours.unwatch(model)
    optimizer.step()
    ours.watch(other)
    del other
    gc.collect()
    optimizer.step()
    ours.experiment.close()
    found = stored("alone")

    assert {"gradients/weight/norm", "gradients/norm"} == set(found.metrics)
    assert {0.0, 1.0} == set(found.metrics["gradients/norm"])
    assert {"count": 0, "non_finite": 2} == json.loads(found.texts["gradients/weight/histogram"][1.0])
    for wrong in ({"log": "weights"}, {"log_freq": 0}, {"log_freq": True}):
        with pytest.raises(goodseed.InvalidValueError):
            ours.watch(model, **wrong)


def test_watch_a_part_of_a_model(lightning: Any, stored: Any) -> None:
    """A part is watched wherever its parameters stand in the optimizer; what Fabric has set up keeps its names."""
    import torch

    from goodseed_lightning import GoodseedLogger

    ours = GoodseedLogger(run_id="part")
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    ours.watch(model[1], log="gradients", log_freq=1)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    ours.unwatch(model[1])
    assert {"gradients/weight/norm", "gradients/bias/norm", "gradients/norm"} == set(stored("part").metrics)

    fabric = pytest.importorskip("lightning.fabric").Fabric(accelerator="cpu", devices=1)
    alone = torch.nn.Linear(2, 1)
    wrapped, stepping = fabric.setup(alone, torch.optim.SGD(alone.parameters(), 0.1))
    ours.watch(wrapped, log="parameters", log_freq=1)
    fabric.backward(wrapped(torch.ones(1, 2)).sum())
    stepping.step()
    ours.experiment.close()
    assert {"parameters/weight/norm", "parameters/bias/norm"} <= set(stored("part").metrics)


def test_watch_never_harms(lightning: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A model that can't be looked at is warned of once, and trains on."""
    import torch

    from goodseed_lightning import GoodseedLogger

    class Shy(torch.nn.Linear):
        def named_parameters(self, *arguments: Any, **options: Any) -> Any:
            if getattr(self, "is_shy", False):
                raise RuntimeError("not now")
            return super().named_parameters(*arguments, **options)

    model = Shy(2, 1)
    optimizer = torch.optim.SGD(list(model.parameters()), 0.1)
    model.parameters = lambda recurse=True: iter([model.weight])  # type: ignore[method-assign]
    GoodseedLogger().watch(model, log_freq=1)
    ours = GoodseedLogger()
    ours.watch(model, log_freq=1)
    model.is_shy = True
    with caplog.at_level(logging.WARNING, "goodseed"):
        for _ in range(3):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()

    assert 1 == len([record for record in caplog.records if "not now" in record.getMessage()])
