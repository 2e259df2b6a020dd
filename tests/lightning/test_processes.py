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

SCRIPT = Path(__file__).parent / "scripts" / "two_processes.py"
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def in_script(home: Path, *arguments: str) -> str:
    """Train in two processes, with runs in ``home``; what the script printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GOODSEED_")} | {
        "GOODSEED_HOME": str(home),
        "GOODSEED_STORAGE": "local",
        "GOODSEED_QUIET": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }
    command = [sys.executable, str(SCRIPT), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False, cwd=home)
    assert 0 == done.returncode, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The home and the output of all that is trained in forked processes: to load Lightning takes most of the time."""
    pytest.importorskip("lightning.pytorch")
    home = tmp_path_factory.mktemp("forked")
    cases = ("closed", "open", "passed", "first fails", "second fails", "fabric")
    return home, in_script(home, "lightning.pytorch", "ddp_fork", *cases)


def check_trained(found: Any, case: str, tested_at: set[float]) -> None:
    """Rank zero's metrics, and those of the main process before and after, are in the run; no other rank's."""
    assert set(range(6)) == set(found.metrics["loss"])
    assert {0.0: "step 0", 5.0: "step 5"} == {step: found.texts["inside"][step] for step in (0.0, 5.0)}
    assert tested_at == set(found.metrics.get("test_loss", ()))
    assert {0.0: 1.0} == found.metrics["after"]
    assert ("before" in found.metrics) == ("open" in case)
    assert ["ranks/0"] == [path for path in found.configs if path.startswith("ranks/")]
    assert "finished" == found.configs["sys/state"]


def runs_in(home: Path) -> list[str]:
    """The files of the runs in ``home``, and whatever lies beside them."""
    return sorted(path.name for path in home.rglob("*") if path.is_file() and "runs" in path.parts)


@needs_fork
@pytest.mark.parametrize("case", ["closed", "open", "passed"])
def test_forked_processes(forked: tuple[Path, str], stored: Any, case: str) -> None:
    """Under ddp_fork a training is one run, opened before or not, or passed in; nothing is warned of."""
    home, output = forked

    check_trained(stored(case, home=home), case, {0.0})  # each stage has new processes, which count again
    # The output is that of all cases: a process that is terminated inside a collective of torch ends by torch's error.
    assert "goodseed: " not in output.replace("goodseed: the exit code could not be noted", "")


@needs_fork
@pytest.mark.parametrize("case", ["first fails", "second fails"])
def test_failure_in_a_process(forked: tuple[Path, str], stored: Any, case: str) -> None:
    """A training that fails in a child process, on whatever rank, leaves a failed run with all that came before."""
    home, output = forked
    found = stored(case, home=home)

    assert f"{case}: ProcessRaisedException" in output
    assert {0, 1, 2} <= set(found.metrics["loss"])
    assert "failed" == found.configs["sys/state"]


@needs_fork
def test_fabric_in_two_processes(forked: tuple[Path, str], stored: Any) -> None:
    """Fabric's rank zero makes the run, and closes it as its process ends."""
    home, _ = forked
    found = stored("fabric", home=home)

    assert {float(step): 1.0 / (step + 1) for step in range(5)} == found.metrics["loss"]
    assert {float(step): float(step) for step in range(5)} == found.metrics["a"]
    assert "0.1" == found.configs["hyperparams/lr"]
    assert "finished" == found.configs["sys/state"]


@needs_fork
def test_ranks_above_zero_make_no_file(forked: tuple[Path, str]) -> None:
    """There is one file a run, and nothing is left beside it."""
    home, _ = forked
    cases = ("closed", "open", "passed", "first fails", "second fails", "fabric")

    assert sorted(f"{case}.sqlite" for case in cases) == runs_in(home)


@pytest.mark.parametrize(
    ("name", "strategy", "case", "tested_at"),
    [("pytorch_lightning", "ddp_spawn", "open only fit", set()), ("lightning.pytorch", "ddp", "closed", {6.0})],
)
def test_started_processes(
    name: str, strategy: str, case: str, tested_at: set[float], stored: Any, tmp_path: Path
) -> None:
    """Under strategies that start processes again a training is one run, too; nothing is warned of."""
    pytest.importorskip(name)
    output = in_script(tmp_path, name, strategy, case)

    check_trained(stored(case, home=tmp_path), case, tested_at)
    assert [f"{case}.sqlite"] == runs_in(tmp_path)
    assert "goodseed: " not in output


@needs_fork
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
