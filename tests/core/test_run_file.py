"""The run file: what went in comes back, in a file that other tools can read."""

from __future__ import annotations

import math
import sqlite3
import stat
import time
from datetime import datetime, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import goodseed
from goodseed.storage.schema import connect_read_only
from goodseed.values import decode_config


def rows(run: goodseed.Run, query: str) -> list[tuple]:
    """What plain SQLite reads from the file of a closed run."""
    connection = sqlite3.connect(run.path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_layout(home: Path) -> None:
    """A run lies at <home>/projects/<project>/runs/<run_id>.sqlite, in WAL mode, alone after close."""
    with goodseed.Run(project="team/vision", run_id="first") as run:
        run.log_metrics({"loss": 1.0}, step=0)

    expected = home / "projects" / "team" / "vision" / "runs" / "first.sqlite"
    assert expected == run.path
    assert [expected] == list(expected.parent.iterdir())
    assert [("wal",)] == rows(run, "PRAGMA journal_mode")


def test_tables_and_columns(home: Path) -> None:
    """The tables and columns are those of the specification."""
    with goodseed.Run() as run:
        run["a"] = 1

    tables = ("run_meta", "configs", "metric_series", "metric_points", "string_series", "string_points")
    columns = {table: [row[1] for row in rows(run, f"PRAGMA table_info({table})")] for table in tables}
    assert {
        "run_meta": ["key", "value"],
        "configs": ["path", "type_tag", "value", "updated_at", "uploaded"],
        "metric_series": ["id", "path"],
        "metric_points": ["series_id", "step", "y", "ts", "uploaded"],
        "string_series": ["id", "path"],
        "string_points": ["series_id", "step", "value", "ts", "uploaded"],
    } == columns
    names = {row[0] for row in rows(run, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {*tables, "sqlite_sequence"} == names


def test_type_tags(home: Path) -> None:
    """Each Python type is stored under its tag, as its text."""
    when = datetime(2026, 1, 31, 12, 30, tzinfo=timezone.utc)
    with goodseed.Run() as run:
        run["p"] = {
            "bool": True, "int": 2**70, "float": 0.1, "str": "é\n\0", "datetime": when, "null": None,
            "set": {"b", "a"}, "list": [1, "x", None], "nan": math.nan, "inf": -math.inf, "empty": "",
        }  # fmt: skip

    stored = {path: (tag, value) for path, tag, value in rows(run, "SELECT path, type_tag, value FROM configs")}
    assert {
        "p/bool": ("bool", "true"),
        "p/int": ("int", str(2**70)),
        "p/float": ("float", "0.1"),
        "p/str": ("str", "é\n\0"),
        "p/datetime": ("datetime", "2026-01-31T12:30:00+00:00"),
        "p/null": ("null", ""),
        "p/set": ("string_set", '["a", "b"]'),
        "p/list": ("str", '[1, "x", null]'),
        "p/nan": ("float", "nan"),
        "p/inf": ("float", "-inf"),
        "p/empty": ("str", ""),
    } == {path: value for path, value in stored.items() if path.startswith("p/")}
    assert when == decode_config(*stored["p/datetime"])
    assert {"a", "b"} == decode_config(*stored["p/set"])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.dictionaries(
        st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)),
        st.one_of(st.floats(), st.integers(-(2**63), 2**63)),
        max_size=20,
    ),
    texts=st.dictionaries(st.integers(-100, 100), st.text(st.characters(exclude_categories=["Cs"])), max_size=10),
)
def test_points_come_back(home: Path, numbers: dict[float, float], texts: dict[int, str]) -> None:
    """Any number at any step and any text come back as they went in, ordered by step."""
    with goodseed.Run() as run:
        for step, value in numbers.items():
            run["metric"].log(value, step=step)
        for step, text in texts.items():
            run["text"].log(text, step=step)
        points = run.get_metric_data("metric")["raw_points"]

        assert sorted(map(float, numbers)) == [point["step"] for point in points]
        assert [repr(float(numbers[step]) + 0.0) for step in sorted(numbers)] == [repr(p["y"] + 0.0) for p in points]
        assert [{"step": step, "value": texts[step]} for step in sorted(texts)] == run.get_string_data("text")


def test_large_texts(home: Path) -> None:
    """Texts of megabytes, larger than a segment of the inbox, come back whole."""
    text = "Ünïcödé 🌱" * 300_000
    with goodseed.Run() as run:
        run["text"].log(text, step=0)
        run["config"] = text
        run["after"].log(1.0, step=0)

    assert [(text,)] == rows(run, "SELECT value FROM string_points")
    assert [(text,)] == rows(run, "SELECT value FROM configs WHERE path = 'config'")


