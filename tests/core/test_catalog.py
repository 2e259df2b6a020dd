"""`Catalog`: which projects and runs are found under a directory, and what the index may and may not do."""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import goodseed
from goodseed.server.store import CatalogStore
from goodseed.storage.catalog import Catalog

from .conftest import age, run_ids, write_run

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def writer() -> Iterator[subprocess.Popen[str]]:
    """A process that has logged ``loss`` 0.5 at step 3 to the run ``alive`` and goes on living."""
    code = """
import sys, goodseed
run = goodseed.Run(project="digits", run_id="alive", storage="local", capture_stdout=False, capture_stderr=False,
                   capture_hardware_metrics=False, git_ref=False)
run.log_metrics({"loss": 0.5}, step=3)
run.flush()
print("ready", flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_directory_that_does_not_exist(root: Path) -> None:
    """Where there is nothing, there are no projects, no runs and no problems, and nothing is made."""
    with Catalog(root) as catalog:
        found = (catalog.projects(), catalog.runs(), catalog.problems())

    assert ([], [], []) == found
    assert not root.exists()


def test_default_root(root: Path) -> None:
    """Without an argument the catalog is that of the home directory."""
    write_run("a")
    with Catalog() as catalog:
        assert ["a"] == [run.run_id for run in catalog.runs()]


def test_home_as_root(root: Path) -> None:
    """The home directory shows the same projects as the one below it."""
    write_run("a", "team/vision")
    with Catalog(root.parent) as catalog:
        names = [project.name for project in catalog.projects()]

    assert ["team/vision"] == names


def test_a_workspace_may_be_called_projects(root: Path) -> None:
    """In the home directory that is the default, nothing else is taken for it."""
    write_run("a", "projects/vision")
    with Catalog() as catalog:
        assert ["projects/vision"] == [project.name for project in catalog.projects()]


def test_projects_are_the_directories(root: Path) -> None:
    """A project's name is where its runs lie, however deep, and its runs are counted."""
    write_run("a", "digits")
    write_run("b", "team/vision/digits")
    write_run("c", "team/vision/digits")
    with Catalog(root) as catalog:
        projects = {project.name: (project.run_count, project.running_count) for project in catalog.projects()}

    assert {"digits": (1, 0), "team/vision/digits": (2, 0)} == projects
    assert ["b", "c"] == run_ids(root, "team/vision/digits")


def test_moved_project_has_the_name_of_its_new_place(root: Path) -> None:
    """The directory names the project, not what the run noted when it was made."""
    write_run("a", "old")
    (root / "old").rename(root / "new")

    assert ["a"] == run_ids(root, "new")
    assert [] == run_ids(root, "old")


def test_log_dir(tmp_path: Path) -> None:
    """A run outside of a ``runs`` directory belongs to the project that it names itself."""
    with goodseed.Run(project="team/digits", run_id="a", log_dir=tmp_path / "logs"):
        pass
    with Catalog(tmp_path / "logs") as catalog:
        assert [("a", "team/digits")] == [(run.run_id, run.project) for run in catalog.runs()]


def test_summary(root: Path) -> None:
    """A summary has the run's name, tags, counts and last metrics, without those of monitoring."""
    with goodseed.Run(name="first", tags=["b", "a"], project="digits", run_id="x") as run:
        run.log_metrics({"loss": 1.0, "accuracy": 0.5, "monitoring/1a2b3c4d/cpu": 3.0}, step=0)
        run.log_metrics({"loss": math.nan, "accuracy": math.inf}, step=2.5)
        run.log_strings({"notes": "hello"}, step=0)
        run["sys/name"] = "second"
    with Catalog(root) as catalog:
        (summary,) = catalog.runs()

    assert ("second", "finished", "finished", ("a", "b")) == (summary.name, summary.state, summary.status, summary.tags)
    assert (3, 1, False) == (summary.metric_count, summary.text_count, summary.trashed)
    assert [("loss", 2.5, "nan"), ("accuracy", 2.5, "inf")] == [
        (point.path, point.step, str(point.y)) for point in summary.last_metrics
    ]
    assert run.path == summary.files.database
    assert summary.created_at is not None
    assert summary.closed_at is not None
    assert summary.created_seconds + summary.duration_seconds == pytest.approx(summary.modified_seconds)


