"""One run: what it is, its configs, console and code; and what can be changed about it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

import goodseed
from goodseed.server.routes import RequestError

from .conftest import Api

_DIFF = """diff --git a/train.py b/train.py
index 1..2 100644
--- a/train.py
+++ b/train.py
@@ -1,3 +1,4 @@
 import os
--- a comment
+new = 1
+newer = 2
 end
diff --git a/a b.py b/a b.py
new file mode 100644
--- /dev/null
+++ b/a b.py
@@ -0,0 +1 @@
+x
"""


def _seconds(time: str) -> float:
    assert time.endswith("Z")  # in UTC
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


@pytest.fixture
def page(api: Api) -> Api:
    with goodseed.Run(project="p", run_id="r", name="otter", storage="local", description="d") as run:
        run["config"] = {"lr": 0.1, "max_steps": 100, "big": 2**60, "inf": float("inf"), "tags": {"b", "a"}}
        run["source_code/git/commit_id"] = "abc"
        run["source_code/git/dirty"] = True
        run["source_code/diff"] = _DIFF
        run["monitoring/0/hostname"] = "box"
        run["monitoring/0/command"] = "python train.py"
        run["monitoring/0/packages"] = "a==1\nb==2"
        run.log_metrics({"loss": 1.0}, step=50)
    with goodseed.Run(project="p", run_id="s", storage="local") as run:
        run["config"] = {"lr": 0.2, "max_steps": 100.0, "only": None}
    return api


def test_a_run_says_what_it_is(page: Api) -> None:
    """Name, facts, code and progress of a run."""
    found = page.get("p/p/-/run/r")

    assert ("r", "p", "otter", "d", "finished", False) == tuple(
        found[name] for name in ("id", "project", "name", "description", "state", "archived")
    )
    assert {"hostname": "box", "command": "python train.py"} == found["env"]
    assert ("abc", True) == (found["git"]["commit"], found["git"]["dirty"])
    assert {"step": 50.0, "max_steps": 100, "eta_seconds": None} == found["progress"]


def test_configs_by_page(page: Api) -> None:
    """Configs come by path with their types, searched by path and value."""
    found = page.get("p/p/-/run/r/config?prefix=config/")
    first = page.get("p/p/-/run/r/config?prefix=config/&limit=2")
    second = page.get(f"p/p/-/run/r/config?prefix=config/&limit=2&cursor={first['next']}")

    assert {
        "config/big": str(2**60), "config/inf": "Infinity", "config/lr": 0.1, "config/max_steps": 100, "config/tags": ["a", "b"],
    } == {item["path"]: item["value"] for item in found["items"]}  # fmt: skip
    assert found["items"][:4] == first["items"] + second["items"]
    assert 5 == first["total"]
    assert ["monitoring/0/hostname"] == [item["path"] for item in page.get("p/p/-/run/r/config?q=box")["items"]]


def test_the_series_of_a_run(page: Api) -> None:
    """A run's series come with their last points."""
    (item,) = page.get("p/p/-/run/r/attrs")["items"]

    assert ("loss", "series", 50.0, 1.0) == (item["path"], item["kind"], item["step"], item["last"])


def test_differences(page: Api) -> None:
    """Only what differs is listed; 100 and 100.0 are the same, a missing config is not null."""
    found = page.post("p/p/-/diff", {"runs": ["r", "s"], "base": "s", "prefix": "config/"})

    assert ["config/big", "config/inf", "config/lr", "config/only", "config/tags"] == found["paths"]
    assert (["s", "r"], 1, "s") == (list(found["values"]), found["same"], found["base"])
    assert (0.2, 0.1) == (found["values"]["s"][2], found["values"]["r"][2])
    assert {"s": [0, 1, 4], "r": [3]} == found["missing"]


