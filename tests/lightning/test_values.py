"""What may be logged, and what becomes of the rest."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import functools
import logging
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import goodseed

torch = pytest.importorskip("torch")


@pytest.fixture
def ours(lightning: Any) -> Any:
    """A logger whose run is called "values"."""
    from goodseed_lightning import GoodseedLogger

    return GoodseedLogger(run_id="values")


def test_numbers_of_every_kind(ours: Any, stored: Any) -> None:
    """Tensors of every dtype, with and without a gradient, numpy's numbers, bools and non-finite values are taken."""
    given = {
        "float": 0.5,
        "int": 3,
        "bool": True,
        "bf16": torch.tensor(0.5, dtype=torch.bfloat16),
        "gradient": torch.tensor(0.5, requires_grad=True),
        "one": torch.tensor([[0.5]]),
        "numpy": np.float32(0.5),
        "numpy_bool": np.bool_(True),
        "array": np.array([0.5]),
        "nan": float("nan"),
        "inf": torch.tensor(float("inf")),
        7: 1.0,
        "nested": {"a": 1.0, "b": {"c": 2.0}},
    }
    copy = dict(given)
    ours.log_metrics(given, step=5)
    ours.experiment.close()
    metrics = {path: points[5.0] for path, points in stored("values").metrics.items()}
    assert math.isnan(metrics.pop("nan"))

    assert {
        **dict.fromkeys(("float", "bf16", "gradient", "one", "numpy", "array"), 0.5),
        **dict.fromkeys(("bool", "numpy_bool", "7", "nested/a"), 1.0),
        "int": 3.0,
        "inf": math.inf,
        "nested/b/c": 2.0,
    } == metrics
    assert copy.keys() == given.keys()
    assert all(copy[key] is given[key] for key in copy)


def test_what_cannot_be_stored_is_warned_of_once(ours: Any, stored: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A value, a name or a step that can't be stored raises nothing; the rest is stored, and a name is warned of once."""

    class Broken:
        def __float__(self) -> float:
            raise ZeroDivisionError("broken")

    bad = {
        "none": None,
        "many": torch.zeros(3),
        "complex": 1j,
        "broken": Broken(),
        "list": [1.0],
        "": 1.0,
        "huge": 10**400,
    }
    with caplog.at_level(logging.WARNING, "goodseed"):
        for step in range(3):
            ours.log_metrics({**bad, "good": float(step)}, step=step)
        ours.log_metrics({"at_nan": 1.0}, step=float("nan"))
    ours.experiment.close()

    assert {"good": {0.0: 0.0, 1.0: 1.0, 2.0: 2.0}} == stored("values").metrics
    assert len(bad) + 1 == len(caplog.records)
    assert all(any(f" {name} " in record.getMessage() for record in caplog.records) for name in bad)


def test_texts_go_to_string_series(ours: Any, stored: Any) -> None:
    """A text among the metrics becomes a point of a string series."""
    ours.log_metrics({"sample": "a sentence", "loss": 1.0}, step=2)
    ours.experiment.close()

    assert {"sample": {2.0: "a sentence"}} == stored("values").texts


def test_without_a_step(ours: Any, stored: Any) -> None:
    """A point without a step comes after the last one of its metric, in a resumed run too."""
    from goodseed_lightning import GoodseedLogger

    ours.log_metrics({"a": 1.0})
    ours.log_metrics({"a": 2.0})
    ours.log_metrics({"b": 1.0}, step=10)
    ours.log_metrics({"a": 3.0, "b": 2.0})
    ours.experiment.close()
    again = GoodseedLogger(run_id="values")
    again.log_metrics({"b": 3.0})
    again.experiment.close()

    assert {"a": {0.0: 1.0, 1.0: 2.0, 11.0: 3.0}, "b": {10.0: 1.0, 11.0: 2.0, 12.0: 3.0}} == stored("values").metrics


def test_prefix(lightning: Any, stored: Any) -> None:
    """The prefix stands before all that the logger writes, with one slash between."""
    from goodseed_lightning import GoodseedLogger

    for prefix in ("fold0", "fold1/"):
        with goodseed.Run(run_id=f"run-{prefix[:5]}") as run:
            ours = GoodseedLogger(run=run, prefix=prefix)
            ours.log_metrics({"loss": 1.0}, step=0)
            ours.log_hyperparams({"lr": 0.1})
            ours.log_graph(torch.nn.Linear(2, 2))
        found = stored(run.run_id)
        assert {f"{prefix[:5]}/loss"} == set(found.metrics)
        assert {
            f"{prefix[:5]}/{name}"
            for name in ("hyperparams/lr", "model/class", "model/parameters", "model/trainable_parameters")
        } == {path for path in found.configs if not path.startswith(("sys/", "monitoring/"))}


class Colour(enum.Enum):
    """A choice."""

    RED = "red"


@dataclasses.dataclass
class Optimizer:
    """A dataclass."""

    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)


def never() -> None:
    """Must not be called."""
    raise AssertionError("called")


class Plain:
    """Its text is its address."""

    def __call__(self) -> None:
        raise AssertionError("called")


class Unreadable:
    """Has no text."""

    def __repr__(self) -> str:
        raise ValueError("no text")


