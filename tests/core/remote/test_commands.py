"""upload, download, login, logout and whoami, as they are typed."""

from __future__ import annotations

import io
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from plain_server import KEY, PlainServer
from test_sync import pending, points

import goodseed
from goodseed.cli.main import main


def log(run_id: str, count: int = 100, **arguments: object) -> goodseed.Run:
    """A closed local run with some of everything."""
    with goodseed.Run(project="ws/p", run_id=run_id, storage="local", **arguments) as run:
        run["lr"] = 0.1
        for step in range(count):
            run.log_metrics({"loss": step / 2}, step=step)
        run.log_strings({"note": "é"}, step=0)
    return run


def test_upload_of_local_runs(remote: PlainServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs that were local are uploaded, all of a project or one; a second time there is nothing to send."""
    runs = [log("a", name="first"), log("b")]
    assert 0 == main(["upload", "-p", "ws/p", "--run-id", "a"])
    only_a = remote.rows("SELECT run_id, name, status FROM run")
    assert 0 == main(["upload", "-p", "ws/p"])
    first = capsys.readouterr().out
    before = len([path for _, path in remote.requests if path.endswith(("ingest", "configs"))])
    assert 0 == main(["upload", "-p", "ws/p"])
    after = len([path for _, path in remote.requests if path.endswith(("ingest", "configs"))])

    assert [("a", "first", "finished")] == only_a
    assert [("a",), ("b",)] == remote.rows("SELECT run_id FROM run ORDER BY run_id")
    assert 200 == remote.rows("SELECT count(*) FROM point WHERE path = 'loss'")[0][0]
    assert [0, 0] == [pending(run) for run in runs]
    assert before == after
    assert "are uploaded" in first


def test_upload_of_a_killed_run(remote: PlainServer) -> None:
    """What a killed process had logged is uploaded, and the run is failed there."""
    script = (
        "import goodseed, os, signal\n"
        "run = goodseed.Run(project='ws/p', run_id='k', storage='local')\n"
        "for step in range(50): run['loss'].log(1.0, step=step)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert 0 == main(["upload", "-p", "ws/p"])

    assert 50 == len(points(remote))
    assert [("k", "failed")] == remote.rows("SELECT run_id, status FROM run")


def test_upload_of_a_live_run_is_left_to_it(remote: PlainServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that is being written stays behind, the others are uploaded, and the exit status says so."""
    log("a")
    with goodseed.Run(project="ws/p", run_id="live", storage="local"):
        assert 1 == main(["upload", "-p", "ws/p"])
    printed = capsys.readouterr()

    assert "live stayed behind" in printed.err
    assert [("a",)] == remote.rows("SELECT run_id FROM run")


def test_upload_that_is_broken_off_goes_on(remote: PlainServer, capsys: pytest.CaptureFixture[str]) -> None:
    """When the remote fails in the middle, what it took is marked; the next upload sends the rest alone."""
    run = log("a", count=120_000)
    count = [0]

    def misbehave(handler: object, path: str) -> bool:
        count[0] += path.endswith("ingest")
        if path.endswith("ingest") and count[0] == 2:
            handler.answer(500, b"")  # type: ignore[attr-defined]
            return True
        return False

    remote.misbehave = misbehave
    assert 1 == main(["upload", "-p", "ws/p"])
    between = len(points(remote))
    sent_before = count[0]
    assert 0 == main(["upload", "-p", "ws/p"])

    assert 50_000 == between
    assert 120_000 == len(points(remote))
    assert 0 == pending(run)
    assert sent_before + 3 == count[0]
    assert "a stayed behind" in capsys.readouterr().err


def test_upload_of_nothing(remote: PlainServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A project or a run that is not there is a sentence and an exit status."""
    assert 1 == main(["upload", "-p", "ws/none"])
    log("a")
    assert 1 == main(["upload", "-p", "ws/p", "--run-id", "none"])
    printed = capsys.readouterr()

    assert "" == printed.out
    assert ["'ws/none'" in line for line in printed.err.splitlines()] == [True, False]


def test_download_is_the_inverse(remote: PlainServer, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is downloaded has the values that were uploaded; a run that is there is not touched."""
    run = log("a", name="first", tags=["x"])
    main(["upload", "-p", "ws/p"])
    assert run.path is not None
    kept = run.path.rename(home / "kept.sqlite")
    assert 0 == main(["download", "-p", "ws/p", "--run-id", "a"])
    before = run.path.read_bytes()
    assert 1 == main(["download", "-p", "ws/p", "--run-id", "a"])

    def content(path: Path) -> list[list[tuple[object, ...]]]:
        connection = sqlite3.connect(path)
        try:
            return [
                connection.execute(query).fetchall()
                for query in (
                    "SELECT path, type_tag, value FROM configs ORDER BY path",
                    "SELECT path, step, y FROM metric_series JOIN metric_points ON series_id = id ORDER BY path, step",
                    "SELECT path, step, value FROM string_series JOIN string_points ON series_id = id ORDER BY 1, 2",
                    "SELECT value FROM run_meta WHERE key IN ('status', 'run_id', 'project', 'name') ORDER BY key",
                )
            ]
        finally:
            connection.close()

    assert content(kept) == content(run.path)
    assert before == run.path.read_bytes()
    assert 0 == pending(run)
    assert 0o600 == stat.S_IMODE(run.path.stat().st_mode)
    assert ["a.sqlite"] == [path.name for path in run.path.parent.iterdir()]
    with goodseed.Run(project="ws/p", resume_run_id="a") as resumed:
        resumed["loss"].log(1.0, step=1000)


def test_download_that_fails_leaves_nothing(remote: PlainServer, home: Path) -> None:
    """A run that is not there, or data that are none, leave no file behind."""
    log("a")
    main(["upload", "-p", "ws/p"])
    (home / "projects/ws/p/runs/a.sqlite").unlink()

    def misbehave(handler: object, path: str) -> bool:
        if path.endswith("data/metrics"):
            handler.answer(200, b'{"path": "loss", "downsampled": false, "raw_points": [{"step": "x"}]}')  # type: ignore[attr-defined]
            return True
        return False

    remote.misbehave = misbehave
    assert 1 == main(["download", "-p", "ws/p", "--run-id", "a"])
    assert 1 == main(["download", "-p", "ws/p", "--run-id", "none"])

    assert [] == list((home / "projects/ws/p/runs").iterdir())
    assert [("a",)] == remote.rows("SELECT run_id FROM run")


def test_login(
    remote: PlainServer, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key is tried, kept in a private file, used by runs and commands, beaten by the environment, and forgotten."""
    monkeypatch.delenv("GOODSEED_API_KEY")
    monkeypatch.setattr("sys.stdin", io.StringIO("gsk_wrong\n"))
    assert 1 == main(["login"])
    assert not home.exists()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
    assert 0 == main(["login"])
    (kept,) = [path for path in home.iterdir() if path.is_file()]
    mode = stat.S_IMODE(kept.stat().st_mode)
    assert 0 == main(["whoami"])
    with goodseed.Run(project="ws/p") as run:
        storage = run.storage
    monkeypatch.setenv("GOODSEED_API_KEY", "gsk_wrong")
    assert 1 == main(["whoami"])
    monkeypatch.delenv("GOODSEED_API_KEY")
    assert 0 == main(["logout"])
    assert 1 == main(["whoami"])
    printed = capsys.readouterr()

    assert 0o600 == mode
    assert "cloud" == storage
    assert f"default at {remote.url}" in printed.out
    assert "gsk_" not in printed.out + printed.err


def test_damaged_file_of_keys(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of keys that is damaged is said with the remedy; one that can't be read counts as none."""
    home.mkdir()
    (home / ".credentials.json").write_text("{")
    assert 1 == main(["whoami"])
    first = capsys.readouterr().err
    (home / ".credentials.json").unlink()
    (home / ".credentials.json").mkdir()
    assert 1 == main(["whoami"])
    with goodseed.Run() as run:
        storage = run.storage

    assert "remove it, and log in again" in first
    assert "There is no API key" in capsys.readouterr().err
    assert "local" == storage


def test_upload_of_very_much(remote: PlainServer, caplog: pytest.LogCaptureFixture) -> None:
    """Hundreds of thousands of points arrive once, those that the remote refuses stay here, and nothing is pending."""
    with goodseed.Run(project="ws/p", run_id="a", storage="local") as run:
        for step in range(2_500):
            run.log_metrics({f"m/{number}": step + number / 8 for number in range(90)}, step=step)
        for step in range(20_000):
            run.log_metrics({"long": step / 4}, step=step)
        run["odd"].log(float("nan"), step=0)
        run["odd"].log(1.0, step=1)
        run["odd"].log(2.0, step=1.5)
    assert 1 == main(["upload", "-p", "ws/p"])

    assert 245_001 == remote.rows("SELECT count(*) FROM point")[0][0]
    assert [(step, step + 7 / 8) for step in range(2_500)] == points(remote, "m/7")
    assert [(1.0, 1.0)] == points(remote, "odd")
    assert 0 == pending(run)
    assert 1 == len([record for record in caplog.records if "refuses a part" in record.getMessage()])
