"""What only the PostgreSQL store has: its statements, its compaction, and copies of runs."""

from __future__ import annotations

import math
import random
import re
import sqlite3
import threading
import uuid
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from hub_process import HubProcess, point
from postgres_server import PostgresServer

from goodseed.columns import Points
from goodseed.storage.kinds import NUMBERS
from goodseed_hub.registry.directory import RunRecord
from goodseed_hub.registry.postgres import PostgresDatabase
from goodseed_hub.stores import statements
from goodseed_hub.stores.base import Change
from goodseed_hub.stores.compaction import compact
from goodseed_hub.stores.postgres import PostgresStore


@pytest.mark.parametrize("name", sorted(statements.STATEMENTS))
def test_every_statement_carries_the_run(name: str) -> None:
    """Each statement on a distributed table names the run, so that one machine answers it."""
    statement = " ".join(statements.STATEMENTS[name].split())
    is_insert = re.match(r"INSERT INTO hub_\w+ \( ?run, ", statement)
    is_about_a_run = re.search(r"WHERE run = (%s|ANY\(%s::uuid\[\]\))", statement)
    is_count_down = re.search(r" WHERE run = %s$", statement)

    assert is_insert or is_about_a_run or is_count_down or name == "LOCK"
    assert len(re.findall(r"(?:FROM|INTO|UPDATE) hub_", statement)) <= 1


_DATA = re.compile(r"hub_(?:head|segment|block|series|config|meta)\b")
_CARRIES = re.compile(r"INSERT INTO hub_\w+ \(\s*run, |WHERE run = (?:\$1|\$2$|ANY\(\$1::uuid\[\]\))")


def test_every_statement_that_is_sent_carries_the_run(postgres: PostgresServer, tmp_path: Path) -> None:
    """The server's own log of all that a hub does: each statement on data names the run, and one such table."""
    database = postgres.create_database()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET log_statement = 'all'")  # type: ignore[arg-type]
    begin = len(postgres.log())
    hub = HubProcess(tmp_path / "data", database)
    run = hub.make_run("r", experiment_name="first")
    for part in range(3):
        hub.ingest(run, [point("m", 10_000 * part + step, step) for step in range(10_000)])
        hub.ingest(run, [point("t", part, text="x")])
    hub.ask("POST", f"/api/v1/runs/{run}/configs", {"configs": [{"path": "c", "type_tag": "int", "value": "1"}]})
    hub.make_run("r", experiment_name="second")
    hub.pairs(run, "m")
    hub.ingest(run, [point("m", 3, 3)])
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    asked = [
        hub.ask("GET", f"/api/v1/runs/{run}"),
        hub.ask("POST", "/api/ui/p/default/default/-/runs/query", {"columns": ["c", "m:last"]}),
        hub.ask("PATCH", "/api/ui/p/default/default/-/run/r", {"tags": ["kept"]}),
        hub.ask("POST", "/api/ui/p/default/default/-/runs/bulk", {"ids": ["r"], "op": "trash"}),
    ]
    hub.stop()
    exported = hub.command("export").returncode
    hub.data = tmp_path / "back"
    moved = hub.command("migrate", "--to", "directory").returncode
    logged = re.findall(r"LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)", postgres.log()[begin:])
    sent = {" ".join(statement.split()) for statement in logged}
    on_data = {one for one in sent if _DATA.search(one) and not one.startswith(("CREATE TABLE", "ALTER TABLE"))}
    kinds = {re.sub(r"DECLARE .*? FOR ", "", one).split(" ", 1)[0] for one in on_data}

    assert ([200] * 4, 0, 0) == ([status for status, _ in asked], exported, moved)
    assert set() == {one for one in on_data if not _CARRIES.search(one) or len(set(_DATA.findall(one))) != 1}
    assert {"INSERT", "SELECT", "UPDATE", "DELETE"} == kinds
    assert len(on_data) >= 15


def test_every_table_can_be_distributed_by_run() -> None:
    """The run comes first in every primary key, and no table refers to another."""
    tables = [one for group in statements.MIGRATIONS for one in group if "CREATE TABLE" in one]

    assert len(tables) == 6
    assert all(re.search(r"PRIMARY KEY \(run\b|run UUID PRIMARY KEY", table) for table in tables)
    assert not any("REFERENCES" in table for table in tables)


