"""What was answered is there, whatever happens to the hub."""

from __future__ import annotations

import gc
import http.client
import random
import sqlite3
import threading
import time
from pathlib import Path

import psycopg
import pytest
from hub_process import HubProcess, MakeHub, point

import goodseed

_WRITERS = 4
_KILLS = 3


class _Writer(threading.Thread):
    """Sends a batch after the other, each until it is answered, and knows which were."""

    def __init__(self, hub: HubProcess, run: str, number: int) -> None:
        super().__init__(daemon=True)
        self.hub = hub
        self.run_id = run
        self.number = number
        self.acknowledged: list[int] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        batch = 0
        while not self.stopped.is_set():
            points = [point(f"m{self.number}", 20 * batch + step, batch + step / 20) for step in range(20)]
            points.append(point(f"t{self.number}", batch, text=f"batch {batch}"))
            try:
                self.hub.ingest(self.run_id, points)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
                continue
            self.acknowledged.append(batch)
            batch += 1


def test_nothing_that_was_answered_is_lost_by_kill_9(make_hub: MakeHub) -> None:
    """The hub is killed while clients write, again and again; every batch that was answered is there afterwards."""
    hub = make_hub()
    runs = [hub.make_run(f"killed-{number % 2}") for number in range(_WRITERS)]
    writers = [_Writer(hub, run, number) for number, run in enumerate(runs)]
    for writer in writers:
        writer.start()
    for _ in range(_KILLS):
        time.sleep(random.uniform(0.5, 1.0))  # a kill comes at any moment
        hub.kill()
        hub.start()
    time.sleep(0.5)  # the writers go on for a while
    for writer in writers:
        writer.stopped.set()
        writer.join(60)
    hub.kill()
    hub.start()

    for writer, run in zip(writers, runs, strict=True):
        assert len(writer.acknowledged) > 5
        expected = [(20 * batch + step, batch + step / 20) for batch in writer.acknowledged for step in range(20)]
        assert expected == hub.pairs(run, f"m{writer.number}")[: len(expected)]
        _, texts = hub.ask("GET", f"/api/v1/runs/{run}/data/strings?path=t{writer.number}")
        assert [f"batch {n}" for n in writer.acknowledged] == [p["value"] for p in texts["points"]][
            : len(writer.acknowledged)
        ]


def _file_of(connection: sqlite3.Connection) -> str:
    """The file of an open connection of this thread; empty for any other."""
    try:
        return str(connection.execute("PRAGMA database_list").fetchone()[2])
    except sqlite3.ProgrammingError:
        return ""


def test_a_commit_is_on_the_disk_before_the_answer(tmp_path: Path) -> None:
    """The run file is written with full synchronisation, and nothing waits in memory."""
    from goodseed.columns import Points
    from goodseed.paths import RunFiles
    from goodseed_hub.stores.base import Change
    from goodseed_hub.stores.run_file import RunFileWriter

    files = RunFiles(tmp_path / "runs" / "r.sqlite")
    writer = RunFileWriter(files, max_series=10)
    writer.write([Change(points=[Points("m", "metric", [0.0], [1.0], [0.0])])])
    connections = [one for one in gc.get_objects() if isinstance(one, sqlite3.Connection)]
    (own,) = [one for one in connections if _file_of(one) == str(files.database)]
    synchronous = own.execute("PRAGMA synchronous").fetchone()[0]
    with sqlite3.connect(files.database) as other:
        count = other.execute("SELECT count(*) FROM metric_points").fetchone()[0]
    other.close()
    writer.close()

    assert (2, 1) == (synchronous, count)
    assert ["r.sqlite"] == [path.name for path in files.database.parent.iterdir()]


