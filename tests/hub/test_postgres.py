"""What only the PostgreSQL store has: its codec, its compaction, and several hubs on one database."""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
import time
import uuid
from pathlib import Path

import psycopg
import pytest
from hub_process import HubProcess, point
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres_server import PostgresServer

from goodseed.errors import FileFormatError
from goodseed_hub.registry.directory import RunRecord
from goodseed_hub.registry.postgres import PostgresDatabase
from goodseed_hub.stores import statements
from goodseed_hub.stores.base import Change, Column
from goodseed_hub.stores.codec import FAST, pack, unpack
from goodseed_hub.stores.postgres import PostgresStore

_steps = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53).map(float)
_times = st.integers(0, 253_402_300_799_999).map(float) | st.floats(0, 1e12)
_paths = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def columns(values: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, Column]]:
    points = st.lists(st.tuples(_steps, values, _times), min_size=1, max_size=30)
    column = points.map(lambda rows: Column(*map(list, zip(*rows, strict=True))))
    return st.dictionaries(_paths, column, max_size=5)


@given(columns(st.floats()), columns(st.text(st.characters(exclude_categories=["Cs"]), max_size=50)))
@settings(max_examples=200, deadline=None)
def test_what_is_packed_is_unpacked(metrics: dict[str, Column], texts: dict[str, Column]) -> None:
    """Every step, value and time comes back to the bit, in its order."""
    found = unpack(pack(metrics, texts, FAST))

    assert repr((metrics, texts)) == repr(found)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_damaged_blocks_are_told(damaged: bytes) -> None:
    """Anything that is no block is a `FileFormatError`, also one of a newer version."""
    for packed in (damaged, b"\1" + damaged, pack({"m": Column([1.0], [2.0], [3.0])}, {}, FAST)[:-3] + damaged):
        with contextlib.suppress(FileFormatError):
            unpack(packed)
    with pytest.raises(FileFormatError, match="version 02"):
        unpack(b"\2abc")


@pytest.mark.parametrize("name", sorted(statements.STATEMENTS))
def test_every_statement_carries_the_run(name: str) -> None:
    """Each statement on a distributed table names the run, so that one machine answers it."""
    statement = " ".join(statements.STATEMENTS[name].split())
    is_insert = re.match(r"INSERT INTO hub_\w+ \( ?run, ", statement)
    is_about_a_run = re.search(r"WHERE run = (%s|ANY\(%s::uuid\[\]\))", statement)
    is_count_down = re.search(r" WHERE run = %s$", statement)

    assert is_insert or is_about_a_run or is_count_down or name == "LOCK"
    assert len(re.findall(r"(?:FROM|INTO|UPDATE) hub_", statement)) <= 1


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
        return [(p.step, p.y) for p in reader.metric_points(path)]


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
        store.write(run, Change(metrics={"m": Column(list(steps), list(values), [0.0] * 50)}, meta={"hub_run": run.id}))
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
    import random

    pool, store = database
    run, noise = record(), random.Random(5)
    total = 0
    for request in range(40):
        metrics = {}
        for series in range(20):
            steps = [float(step) for step in range(request * 100, request * 100 + 100)]
            metrics[f"train/{series}"] = Column(
                steps, [noise.gauss(0, 1) for _ in steps], [1.7e12 + 50 * s for s in steps]
            )
            total += 100
        store.write(run, Change(metrics=metrics))
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
            store.write(run, Change(metrics={"m": Column(steps, list(steps), [0.0] * 10)}))

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
    """A copy has what was written before it was asked for; one that is damaged or of another run is made anew."""
    pool, store = database
    run = record()
    store.write(run, Change(metrics={"m": Column([0.0], [math.nan], [0.0])}, meta={"status": "finished"}))
    first = read(store, run)
    store.write(run, Change(metrics={"m": Column([1.0], [1.0], [0.0])}))
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


def test_several_hubs_on_one_database(postgres: PostgresServer, tmp_path: Path) -> None:
    """What one takes, the other shows; a key that one makes, the other knows; both start on a new database at once."""
    database = postgres.create_database()
    hubs: list[HubProcess] = []

    def start(name: str) -> None:
        hub = HubProcess.__new__(HubProcess)
        hub.data, hub.database, hub._options, hub.lines, hub.key = tmp_path / name, database, (), [], "later"
        hub.start()
        hubs.append(hub)

    starting = [threading.Thread(target=start, args=(name,)) for name in ("a", "b")]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    key = hubs[0].command("keys", "create").stdout.strip()
    for hub in hubs:
        hub.key = key
    one, other = hubs
    run = one.make_run("r")
    same = other.make_run("r")
    one.ingest(run, [point("m", 0, 0), point("m", 1, 1)])
    seen = other.pairs(run, "m")
    other.ingest(run, [point("m", 1, 11), point("m", 2, 2)])
    seen_again = one.pairs(run, "m")
    statuses = [hub.stop() for hub in hubs]

    assert run == same
    assert [(0, 0.0), (1, 1.0)] == seen
    assert [(0, 0.0), (1, 11.0), (2, 2.0)] == seen_again
    assert [0, 0] == statuses
    assert 1 == sum("first admin" in line for hub in hubs for line in hub.lines)


def test_a_database_that_crashes_comes_back(postgres: PostgresServer, tmp_path: Path) -> None:
    """Meanwhile clients are told to come again; what was answered is there, and the hub goes on by itself."""
    hub = HubProcess(tmp_path / "data", postgres.create_database())
    run = hub.make_run("r")
    hub.ingest(run, [point("m", 0, 0)])
    postgres.stop()
    status, sent, answer = hub.raw(
        "POST", f"/api/v1/runs/{run}/ingest", b'{"points": [{"path": "m", "step": 1, "timestampMs": 0, "number": 1}]}',
        {"Authorization": f"Bearer {hub.key}"},
    )  # fmt: skip
    postgres.start()
    deadline = time.monotonic() + 60
    while hub.ask("POST", f"/api/v1/runs/{run}/ingest", {"points": [point("m", 2, 2)]})[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    found = hub.pairs(run, "m")
    hub.stop()

    assert (503, "5", "Store.Unavailable") == (status, sent["retry-after"], json.loads(answer)["error_code"])
    assert [(0, 0.0), (2, 2.0)] == found