@pytest.fixture
def database(postgres: PostgresServer, tmp_path: Path):  # type: ignore[no-untyped-def]
    """A store on a database of its own."""
    database = PostgresDatabase(postgres.create_database())
    store = PostgresStore(database, tmp_path / "copies", max_series=1000)
    yield database, store
    store.close()
    database.close()


def record(run_id: str = "r") -> RunRecord:
    return RunRecord(str(uuid.uuid4()), "default", "p", run_id)


def read(store: PostgresStore, run: RunRecord, path: str = "m") -> list[tuple[float, float]]:
    from goodseed.storage.reader import RunReader

    with RunReader(store.files(run)) as reader:
        points = reader.points(NUMBERS, path)
    return list(zip(points.steps, points.values, strict=True))


def test_compaction_changes_nothing_that_is_read(
    database: tuple[PostgresDatabase, PostgresStore], tmp_path: Path
) -> None:
    """Points that overwrite others in every order read the same from segments, from blocks, and from both."""
    pool, store = database
    run = record()
    expected: dict[float, float] = {}
    for request in range(60):
        steps = [float((request * 37 + step * 3) % 500) for step in range(50)]
        values = [request + step / 100 for step in steps]
        store.write(
            run, Change(points=[Points("m", "metric", list(steps), list(values), [0.0] * 50)], meta={"hub_run": run.id})
        )
        expected.update(zip(steps, values, strict=True))
        if request in (20, 21, 45):
            store.settle([run])
        if request == 30:
            assert sorted(expected.items()) == read(store, run)
    before = read(store, run)
    store.settle([run])
    fresh = PostgresStore(pool, tmp_path / "fresh", max_series=1000)
    after = read(fresh, run)
    fresh.close()

    assert sorted(expected.items()) == before
    assert before == after
    assert [(0,)] == pool.rows("SELECT count(*) FROM hub_segment")


def test_compacted_points_take_few_bytes(database: tuple[PostgresDatabase, PostgresStore]) -> None:
    """At most 12 bytes a point, indexes included, for noisy values that no codec makes small."""
    pool, store = database
    run, noise = record(), random.Random(5)
    total = 0
    for request in range(40):
        metrics = []
        for series in range(20):
            steps = [float(step) for step in range(request * 100, request * 100 + 100)]
            values, times = [noise.gauss(0, 1) for _ in steps], [1.7e9 + 0.05 * s for s in steps]
            metrics.append(Points(f"train/{series}", "metric", steps, values, times))
            total += 100
        store.write(run, Change(points=metrics))
    store.settle([run])
    with psycopg.connect(pool.pool.conninfo, autocommit=True) as connection:
        connection.execute("VACUUM FULL hub_block")
        connection.execute("VACUUM FULL hub_segment")
    size = pool.rows("SELECT pg_total_relation_size('hub_block') + pg_total_relation_size('hub_segment')")[0][0]

    assert size / total <= 12


def test_compaction_and_writing_at_once(database: tuple[PostgresDatabase, PostgresStore]) -> None:
    """Several compact while several write; nothing is lost and nothing comes twice."""
    _, store = database
    run = record()
    is_over = threading.Event()

    def write(start: int) -> None:
        for first in range(start, start + 500, 10):
            steps = [float(step) for step in range(first, first + 10)]
            store.write(run, Change(points=[Points("m", "metric", steps, list(steps), [0.0] * 10)]))

    def settle() -> None:
        while not is_over.is_set():
            store.settle([run])

    writers = [threading.Thread(target=write, args=(start,)) for start in (0, 500, 1000)]
    compactors = [threading.Thread(target=settle) for _ in range(2)]
    for thread in writers + compactors:
        thread.start()
    for thread in writers:
        thread.join()
    is_over.set()
    for thread in compactors:
        thread.join()

    assert [(float(step), float(step)) for step in range(1500)] == read(store, run)


