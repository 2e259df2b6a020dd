"""One run, whatever processes a strategy makes."""

from __future__ import annotations

import copy
import gc
import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import goodseed

pytest.importorskip("torch")

SCRIPTS = Path(__file__).parent / "scripts"


def in_script(name: str, *arguments: str) -> str:
    """Run a script to its end; what it printed."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }
    command = [sys.executable, str(SCRIPTS / name), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert 0 == done.returncode, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    ("name", "strategy", "cases"),
    [
        ("lightning.pytorch", "ddp_fork", ["closed", "open", "passed"]),
        ("pytorch_lightning", "ddp_spawn", ["open only fit"]),
        ("lightning.pytorch", "ddp", ["closed"]),
    ],
)
def test_two_processes(name: str, strategy: str, cases: list[str], stored: Any, home: Path) -> None:
    """Rank zero's metrics, and those of the main process before and after, are in one run; no other rank makes a file."""
    pytest.importorskip(name)
    output = in_script("two_processes.py", name, strategy, *cases)

    assert "goodseed: " not in output
    files = [path.name for path in home.rglob("*") if path.is_file() and "runs" in path.parts]
    assert sorted(f"{case}.sqlite" for case in cases) == sorted(files)
    for case in cases:
        found = stored(case)
        assert set(range(6)) == set(found.metrics["loss"])
        assert {0.0: "step 0", 5.0: "step 5"} == {step: found.texts["inside"][step] for step in (0.0, 5.0)}
        tested = 6.0 if strategy == "ddp" else 0.0  # a new process counts anew
        assert (set() if "only fit" in case else {tested}) == set(found.metrics.get("test_loss", ()))
        assert {0.0: 1.0} == found.metrics["after"]
        assert ("before" in found.metrics) == ("open" in case)
        assert ["ranks/0"] == [path for path in found.configs if path.startswith("ranks/")]
        assert "finished" == found.configs["sys/state"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_failure_in_a_process(stored: Any) -> None:
    """A training that fails in a child process, on whatever rank, leaves a failed run with all that came before."""
    pytest.importorskip("lightning.pytorch")
    cases = ["first fails", "second fails"]
    output = in_script("two_processes.py", "lightning.pytorch", "ddp_fork", *cases)

    for case in cases:
        found = stored(case)
        assert f"{case}: ProcessRaisedException" in output
        assert {0, 1, 2} <= set(found.metrics["loss"])
        assert "failed" == found.configs["sys/state"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fabric_in_two_processes(stored: Any, home: Path) -> None:
    """Fabric's rank zero makes the run, and closes it as its process ends."""
    pytest.importorskip("lightning")
    in_script("fabric.py", "lightning", "ddp_fork")
    found = stored("fabric")

    assert {float(step): 1.0 / (step + 1) for step in range(5)} == found.metrics["loss"]
    assert {float(step): float(step) for step in range(5)} == found.metrics["a"]
    assert "0.1" == found.configs["hyperparams/lr"]
    assert "finished" == found.configs["sys/state"]
    assert 1 == len(list(home.rglob("*.sqlite")))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_child_of_an_open_run(lightning: Any, stored: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A forked child writes to and reads from the run that its parent has open; what can't be stored harms neither."""
    import multiprocessing

    from goodseed_lightning import GoodseedLogger

    ours = GoodseedLogger(run_id="parents", tags=["a"])
    ours.log_metrics({"loss": 1.0}, step=4)
    child = multiprocessing.get_context("fork").Process(target=_in_child, args=(ours,))
    with caplog.at_level(logging.WARNING, "goodseed"):
        child.start()
        child.join(60)
    run = ours.experiment
    run.close()
    found = stored("parents")

    assert 0 == child.exitcode
    assert {4.0: 1.0, 5.0: 2.0} == found.metrics["loss"]
    assert {1.0: "text"} == found.texts["said"]
    assert (str([4.0, 5.0]), "a class") == (found.configs["seen"], found.configs["class"])
    assert '["a", "b"]' == found.configs["sys/tags"]
    assert 1 == len([record for record in caplog.records if "sys/id" in record.getMessage()])


class _Local:
    """Can't be pickled."""

    def __reduce__(self) -> Any:
        raise ValueError("no pickle")

    def __str__(self) -> str:
        return "a class"


def _in_child(logger: Any) -> None:
    logger.log_metrics({"loss": 2.0})
    run = logger.experiment
    run["said"].log("text", step=1)
    run["sys/tags"].add("b")
    run["class"] = _Local()
    run["sys/id"] = "refused"
    run["sys/id"] = "refused"
    run["seen"] = [point["step"] for point in run.get_metric_data("loss")["raw_points"]]
    run.close()


def test_copies_share_the_run(lightning: Any, stored: Any, home: Path) -> None:
    """A copy or a pickle of a logger logs to its run, whether the run was open or not."""
    from goodseed_lightning import GoodseedLogger

    ours = GoodseedLogger(run_id="one", name="n", prefix="p", log_model=True)
    copies = [copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))]
    ours.log_metrics({"a": 1.0}, step=0)
    copies += [copy.deepcopy(ours), copy.copy(ours), pickle.loads(pickle.dumps(ours))]
    for step, one in enumerate(copies, 1):
        one.log_metrics({"a": float(step)}, step=step)
        assert (one.name, one.version, one.save_dir) == (ours.name, ours.version, ours.save_dir)
        assert one.experiment is ours.experiment
    ours.experiment.close()

    assert {"p/a": {0.0: 1.0, **{float(step): float(step) for step in range(1, 6)}}} == stored("one").metrics
    assert 1 == len(list(home.rglob("*.sqlite")))


def test_pickle_outlives_the_logger(lightning: Any, stored: Any) -> None:
    """A pickle that is loaded after the run was closed goes on with it; so does one of a run that was passed in."""
    from goodseed_lightning import GoodseedLogger

    ours = GoodseedLogger(run_id="one")
    with goodseed.Run(run_id="two") as run:
        passed = GoodseedLogger(run=run)
        pickles = [pickle.dumps(ours), pickle.dumps(passed)]
        ours.log_metrics({"a": 1.0}, step=0)
        ours.experiment.close()
    del ours, passed
    gc.collect()
    for text in pickles:
        again = pickle.loads(text)
        again.log_metrics({"a": 2.0}, step=1)
        again.experiment.close()

    assert {"a": {0.0: 1.0, 1.0: 2.0}} == stored("one").metrics
    assert {"a": {1.0: 2.0}} == stored("two").metrics
