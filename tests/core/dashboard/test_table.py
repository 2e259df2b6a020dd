"""The table of runs: columns, order, groups, pages; the attributes; and what has changed since."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path

import pytest

import goodseed
from goodseed.server.routes import RequestError
from goodseed.storage.cache.file import CACHE_NAME

from .conftest import Api


def _make(run_id: str, lr: object, scores: list[float], project: str = "team/p") -> None:
    with goodseed.Run(project=project, run_id=run_id, storage="local") as run:
        run["config/lr"] = lr
        for step, score in enumerate(scores):
            run.log_metrics({"score": score, "loss": -score}, step=step)


@pytest.fixture
def table(api: Api) -> Api:
    _make("a", 0.1, [1.0, 5.0, 2.0])
    _make("b", 0.1, [float("nan"), 3.0])
    _make("c", "auto", [float("inf")])
    _make("d", 0.01, [])
    return api


_QUERY = "p/team/p/-/runs/query"


def test_columns_hold_configs_and_aggregates(table: Api) -> None:
    """Each column has the value of each run, null where there is none, and NaN and infinities as strings."""
    columns = ["sys/id", "config/lr", "score", "score:last", "score:min", "score:max", "score:mean", "score:first",
               "score:count", "score:at(loss:min)", "none"]  # fmt: skip

    found = table.post(_QUERY, {"columns": columns, "sort": [["sys/id", "asc"]]})

    assert {
        "sys/id": ["a", "b", "c", "d"],
        "config/lr": [0.1, 0.1, "auto", 0.01],
        "score": [2.0, 3.0, "Infinity", None],
        "score:last": [2.0, 3.0, "Infinity", None],
        "score:min": [1.0, 3.0, None, None],
        "score:max": [5.0, 3.0, None, None],
        "score:mean": [8 / 3, 3.0, None, None],
        "score:first": [1.0, "NaN", "Infinity", None],
        "score:count": [3, 2, 1, None],
        "score:at(loss:min)": [5.0, 3.0, None, None],
        "none": [None] * 4,
    } == found["columns"]
    assert {"count": 4, "min": 0.01, "max": 0.1, "distinct": 3} == found["stats"]["config/lr"]
    assert ("mixed", "float", ["none"]) == (found["types"]["config/lr"], found["types"]["score"], found["unknown"])


@pytest.mark.parametrize(
    ("column", "order", "expected"),
    [
        ("config/lr", "asc", "dabc"),
        ("config/lr", "desc", "abdc"),
        ("score:max", "desc", "abcd"),
        ("score:first", "asc", "acbd"),
        ("none", "asc", "abcd"),
    ],
)
def test_order(table: Api, column: str, order: str, expected: str) -> None:
    """Numbers come before NaN, texts and what is missing, whichever way they are sorted."""
    found = table.post(_QUERY, {"sort": [[column, order], ["sys/id", "asc"]]})

    assert list(expected) == found["ids"]


def test_pages_and_ids(table: Api) -> None:
    """A page is a part of the whole, and GET asks the same as POST."""
    posted = table.post(_QUERY, {"sort": [["sys/id", "desc"]], "offset": 1, "limit": 2, "columns": ["config/lr"]})
    asked = table.get(f"{_QUERY}?sort=-sys/id&offset=1&limit=2&columns=config/lr")
    some = table.post(_QUERY, {"ids": ["d", "a", "zzz"], "limit": 0})

    assert (["c", "b"], 4) == (posted["ids"], posted["total"])
    assert posted == asked
    assert ([], 2) == (some["ids"], some["total"])


def test_groups(table: Api) -> None:
    """The runs of a group stand together, and its aggregates are those of its members."""
    found = table.post(
        _QUERY,
        {"group_by": ["config/lr"], "columns": ["score:max"], "sort": [["score:max", "desc"], ["sys/id", "asc"]]},
    )

    assert ["a", "b", "c", "d"] == found["ids"]
    assert [([0.1], 2, 0), (["auto"], 1, 2), ([0.01], 1, 3)] == [
        (group["key"], group["n"], group["offset"]) for group in found["groups"]
    ]
    assert {"n": 2, "mean": 4.0, "std": math.sqrt(2), "min": 3.0, "max": 5.0} == found["groups"][0]["agg"]["score:max"]


def test_a_change_shows(table: Api) -> None:
    """What a resumed run writes is in the next table, and the other runs are not read again."""
    before = table.post(_QUERY, {"columns": ["config/lr", "score:max"], "sort": [["sys/id", "asc"]]})
    with goodseed.Run(project="team/p", resume_run_id="a", storage="local") as run:
        run["config/lr"] = 7
        run.log_metrics({"score": 50.0}, step=9)
    table.look()

    after = table.post(_QUERY, {"columns": ["config/lr", "score:max"], "sort": [["sys/id", "asc"]]})

    assert ([0.1, 5.0], [7, 50.0]) == tuple(
        [part["columns"][name][0] for name in part["columns"]] for part in (before, after)
    )
    assert before["rev"] != after["rev"]


@pytest.mark.parametrize("damage", ["none", "deleted", "garbage"])
def test_the_cache_may_be_lost(table: Api, home: Path, damage: str) -> None:
    """A second server answers as the first one did, whatever has become of its cache."""
    asked = {"columns": ["config/lr", "score:max"], "sort": [["sys/id", "asc"]]}
    before = table.post(_QUERY, asked)
    table.close()
    cache = home / "projects" / CACHE_NAME
    if damage == "deleted":
        cache.unlink(missing_ok=True)
    elif damage == "garbage":
        cache.write_bytes(b"garbage" * 999)
    second = Api(home / "projects")

    after = second.post(_QUERY, asked)
    second.close()

    assert before["columns"] == after["columns"]


def test_attributes(table: Api) -> None:
    """Configs and series are listed by path with how many runs have them, by page and search."""
    everything = table.get("p/team/p/-/attrs?limit=1000")["items"]
    first = table.get("p/team/p/-/attrs?kind=series&limit=1")
    second = table.get(f"p/team/p/-/attrs?kind=series&limit=1&cursor={first['next'].replace(' ', '+')}")
    learned = {item["path"]: item for item in everything}

    assert (4, 3, 0.01, 0.1, "mixed") == tuple(
        learned["config/lr"][name] for name in ("n_runs", "n_distinct", "min", "max", "type")
    )
    assert (3, "series") == (learned["score"]["n_runs"], learned["score"]["kind"])
    assert (["loss"], ["score"], 2, None) == (
        [item["path"] for item in first["items"]], [item["path"] for item in second["items"]], first["total"], second["next"],
    )  # fmt: skip
    assert ["config/lr"] == [item["path"] for item in table.get("p/team/p/-/attrs?q=LR&prefix=config/")["items"]]


def test_projects(table: Api) -> None:
    """Projects come with the number of their runs and of those begun on each day."""
    found = table.get("projects")

    assert [("team/p", "team", "p", 4, 0)] == [
        (project["name"], project["ws"], project["project"], project["runs"], project["running"]) for project in found
    ]
    assert (30, 4) == (len(found[0]["activity"]), sum(found[0]["activity"]))


def test_changes(table: Api, home: Path) -> None:
    """What is new, changed or gone since a rev is told, and 304 is the answer while nothing moves."""
    first = table.get("p/team/p/-/changes?watch=a")
    tag = table.answer.headers["ETag"]
    nothing = table.get(f"p/team/p/-/changes?since={first['rev']}", if_none_match=tag)
    status = table.answer.status
    with goodseed.Run(project="team/p", resume_run_id="a", storage="local") as run:
        run["sys/name"] = "renamed"
        run.log_metrics({"score": 50.0}, step=9)
    _make("e", 1, [1.0])
    (home / "projects/team/p/runs/d.sqlite").unlink()
    table.look()

    found = table.get(f"p/team/p/-/changes?since={first['rev']}&watch=a&watch=b&paths=score")

    assert (True, [], 4) == (first["reset"], first["runs"], first["total"])
    assert (None, 304) == (nothing, status)
    rows = {row["id"]: row for row in found["runs"]}
    assert (False, {"a", "e"}, ["d"]) == (found["reset"], set(rows), found["removed"])
    assert ("renamed", 50.0) == (rows["a"]["sys/name"], rows["a"]["score:last"])
    assert "config/lr" not in rows["a"]
    assert ({"a"}, {"score"}) == (set(found["series"]), set(found["series"]["a"]))
    assert table.get("p/team/p/-/changes?since=nonsense-1")["reset"] is True


def test_a_running_run_is_seen(table: Api) -> None:
    """A run that goes on writing changes the rev, and its newest values are in the table."""
    run = goodseed.Run(project="team/p", run_id="live", storage="local")
    try:
        run.log_metrics({"score": 1.0}, step=0)
        run.flush()
        table.look()
        first = table.post(_QUERY, {"ids": ["live"], "columns": ["score", "score:max", "sys/state"]})
        time.sleep(0.02)  # the file gets another time of change
        run.log_metrics({"score": 9.0}, step=1)
        run.flush()
        table.look()
        second = table.post(_QUERY, {"ids": ["live"], "columns": ["score", "score:max", "sys/state"]})
    finally:
        run.close()

    assert {"score": [1.0], "score:max": [1.0], "sys/state": ["running"]} == first["columns"]
    assert {"score": [9.0], "score:max": [9.0], "sys/state": ["running"]} == second["columns"]


def test_a_missing_project_is_not_found(api: Api) -> None:
    """Whatever is asked of a project that does not exist is a 404."""
    for target in ("attrs", "runs/query", "changes", "views", "run/x", "run/x/logs"):
        with pytest.raises(RequestError) as caught:
            api.get(f"p/none/-/{target}")

        assert 404 == caught.value.status


def test_point_that_comes_while_the_list_is_read_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that changes between the look at its values and the look at its file is not forgotten."""
    run = goodseed.Run(project="p", run_id="r", storage="local")
    run.log_metrics({"loss": 1.0}, step=0)
    assert run.flush()
    api.look()
    rev = api.get("p/p/-/changes")["rev"]
    early = [dataclasses.replace(one) for one in api.store.runs("p")]
    run.log_metrics({"loss": 2.0}, step=1)
    assert run.flush()
    with monkeypatch.context() as patch:
        patch.setattr(api.store, "runs", lambda _project=None: early)
        seen = api.get(f"p/p/-/changes?since={rev}&columns=loss")["rev"]
    api.look()
    changes = api.get(f"p/p/-/changes?since={seen}&columns=loss")
    assert [one["loss"] for one in changes["runs"]] == [2.0]
    run.close()


