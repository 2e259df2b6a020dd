"""Several hubs on one PostgreSQL database, and one whose database crashes."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from pathlib import Path

from hub_process import HubProcess, point
from postgres_server import PostgresServer


def test_two_hubs_that_write_at_once(postgres: PostgresServer, tmp_path: Path) -> None:
    """Clients go from one to the other, batches come twice and out of order, and one hub is killed: nothing is lost."""
    database = postgres.create_database()
    one = HubProcess(tmp_path / "one", database)
    other = HubProcess(tmp_path / "other", database, key=one.key)
    runs = [one.make_run(f"r{number}") for number in range(2)]
    batches = [[point("m", 25 * batch + step, batch) for step in range(25)] for batch in range(60)]

    def send(seed: int) -> None:
        chance = random.Random(seed)
        mine = [(run, batch) for run in runs for batch in batches]
        chance.shuffle(mine)
        for run, batch in mine:
            hubs = [one, other]
            chance.shuffle(hubs)
            while True:  # until one of them has answered
                try:
                    hubs[0].ingest(run, batch)
                    break
                except (OSError, http.client.HTTPException):
                    hubs.reverse()

    clients = [threading.Thread(target=send, args=(seed,)) for seed in range(4)]
    for client in clients:
        client.start()
    time.sleep(0.5)  # the clients are in the middle of sending
    one.kill()
    for client in clients:
        client.join()
    found = [other.pairs(run, "m") for run in runs]
    one.start()
    found += [one.pairs(run, "m") for run in runs]
    statuses = [one.stop(), other.stop()]

    assert [[(step, float(step // 25)) for step in range(1500)]] * 4 == found
    assert [0, 0] == statuses


def test_several_hubs_on_one_database(postgres: PostgresServer, tmp_path: Path) -> None:
    """What one takes, the other shows; a key that one makes, the other knows; both start on a new database at once."""
    database = postgres.create_database()
    hubs: list[HubProcess] = []

    def start(name: str) -> None:
        hubs.append(HubProcess(tmp_path / name, database, key="later"))

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