def test_source(page: Api) -> None:
    """The files of the diff with the lines that were added and deleted, and the texts at addresses of their own."""
    found = page.get("p/p/-/run/r/source")

    assert [
        {"path": "train.py", "add": 2, "del": 1, "status": "modified"},
        {"path": "a b.py", "add": 1, "del": 0, "status": "added"},
    ] == found["files"]
    assert (3, 1, "python train.py", len(_DIFF)) == (found["add"], found["del"], found["command"], found["diff_bytes"])
    assert _DIFF.encode() == page.get(found["diff_url"].removeprefix("/api/ui/"))
    assert b"a==1\nb==2" == page.get(found["requirements_url"].removeprefix("/api/ui/"))
    with pytest.raises(RequestError):
        page.get("p/p/-/run/s/source/diff")


def _log(run: goodseed.Run, process: str, stream: str, lines: list[tuple[float, str]]) -> None:
    path = f"monitoring/{process}/{stream}"
    with closing(sqlite3.connect(run_path(run))) as connection, connection:
        connection.execute("INSERT OR IGNORE INTO string_series (path) VALUES (?)", (path,))
        (number,) = connection.execute("SELECT id FROM string_series WHERE path = ?", (path,)).fetchone()
        (count,) = connection.execute("SELECT count(*) FROM string_points WHERE series_id = ?", (number,)).fetchone()
        connection.executemany(
            "INSERT INTO string_points (series_id, step, value, ts) VALUES (?, ?, ?, ?)",
            [(number, count + index, text, time) for index, (time, text) in enumerate(lines)],
        )


def run_path(run: goodseed.Run) -> Path:
    assert run.path is not None
    return Path(run.path)


@pytest.fixture
def logged(api: Api) -> Api:
    run = goodseed.Run(project="p", run_id="log", storage="local")
    run.close()
    _log(run, "aa", "stdout", [(float(index), f"out {index}") for index in range(0, 1000, 2)])
    _log(run, "aa", "stderr", [(float(index), f"\x1b[31merr {index}") for index in range(1, 1000, 10)])
    _log(run, "bb", "stdout", [(100.5, "other 50%\rother 100%"), (2000.0, "the end_")])
    return api


def test_logs_of_all_processes_by_time(logged: Api) -> None:
    """Lines of several streams come in the order of time, by page and from the end, each with one number for ever."""
    whole = logged.get("p/p/-/run/log/logs?limit=5000")
    pages = [logged.get(f"p/p/-/run/log/logs?from={start}&limit=100")["lines"] for start in range(0, 700, 100)]
    tail = logged.get("p/p/-/run/log/logs?from=-3")
    only = logged.get("p/p/-/run/log/logs?stream=err")

    assert (602, list(range(602))) == (whole["total"], [line[0] for line in whole["lines"]])
    assert sorted(line[1] for line in whole["lines"]) == [line[1] for line in whole["lines"]]
    assert whole["lines"] == [line for page in pages for line in page]
    assert (whole["lines"][-3:], 599) == (tail["lines"], tail["first"])
    assert ("\x1b[31merr 1", 100) == (only["lines"][0][3], only["total"])
    assert (1, ["other 100%"]) == (whole["folded"], [line[3] for line in whole["lines"] if line[1] == 100_500])
    assert ["out", "err", "out"] == [
        {stream["name"]: stream["kind"] for stream in whole["streams"]}[name]
        for name in ("monitoring/aa/stdout", "monitoring/aa/stderr", "monitoring/bb/stdout")
    ]


def test_search_in_logs(logged: Api) -> None:
    """All lines that hold a text are told by number, whatever its signs mean elsewhere."""
    whole = logged.get("p/p/-/run/log/logs?limit=5000")["lines"]
    for query, text in (("ERR+1", "err 1"), ("%25", "%"), ("end_", "end_"), ("out+10", "out 10")):
        found = logged.get(f"p/p/-/run/log/logs?q={query}&limit=1")

        assert [line[0] for line in whole if text in line[3]] == found["matches"]
        assert len(found["matches"]) == found["match_total"]


def test_lines_around_a_time(logged: Api) -> None:
    """The page around a time has that time in its middle."""
    found = logged.get("p/p/-/run/log/logs?around_ms=500000&limit=11")

    assert 500_000 == found["lines"][5][1]


