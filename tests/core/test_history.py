"""What a run was before: its attempts, the values that others replaced, and the points beyond a rewind."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import goodseed
from goodseed.cli.main import main

HISTORY = "sys/attempts/"


def steps(run: goodseed.Run, path: str = "loss") -> dict[float, float]:
    """The run's points: values by step."""
    return {point["step"]: point["y"] for point in run.get_metric_data(path)["raw_points"]}


def superseded(run: goodseed.Run, path: str = "loss") -> list[tuple[int, float, float]]:
    """What is no longer the run's: attempt, step and value."""
    data = run.get_metric_data(path, superseded=True)
    return [(point["attempt"], point["step"], point["y"]) for point in data["superseded"]]


def stored(run_id: str = "one") -> goodseed.Run:
    """A run, to be read."""
    return goodseed.Run(run_id=run_id, read_only=True)


def killed(script: str) -> int:
    """Run a script that kills itself; returns how it ended."""
    code = f"import goodseed, os, signal\n{script}\nos.kill(os.getpid(), signal.SIGKILL)"
    return subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode


# -- overwritten values ---------------------------------------------------------------------------------------------


def test_replaced_values_are_kept(home: Path) -> None:
    """A value that another one replaces is kept with its time and attempt; readers of the metric see the last one."""
    with goodseed.Run(run_id="one") as run:
        run.log_metrics({"loss": 1.0, "acc": 0.5}, step=0, timestamp=1_000)
        run.log_metrics({"loss": 2.0, "acc": 0.5}, step=0, timestamp=2_000)
        run.log_metrics({"loss": math.nan}, step=1)
        run.flush()
        run.log_metrics({"loss": 3.0}, step=1)
        data = run.get_metric_data("loss", superseded=True)

    assert [{"step": 0.0, "y": 2.0}, {"step": 1.0, "y": 3.0}] == data["raw_points"]
    assert {"attempt": 1, "step": 0.0, "y": 1.0, "time": 1_000.0} == data["superseded"][0]
    assert math.isnan(data["superseded"][1]["y"])
    assert [] == superseded(run, "acc")
    assert ["acc", "loss"] == stored().get_metric_paths()


def test_replaced_texts_are_kept(home: Path) -> None:
    """Texts of the experiment are kept too; lines of the console that are drawn once more are not."""
    with goodseed.Run(run_id="one") as run:
        for text in ("draft", "final", "final"):
            run["notes"].log(text, step=0)
            run["monitoring/x/stdout"].log(text, step=0)

    assert [{"step": 0.0, "value": "final"}] == run.get_string_data("notes")
    assert [{"step": 0.0, "value": "draft"}] == run.get_string_data(f"{HISTORY}1/notes")
    assert ["monitoring/x/stdout", "notes"] == run.get_string_paths()
    assert [] == run.get_string_data(f"{HISTORY}1/monitoring/x/stdout")


def test_values_are_kept_within_a_bound(home: Path) -> None:
    """At most a tenth of the run's points, and 10,000 in any case, are kept; the rest is counted."""
    with goodseed.Run(run_id="one") as run:
        for value in (0.0, 1.0):
            run.log_points("loss", range(12_000), [value] * 12_000)
            run.flush()
    with contextlib.closing(sqlite3.connect(str(run.path))) as connection:
        meta = dict(connection.execute("SELECT key, value FROM run_meta WHERE key LIKE 'overwritten%'"))

    assert 10_000 == len(superseded(run))
    assert {"overwritten_kept": "10000", "overwritten_counted": "2000"} == meta


