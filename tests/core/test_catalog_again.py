"""A `Catalog` that looks at a directory again and again: it finds what is there, at the cost of what has changed."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import goodseed
from goodseed.paths import RunFiles
from goodseed.server.store import CatalogStore
from goodseed.storage.catalog import Catalog
from goodseed.storage.edits import Edits, edit_run

from .conftest import age, write_run


def _settle(root: Path) -> None:
    """Let what has changed just now have changed an hour ago, so that the times are relied upon."""
    for directory, _, names in os.walk(root, topdown=False):
        for path in (*(Path(directory, name) for name in names if not name.startswith(".goodseed")), Path(directory)):
            if path.stat().st_mtime > time.time() - 1800:
                age(path)


@pytest.mark.parametrize("seed", range(4))
def test_a_catalog_that_looks_again_finds_what_a_new_one_finds(root: Path, seed: int) -> None:
    """Whatever happens to runs and directories, a catalog that has seen them before lists what is there."""
    chance = random.Random(seed)
    open_runs: list[goodseed.Run] = []
    names = iter(range(1000))

    def some_file() -> Path | None:
        files = sorted(path for path in root.rglob("*.sqlite") if not path.name.startswith("."))
        return chance.choice(files) if files else None

    def create() -> None:
        write_run(f"r{next(names)}", f"p{chance.randrange(3)}/q", loss=1.0)

    def begin() -> None:
        run = goodseed.Run(project=f"p{chance.randrange(3)}/q", run_id=f"r{next(names)}")
        run.log_metrics({"loss": 1.0}, step=1)
        run.flush()
        open_runs.append(run)

    def log() -> None:
        for run in open_runs:
            run.log_metrics({"loss": chance.random()}, step=chance.randrange(100))
            run.flush()

    def end() -> None:
        if open_runs:
            open_runs.pop().close()

    def change() -> None:
        path = some_file()
        if path is not None and not Path(f"{path}-lock").exists():
            with contextlib.closing(sqlite3.connect(path)) as connection, contextlib.suppress(sqlite3.DatabaseError):
                connection.execute("UPDATE configs SET value = ? WHERE path = 'sys/name'", (f"name {next(names)}",))
                connection.commit()

    def replace() -> None:
        path = some_file()
        if path is not None and not Path(f"{path}-lock").exists():
            copy = path.with_suffix(".part")
            copy.write_bytes(chance.choice([b"no run", path.read_bytes()]))
            copy.replace(path)

    def remove() -> None:
        path = some_file()
        if path is not None and not Path(f"{path}-lock").exists():
            path.unlink()

    def move() -> None:
        projects = sorted(path for path in root.glob("p*") if not list(path.rglob("*-lock")))
        if projects:
            chance.choice(projects).rename(root / f"p{next(names) + 10}")

    write_run("first")
    with Catalog(root) as catalog:
        for _ in range(30):
            chance.choice([create, begin, log, log, end, change, replace, remove, move])()
            if chance.random() < 0.5:
                _settle(root)
            with Catalog(root) as fresh:
                expected = [(run.path, run.state, run.name, run.last_metrics) for run in fresh.runs()]
                problems = fresh.problems()

            assert expected == [(run.path, run.state, run.name, run.last_metrics) for run in catalog.runs()]
            assert problems == catalog.problems()
        for run in open_runs:
            run.close()


def test_a_file_that_is_written_over_in_place_is_seen(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run file whose bytes are replaced without a change of its directory shows after half a minute."""
    one, other = write_run("one", loss=1.0), write_run("other", loss=2.0)
    _settle(root)
    with Catalog(root) as catalog:
        catalog.runs()
        one.write_bytes(other.read_bytes())
        age(one, seconds=60)
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 3600)

        assert [2.0, 2.0] == [point.y for run in catalog.runs() for point in run.last_metrics]


def test_a_list_of_known_runs_loads_nothing_that_reads_runs(root: Path) -> None:
    """`goodseed list` answers from its index, and spends no time on loading what it would need for a run file."""
    write_run("a", "p", loss=1.0)
    _settle(root)
    code = (
        "import sys; from goodseed.cli.main import main; "
        "main(['list', sys.argv[1]]); print('reads', 'goodseed.storage.reader' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(root)]
    first, again = (subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2))

    assert first.endswith("reads True\n")
    assert again.endswith("reads False\n")


def test_looks_again_find_what_a_first_look_finds(root: Path) -> None:
    """Whatever happens to some of the runs between two looks, a store shows what another one shows that looks first."""
    draw = random.Random(3)
    live: dict[str, goodseed.Run] = {}
    for number in range(12):
        write_run(f"old-{number}", project=f"p{number % 2}")
    store = CatalogStore(root)
    for round_ in range(25):
        ended = sorted(
            path for path in root.rglob("*.sqlite") if path.stem not in live and not path.name.startswith(".")
        )
        how = draw.choice(["open", "close", "log", "delete", "trash", "rename", "nothing"])
        if how == "open":
            name = f"live-{round_}"
            live[name] = goodseed.Run(project=f"p{round_ % 2}", run_id=name, storage="local")
        elif how == "close" and live:
            live.popitem()[1].close()
        elif how == "log" and live:
            draw.choice(list(live.values()))["lr"] = round_
        elif how == "delete":
            draw.choice(ended).unlink()
        elif how in ("trash", "rename"):
            edits = Edits(is_trashed=draw.random() < 0.5) if how == "trash" else Edits(texts={"sys/name": f"{round_}"})
            edit_run(RunFiles(draw.choice(ended)), edits)
        for run in live.values():
            run.flush()
        store.look()
        first = CatalogStore(root)
        first.look()

        assert _shown(first) == _shown(store), how
        first.close()
    for run in live.values():
        run.close()
    store.close()


def _shown(store: CatalogStore) -> list[object]:
    """What a store shows, but for how long runs have been running."""
    runs = [replace(run, duration_seconds=0.0) for run in store.runs()]
    found = [replace(store.find(run.project, run.run_id), duration_seconds=0.0) for run in runs]
    return [store.projects(), runs, found]
