"""`Catalog`: which projects and runs are found under a directory, and what the index may and may not do."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import goodseed
from goodseed.storage.catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

INDEX = ".goodseed-cache.sqlite"


@pytest.fixture
def root(home: Path) -> Path:
    """Where runs go; it is not made yet."""
    return home / "projects"


def write_run(run_id: str, project: str = "digits", **metrics: float) -> Path:
    """Make a finished run with one point in each of ``metrics``, and return its file."""
    with goodseed.Run(project=project, run_id=run_id) as run:
        if metrics:
            run.log_metrics(metrics, step=1)
    return run.path


def age(path: Path, seconds: float = 3600) -> None:
    """Let the file have been changed for the last time ``seconds`` ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def run_ids(root: Path, project: str | None = None) -> list[str]:
    """The ids that a new catalog of ``root`` lists, sorted."""
    with Catalog(root) as catalog:
        return sorted(run.run_id for run in catalog.runs(project))


def problems(root: Path) -> dict[str, str]:
    """What a new catalog of ``root`` can't read, by path from there."""
    with Catalog(root) as catalog:
        return {str(problem.path.relative_to(catalog.root)): problem.reason for problem in catalog.problems()}


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


# -- runs that change ------------------------------------------------------------------------------------------------


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


# -- what is no run --------------------------------------------------------------------------------------------------


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


# -- the index -------------------------------------------------------------------------------------------------------


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
    """A damaged index, also one that is damaged while a catalog uses it, is made anew, and nothing else happens."""
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
