"""What a catalog makes of damaged, foreign and linked files."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

import goodseed
from goodseed.storage.catalog import Catalog

from .conftest import run_ids, write_run


def problems(root: Path) -> dict[str, str]:
    """What a new catalog of ``root`` can't read, by path from there."""
    with Catalog(root) as catalog:
        return {str(problem.path.relative_to(catalog.root)): problem.reason for problem in catalog.problems()}


def test_damaged_and_foreign_files(root: Path) -> None:
    """What can't be read is named with the reason, and hides no run."""
    runs = write_run("good").parent
    (runs / "garbage.sqlite").write_bytes(b"not a database, whatever its name says" * 100)
    (runs / "empty.sqlite").touch()
    with sqlite3.connect(runs / "foreign.sqlite") as connection:
        connection.execute("CREATE TABLE cats (name TEXT)")
    connection.close()
    with sqlite3.connect(write_run("newer")) as connection:
        connection.execute("UPDATE run_meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    torn = write_run("torn", **{f"m{number}": 1.0 for number in range(2000)})
    torn.write_bytes(torn.read_bytes()[:9000])
    reasons = problems(root)

    assert ["good"] == run_ids(root)
    assert {f"digits/runs/{name}.sqlite" for name in ("garbage", "empty", "foreign", "newer", "torn")} == reasons.keys()
    assert "not a Goodseed run" in reasons["digits/runs/foreign.sqlite"]
    assert "schema version 99" in reasons["digits/runs/newer.sqlite"]


@pytest.mark.parametrize("position", range(0, 4096 * 8, 1700))
def test_any_damaged_page(root: Path, position: int) -> None:
    """A file with nonsense anywhere in it is a run or a problem, and hides no other run."""
    write_run("good")
    bad = write_run("bad", loss=1.0)
    content = bytearray(bad.read_bytes())
    content[position : position + 600] = os.urandom(len(content[position : position + 600]))
    bad.write_bytes(content)

    assert "good" in run_ids(root)
    assert 2 == len(run_ids(root)) + len(problems(root))


def test_wrong_types_in_a_run(root: Path) -> None:
    """Values of any type where a text or a number should be do not hide the run."""
    with sqlite3.connect(write_run("odd", loss=1.0, accuracy=2.0)) as connection:
        connection.execute("UPDATE run_meta SET value = x'FF00' WHERE key IN ('created_at', 'project', 'closed_at')")
        connection.execute("UPDATE configs SET value = '[1, [2], {}]' WHERE path LIKE 'sys/%'")
        connection.execute("UPDATE metric_points SET y = 'high' WHERE series_id = 1")
    connection.close()
    with Catalog(root) as catalog:
        (summary,) = catalog.runs()

    assert ("odd", "finished", None) == (summary.run_id, summary.state, summary.created_at)
    assert ["accuracy"] == [point.path for point in summary.last_metrics]


def test_links_and_pipes(root: Path, tmp_path: Path) -> None:
    """Symbolic links are not followed, a FIFO is not opened, and a directory may have a run's name."""
    with goodseed.Run(project="secret", run_id="s", goodseed_home=tmp_path / "elsewhere"):
        pass
    runs = write_run("good").parent
    (root / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (runs / "link.sqlite").symlink_to(tmp_path / "elsewhere/projects/secret/runs/s.sqlite")
    os.mkfifo(runs / "pipe.sqlite")
    write_run("inner", "weird.sqlite")

    assert ["good", "inner"] == run_ids(root)
    assert {
        "digits/runs/link.sqlite": "is a symbolic link, which is not followed",
        "digits/runs/pipe.sqlite": "is not a regular file",
    } == problems(root)


def test_linked_root(root: Path, tmp_path: Path) -> None:
    """The directory itself may be reached through a link."""
    write_run("good")
    (tmp_path / "link").symlink_to(root, target_is_directory=True)

    assert ["good"] == run_ids(tmp_path / "link")


def test_file_as_root(tmp_path: Path) -> None:
    """A root that is a file holds no runs, and is a problem."""
    (tmp_path / "file").write_text("hello")
    with Catalog(tmp_path / "file") as catalog:
        assert [] == catalog.runs()
        assert ["can't be looked into: Not a directory"] == [problem.reason for problem in catalog.problems()]


def test_names_that_are_no_text(root: Path) -> None:
    """A file whose path is no UTF-8 is a run or a problem, also from the index, and hides no other run."""
    path = write_run("good")
    directory = os.fsencode(root) + b"/caf\xe9"
    try:
        os.mkdir(directory)
    except OSError:
        pytest.skip("this file system has no such names")
    os.mkdir(directory + b"/runs")
    os.rename(path, directory + b"/runs/na\xefve.sqlite")

    write_run("other")
    name = os.fsdecode(b"caf\xe9/runs/na\xefve.sqlite")

    for _ in range(2):  # by reading, and from the index
        assert "other" in run_ids(root)
        assert (os.fsdecode(b"na\xefve") in run_ids(root)) != (name in problems(root))