def test_unpaired_surrogates(home: Path) -> None:
    """Text that UTF-8 can't hold is stored with its odd characters escaped, not refused."""
    with goodseed.Run() as run:
        run["text"].log("a\udc80b", step=0)

    assert [("a\\udc80b",)] == rows(run, "SELECT value FROM string_points")


def test_steps_beyond_exact_integers(home: Path) -> None:
    """An integer step that a REAL holds is kept; one that it does not hold is refused, never merged."""
    with goodseed.Run() as run:
        run["a"].log(1.0, step=2**60)
        run.log_metrics({"a": 2.0}, step=-(2**53))
        run["a"].log(4.0, step=Decimal(2**54))
        for step in (
            2**53 + 1,
            -(2**60) - 1,
            10**400,
            Decimal(2**53 + 1),
            Fraction(2**53 + 1),
            np.longdouble(2**53) + 1,
        ):
            with pytest.raises(goodseed.InvalidValueError, match="float"):
                run["a"].log(3.0, step=step)

    assert [(-(2.0**53), 2.0), (2.0**54, 4.0), (2.0**60, 1.0)] == rows(
        run, "SELECT step, y FROM metric_points ORDER BY step"
    )


@pytest.mark.parametrize(
    "disguise",
    [
        "CREATE VIEW Metric_Points AS SELECT 1 AS series_id",
        "CREATE TRIGGER t AFTER INSERT ON configs BEGIN SELECT 1; END",
    ],
)
def test_view_in_the_place_of_a_table(home: Path, disguise: str) -> None:
    """A file whose tables are views, or that has triggers, is refused: they could be queries without end."""
    with goodseed.Run(run_id="r") as run:
        pass
    connection = sqlite3.connect(run.path)
    if "VIEW" in disguise:
        connection.execute("DROP TABLE metric_points")
    connection.execute(disguise)
    connection.commit()
    connection.close()

    with pytest.raises(goodseed.FileFormatError, match="view"):
        goodseed.Run(run_id="r", read_only=True, storage="local").get_configs()
    with pytest.raises(goodseed.FileFormatError, match="view"):
        goodseed.Run(resume_run_id="r")


def test_file_that_goes_as_it_is_opened(tmp_path: Path) -> None:
    """Opening a file to read never makes one in its place."""
    for is_at_rest in (False, True):
        with pytest.raises(sqlite3.OperationalError):
            connect_read_only(tmp_path / "gone.sqlite", is_at_rest=is_at_rest)

    assert [] == list(tmp_path.glob("*.sqlite"))


def test_infinite_bounds(home: Path) -> None:
    """The bounds of what is read may be infinite, as those of what is logged may not."""
    with goodseed.Run() as run:
        run["a"].log(1.0, step=3)
        data = run.get_metric_data("a", step_min=-math.inf, step_max=math.inf)

    assert [{"step": 3.0, "y": 1.0}] == data["raw_points"]


def test_same_step_overwrites(home: Path) -> None:
    """Of two points at one path and step the later stays, whatever the calls were made of."""
    with goodseed.Run() as run:
        run.log_metrics({"a": 1, "b": 1}, step=5)
        run["a"].log(2, step=5)
        run.log_metrics({"a": 3, "c": 1}, step=5.0)
        run["b"].log(4, step=5)
        run["t"].log("x", step=1)
        run["t"].log("y", step=1)

    query = "SELECT path, y FROM metric_points JOIN metric_series ON id = series_id WHERE path < 'sys' ORDER BY path"
    assert [("a", 3.0), ("b", 4.0), ("c", 1.0)] == rows(run, query)
    assert [("y",)] == rows(run, "SELECT value FROM string_points WHERE series_id = 1")


def test_nan_is_null(home: Path) -> None:
    """NaN is NULL in the file, infinities are themselves."""
    with goodseed.Run() as run:
        for step, value in enumerate((math.nan, math.inf, -math.inf)):
            run["a"].log(value, step=step)

    assert [(None,), (math.inf,), (-math.inf,)] == rows(run, "SELECT y FROM metric_points ORDER BY step")


def test_timestamps_keep_milliseconds(home: Path) -> None:
    """Times are seconds since the epoch, to the millisecond, between the start and the end of the run."""
    before = datetime.now().timestamp()
    with goodseed.Run() as run:
        for step in range(50):
            run.log_metrics({"a": 1.0, "b": 1.0}, step=step)
    times = [row[0] for row in rows(run, "SELECT ts FROM metric_points")]

    assert all(before - 0.001 <= time <= datetime.now().timestamp() + 0.001 for time in times)
    assert times == [round(time, 3) for time in times]
    assert any(time != int(time) for time in times)