def test_lines_that_come_later(api: Api) -> None:
    """What comes after a cursor holds all lines that are new or moved; none before the last 200 gets another number."""
    run = goodseed.Run(project="p", run_id="log", storage="local")
    run.close()
    _log(run, "aa", "stdout", [(float(index), f"out {index}") for index in range(1000)])
    first = api.get("p/p/-/run/log/logs?limit=5000")
    _log(run, "aa", "stderr", [(500.0, "late")])
    _log(run, "aa", "stdout", [(1000.0, "new")])

    later = api.get(f"p/p/-/run/log/logs?cursor={first['cursor']}")

    lines = {line[0]: line[3] for line in first["lines"]} | {line[0]: line[3] for line in later["lines"]}
    stay, move = [f"out {index}" for index in range(800)], [f"out {index}" for index in range(800, 1000)]
    assert [*stay, "late", *move, "new"] == [lines[n] for n in range(1002)]
    assert len(later["lines"]) < 500


def test_lines_of_several_streams_stand_by_time_however_late_they_come(api: Api) -> None:
    """A line that was printed before others, and stored after them, stands before them."""
    run = goodseed.Run(project="p", run_id="log", storage="local")
    run.close()
    _log(run, "aa", "stdout", [(1.0, "one"), (3.0, "three"), (5.0, "five")])
    api.get("p/p/-/run/log/logs")
    _log(run, "aa", "stderr", [(2.0, "two"), (4.0, "four")])
    _log(run, "aa", "stdout", [(6.0, "six")])

    found = api.get("p/p/-/run/log/logs")

    assert ["one", "two", "three", "four", "five", "six"] == [line[3] for line in found["lines"]]


def test_why_a_run_ended_is_said_of_the_present_end_alone(api: Api) -> None:
    """A reason that an earlier session gave is none of the run once it was resumed."""
    with (
        pytest.raises(RuntimeError),
        goodseed.Run(project="p", run_id="r", storage="local", capture_hardware_metrics=False),
    ):
        raise RuntimeError("out of memory")
    api.look()
    assert "RuntimeError: out of memory" == api.get("p/p/-/run/r")["end_reason"]
    assert ["RuntimeError: out of memory"] == api.get("p/p/-/runs/query?columns=sys/end_reason")["columns"][
        "sys/end_reason"
    ]

    goodseed.Run(project="p", resume_run_id="r", storage="local").close()
    api.look()

    assert api.get("p/p/-/run/r")["end_reason"] is None
    assert [None] == api.get("p/p/-/runs/query?columns=sys/end_reason")["columns"]["sys/end_reason"]


def test_a_run_can_be_changed(page: Api) -> None:
    """Name, description and tags go into the run's file, where everybody reads them; the rest stays as it was."""
    before = page.get("p/p/-/run/r")

    found = page.ask("PATCH", "p/p/-/run/r", {"name": "new", "tags": ["b", "a"], "description": "", "color": "#FF0000"})

    assert ("new", ["a", "b"], "", "#ff0000") == tuple(found[name] for name in ("name", "tags", "description", "color"))
    assert (before["modified"], before["duration"]) == (found["modified"], found["duration"])
    with goodseed.Run(project="p", run_id="r", read_only=True, storage="local") as run:
        configs = {config["path"]: config["value"] for config in run.get_configs()}
    assert ("new", '["a", "b"]') == (configs["sys/name"], configs["sys/tags"])
    assert ["r"] == page.post("p/p/-/runs/query", {"filter": "tag:b"})["ids"]


def test_a_run_that_is_written_can_be_changed(api: Api) -> None:
    """While a process writes it, name, tags and note are changed between two of its transactions; nothing is lost."""
    with goodseed.Run(project="p", run_id="live", name="mine", tags=["a"], storage="local") as run:
        for step in range(20_000):
            run.log_metrics({"y": float(step)}, step=step)
            if step % 4_000 == 0:
                api.ask("PATCH", "p/p/-/run/live", {"name": f"yours {step}", "tags": ["a", "b"], "color": "#00ff00"})
        run["sys/tags"].add(["c"])
    api.look()
    found = api.ask("GET", "p/p/-/run/live")

    assert ("yours 16000", ["a", "b", "c"], "#00ff00") == (found["name"], found["tags"], found["color"])
    with goodseed.Run(project="p", run_id="live", read_only=True, storage="local") as read:
        assert 20_000 == len(read.get_metric_data("y")["raw_points"])


