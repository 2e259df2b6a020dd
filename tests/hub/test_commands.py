"""The admin's work from the shell: keys, users, workspaces, projects, backups, rows, moves."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hub_process import HubProcess, MakeHub, point
from postgres_server import PostgresServer


def fill(hub: HubProcess) -> dict[str, str]:
    """Two runs with everything that a run can hold; their ids."""
    hub.ask("POST", "/api/v1/workspaces", {"name": "team"})
    hub.ask("POST", "/api/v1/workspaces/team/projects", {"name": "group/p"})
    runs = {name: hub.make_run(name, "team/group/p", experiment_name=f"name of {name}") for name in ("one", "two")}
    for run in runs.values():
        hub.ingest(run, [point("m", step / 2, step / 3, time_ms=1_700_000_000_123 + step) for step in range(500)])
        hub.ingest(run, [point("m", 1000, "NaN"), point("m", 1001, "-Infinity"), point("é", 2**52, 1e-300)])
        hub.ingest(run, [point("t", step, text=f"line {step}\0\n🌱") for step in range(100)])
        configs = [("lr", "float", "0.1"), ("s", "string_set", '["a", "b"]'), ("text", "str", "a\0b\n")]
        body = {"configs": [{"path": path, "type_tag": tag, "value": value} for path, tag, value in configs]}
        hub.ask("POST", f"/api/v1/runs/{run}/configs", body)
    hub.ask("POST", f"/api/v1/runs/{runs['one']}/status", {"status": "finished"})
    return runs


def everything(hub: HubProcess, runs: dict[str, str]) -> Any:
    """All that the hub says of some runs."""
    found = []
    for run in runs.values():
        asked = ["", "/paths", "/data/metrics?path=m", "/data/metrics?path=%C3%A9", "/data/strings?path=t"]
        found.append([hub.ask("GET", f"/api/v1/runs/{run}{path}") for path in asked])
    found.append(hub.ask("GET", "/api/v1/workspaces/team/projects/group%2Fp/runs"))
    return found


def administration(hub: HubProcess) -> Any:
    """Who may do what, and what the dashboard keeps."""
    _, keys = hub.ask("GET", "/api/v1/keys")
    asked = ["/api/v1/users", "/api/v1/workspaces", "/api/v1/workspaces/team/members", "/api/v1/workspaces/team/projects",
             "/api/ui/p/team/group/p/-/views/mine", "/api/ui/p/team/group/p/-/runs/query?columns=sys/color"]  # fmt: skip
    answers = [hub.ask("GET", path) for path in asked]
    answers[-1][1].pop("rev")
    return [{**key, "last_used_at": None} for key in keys], answers


def test_keys_users_workspaces_and_projects(make_hub: MakeHub) -> None:
    """What an admin does from the shell holds in the hub that runs."""
    hub = make_hub()
    done = [
        hub.command("users", "create", "ann"),
        hub.command("workspaces", "create", "lab"),
        hub.command("workspaces", "grant", "lab", "ann", "member"),
        hub.command("projects", "create", "lab/x"),
    ]
    made = hub.command("keys", "create", "--user", "ann", "--label", "laptop", "--grant", "lab=viewer")
    key = made.stdout.strip()
    _, workspaces = hub.ask("GET", "/api/v1/workspaces", key=key)
    listed = hub.command("keys", "list").stdout
    revoked = hub.command("keys", "revoke", key.split("_")[1])
    time.sleep(1.2)  # a hub looks for revoked keys once a second

    assert [0] * 4 == [one.returncode for one in done], [one.stderr for one in done]
    assert [("lab", "viewer")] == [(item["id"], item["role"]) for item in workspaces]
    assert "laptop" in listed
    assert "lab=viewer" in listed
    assert key not in listed
    assert (0, 401) == (revoked.returncode, hub.ask("GET", "/api/v1/workspaces", key=key)[0])
    assert "ann=member" in hub.command("workspaces", "list").stdout
    assert "lab/x" in hub.command("projects", "list").stdout
    assert "ann" in hub.command("users", "list").stdout
    assert 0 == hub.command("users", "delete", "ann").returncode
    assert 0 == hub.command("workspaces", "remove", "lab", "admin").returncode


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "revoke", "nope"),
        ("keys", "create", "--user", "nobody"),
        ("keys", "create", "--grant", "default"),
        ("keys", "create", "--grant", "default=king"),
        ("users", "create", "../x"),
        ("users", "delete", "admin"),
        ("workspaces", "create", "a/b"),
        ("projects", "create", "x"),
        ("projects", "create", "nowhere/x"),
        ("export", "--run-id", "nope"),
    ],
)
def test_commands_that_fail_say_why(hub: HubProcess, arguments: tuple[str, ...]) -> None:
    """One sentence on stderr and the status 1."""
    done = hub.command(*arguments)

    assert (1, "", 1) == (done.returncode, done.stdout, done.stderr.count("\n"))
    assert done.stderr.startswith("goodseed: ")


def test_a_directory_has_one_hub(make_hub: MakeHub, store: str) -> None:
    """A second one is refused; with a database there may be any number."""
    if store == "postgres":
        pytest.skip("see test_several_hubs.py")
    hub = make_hub()
    second = hub.command("serve", "--port", "0")

    assert 1 == second.returncode
    assert "Another hub serves" in second.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "taken"], "can't listen at 127.0.0.1"),
        (["--port", "70000"], "a port must be an integer"),
        (["--max-series", "0"], "--max-series must be a number above 0"),
        (["--requests-a-second", "nan"], "--requests-a-second must be a number above 0"),
        (["--requests-a-second", "inf"], "--requests-a-second must be a number above 0"),
        (["--database", "postgresql://hub@127.0.0.1:1/x"], "The database can't be reached"),
        (["--database", "no address"], "The database can't be reached"),
    ],
)
def test_a_hub_that_can_t_start_says_why(tmp_path: Path, options: list[str], said: str) -> None:
    """One sentence; no key is made in vain, so that the next start has one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = [port if option == "taken" else option for option in options]
        options = options if "--port" in options else [*options, "--port", "0"]
        command = [sys.executable, "-m", "goodseed", "hub", "serve", "--data", str(tmp_path / "data"), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert (True, "", 1) == (done.returncode in (1, 2), done.stdout, done.stderr.count("\n")), done.stderr
    assert said in done.stderr
    assert not (tmp_path / "data" / "hub.sqlite").exists()


def test_keys_list_shows_the_last_use(make_hub: MakeHub) -> None:
    """A key that nobody has used says so; one that was used a moment ago has that time, within seconds."""
    hub = make_hub()
    key = hub.command("keys", "create", "--label", "laptop").stdout.strip()

    def last_used() -> str:
        row = next(line for line in hub.command("keys", "list").stdout.splitlines() if "laptop" in line)
        return row.split("  ")[-1].strip()

    before = last_used()
    hub.ask("GET", "/api/v1/auth/me", key=key)
    deadline = time.monotonic() + 20
    while last_used() == "never":
        assert time.monotonic() < deadline
        time.sleep(0.2)

    assert "never" == before
    assert time.strftime("%Y-%m-%d") <= last_used() <= time.strftime("%Y-%m-%d %H:%M:%S")


def restore(hub: HubProcess, backup: Path) -> None:
    """As docs/hub.md has it: what was there is moved away, the copy takes its place, and the hub starts again."""
    hub.stop()
    os.rename(hub.data, f"{hub.data}-old")
    subprocess.run(["cp", "-a", str(backup), str(hub.data)], check=True)
    hub.start()


def test_a_backup_is_restored(make_hub: MakeHub, store: str, tmp_path: Path) -> None:
    """With the copy in the place of the data directory, all is as it was then, and clients go on with their keys."""
    if store == "postgres":
        pytest.skip("see test_a_database_is_restored")
    hub = make_hub()
    runs = fill(hub)
    before = everything(hub, runs)
    done = hub.command("backup", str(tmp_path / "backup"))
    hub.ingest(runs["one"], [point("later", 0, 1)])
    hub.make_run("later", "team/group/p")
    restore(hub, tmp_path / "backup")
    after = everything(hub, runs)
    hub.ingest(runs["one"], [point("m", 5000, 1)])

    assert 0 == done.returncode, done.stderr
    assert before == after
    assert (5000, 1.0) == hub.pairs(runs["one"], "m")[-1]
    assert {0o700} == {path.stat().st_mode & 0o777 for path in (hub.data, hub.data / "projects")}


def test_a_backup_while_clients_write(make_hub: MakeHub, store: str, tmp_path: Path) -> None:
    """What was answered before the command began is in the copy, though batches come all the time."""
    if store == "postgres":
        pytest.skip("pg_dump sees one moment")
    hub = make_hub()
    run = hub.make_run("busy")
    sent: list[int] = []
    is_over = threading.Event()

    def write() -> None:
        while not is_over.is_set():
            hub.ingest(run, [point("m", len(sent) * 100 + step, step) for step in range(100)])
            sent.append(len(sent))

    writer = threading.Thread(target=write)
    writer.start()
    while not sent:
        time.sleep(0.01)
    before = len(sent)
    done = hub.command("backup", str(tmp_path / "backup"))
    is_over.set()
    writer.join()
    hub.stop()
    copy = HubProcess(tmp_path / "backup", key=hub.key)
    found = copy.pairs(run, "m")
    copy.stop()

    assert 0 == done.returncode, done.stderr
    assert len(found) >= 100 * before
    assert list(range(len(found))) == [step for step, _ in found]
    assert 0 == len(found) % 100


def test_a_database_is_restored(make_hub: MakeHub, store: str, postgres: PostgresServer, tmp_path: Path) -> None:
    """What pg_dump has written, in a new database and with an empty data directory, is the hub that it was."""
    if store == "embedded":
        pytest.skip("see test_a_backup_is_restored")
    hub = make_hub()
    runs = fill(hub)
    hub.ask("PATCH", f"/api/ui/p/team/group/p/-/run/{'one'}", {"tags": ["kept"]})
    before = everything(hub, runs)
    dump = tmp_path / "hub.dump"
    postgres.client("pg_dump", "--format=custom", f"--file={dump}", hub.database or "")
    hub.ingest(runs["one"], [point("later", 0, 1)])
    hub.stop()
    database = postgres.create_database()
    postgres.client("pg_restore", "--exit-on-error", f"--dbname={database}", str(dump))
    restored = make_hub(data=tmp_path / "new", database=database, key=hub.key)
    after = everything(restored, runs)
    restored.ingest(runs["one"], [point("m", 5000, 1)])

    assert before == after
    assert (5000, 1.0) == restored.pairs(runs["one"], "m")[-1]


def test_a_backup_is_a_hub(make_hub: MakeHub, store: str, tmp_path: Path) -> None:
    """A copy is served as it is, with all that was there before; a database's is refused, and said how to make."""
    hub = make_hub()
    runs = fill(hub)
    before = everything(hub, runs)
    target = tmp_path / "backup"
    done = hub.command("backup", str(target))
    if store == "postgres":
        assert (1, "goodseed: A database is copied with its own tools: pg_dump.\n") == (done.returncode, done.stderr)
        return
    again = hub.command("backup", str(target))
    hub.ingest(runs["one"], [point("later", 0, 1)])
    restored = HubProcess(target, key=hub.key)
    after = everything(restored, runs)
    restored.stop()

    assert (0, 1) == (done.returncode, again.returncode), done.stderr
    assert before == after


def test_the_registry_can_be_made_anew_from_the_files(make_hub: MakeHub, store: str) -> None:
    """With its index gone, a hub finds every run in its file, under the same id."""
    if store == "postgres":
        pytest.skip("its files are copies")
    hub = make_hub()
    runs = fill(hub)
    before = everything(hub, runs)
    hub.stop()
    for path in hub.data.glob("hub.sqlite*"):
        path.unlink()
    hub.key = ""
    hub.start()

    assert before == everything(hub, runs)


def test_plain_rows(make_hub: MakeHub, tmp_path: Path) -> None:
    """Every point and config is a row, with its exact value."""
    hub = make_hub()
    runs = fill(hub)
    output = tmp_path / "rows.csv"
    done = hub.command("export", "--project", "team/group/p", "--run-id", "two", "--output", str(output))
    lines = hub.command("export", "--format", "jsonl").stdout.splitlines()
    with output.open(newline="") as file:
        rows = list(csv.DictReader(line.replace("\0", "") for line in file))  # older readers take no NUL
    metric = {float(row["step"]): row["value"] for row in rows if (row["kind"], row["path"]) == ("metric", "m")}

    assert 0 == done.returncode, done.stderr
    assert {("team", "group/p", "two")} == {(row["workspace"], row["project"], row["run_id"]) for row in rows}
    assert (502, str(1 / 3), "NaN", "-inf") == (len(metric), metric[0.5], metric[1000], metric[1001])
    assert {"0.1"} == {row["value"] for row in rows if row["path"] == "lr"}
    assert 2 * (500 + 3 + 100 + 3) == len(lines)
    assert all(json.loads(line)["workspace"] == "team" for line in lines)
    assert runs


def test_a_run_whose_file_is_gone_is_left_out(make_hub: MakeHub, store: str) -> None:
    """Somebody has removed it by hand: it is named, and everything else is exported."""
    if store == "postgres":
        pytest.skip("its files are copies")
    hub = make_hub()
    kept, gone = hub.make_run("kept"), hub.make_run("gone")
    for run in (kept, gone):
        hub.ingest(run, [point("m", 0, 1)])
        hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    (hub.data / "projects/default/default/runs/gone.sqlite").unlink()
    done = hub.command("export", "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.splitlines()]

    assert 0 == done.returncode, done.stderr
    assert "'gone'" in done.stderr
    assert {"kept"} == {row["run_id"] for row in rows}


def test_a_directory_moves_into_a_database_and_back(
    make_hub: MakeHub, store: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    """Keys, runs and all values are the same after both moves."""
    if store == "postgres":
        pytest.skip("it is one test of both")
    hub = make_hub()
    runs = fill(hub)
    hub.ask("POST", f"/api/v1/runs/{runs['two']}/status", {"status": "failed"})
    hub.ask("POST", "/api/v1/users", {"name": "ann"})
    hub.ask("PUT", "/api/v1/workspaces/team/members/ann", {"role": "member"})
    _, key = hub.ask("POST", "/api/v1/keys", {"user": "ann", "label": "laptop", "grants": {"team": "viewer"}})
    hub.ask("PUT", "/api/ui/p/team/group/p/-/views/mine", {"columns": ["m"]})
    hub.ask("PATCH", "/api/ui/p/team/group/p/-/run/one", {"color": "#112233", "tags": ["kept"]})
    before = everything(hub, runs), administration(hub)
    rows = sorted(hub.command("export").stdout.splitlines())
    hub.stop()
    database = postgres.create_database()
    there = hub.command("migrate", "--to", "database", "--database", database)
    twice = hub.command("migrate", "--to", "database", "--database", database)
    again = hub.command("migrate", "--to", "database", "--database", database, "--again")
    hub.database = database
    hub.start()
    in_database = everything(hub, runs), administration(hub)
    by_ann = hub.ask("GET", f"/api/v1/runs/{runs['one']}", key=key["key"])[0]
    hub.stop()
    hub.data = tmp_path / "back"
    back = hub.command("migrate", "--to", "directory")
    hub.database = None
    hub.start()
    after = everything(hub, runs), administration(hub)

    assert 200 == by_ann == hub.ask("GET", f"/api/v1/runs/{runs['one']}", key=key["key"])[0]
    assert {"#112233"} <= set(before[1][1][-1][1]["columns"]["sys/color"])
    assert (0, 1, 0, 0) == (there.returncode, twice.returncode, again.returncode, back.returncode), back.stderr
    assert before == in_database
    assert before == after
    assert rows == sorted(hub.command("export").stdout.splitlines())
