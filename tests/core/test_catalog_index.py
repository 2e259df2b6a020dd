"""The index of a catalog: what is not read again, and what happens when it is damaged."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from goodseed.storage.catalog import Catalog

from .conftest import age, run_ids, write_run

INDEX = ".goodseed-cache.sqlite"


def test_unchanged_file_is_not_read_again(root: Path) -> None:
    """A file that looks as it did is taken from the index; once it looks otherwise it is read."""
    path = write_run("a")
    age(path)
    assert ["a"] == run_ids(root)
    path.write_bytes(bytes(path.stat().st_size))
    age(path)
    changed = path.stat()
    with sqlite3.connect(root / INDEX) as connection:  # the token of what is there now
        token = f"{changed.st_mtime_ns} {changed.st_size} {changed.st_ino}"
        connection.execute("UPDATE run SET token = ?", (token,))
    connection.close()

    assert ["a"] == run_ids(root)
    age(path, seconds=1800)
    assert [] == run_ids(root)


def test_change_right_after_a_look_is_seen(root: Path) -> None:
    """A change that leaves size and time as they were, just after a look, is seen nevertheless."""
    path = write_run("a")
    before = path.stat()
    with Catalog(root) as catalog:
        assert [False] == [run.trashed for run in catalog.runs()]
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO run_meta VALUES ('trashed', 'true')")
        connection.close()
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

        assert before.st_size == path.stat().st_size
        assert [True] == [run.trashed for run in catalog.runs()]


def test_index_is_private_and_only_where_runs_are(root: Path, tmp_path: Path) -> None:
    """The index can be read by its owner alone, and a directory without runs gets none."""
    write_run("a")
    run_ids(root)
    (tmp_path / "empty").mkdir()
    run_ids(tmp_path / "empty")

    assert 0o600 == (root / INDEX).stat().st_mode & 0o777
    assert [] == list((tmp_path / "empty").iterdir())


def test_what_earlier_versions_kept_is_removed(root: Path) -> None:
    """The index of an earlier version goes when the file that takes its place is made, and nothing else does."""
    write_run("a")
    (root / ".goodseed-index.sqlite").write_bytes(b"old")
    (root / ".goodseed-dashboard.json").write_bytes(b"{}")

    assert ["a"] == run_ids(root)
    assert [INDEX, ".goodseed-dashboard.json"] == sorted(
        path.name for path in root.iterdir() if path.name.startswith(".goodseed-") and path.is_file()
    )


def test_deleted_index(root: Path) -> None:
    """Deleting the index, also under an open catalog, changes nothing that is listed."""
    write_run("a")
    with Catalog(root) as catalog:
        catalog.runs()
        (root / INDEX).unlink()
        write_run("b")

        assert ["a", "b"] == sorted(run.run_id for run in catalog.runs())
        assert ["a", "b"] == run_ids(root)


def damage_whole(index: Path) -> None:
    """Leave nothing of the file."""
    index.write_bytes(b"nonsense" * 1000)


def damage_half(index: Path) -> None:
    """Cut the file."""
    index.write_bytes(index.read_bytes()[:5000])


def damage_inside(index: Path) -> None:
    """Overwrite what comes after the first page."""
    content = bytearray(index.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    index.write_bytes(content)


def damage_types(index: Path) -> None:
    """Put texts where numbers belong."""
    with sqlite3.connect(index) as connection:
        connection.execute("UPDATE run SET created_seconds = 'soon', project = 3")
    connection.close()


def damage_version(index: Path) -> None:
    """Pretend that another version wrote it, with other columns."""
    with sqlite3.connect(index) as connection:
        connection.executescript("DROP TABLE run; CREATE TABLE run (x); PRAGMA user_version = 99;")
    connection.close()


def damage_table(index: Path) -> None:
    """Take the table away."""
    with sqlite3.connect(index) as connection:
        connection.execute("DROP TABLE run")
    connection.close()


@pytest.mark.parametrize(
    "damage", [damage_whole, damage_half, damage_inside, damage_types, damage_version, damage_table]
)
@pytest.mark.parametrize("is_open", [False, True])
def test_damaged_index(root: Path, damage: object, is_open: bool) -> None:
    """A damaged index, also one that is damaged while a catalog uses it, is made again, and nothing else happens."""
    for number in range(30):
        age(write_run(f"r{number:02}"))
    expected = [f"r{number:02}" for number in range(30)]
    with Catalog(root) as catalog:
        if is_open:
            catalog.runs()
        else:
            run_ids(root)
        damage(root / INDEX)  # type: ignore[operator]

        assert expected == sorted(run.run_id for run in catalog.runs())
        assert [("digits", 30)] == [(project.name, project.run_count) for project in catalog.projects()]
    assert expected == run_ids(root)


def test_no_place_for_an_index(root: Path) -> None:
    """Where the index can't be made, the runs are listed all the same."""
    write_run("a")
    (root / INDEX).mkdir()

    assert ["a"] == run_ids(root)


def test_linked_index_is_not_followed(root: Path, tmp_path: Path) -> None:
    """An index that is a link to another file leaves that file alone."""
    write_run("a")
    (tmp_path / "precious").write_text("mine")
    (root / INDEX).symlink_to(tmp_path / "precious")

    assert ["a"] == run_ids(root)
    assert "mine" == (tmp_path / "precious").read_text()


def test_several_processes_at_once(root: Path) -> None:
    """Processes that list for the first time at the same moment all see every run."""
    for number in range(40):
        write_run(f"r{number}")
    code = f"""
from goodseed.storage.catalog import Catalog
with Catalog({str(root)!r}) as catalog:
    for _ in range(5):
        print(len(catalog.runs()), sum(project.run_count for project in catalog.projects()))
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(4)
    ]

    assert ["40 40\n" * 5] * 4 == [process.communicate()[0] for process in processes]


def test_threads(root: Path) -> None:
    """Threads may share a catalog while runs come and go."""
    write_run("first")
    failures: list[BaseException] = []
    done = threading.Event()

    def look(catalog: Catalog) -> None:
        try:
            while not done.is_set():
                assert "first" in [run.run_id for run in catalog.runs()]
                assert [] == catalog.problems()
                catalog.projects()
        except BaseException as error:
            failures.append(error)

    with Catalog(root) as catalog:
        threads = [threading.Thread(target=look, args=(catalog,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(10):
            path = write_run(f"r{number}", loss=1.0)
            if number % 2:
                path.unlink()
        done.set()
        for thread in threads:
            thread.join()

    assert [] == failures
    assert 6 == len(run_ids(root))