def test_a_run_tells_how_it_is_read(api: Api, tmp_path: Path) -> None:
    """What the page puts into its snippet opens the run, wherever its file lies."""
    goodseed.Run(project="p", run_id="r", storage="local").close()
    usual = api.ask("GET", "p/p/-/run/r")["reading"]
    with goodseed.Run(project="p", run_id="r", read_only=True, **usual) as run:
        assert run.get_configs()
    assert {"storage": "local"} == usual


def test_many_runs_can_be_changed(page: Api) -> None:
    """One change for many runs tells which it was made for."""
    tagged = page.post("p/p/-/runs/bulk", {"ids": ["r", "s", "none"], "op": "tag", "value": "x"})
    page.post("p/p/-/runs/bulk", {"ids": ["r"], "op": "untag", "value": "x"})
    page.post("p/p/-/runs/bulk", {"ids": ["r", "s"], "op": "archive"})
    page.post("p/p/-/runs/bulk", {"ids": ["s"], "op": "unarchive"})
    page.post("p/p/-/runs/bulk", {"ids": ["s"], "op": "trash"})

    assert (["r", "s"], ["none"]) == (tagged["done"], [failure["id"] for failure in tagged["failed"]])
    found = page.post(
        "p/p/-/runs/query", {"trashed": "all", "columns": ["sys/id", "sys/tags", "sys/archived", "sys/trashed"]}
    )
    rows = sorted(zip(*found["columns"].values(), strict=True))
    assert [("r", [], True, False), ("s", ["x"], False, True)] == rows
    assert [] == page.post("p/p/-/runs/query", {})["ids"]
    assert ["r"] == page.post("p/p/-/runs/query", {"filter": "archived:true"})["ids"]
    page.post("p/p/-/runs/bulk", {"ids": ["s"], "op": "restore"})
    assert ["s"] == page.post("p/p/-/runs/query", {})["ids"]


def test_views(page: Api, home: Path) -> None:
    """A view comes back as it was put, also in another server; its name can lead nowhere."""
    view = {"panels": [{"type": "line", "y": ["loss"]}], "ö": None}
    page.ask("PUT", "p/p/-/views/my view", view)
    second = Api(home / "projects")
    try:
        assert view == second.get("p/p/-/views/my view")
        assert ["my view"] == [found["name"] for found in second.get("p/p/-/views")["views"]]
    finally:
        second.close()
    page.ask("DELETE", "p/p/-/views/my view")
    with pytest.raises(RequestError) as caught:
        page.get("p/p/-/views/my view")

    assert 404 == caught.value.status
    for name in (".hidden", "..", "a" * 101, "a\nb"):
        with pytest.raises(RequestError):
            page.ask("PUT", f"p/p/-/views/{name}", view)
    with pytest.raises(RequestError):
        page.ask("PUT", "p/p/-/views/large", {"x": "y" * 300_000})


def test_a_settings_file_of_somebody_else_harms_nothing(page: Api, home: Path) -> None:
    """What is no sound settings file counts as empty."""
    path = home / "projects/p/.goodseed-dashboard.json"
    for content in ("no json", json.dumps([1]), json.dumps({"runs": 3, "views": {"a": 1, "b": {"content": 3}}})):
        path.write_text(content, encoding="utf-8")

        assert {"views": []} == page.get("p/p/-/views")
    page.ask("PUT", "p/p/-/views/v", {})
    assert ["v"] == [view["name"] for view in page.get("p/p/-/views")["views"]]