def test_running_run_at_rest_changes_nothing(api: Api) -> None:
    """A run that goes on without logging is no change, however long it has been running."""
    run = goodseed.Run(project="p", run_id="r", storage="local")
    run.log_metrics({"loss": 1.0}, step=0)
    assert run.flush()
    time.sleep(2.2)  # longer than a run beats
    api.look()
    revisions = set()
    for _ in range(3):
        time.sleep(0.05)  # that time goes by is no change
        api.look()
        revisions.add(api.get("p/p/-/changes")["rev"])
    run.close()
    assert len(revisions) == 1


def test_progress_and_eta(api: Api) -> None:
    """Where a run says how many steps it makes, its progress is a column; what is left only while it runs, and as a time."""
    for run_id, most, steps in (
        ("done", 10, 10),
        ("stopped", 10.0, 5),
        ("long", 10, 30),
        ("none", -1, 5),
        ("text", "9", 5),
    ):
        with goodseed.Run(project="p", run_id=run_id, storage="local") as run:
            run["training/max_steps"] = most
            run.log_metrics({"loss": 0.0}, step=steps)
    with goodseed.Run(project="p", run_id="live", storage="local") as run:
        run["total_steps"] = 40
        time.sleep(0.2)  # the pace of a run needs some time
        run.log_metrics({"loss": 0.0}, step=10)
        run.flush()

        found = api.post("p/p/-/runs/query", {"columns": ["sys/progress", "sys/eta"], "sort": [["sys/id", "asc"]]})
        soon = api.post("p/p/-/runs/query", {"filter": "sys/eta<1h"})

    assert ["done", "live", "long", "none", "stopped", "text"] == found["ids"]
    assert [1.0, 0.25, 1.0, None, 0.5, None] == found["columns"]["sys/progress"]
    etas = dict(zip(found["ids"], found["columns"]["sys/eta"], strict=True))
    assert etas.pop("live") >= 0.6
    assert set(etas.values()) == {None}
    assert ["live"] == soon["ids"]