def test_hyperparameters(ours: Any, stored: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nested mappings, namespaces and dataclasses become configs, classes and functions their names; nothing is called."""
    circle: dict[str, Any] = {}
    circle |= {"circle": circle, "again": circle, "list": [circle, circle]}
    given = {
        "lr": 0.1,
        "none": None,
        "namespace": argparse.Namespace(a=1, deep=SimpleNamespace(b="x")),
        "optimizer": Optimizer(),
        "colour": Colour.RED,
        Colour.RED: 1,
        ("a", 1): 2,
        3: "three",
        "": "empty",
        "with\0nul": 1,
        "class": torch.nn.ReLU,
        "function": never,
        "partial": functools.partial(never, 1),
        "lambda": lambda: never(),
        "module": torch.nn.Linear(2, 2),
        "tensor": torch.tensor(0.5, requires_grad=True),
        "vector": torch.tensor([1, 2]),
        "array": np.arange(3),
        "list": [1, {"a": None, "b": torch.nn.ReLU}, (never, [Optimizer(lr=2.0)])],
        "plain": Plain(),
        "unreadable": Unreadable(),
        "circle": circle,
    }
    ours.log_hyperparams(given)
    ours.log_hyperparams({"lr": 0.2})
    ours.log_hyperparams(argparse.Namespace(more=True))
    ours.log_hyperparams(Optimizer(lr=1.0))
    ours.log_hyperparams(None)
    ours.experiment.close()
    found = {
        path.removeprefix("hyperparams/"): value
        for path, value in stored("values").configs.items()
        if path.startswith("hyperparams/") and "circle" not in path
    }

    assert {
        "lr": "1.0",
        "betas": "[0.9, 0.99]",
        "more": "true",
        "none": "",
        "namespace/a": "1",
        "namespace/deep/b": "x",
        "optimizer/lr": "0.1",
        "optimizer/betas": "[0.9, 0.99]",
        "colour": "Colour.RED",
        "RED": "1",
        "('a', 1)": "2",
        "3": "three",
        "''": "empty",
        "with\\0nul": "1",
        "class": "torch.nn.modules.activation.ReLU",
        "function": f"{__name__}.never",
        "partial": f"partial of {__name__}.never, 1",
        "lambda": f"{__name__}.test_hyperparameters.<locals>.<lambda>",
        "module": "torch.nn.modules.linear.Linear",
        "tensor": "0.5",
        "vector": "[1, 2]",
        "array": "[0, 1, 2]",
        "list": f'[1, {{"a": null, "b": "torch.nn.modules.activation.ReLU"}}, '
        f'["{__name__}.never", [{{"lr": 2.0, "betas": [0.9, 0.99]}}]]]',
        "plain": f"{__name__}.Plain",
    } == found
    assert ["hyperparams/unreadable"] == [
        path
        for record in caplog.records
        if record.levelno >= logging.WARNING and "circle" not in (path := record.getMessage().split()[1])
    ]


def test_omegaconf(ours: Any, stored: Any) -> None:
    """OmegaConf's containers are stored with their interpolations resolved, or as written where one leads nowhere."""
    omegaconf = pytest.importorskip("omegaconf")
    ours.log_hyperparams(omegaconf.OmegaConf.create({"a": {"b": 1, "c": "${a.b}"}, "d": [1, 2], "missing": "???"}))
    ours.log_hyperparams({"inner": omegaconf.OmegaConf.create({"x": "${nowhere}"})})
    ours.experiment.close()
    found = {path: value for path, value in stored("values").configs.items() if path.startswith("hyperparams/")}

    assert {
        "hyperparams/a/b": "1",
        "hyperparams/a/c": "1",
        "hyperparams/d": "[1, 2]",
        "hyperparams/missing": "???",
        "hyperparams/inner/x": "${nowhere}",
    } == found


def test_graph_never_fails(ours: Any, stored: Any) -> None:
    """A model's size is stored where it has one; whatever else is given harms nothing."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    model[0].requires_grad_(False)
    ours.log_graph(torch.nn.LazyLinear(2))
    ours.log_graph(None)
    ours.log_graph(object())
    ours.log_graph(model, torch.zeros(1, 2))
    ours.experiment.close()
    configs = stored("values").configs

    assert "torch.nn.modules.container.Sequential" == configs["model/class"]
    assert ("13", "4") == (configs["model/parameters"], configs["model/trainable_parameters"])


def test_closed_run_is_gone_on_with(ours: Any, stored: Any) -> None:
    """A logger whose run was closed opens it again; its name stays what somebody has made of it."""
    from goodseed_lightning import GoodseedLogger

    ours.experiment.close()
    ours.log_metrics({"a": 1.0}, step=0)
    named = GoodseedLogger(name="first", run_id="named")
    named.experiment["sys/name"] = "edited"
    named.experiment.close()
    named.experiment.close()

    ours.experiment.close()
    assert {"a": {0.0: 1.0}} == stored("values").metrics
    assert "edited" == stored("named").configs["sys/name"]


def test_run_passed_in_and_closed(lightning: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Logging to a run that its owner has closed raises nothing, and is warned of once."""
    from goodseed_lightning import GoodseedLogger

    run = goodseed.Run()
    ours = GoodseedLogger(run=run)
    run.close()
    for step in range(3):
        ours.log_metrics({"a": 1.0, "b": 1.0}, step=step)
        ours.log_hyperparams({"a": 1})
    ours.finalize("success")
    ours.finalize("failed")

    assert 1 == len([record for record in caplog.records if record.levelno >= logging.WARNING])