def test_close_tells_of_replaced_values(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A line at the end says how many values were replaced, and how to read them; without any there is none."""
    monkeypatch.delenv("GOODSEED_QUIET")
    for count in (1, 2):
        with goodseed.Run() as run:
            for value in range(count):
                run.log_metrics({"loss": value}, step=0)
    told = [line for line in capfd.readouterr().err.splitlines() if "was replaced by" in line]

    assert 1 == len(told)
    assert "1 value was replaced" in told[0]
    assert "superseded=True" in told[0]


@settings(deadline=None)  # each opens a run
@given(st.lists(st.tuples(st.integers(0, 4), st.floats() | st.integers(0, 2).map(float)), max_size=40), st.data())
def test_nothing_replaced_is_lost(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[int, float]], data: st.DataObject
) -> None:
    """Whatever is logged in whatever transactions, a step has its last value and keeps the different one before."""
    home = tmp_path_factory.mktemp("home")
    now: dict[int, float] = {}
    before: dict[int, float] = {}
    with goodseed.Run(goodseed_home=home, storage="local") as run:
        for step, value in points:
            run.log_metrics({"loss": value}, step)
            if step in now and repr(now[step]) != repr(value):
                before[step] = now[step]
            now[step] = value
            if data.draw(st.booleans()):
                run.flush()

        assert {repr(item) for item in now.items()} == {repr((int(step), y)) for step, y in steps(run).items()}
        assert {repr(item) for item in before.items()} == {repr((int(step), y)) for _, step, y in superseded(run)}


# -- attempts -------------------------------------------------------------------------------------------------------


def test_attempts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each life of a run is told with its time, place, steps and end; a killed one has crashed."""
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with goodseed.Run(run_id="one", git_ref=False) as run:
        run.log_points("loss", range(5), range(5))
    assert [(1, "finished", 0.0, 4.0, "4711")] == [
        (one.number, one.state, one.first_step, one.last_step, one.job_id) for one in run.attempts
    ]
    monkeypatch.delenv("SLURM_JOB_ID")
    status = killed("run = goodseed.Run(resume_run_id='one')\nrun.log_points('loss', range(5, 9), range(4))")
    assert -signal.SIGKILL == status
    assert ["finished", "crashed"] == [one.state for one in stored().attempts]
    with pytest.raises(ZeroDivisionError), goodseed.Run(resume_run_id="one", capture_stderr=False) as run:
        run.log_metrics({"loss": 1.0}, step=20)
        assert "running" == run.attempts[-1].state
        assert run.attempts[-1].closed_at is None
        _ = 1 / 0
    attempts = stored().attempts

    assert [
        (1, "finished", 0.0, 4.0, "4711", None),
        (2, "crashed", 8.0, 8.0, None, None),
        (3, "failed", 20.0, 20.0, None, "ZeroDivisionError: division by zero"),
    ] == [(one.number, one.state, one.first_step, one.last_step, one.job_id, one.end_reason) for one in attempts]
    moments = [moment for one in attempts for moment in (one.opened_at, one.closed_at)]
    assert moments == sorted(moments)
    assert 1 == len({one.host for one in attempts} - {None})


def test_attempts_of_other_runs(home: Path) -> None:
    """A run that is imported, or of an earlier version, has the one attempt that its own fields tell of."""
    run = goodseed.Run(run_id="one", created_at="2026-01-31T10:00:00Z", git_ref=False, capture_hardware_metrics=False)
    run.close(closed_at="2026-01-31T11:00:00Z")
    with contextlib.closing(sqlite3.connect(str(run.path))) as connection, connection:
        connection.execute("DELETE FROM run_meta WHERE key IN ('host', 'job_id', 'attempt_steps')")
    (attempt,) = stored().attempts

    assert ("2026-01-31T10:00:00Z", "finished", None) == (attempt.opened_at, attempt.state, attempt.first_step)
    assert "2026-01-31T11:00:00" == attempt.closed_at[:19]


def test_command_lists_attempts(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Goodseed attempts prints a line an attempt, and the same as JSON."""
    with goodseed.Run(run_id="one") as run:
        run.log_points("loss", range(5), range(5))
    with goodseed.Run(resume_run_id="one", rewind_to=2) as run:
        run.log_metrics({"loss": 1.0}, step=3)
    assert 0 == main(["attempts", "-p", "default", "-r", "one"])
    head, first, second = capsys.readouterr().out.splitlines()
    assert 0 == main(["attempts", "-p", "default", "-r", "one", "--json"])
    told = json.loads(capsys.readouterr().out)

    assert ["attempt", "state", "opened"] == head.split()[:3]
    assert "0 to 4" in first
    assert "3 to 3, rewound to 2" in second
    assert [(1, "finished", None), (2, "finished", 2.0)] == [
        (one["number"], one["state"], one["rewound_to"]) for one in told
    ]
    assert 1 == main(["attempts", "-p", "default", "-r", "two"])


# -- rewinding ------------------------------------------------------------------------------------------------------


def test_resuming_from_a_checkpoint(home: Path) -> None:
    """What lies beyond the step is the tail of the attempt that logged it; the run goes on as one line."""
    with goodseed.Run(run_id="one", capture_hardware_metrics=False) as run:
        for step in range(15):
            run.log_metrics({"loss": step, "acc": step}, step=step)
        run["notes"].log("late", step=12)
        run["monitoring/x/cpu"].log(1.0, step=14)
    with goodseed.Run(resume_run_id="one", rewind_to=9, capture_hardware_metrics=False) as run:
        assert list(range(10)) == list(steps(run))
        run.log_metrics({"loss": -10.0}, step=10)

    assert {**{step: step for step in range(10)}, 10: -10.0} == steps(stored())
    assert [(1, step, step) for step in range(10, 15)] == superseded(stored())
    assert [] == run.get_string_data("notes")
    assert [{"step": 12.0, "value": "late"}] == run.get_string_data(f"{HISTORY}1/notes")
    assert {14.0: 1.0} == steps(stored(), "monitoring/x/cpu")
    assert [None, 9.0] == [one.rewound_to for one in stored().attempts]


def test_rewinding_twice(home: Path) -> None:
    """Each part of a tail belongs to the attempt that logged it."""
    with goodseed.Run(run_id="one") as run:
        run.log_points("loss", range(10), [1.0] * 10)
    with goodseed.Run(resume_run_id="one", rewind_to=6) as run:
        run.log_points("loss", range(7, 9), [2.0] * 2)
    with goodseed.Run(resume_run_id="one", rewind_to=4) as run:
        run.log_points("loss", range(5, 6), [3.0])

    assert {**dict.fromkeys(range(5), 1.0), 5: 3.0} == steps(stored())
    assert [
        *((1, step, 1.0) for step in range(5, 10)),
        *((2, step, 2.0) for step in range(7, 9)),
    ] == superseded(stored())


def test_rewind_and_undo_of_a_finished_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Goodseed rewind takes a finished run back, --undo brings everything back, and a second undo changes places."""
    with goodseed.Run(run_id="one") as run:
        run.log_points("loss", range(10), range(10))
        run["notes"].log("late", step=8)
    before = steps(stored())
    command = ["rewind", "-p", "default", "-r", "one"]
    assert 1 == main([*command, "--undo"])
    assert 0 == main([*command, "--to", "4"])
    assert list(range(5)) == list(steps(stored()))
    assert 0 == main([*command, "--undo"])
    assert before == steps(stored())
    assert [] == superseded(stored())
    assert [{"step": 8.0, "value": "late"}] == stored().get_string_data("notes")
    assert 0 == main([*command, "--to", "4"])
    with goodseed.Run(resume_run_id="one") as run:
        run.log_points("loss", [5, 6], [-5.0, -6.0])
    after = steps(stored())
    for expected in (before, after, before):
        assert 0 == main([*command, "--undo"])
        assert expected == steps(stored())
    assert "6 points of 2 series beyond step 4 are set aside" in capsys.readouterr().out


def test_rewind_of_a_run_that_is_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that a process writes is not rewound by another one, and says so."""
    with goodseed.Run(run_id="one") as run:
        run.log_metrics({"loss": 1.0}, step=1)

        assert 1 == main(["rewind", "-p", "default", "-r", "one", "--to", "0"])
    assert "is running" in capsys.readouterr().err
    assert {1.0: 1.0} == steps(stored())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"rewind_to": 5}, "resume_run_id"),
        ({"rewind_to": 5, "run_id": "new"}, "resume_run_id"),
        ({"rewind_to": "5", "resume_run_id": "one"}, "rewind_to must be a number"),
        ({"rewind_to": math.inf, "resume_run_id": "one"}, "rewind_to must be finite"),
        ({"rewind_to": True, "resume_run_id": "one"}, "rewind_to must be a number"),
    ],
)
def test_wrong_rewinds_are_refused(home: Path, arguments: dict[str, Any], reason: str) -> None:
    """A rewind without a run to resume, or to no step, raises and changes nothing."""
    with goodseed.Run(run_id="one") as run:
        run.log_metrics({"loss": 1.0}, step=9)
    with pytest.raises(goodseed.GoodseedError, match=reason):
        goodseed.Run(**arguments)

    assert {9.0: 1.0} == steps(stored())
    assert 1 == len(stored().attempts)


def test_rewinding_what_a_kill_left(home: Path) -> None:
    """What a killed process had logged beyond the checkpoint is set aside, too, also what was only in its inbox."""
    status = killed("run = goodseed.Run(run_id='one')\nrun.log_points('loss', range(2000), range(2000))")
    with goodseed.Run(resume_run_id="one", rewind_to=999) as run:
        run.log_metrics({"loss": -1.0}, step=1000)

    assert -signal.SIGKILL == status
    assert 1001 == len(steps(stored()))
    assert [(1, step, step) for step in range(1000, 2000)] == superseded(stored())
    assert ["crashed", "finished"] == [one.state for one in stored().attempts]


@pytest.mark.slow
def test_random_lives_against_a_model(home: Path) -> None:
    """Through random logging, kills, rewinds and undos, nothing is lost, and every reader sees the same line."""
    draw = random.Random(7)
    line: dict[int, float] = {}
    aside: dict[tuple[int, int], float] = {}
    owner: dict[int, int] = {}
    value = 0.0
    with goodseed.Run(run_id="one", capture_hardware_metrics=False, git_ref=False):
        pass
    for attempt in range(2, 26):
        rewind_to = draw.choice([None, draw.randrange(-1, 40)])
        for step in [step for step in line if rewind_to is not None and step > rewind_to]:
            aside[owner.pop(step), step] = line.pop(step)
        calls = []
        for _ in range(draw.randrange(30)):
            step, value = draw.randrange(40), value + 1
            if step in line:
                aside[owner[step], step] = line[step]
            line[step], owner[step] = value, attempt
            calls.append(f"run.log_metrics({{'loss': {value}}}, {step})" + draw.choice(["", "; run.flush()"]))
        script = [
            f"run = goodseed.Run(resume_run_id='one', rewind_to={rewind_to}, capture_hardware_metrics=False)",
            *calls,
        ]
        if draw.random() < 0.5:
            assert -signal.SIGKILL == killed("\n".join(script))
        else:
            assert (
                0
                == subprocess.run(
                    [sys.executable, "-c", "\n".join(["import goodseed", *script, "run.close()"])],
                    check=False,
                    timeout=60,
                ).returncode
            )

        assert line == steps(stored())
        assert aside == {(number, int(step)): y for number, step, y in superseded(stored())}
    assert 25 == len(stored().attempts)
    assert not [name for name in os.listdir(Path(str(stored().path)).parent) if name.endswith("-inbox")]