def test_two_clients_of_one_run(hub: HubProcess) -> None:
    """Two clients write the same run at once, the same points and others; all are there, once."""
    run = hub.make_run("shared")

    def write(start: int) -> None:
        for first in range(start, start + 1000, 50):
            hub.ingest(run, [point("m", step, step / 4) for step in range(first, first + 50)])

    clients = [threading.Thread(target=write, args=(start,)) for start in (0, 500, 0)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    assert [(step, step / 4) for step in range(1500)] == hub.pairs(run, "m")


def test_two_clients_send_the_same_batches_in_other_orders(hub: HubProcess) -> None:
    """Each client sends every batch twice, shuffled, at the same time as the other; each point is there once."""
    run = hub.make_run("shuffled")
    batches = [[point("m", 20 * batch + step, batch + step / 20) for step in range(20)] for batch in range(40)]
    texts = [[point("t", batch, text=f"line {batch}")] for batch in range(40)]

    def send(seed: int) -> None:
        mine = 2 * (batches + texts)
        random.Random(seed).shuffle(mine)
        for batch in mine:
            hub.ingest(run, batch)

    clients = [threading.Thread(target=send, args=(seed,)) for seed in (1, 2)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    _, found = hub.ask("GET", f"/api/v1/runs/{run}/data/strings?path=t")

    assert [(step, step // 20 + step % 20 / 20) for step in range(800)] == hub.pairs(run, "m")
    assert [(step, f"line {step}") for step in range(40)] == [(row["step"], row["value"]) for row in found["points"]]


def test_a_run_that_was_half_made_is_completed(make_hub: MakeHub, store: str) -> None:
    """A hub that was killed between entering a run and storing it stores its name and its beginning at the next try."""
    hub = make_hub()
    asked = {"experiment_name": "named", "created_at": "2024-01-01T00:00:00+00:00"}
    run = hub.make_run("half", **asked)
    hub.stop()
    if store == "embedded":
        next(hub.data.rglob("half.sqlite")).unlink()
    else:
        with psycopg.connect(hub.database or "", autocommit=True) as connection:
            connection.execute("DELETE FROM hub_head")
            connection.execute("DELETE FROM hub_meta")
    hub.start()
    missing = hub.ask("GET", f"/api/v1/runs/{run}")[0]
    again = hub.make_run("half", **asked)
    _, answer = hub.ask("GET", "/api/runs?project=default/default")
    found = {item["run_id"]: item["created_at"] for item in answer["runs"]}

    assert (404, run) == (missing, again)
    assert 200 == hub.ask("GET", f"/api/v1/runs/{run}")[0]
    assert asked["created_at"] == found["half"]


def test_a_stopped_hub_leaves_one_file_a_run(make_hub: MakeHub, store: str) -> None:
    """SIGTERM ends it in order: no log, no lock, nothing half written."""
    if store == "postgres":
        pytest.skip("its files are copies")
    hub = make_hub()
    run = hub.make_run("open")
    hub.ingest(run, [point("m", 0, 1)])
    status = hub.stop()
    left = sorted(path.name for path in hub.data.rglob("*") if path.is_file() and not path.name.startswith("."))

    assert (0, ["hub.sqlite", "open.sqlite"]) == (status, left)


def test_the_client_s_reader_reads_the_hub_s_files(make_hub: MakeHub, store: str) -> None:
    """A run file of the hub is one of the client's: everything that reads those reads it."""
    if store == "postgres":
        pytest.skip("its files are copies")
    hub = make_hub()
    run = hub.make_run("file")
    hub.ingest(run, [point("m", 0.5, "NaN"), point("m", 1, 2)])
    hub.ask("POST", f"/api/v1/runs/{run}/configs", {"configs": [{"path": "lr", "type_tag": "float", "value": "0.5"}]})
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    hub.stop()
    home = hub.data
    read = goodseed.Run(
        project="default/default", run_id="file", read_only=True, storage="local", goodseed_home=str(home)
    )

    assert {"lr": 0.5} == {row["path"]: float(row["value"]) for row in read.get_configs()}
    assert ["0.5", "1.0"] == [str(item["step"]) for item in read.get_metric_data("m")["raw_points"]]
    assert 0o700 == (home.stat().st_mode & 0o777)
    assert {0o600} == {path.stat().st_mode & 0o777 for path in home.rglob("*.sqlite")}


def test_files_that_somebody_puts_there_are_runs(make_hub: MakeHub, store: str) -> None:
    """A run file of a client is found at the next start, a copy of one too; both can be written."""
    if store == "postgres":
        pytest.skip("its files are copies")
    hub = make_hub()
    first = hub.make_run("first")
    hub.ingest(first, [point("m", 0, 1)])
    hub.stop()
    directory = hub.data / "projects" / "default" / "default" / "runs"
    (directory / "copy.sqlite").write_bytes((directory / "first.sqlite").read_bytes())
    (directory / "broken.sqlite").write_bytes(b"no run")
    with goodseed.Run(project="default/new", run_id="brought", storage="local", goodseed_home=hub.data) as run:
        run.log_metrics({"m": 5.0}, step=1)
    hub.start()
    copy, brought = hub.make_run("copy"), hub.make_run("brought", "default/new")
    for run_id in (first, copy, brought):
        hub.ingest(run_id, [point("m", 9, 9)])

    assert 3 == len({first, copy, brought})
    assert [(0, 1.0), (9, 9.0)] == hub.pairs(first, "m") == hub.pairs(copy, "m")
    assert [(1, 5.0), (9, 9.0)] == hub.pairs(brought, "m")


def test_a_file_of_another_run_is_not_written(tmp_path: Path) -> None:
    """Where two names are one file, as on some file systems, the second run is refused."""
    from goodseed.columns import Points
    from goodseed_hub.errors import ApiError
    from goodseed_hub.registry.directory import RunRecord
    from goodseed_hub.stores.base import Change
    from goodseed_hub.stores.embedded import EmbeddedStore

    change = Change(points=[Points("m", "metric", [0.0], [1.0], [0.0])])
    for id_ in ("one", "other"):
        store = EmbeddedStore(tmp_path)
        record = RunRecord(id_, "w", "p", "same")
        if id_ == "one":
            store.write(record, change)
        else:
            with pytest.raises(ApiError, match="another run's"):
                store.write(record, change)
        store.close()


def test_few_files_are_open_at_once(tmp_path: Path) -> None:
    """However many runs write, only so many files are open; every point is stored."""
    import psutil

    from goodseed.columns import Points
    from goodseed_hub.registry.directory import RunRecord
    from goodseed_hub.stores.base import Change
    from goodseed_hub.stores.embedded import EmbeddedStore

    store = EmbeddedStore(tmp_path, max_open=4)
    records = [RunRecord(f"id-{number}", "w", "p", f"r{number}") for number in range(30)]
    for step in range(3):
        for record in records:
            store.write(record, Change(points=[Points("m", "metric", [float(step)], [1.0], [0.0])]))
    opened = [
        file for file in psutil.Process().open_files() if str(tmp_path) in file.path and file.path.endswith(".sqlite")
    ]
    store.close()
    counts = set()
    for record in records:
        with sqlite3.connect(store.files(record).database) as connection:
            counts.add(connection.execute("SELECT count(*) FROM metric_points").fetchone()[0])
        connection.close()

    assert len(opened) <= 4
    assert {3} == counts