def test_moment_is_the_time_of_the_point_at_or_before_a_step(api: Api) -> None:
    """A point of a chart leads to the second at which it was logged."""
    with goodseed.Run(project="p", run_id="m", storage="local") as run:
        run.log_metrics({"loss": 1.0}, step=10)
        run.log_metrics({"loss": 0.5}, step=20)
    api.look()
    first = api.get("p/p/-/run/m/moment?path=loss&step=10")
    assert api.get("p/p/-/run/m/moment?path=loss&step=19.5") == first
    assert api.get("p/p/-/run/m/moment?path=loss&step=-3") == first
    second = api.get("p/p/-/run/m/moment?path=loss&step=1e9")
    assert second["step"] == 20
    created, one, other = map(_seconds, (api.get("p/p/-/run/m")["created"], first["time"], second["time"]))
    assert created - 1 <= one <= other <= created + 60


@pytest.mark.parametrize("query", ["path=loss&step=x", "path=loss", "step=1", "path=loss&step=nan"])
def test_moment_without_metric_or_step_is_refused(page: Api, query: str) -> None:
    """What is no step of a metric is a bad request."""
    with pytest.raises(RequestError) as caught:
        page.get(f"p/p/-/run/r/moment?{query}")
    assert caught.value.status == 400


def test_moment_of_a_missing_metric_is_not_found(page: Api) -> None:
    """A metric that the run has not logged has no moments."""
    with pytest.raises(RequestError) as caught:
        page.get("p/p/-/run/r/moment?path=nothing&step=1")
    assert caught.value.status == 404


def test_colours_stay_when_older_runs_come_in(api: Api) -> None:
    """A run that comes later, with an older date, takes a place behind all others, also for later servers."""
    for name in ("a", "b"):
        goodseed.Run(project="p", run_id=name, storage="local").close()
    columns = {"columns": ["sys/id", "sys/ordinal"]}
    api.look()
    before = api.post("p/p/-/runs/query", columns)["columns"]
    with goodseed.Run(project="p", run_id="old", storage="local", created_at="2020-01-01") as run:
        assert run.path is not None
    api.look()
    now = api.post("p/p/-/runs/query", columns)["columns"]
    later = Api(run.path.parents[2])
    try:
        again = later.post("p/p/-/runs/query", columns)["columns"]
    finally:
        later.close()

    ordinals = [dict(zip(found["sys/id"], found["sys/ordinal"], strict=True)) for found in (before, now, again)]
    assert [{"a": 0, "b": 1}, {"a": 0, "b": 1, "old": 2}, {"a": 0, "b": 1, "old": 2}] == ordinals


def _samples(run_id: str = "t") -> None:
    with goodseed.Run(project="p", run_id=run_id, storage="local") as run:
        for step in range(0, 50, 10):
            run.log_strings({"samples/prompt": f"{run_id} asks {step}\nshort", "samples/answer": f"says {step}%"}, step)
        run.log_strings({"samples/answer": "in between"}, 15)


def test_texts_of_several_series_stand_side_by_side_by_step(api: Api) -> None:
    """The latest step comes first; a series without a text at a step has none; pages follow one another."""
    _samples()
    api.look()
    where = "p/p/-/run/t/texts?path=samples/prompt&path=samples/answer"
    found = api.get(where)
    assert [40, 30, 20, 15, 10, 0] == [row["step"] for row in found["rows"]]
    assert ["t asks 40\nshort", "says 40%"] == found["rows"][0]["values"]
    assert [None, "in between"] == found["rows"][3]["values"]
    assert found["next"] is None
    created = _seconds(api.get("p/p/-/run/t")["created"])
    assert created - 1 <= _seconds(found["rows"][0]["time"]) <= created + 60

    page = api.get(f"{where}&limit=4")
    assert found["rows"][:4] == page["rows"]
    assert found["rows"][4:] == api.get(f"{where}&limit=4&until={page['next']}")["rows"]
    assert [20, 0] == [row["step"] for row in api.get(f"{where}&step=0&step=20")["rows"]]
    assert [None, None] == api.get(f"{where}&step=7")["rows"][0]["values"]
    assert [[None]] == [row["values"] for row in api.get("p/p/-/run/t/texts?path=none&step=0")["rows"]]