def test_copies_follow_and_may_be_lost(database: tuple[PostgresDatabase, PostgresStore]) -> None:
    """A copy has what was written before it was asked for; one that is damaged or of another run is made again."""
    pool, store = database
    run = record()
    store.write(run, Change(points=[Points("m", "metric", [0.0], [math.nan], [0.0])], meta={"status": "finished"}))
    first = read(store, run)
    store.write(run, Change(points=[Points("m", "metric", [1.0], [1.0], [0.0])]))
    second = read(store, run)
    path = store.files(run).database
    root = store.root
    store.close()
    path.write_bytes(b"damaged")
    again = PostgresStore(pool, root, max_series=1000)
    third = read(again, run)
    again.close()

    assert ([0.0], [0.0, 1.0]) == ([step for step, _ in first], [step for step, _ in second])
    assert [step for step, _ in second] == [step for step, _ in third]


def test_a_long_run_is_compacted_in_portions(database: tuple[PostgresDatabase, PostgresStore], tmp_path: Path) -> None:
    """One transaction takes some hundred thousand points, not all that wait; copies are made of the rest too."""
    pool, store = database
    run = record()
    for request in range(15):
        steps = [float(step) for step in range(request * 50_000, (request + 1) * 50_000)]
        store.write(
            run, Change(points=[Points("m", "metric", steps, list(steps), [0.0] * 50_000)], meta={"hub_run": run.id})
        )
    with pool.pool.connection() as connection:
        count = compact(connection, run.id)
    half = len(read(store, run))
    store.settle([run])
    fresh = PostgresStore(pool, tmp_path / "fresh", max_series=1000)
    after = read(fresh, run)
    fresh.close()

    assert 0 < count < 15
    assert 750_000 == half
    assert [(float(step), float(step)) for step in range(750_000)] == after
    assert [(0, 0)] == pool.rows("SELECT (SELECT count(*) FROM hub_segment), points FROM hub_head")


def test_copies_begin_anew_after_the_machine_has_restarted(postgres: PostgresServer, tmp_path: Path) -> None:
    """What a crash of the machine may have left of a copy is not read."""
    hub = HubProcess(tmp_path / "data", postgres.create_database())
    run = hub.make_run("r")
    hub.ingest(run, [point("m", 0, 1)])
    before = hub.pairs(run, "m")
    hub.stop()
    (copy,) = hub.data.rglob("r.sqlite")
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("UPDATE metric_points SET y = 7")  # stands for a page that did not reach the disk
    (note,) = hub.data.rglob("machine-started")
    note.write_text("1000000000")
    hub.start()
    after = hub.pairs(run, "m")
    hub.stop()

    assert [(0, 1.0)] == before
    assert before == after


def test_a_database_that_was_restored_is_read_as_it_is(postgres: PostgresServer, tmp_path: Path) -> None:
    """With the data directory of before: no point that came after the backup is shown, and none of the new ones is missing."""
    hub = HubProcess(tmp_path / "data", postgres.create_database())
    runs = [hub.make_run(name) for name in ("grown", "same")]
    for run in runs:
        hub.ingest(run, [point("m", step, step) for step in range(3)])
    hub.stop()
    assert hub.database is not None
    postgres.client("pg_dump", "--format=custom", f"--file={tmp_path / 'hub.dump'}", hub.database)
    hub.start()
    for step in range(100, 105):  # one change each, all copied
        hub.ingest(runs[0], [point("m", step, step)])
        hub.pairs(runs[0], "m")
    same = hub.pairs(runs[1], "m")
    hub.stop()
    hub.database = postgres.create_database()
    postgres.client("pg_restore", "--exit-on-error", f"--dbname={hub.database}", str(tmp_path / "hub.dump"))
    other = HubProcess(tmp_path / "other", hub.database, key=hub.key)
    for step in range(200, 205):
        other.ingest(runs[0], [point("m", step, step)])
    other.stop()
    hub.start()
    found = [hub.pairs(run, "m") for run in runs]
    hub.stop()

    assert [0.0, 1.0, 2.0, *range(200, 205)] == [step for step, _ in found[0]]
    assert same == found[1]
