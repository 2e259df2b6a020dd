"""One run: what it is, its configs, console and code; and what can be changed about it."""

from __future__ import annotations

from pathlib import Path

import pytest

import goodseed
from goodseed.server.routes import RequestError

from .conftest import _DIFF, Api, _seconds


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


def test_a_run_tells_how_it_is_read(api: Api, tmp_path: Path) -> None:
    """What the page puts into its snippet opens the run, wherever its file lies."""
    goodseed.Run(project="p", run_id="r", storage="local").close()
    usual = api.ask("GET", "p/p/-/run/r")["reading"]
    with goodseed.Run(project="p", run_id="r", read_only=True, **usual) as run:
        assert run.get_configs()
    assert {"storage": "local"} == usual


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
    run = api.get("p/p/-/run/m")
    times = [_seconds(time) for time in (run["created"], first["time"], second["time"], run["closed"])]
    assert times[0] - 1 <= times[1] <= times[2] <= times[3] + 1


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


@pytest.mark.parametrize("member", ["name", "description", "tags", "archived", "trashed"])
def test_a_null_changes_nothing(page: Api, member: str) -> None:
    """A change to null is refused, rather than taken for an empty name, no tags, or no."""
    with pytest.raises(RequestError, match=member):
        page.ask("PATCH", "p/p/-/run/r", {member: None})