def test_imported_times(root: Path) -> None:
    """An imported run is as old and took as long as its times say, whatever time zone they are in."""
    with goodseed.Run(
        project="digits", run_id="x", created_at="2020-01-01T12:00:00Z", modified_at="2020-01-01T14:00:00+01:00"
    ):
        pass
    with Catalog(root) as catalog:
        (summary,) = catalog.runs()

    assert (1577880000.0, 3600.0) == (summary.created_seconds, summary.duration_seconds)
    assert "2020-01-01T12:00:00Z" == summary.created_at


def test_newest_first(root: Path) -> None:
    """Runs come by the time of their making, the newest first; projects by that of their last change."""
    for run_id, project, day in (("b", "one", "2020-01-02"), ("a", "two", "2020-01-03"), ("c", "one", "2020-01-01")):
        with goodseed.Run(project=project, run_id=run_id, created_at=day, modified_at=day):
            pass
    with Catalog(root) as catalog:
        assert ["a", "b", "c"] == [run.run_id for run in catalog.runs()]
        assert ["two", "one"] == [project.name for project in catalog.projects()]


def test_many_metrics(root: Path) -> None:
    """Of a run with very many metrics the first 64 are in its summary, and all are counted."""
    write_run("a", **{f"m{number}": 1.0 for number in range(200)})
    with Catalog(root) as catalog:
        (summary,) = catalog.runs()

    assert (200, [f"m{number}" for number in range(64)]) == (
        summary.metric_count,
        [point.path for point in summary.last_metrics],
    )


def test_file_of_the_first_schema(root: Path) -> None:
    """A file as the specification has it, without anything of ours, is a run like any other."""
    path = root / "old" / "runs" / "x.sqlite"
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript("""
        CREATE TABLE run_meta(key TEXT PRIMARY KEY, value TEXT);
        CREATE TABLE configs(path TEXT PRIMARY KEY, type_tag TEXT, value TEXT, updated_at TEXT, uploaded INTEGER);
        CREATE TABLE metric_series(id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE);
        CREATE TABLE metric_points(series_id INTEGER, step REAL, y REAL, ts INTEGER, uploaded INTEGER,
                                   PRIMARY KEY (series_id, step));
        CREATE TABLE string_series(id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE);
        CREATE TABLE string_points(series_id INTEGER, step REAL, value TEXT, ts INTEGER, uploaded INTEGER,
                                   PRIMARY KEY (series_id, step));
        INSERT INTO run_meta VALUES ('status', 'failed'), ('experiment_name', 'older'), ('trashed', 'true'),
            ('created_at', '2024-01-01T00:00:00+00:00'), ('closed_at', '2024-01-01T00:01:00+00:00');
        INSERT INTO metric_series VALUES (1, 'loss');
        INSERT INTO metric_points VALUES (1, 0, 3, 0, 0), (1, 7, 2, 0, 0);
    """)
    connection.close()
    with Catalog(root) as catalog:
        (summary,) = catalog.runs()
        (project,) = catalog.projects()

    assert ("older", "failed", True, 60.0) == (
        summary.name,
        summary.state,
        summary.trashed,
        summary.duration_seconds,
    )
    assert [("loss", 7.0, 2.0)] == [(point.path, point.step, point.y) for point in summary.last_metrics]
    assert (1, 1) == (project.run_count, project.trashed_count)


def test_live_run(root: Path, writer: subprocess.Popen[str]) -> None:
    """A run that a process writes is running, with what is in its file so far."""
    with Catalog(root) as catalog:
        (summary,) = catalog.runs()
        (project,) = catalog.projects()

    assert ("running", None, 1) == (summary.state, summary.closed_at, project.running_count)
    assert [("loss", 3.0, 0.5)] == [(point.path, point.step, point.y) for point in summary.last_metrics]


def test_crashed_run(root: Path, writer: subprocess.Popen[str]) -> None:
    """A run whose process was killed is crashed for a catalog that saw it running, and for a new one."""
    with Catalog(root) as catalog:
        before = [run.state for run in catalog.runs()]
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        after = [(run.state, run.status) for run in catalog.runs()]
        (project,) = catalog.projects()

    assert (["running"], [("crashed", "failed")]) == (before, after)
    assert 0 == project.running_count
    with Catalog(root) as catalog:
        assert ["crashed"] == [run.state for run in catalog.runs()]