def test_permissions(home: Path) -> None:
    """Directories are the owner's alone, and so are files."""
    run = goodseed.Run(project="a/b")
    run["a"] = 1
    run.flush()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*")}
    run.close()

    assert {0o700} == {mode for name, mode in modes.items() if ".sqlite" not in name}
    assert {0o600} == {mode for name, mode in modes.items() if ".sqlite" in name}


def test_thirty_two_bytes_a_point(home: Path) -> None:
    """A point takes at most 32 bytes on the disk."""
    with goodseed.Run() as run:
        for step in range(2000):
            run.log_metrics({f"metric/{index}": step * 0.37 for index in range(50)}, step=step)
        time.sleep(2.1)  # a run as short as a test is not packed when it is closed

    assert run.path is not None
    assert run.path.stat().st_size <= 32 * 2000 * 50


def test_many_shapes(home: Path) -> None:
    """Calls that never log the same set of metrics twice lose nothing."""
    with goodseed.Run() as run:
        for step in range(2500):
            run.log_metrics({"always": step, f"only/{step}": step}, step=step)

    assert [(5000, 2501)] == rows(run, "SELECT count(*), count(DISTINCT series_id) FROM metric_points")


def test_older_file_is_migrated_when_written(home: Path) -> None:
    """A file of schema version 1 is read as it is, and brought to the current version when it is resumed."""
    path = home / "projects" / "default" / "runs" / "old.sqlite"
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript("""
        CREATE TABLE run_meta (key TEXT PRIMARY KEY, value TEXT);
        CREATE TABLE configs (path TEXT PRIMARY KEY, type_tag TEXT NOT NULL, value TEXT, updated_at TEXT NOT NULL,
            uploaded INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE metric_series (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE);
        CREATE TABLE metric_points (series_id INTEGER NOT NULL, step REAL NOT NULL, y REAL NOT NULL,
            ts INTEGER NOT NULL, uploaded INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (series_id, step));
        CREATE TABLE string_series (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE);
        CREATE TABLE string_points (series_id INTEGER NOT NULL, step REAL NOT NULL, value TEXT NOT NULL,
            ts INTEGER NOT NULL, uploaded INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (series_id, step));
        INSERT INTO run_meta VALUES ('schema_version', '1'), ('status', 'running'), ('run_id', 'old');
        INSERT INTO metric_series VALUES (7, 'loss');
        INSERT INTO metric_points VALUES (7, 2, 0.5, 1700000000, 1), (7, 1, 0.7, 1700000000, 0);
        INSERT INTO string_series VALUES (3, 'text');
        INSERT INTO string_points VALUES (3, 1, 'hello', 1700000000, 0);
    """)
    connection.close()

    reader = goodseed.Run(run_id="old", read_only=True, storage="local")
    before = (reader.get_metric_data("loss")["raw_points"], reader.get_string_data("text"))
    with goodseed.Run(resume_run_id="old") as run:
        run["loss"].log(math.nan, step=3)
    after = reader.get_metric_data("loss")["raw_points"]

    assert ([{"step": 1.0, "y": 0.7}, {"step": 2.0, "y": 0.5}], [{"step": 1.0, "value": "hello"}]) == before
    assert before[0] == after[:2]
    assert math.isnan(after[2]["y"])
    assert [("2",)] == rows(run, "SELECT value FROM run_meta WHERE key = 'schema_version'")
    assert [(0,), (1,), (0,)] == rows(run, "SELECT uploaded FROM metric_points ORDER BY step")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a Goodseed run"),
        (b"no database at all, but long enough to be looked at" * 100, "damaged, or not a Goodseed run"),
    ],
)
def test_what_is_no_run_is_refused(home: Path, content: bytes, message: str) -> None:
    """A file that is no run is refused by name, for reading and for writing."""
    path = home / "projects" / "default" / "runs" / "odd.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    with pytest.raises(goodseed.FileFormatError, match=message):
        goodseed.Run(run_id="odd", read_only=True, storage="local").get_configs()
    with pytest.raises(goodseed.FileFormatError):
        goodseed.Run(resume_run_id="odd")
    assert content == path.read_bytes()


def test_newer_file_is_refused(home: Path) -> None:
    """A file of a newer schema is refused with the remedy, and stays as it is."""
    with goodseed.Run(run_id="new") as run:
        run["a"] = 1
    connection = sqlite3.connect(run.path)
    connection.execute("UPDATE run_meta SET value = '99' WHERE key = 'schema_version'")
    connection.commit()
    connection.close()

    with pytest.raises(goodseed.FileFormatError, match="pip install --upgrade goodseed"):
        goodseed.Run(resume_run_id="new")
    with pytest.raises(goodseed.FileFormatError, match="schema version 99"):
        goodseed.Run(run_id="new", read_only=True, storage="local").get_configs()
