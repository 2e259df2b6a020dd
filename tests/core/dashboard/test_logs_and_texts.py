"""The console and the texts of a run, as its page asks for them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import goodseed
from goodseed.server.routes import RequestError

from .conftest import Api, _seconds


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


def test_a_search_goes_on_where_it_ended(api: Api) -> None:
    """A search of a long log comes in parts: each says how far it came, and together they find what is there."""
    with goodseed.Run(project="p", run_id="log", storage="local") as run:
        assert run.path is not None
    _log(run, "aa", "stdout", [(float(index), f"line {index % 1000}") for index in range(120_000)])
    _log(run, "aa", "stderr", [(float(index) + 0.5, f"line {index // 10}") for index in range(0, 120_000, 10)])
    whole = api.get("p/p/-/run/log/logs?q=line+77&limit=1")

    found, total, start = [], 0, 0
    while start < whole["total"]:
        part = api.get(f"p/p/-/run/log/logs?q=line+77&limit=1&search_from={start}")
        assert part["searched"] > start
        found, total, start = found + part["matches"], total + part["match_total"], part["searched"]

    assert (132_000, 132_000) == (whole["total"], whole["searched"])
    assert (whole["matches"], whole["match_total"]) == (found, total)
    expected = [n for n in range(120_000) if str(n % 1000).startswith("77")]
    assert total == len(expected) + sum(str(n).startswith("77") for n in range(12_000))
    lines = api.get(f"p/p/-/run/log/logs?from={found[500]}&limit=1")["lines"]
    assert "line 77" in lines[0][3]


def test_more_matches_than_are_listed_are_counted(api: Api) -> None:
    """The first 10,000 lines that hold a text are listed, and all of them are counted."""
    with goodseed.Run(project="p", run_id="log", storage="local") as run:
        assert run.path is not None
    _log(run, "aa", "stdout", [(float(index), "same") for index in range(60_000)])

    found = api.get("p/p/-/run/log/logs?q=same&limit=1")

    assert (list(range(10_000)), 60_000) == (found["matches"], found["match_total"])


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
    run = api.get("p/p/-/run/t")
    assert _seconds(run["created"]) - 1 <= _seconds(found["rows"][0]["time"]) <= _seconds(run["closed"]) + 1

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
