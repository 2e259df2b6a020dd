"""Cloud mode: what is logged arrives, once, whole, and without being waited for."""

from __future__ import annotations

import math
import multiprocessing
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from plain_server import KEY, PlainServer

import goodseed


def pending(run: goodseed.Run) -> int:
    """How many rows of a closed run are not uploaded."""
    connection = sqlite3.connect(run.path)
    try:
        tables = ("configs", "metric_points", "string_points")
        return sum(connection.execute(f"SELECT count(*) FROM {t} WHERE uploaded = 0").fetchone()[0] for t in tables)
    finally:
        connection.close()


def points(remote: PlainServer, path: str = "loss") -> list[tuple[float, float]]:
    """What the remote holds of a metric."""
    return remote.rows("SELECT step, number FROM point WHERE path = ? ORDER BY step", path)


def test_all_of_a_run_arrives(remote: PlainServer) -> None:
    """Configs, metrics, texts, name and status are at the remote when close returns, and nothing is pending."""
    with goodseed.Run(project="ws/p", run_id="r", name="first", tags=["a"]) as run:
        run["lr"] = 0.1
        for step in range(300):
            run.log_metrics({"loss": step / 2, "acc": 1.0}, step=step)
        run.log_strings({"note": "é\n\x1b[1m"}, step=7)

    assert [("ws", "p", "r", "first", "finished")] == remote.rows(
        "SELECT workspace, project, run_id, name, status FROM run"
    )
    assert [(float(step), step / 2) for step in range(300)] == points(remote)
    assert [(7.0, "é\n\x1b[1m")] == remote.rows("SELECT step, text FROM point WHERE path = 'note'")
    configs = dict(remote.rows("SELECT path, value FROM config"))
    assert ("0.1", "finished", '["a"]') == tuple(configs[path] for path in ("lr", "sys/state", "sys/tags"))
    assert 0 == pending(run)
    assert 1 == len(list(Path(run.path).parent.iterdir()))


def test_default_is_cloud_where_there_is_a_key(remote: PlainServer) -> None:
    """With a key and no choice, a run is synced; without a slash its project is in the key's own workspace."""
    with goodseed.Run(project="p") as run:
        storage = run.storage

    assert "cloud" == storage
    assert [("default", "p")] == remote.rows("SELECT workspace, project FROM run")


def test_live_run_is_synced(remote: PlainServer) -> None:
    """What is logged arrives while the run goes on; wait says when, and a point that is replaced arrives again."""
    with goodseed.Run(project="ws/p") as run:
        run["loss"].log(1.0, step=0)
        first = run.wait(10), points(remote)
        run["loss"].log(2.0, step=0)
        run.sync()
        second = run.wait(10), points(remote)

    assert ((True, [(0.0, 1.0)]), (True, [(0.0, 2.0)])) == (first, second)
    assert ("POST", "/api/v1/runs/{}/heartbeat") in [
        (method, path.replace(path.split("/")[4], "{}"))
        for method, path in remote.requests
        if path.endswith("heartbeat")
    ]


def test_resumed_run_goes_on(remote: PlainServer) -> None:
    """A run that is resumed is the same at the remote, and only what is new is sent."""
    with goodseed.Run(project="ws/p", run_id="r") as run:
        run["loss"].log(1.0, step=0)
    seen: list[Any] = []
    remote.check_point = seen.append
    with goodseed.Run(project="ws/p", resume_run_id="r"):
        run = goodseed.Run  # the name is free again
    with goodseed.Run(project="ws/p", resume_run_id="r") as run:
        run["loss"].log(2.0, step=1)

    assert [(0.0, 1.0), (1.0, 2.0)] == points(remote)
    assert [1] == [point["step"] for point in seen]
    assert [("r", "finished")] == remote.rows("SELECT run_id, status FROM run")