def test_writer_that_dies_leaving_no_trace(root: Path, writer: subprocess.Popen[str]) -> None:
    """Even where a death changes no file, the run does not stay running."""
    path = root / "digits/runs/alive.sqlite"
    for suffix in ("", "-wal"):
        age(Path(f"{path}{suffix}"))
    with Catalog(root) as catalog:
        assert ["running"] == [run.state for run in catalog.runs()]
    Path(f"{path}-inbox").unlink()
    with Catalog(root) as catalog:
        assert ["running"] == [run.state for run in catalog.runs()]
        writer.send_signal(signal.SIGKILL)
        writer.wait()

        assert ["crashed"] == [run.state for run in catalog.runs()]


def test_change_is_seen(root: Path) -> None:
    """What a run has stored since the last call is in the next."""
    with Catalog(root) as catalog, goodseed.Run(project="digits", run_id="a") as run:
        seen = []
        for step in range(3):
            run.log_metrics({"loss": step / 4}, step=step)
            run.flush()
            seen += [point.y for summary in catalog.runs() for point in summary.last_metrics]
        run.close()
        state = [summary.state for summary in catalog.runs()]

    assert ([0.0, 0.25, 0.5], ["finished"]) == (seen, state)


def test_resumed_run_is_running_again(root: Path) -> None:
    """A finished run that goes on is running, and not closed."""
    write_run("a", loss=1.0)
    with Catalog(root) as catalog:
        assert ["finished"] == [run.state for run in catalog.runs()]
        with goodseed.Run(project="digits", resume_run_id="a"):
            assert [("running", None)] == [(run.state, run.closed_at) for run in catalog.runs()]


def test_new_and_removed_runs(root: Path) -> None:
    """A new run appears and a removed one is gone, in lists of runs and of projects."""
    first = write_run("a", "one")
    with Catalog(root) as catalog:
        catalog.runs()
        write_run("b", "two")
        first.unlink()

        assert ["b"] == [run.run_id for run in catalog.runs()]
        assert ["two"] == [project.name for project in catalog.projects()]


def test_max_age(root: Path) -> None:
    """A catalog that may be a while old answers from its last look."""
    write_run("a")
    with Catalog(root, max_age_seconds=3600) as catalog:
        catalog.runs()
        write_run("b")

        assert ["a"] == [run.run_id for run in catalog.runs()]


def test_find(root: Path) -> None:
    """A run is found by project and id; another id raises RunNotFoundError."""
    path = write_run("a", "team/digits")
    with Catalog(root) as catalog:
        assert path == catalog.find("team/digits", "a").files.database
        with pytest.raises(goodseed.RunNotFoundError, match="no run 'b'"):
            catalog.find("team/digits", "b")


def test_progress(root: Path) -> None:
    """The first listing says how far it is, the last time that it is done."""
    for number in range(5):
        age(write_run(f"r{number}"))
    calls: list[tuple[int, int]] = []
    with Catalog(root) as catalog:
        catalog.runs(on_progress=lambda done, total: calls.append((done, total)))
        first, calls[:] = calls[-1], []
        catalog.runs(on_progress=lambda done, total: calls.append((done, total)))

    assert ((5, 5), []) == (first, calls)


def test_a_run_made_anew_has_its_own_series(root: Path) -> None:
    """A run that takes the place of one with the same id, time and number of series shows its own, not the other's."""
    found = []
    for path in ("old", "new"):
        for file in (root / "digits" / "runs").glob("again.sqlite*"):
            file.unlink()
        with goodseed.Run(
            project="digits",
            run_id="again",
            created_at="2026-01-01T00:00:00Z",
            storage="local",
            capture_stdout=False,
            capture_stderr=False,
            capture_hardware_metrics=False,
            git_ref=False,
        ) as run:
            run.log_metrics({path: 1.0}, step=0)
        store = CatalogStore(root)
        found += [store.series_paths(run).metrics for run in store.runs("digits")]
        store.close()

    assert [("old",), ("new",)] == found