def test_texts_are_searched_and_the_others_of_the_step_come_along(api: Api) -> None:
    """A search finds steps at which one of the texts holds the words, whatever signs are in them."""
    _samples()
    api.look()
    where = "p/p/-/run/t/texts?path=samples/prompt&path=samples/answer&q="
    assert [["t asks 30\nshort", "says 30%"]] == [row["values"] for row in api.get(f"{where}SAYS 30%25")["rows"]]
    assert [[None, "in between"]] == [row["values"] for row in api.get(f"{where}between")["rows"]]
    assert [] == api.get(f"{where}_0%25 ")["rows"]


def test_long_texts_are_cut_and_answers_stay_small(api: Api) -> None:
    """A text of any length is told to be cut; an answer ends where it is large enough."""
    with goodseed.Run(project="p", run_id="long", storage="local") as run:
        for step in range(250):
            run.log_strings({"a": "x" * 30_000}, step)
    api.look()
    found = api.get("p/p/-/run/long/texts?path=a&limit=200")
    assert [0] == found["rows"][0]["cut"]
    assert 20_000 == len(found["rows"][0]["values"][0])
    assert len(found["rows"]) == 200
    found = api.get("p/p/-/run/long/texts?" + "path=a&" * 4 + "limit=200")
    assert 0 < len(found["rows"]) < 200
    assert found["next"] == found["rows"][-1]["step"] - 1


@pytest.mark.parametrize("query", ["step=x", "until=nan", "limit=201", "limit=0", "q=" + "x" * 201, "path=a&" * 17])
def test_texts_with_wrong_parameters_are_refused(page: Api, query: str) -> None:
    """What can't be is a bad request."""
    with pytest.raises(RequestError) as caught:
        page.get(f"p/p/-/run/r/texts?{query}")
    assert caught.value.status == 400


def test_a_failed_run_says_what_ended_it(api: Api) -> None:
    """The reason and the traceback of the exception are among a run's details; what went well has none."""
    with (
        pytest.raises(ZeroDivisionError),
        goodseed.Run(project="p", run_id="bad", storage="local", capture_traceback=True),
    ):
        1 / 0
    with goodseed.Run(project="p", run_id="told", storage="local") as run:
        run.close("failed")
    with goodseed.Run(project="p", run_id="good", storage="local"):
        pass
    api.look()
    failure = api.get("p/p/-/run/bad")["failure"]
    assert failure["reason"] == "ZeroDivisionError: division by zero"
    assert failure["traceback"].startswith("Traceback (most recent call last):\n")
    assert failure["traceback"].rstrip().endswith("ZeroDivisionError: division by zero")
    assert api.get("p/p/-/run/told")["failure"] is None
    assert api.get("p/p/-/run/good")["failure"] is None

    with goodseed.Run(project="p", resume_run_id="bad", storage="local") as run:
        run.close("failed")
    api.look()
    assert api.get("p/p/-/run/bad")["failure"] is None
    assert api.get("p/p/-/run/bad")["counts"]["text"] == 1


def test_a_run_is_there_from_its_start(api: Api, home: Path) -> None:
    """A run, and the first run of a project, is answered as soon as it is open, whatever was listed just before."""
    with goodseed.Run(project="p", run_id="first", storage="local"):
        api.look()
    for project, run_id in (("p", "second"), ("q/r", "first")):
        api.get("p/p/-/run/first")
        with goodseed.Run(project=project, run_id=run_id, storage="local"):
            assert run_id == api.get(f"p/{project}/-/run/{run_id}")["id"]
            assert run_id == api.store.find(project, run_id).run_id


def test_what_is_not_there_is_not_looked_for_again(api: Api, home: Path) -> None:
    """An unknown run and an unknown project are 404, and so is a file that is no run."""
    with goodseed.Run(project="p", run_id="first", storage="local"):
        api.look()
    (home / "projects" / "p" / "runs" / "broken.sqlite").write_bytes(b"no run")
    for target in ("p/p/-/run/none", "p/p/-/run/broken", "p/none/-/run/first"):
        with pytest.raises(RequestError) as raised:
            api.get(target)
        assert 404 == raised.value.status
