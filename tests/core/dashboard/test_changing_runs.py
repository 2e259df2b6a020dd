"""What the page changes: names, tags, colours, many runs at once, views."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path

import pytest

import goodseed
from goodseed.server.routes import RequestError
from goodseed.storage.cache.file import CACHE_NAME

from .conftest import Api


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


def test_a_series_that_is_renamed_elsewhere_shows(api: Api, tmp_path: Path) -> None:
    """What another program changes in the file of a run that has ended shows, also after a restart of the server."""
    with goodseed.Run(project="p", run_id="one", storage="local", capture_hardware_metrics=False) as run:
        run.log_metrics({"before": 1.0}, step=0)
    api.look()
    found = [_metrics(api)]
    with contextlib.closing(sqlite3.connect(str(run.path))) as connection, connection:
        connection.execute("UPDATE metric_series SET path = 'after'")
    api.look()
    found.append(_metrics(api))

    assert [["before"], ["after"]] == found


def test_what_is_kept_of_a_deleted_run_goes(api: Api, home: Path) -> None:
    """The cache file forgets the series of a run with its file."""
    for name in ("one", "two"):
        with goodseed.Run(project="p", run_id=name, storage="local", capture_hardware_metrics=False) as run:
            run.log_metrics({"loss": 1.0}, step=0)
    api.look()
    _metrics(api)
    os.remove(str(run.path))
    api.look()
    api.close()
    with contextlib.closing(sqlite3.connect(home / "projects" / CACHE_NAME)) as connection:
        kept = [os.fsdecode(path) for (path,) in connection.execute("SELECT run FROM series")]

    assert ["one.sqlite"] == [os.path.basename(path) for path in kept]


def _metrics(api: Api) -> list[str]:
    return [item["path"] for item in api.ask("GET", "p/p/-/attrs?kind=series")["items"]]


def test_attempts_and_what_they_leave(api: Api) -> None:
    """The attempts of a run are told, and which series hold what is no longer the run's; lists leave those out."""
    with goodseed.Run(project="p", run_id="one", storage="local", capture_hardware_metrics=False) as run:
        run.log_points("loss", range(10), range(10))
    with goodseed.Run(project="p", resume_run_id="one", rewind_to=4, storage="local", capture_stdout=False) as run:
        run.log_metrics({"loss": 0.0, "acc": 1.0}, step=5)
    api.look()
    found = api.ask("GET", "p/p/-/run/one/attempts")
    counts = api.ask("GET", "p/p/-/run/one")["counts"]
    listed = [item["path"] for item in api.ask("GET", "p/p/-/run/one/attrs?kind=series")["items"]]
    (kept,) = api.ask("POST", "p/p/-/series", {"runs": ["one"], "paths": ["sys/attempts/1/loss"]})["series"]

    assert [(1, "finished", 0, 9, None), (2, "finished", 5, 5, 4)] == [
        tuple(attempt[name] for name in ("number", "state", "first_step", "last_step", "rewound_to"))
        for attempt in found["attempts"]
    ]
    assert [{"attempt": 1, "path": "loss", "series": "sys/attempts/1/loss"}] == found["kept"]
    assert (2, 1, 2) == (counts["attempts"], counts["kept"], counts["series"])
    assert ["acc", "loss"] == [path for path in listed if not path.startswith("monitoring/")]
    assert ["acc", "loss"] == _metrics(api)
    assert [5.0, 6.0, 7.0, 8.0, 9.0] == kept["x"]


def test_attempts_of_a_damaged_file(api: Api) -> None:
    """Facts that are none are left out, and the page is answered."""
    with goodseed.Run(project="p", run_id="one", storage="local", capture_hardware_metrics=False) as run:
        for path, value in (
            ("1/opened_at", "x"),
            ("1/rewound_to", "nan"),
            ("2/state", "odd"),
            ("x/y", "z"),
            ("7/z", 1),
        ):
            run[f"sys/attempts/{path}"] = value
    with contextlib.closing(sqlite3.connect(str(run.path))) as connection, connection:
        connection.execute("UPDATE configs SET type_tag = 'float' WHERE path = 'sys/attempts/1/rewound_to'")
        connection.execute("UPDATE configs SET value = x'ff00' WHERE path = 'sys/attempts/1/opened_at'")
        connection.execute("UPDATE run_meta SET value = 'nan x' WHERE key = 'attempt_steps'")
    api.look()
    found = api.ask("GET", "p/p/-/run/one/attempts")

    assert [1, 2] == [attempt["number"] for attempt in found["attempts"]]
    assert [None, None] == [attempt["rewound_to"] for attempt in found["attempts"]]