def test_unreachable_remote_stops_nothing(
    remote: PlainServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run starts, logs and closes without its remote; it is said once, and a later upload brings all of it."""
    monkeypatch.setenv("GOODSEED_API_URL", "http://127.0.0.1:9")
    run = goodseed.Run(project="ws/p", run_id="r")
    for step in range(100):
        run["loss"].log(1.0, step=step)
    run.close(timeout=0.5)
    said = [record.getMessage() for record in caplog.records]
    left = pending(run)
    monkeypatch.setenv("GOODSEED_API_URL", remote.url)
    from goodseed.cli.main import main

    assert 0 == main(["upload", "-p", "ws/p"])
    assert 2 == len(said)
    assert "not synced for now" in said[0]
    assert "goodseed upload -p ws/p --run-id r" in said[1]
    assert left >= 100
    assert 100 == len(points(remote))
    assert 0 == pending(run)


def test_remote_that_comes_back(remote: PlainServer, caplog: pytest.LogCaptureFixture) -> None:
    """When the remote answers again, a live run catches up by itself and says so."""
    remote.misbehave = lambda handler, path: handler.answer(503, b"{}") is None
    run = goodseed.Run(project="ws/p")
    run["loss"].log(1.0, step=0)
    remote.misbehave = lambda handler, path: False
    is_there = run.wait(20)
    run.close()

    assert is_there
    assert [(0.0, 1.0)] == points(remote)
    assert "catches up" in caplog.records[-1].getMessage()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"api_key": "gsk_wrong"}, goodseed.AuthenticationError, "goodseed login"),
        ({"project": "secret/p"}, goodseed.AuthenticationError, "no access"),
        ({"project": "ws/none"}, goodseed.ProjectNotFoundError, "No project none"),
    ],
)
def test_refused_run_leaves_no_file(
    remote: PlainServer, home: Path, arguments: dict[str, str], error: type[Exception], words: str
) -> None:
    """A wrong key, no access and a missing project are said at the start, with the remedy, and nothing is written."""
    with pytest.raises(error, match=words) as caught:
        goodseed.Run(**{"project": "ws/p", **arguments})

    assert not [path for path in home.rglob("*") if path.is_file()]
    assert "gsk_" not in str(caught.value)


def test_key_is_needed_and_never_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """storage="cloud" without a key raises before any file is made; a key that can't be a header is not repeated."""
    with pytest.raises(goodseed.AuthenticationError, match="goodseed login"):
        goodseed.Run(storage="cloud")
    with pytest.raises(goodseed.InvalidValueError) as caught:
        goodseed.Run(api_key="gsk_a\nb")
    monkeypatch.setenv("GOODSEED_API_URL", "http://example.org")
    with pytest.raises(goodseed.ConfigurationError, match="GOODSEED_ALLOW_HTTP"):
        goodseed.Run(api_key="gsk_a")

    assert "gsk_a" not in str(caught.value)
    assert not home.exists()


def test_values_that_the_protocol_lacks(remote: PlainServer, caplog: pytest.LogCaptureFixture) -> None:
    """What a plain remote refuses (float steps, NaN) stays here, is said once, and holds nothing else back."""
    with goodseed.Run(project="ws/p") as run:
        for step in range(50):
            run["loss"].log(1.0, step=step)
            run["odd"].log(math.nan if step % 5 == 0 else 1.0, step=step + (step % 2) / 2)
    kept = goodseed.Run(project="ws/p", run_id=run.run_id, read_only=True, storage="local").get_metric_data("odd")

    assert 50 == len(points(remote))
    assert 20 == len(points(remote, "odd"))
    assert 50 == len(kept["raw_points"])
    assert 0 == pending(run)
    assert 1 == len([record for record in caplog.records if "refuses a part" in record.getMessage()])


def test_one_bad_point_blocks_nothing(remote: PlainServer, caplog: pytest.LogCaptureFixture) -> None:
    """A batch that is refused is split down to the point that is to blame; all others arrive."""

    def check(point: dict[str, Any]) -> None:
        from plain_server import RefusedError

        if point.get("number") == 13.0:
            raise RefusedError(400, "Point.Unlucky", "No thirteen.")

    remote.check_point = check
    with goodseed.Run(project="ws/p") as run:
        for step in range(200):
            run["loss"].log(float(step), step=step)

    assert [step for step in range(200) if step != 13] == [step for step, _ in points(remote)]
    assert 0 == pending(run)
    assert ["No thirteen" in record.getMessage() for record in caplog.records] == [True]


def test_long_config_is_reported_not_cut(remote: PlainServer, caplog: pytest.LogCaptureFixture) -> None:
    """A config that the remote finds too long is said, is kept whole here, and holds no other back."""
    with goodseed.Run(project="ws/p") as run:
        run["long"] = "x" * 20_000
        run["short"] = "y"

    assert [("short", "y")] == remote.rows("SELECT path, value FROM config WHERE path IN ('long', 'short')")
    assert ["20,000 characters" in record.getMessage() for record in caplog.records] == [True]


def test_megabytes_in_one_point(remote: PlainServer) -> None:
    """Texts of megabytes go in requests that a server takes."""
    with goodseed.Run(project="ws/p") as run:
        for step in range(5):
            run["text"].log("é" * 3_000_000, step=step)

    assert [(float(step), 3_000_000) for step in range(5)] == remote.rows("SELECT step, length(text) FROM point")


def test_point_that_changes_while_it_is_sent(remote: PlainServer) -> None:
    """A point that is replaced between reading and marking stays pending, and its new value arrives."""
    run = goodseed.Run(project="ws/p")
    once: list[int] = []

    def replace(handler: Any, path: str) -> bool:
        if path.endswith("ingest") and not once:
            once.append(1)
            run["loss"].log(2.0, step=0)
            run.flush()
        return False

    remote.misbehave = replace
    run["loss"].log(1.0, step=0)
    run.wait(20)
    run.close()

    assert [(0.0, 2.0)] == points(remote)
    assert 0 == pending(run)


def test_read_only_run(remote: PlainServer) -> None:
    """A run of the remote is read by the methods of a local one; one that is not there is an error, and not made."""
    with goodseed.Run(project="ws/p", run_id="r") as run:
        run["config/lr"] = 0.5
        for step in range(10):
            run.log_metrics({"loss": step / 2}, step=step)
            run.log_strings({"note": f"n{step}"}, step=step)
    local = goodseed.Run(project="ws/p", run_id="r", read_only=True, storage="local")
    there = goodseed.Run(project="ws/p", run_id="r", read_only=True, storage="cloud")

    assert local.get_metric_paths() == there.get_metric_paths() == ["loss"]
    assert local.get_metric_data("loss", step_min=2, step_max=5) == there.get_metric_data(
        "loss", step_min=2, step_max=5
    )
    assert local.get_string_data("note", limit=3, offset=2) == there.get_string_data("note", limit=3, offset=2)
    assert [("config/lr", "float", "0.5")] == [
        (row["path"], row["type_tag"], row["value"]) for row in there.get_configs() if row["path"] == "config/lr"
    ]
    with pytest.raises(goodseed.ReadOnlyError):
        there["loss"].log(1.0, step=0)
    with pytest.raises(goodseed.RunNotFoundError, match="none"):
        goodseed.Run(project="ws/p", run_id="none", read_only=True, storage="cloud")
    assert [("r",)] == remote.rows("SELECT run_id FROM run")


def test_lists(remote: PlainServer) -> None:
    """Projects and runs are listed alike on this machine and at the remote."""
    with goodseed.Run(project="ws/p", run_id="r", name="n"):
        pass

    assert [{"name": "ws/p", "workspace": "ws"}] == goodseed.list_projects(storage="local")
    assert [{"name": "ws/p", "workspace": "ws"}] == goodseed.list_projects("ws")
    assert ["default/p", "ws/p"] == [project["name"] for project in goodseed.list_projects()]
    assert ["r"] == [run["run_id"] for run in goodseed.list_runs("ws/p")]
    assert [("r", "n", "finished")] == [
        (run["run_id"], run["name"], run["state"]) for run in goodseed.list_runs("ws/p", storage="local")
    ]
    with pytest.raises(goodseed.ProjectNotFoundError):
        goodseed.list_runs("ws/none")


def test_forked_child_sends_nothing(remote: PlainServer) -> None:
    """A child of fork uploads nothing of its parent's run, ends at once, and the parent's upload goes on."""
    run = goodseed.Run(project="ws/p")
    run["loss"].log(1.0, step=0)
    run.wait(10)
    before = len(remote.requests)
    child = multiprocessing.get_context("fork").Process(target=os.getpid)
    child.start()
    child.join(30)
    run["loss"].log(2.0, step=1)
    run.close()

    assert 0 == child.exitcode
    assert len(remote.requests) > before
    assert [(0.0, 1.0), (1.0, 2.0)] == points(remote)


def test_cycle_costs_what_is_pending(remote: PlainServer) -> None:
    """Of a run with much uploaded and little pending, only the little is read: SQLite uses the index of what waits."""
    with goodseed.Run(project="ws/p") as run:
        for step in range(100):
            run["loss"].log(1.0, step=step)
    connection = sqlite3.connect(run.path)
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT series_id, step, y, ts FROM metric_points INDEXED BY metric_points_pending "
        "WHERE uploaded = 0 ORDER BY series_id, step LIMIT 10"
    ).fetchall()
    connection.close()

    assert ["SCAN metric_points USING INDEX metric_points_pending"] == [row[3].replace("TABLE ", "") for row in plan]
    assert KEY not in Path(run.path).read_bytes().decode("latin-1")
