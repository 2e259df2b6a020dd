"""What a script and a page write to one run: both stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import goodseed

from .conftest import Api


def _run(home: Path, **options: Any) -> goodseed.Run:
    return goodseed.Run(project="p", run_id="r", storage="local", goodseed_home=home, git_ref=False, **options)


def _tags(run: goodseed.Run) -> str:
    return next(row["value"] for row in run.get_configs() if row["path"] == "sys/tags")


def test_tags_of_page_and_script_both_stay(api: Api, home: Path) -> None:
    """A tag that is given on the page of a live run is there after the script has added another, and after its end."""
    with _run(home, tags=["mine"]) as run:
        run["sys/tags"].add("early")
        run.wait()
        api.look()
        api.ask("PATCH", "p/p/-/run/r", {"tags": ["early", "mine", "page"], "tags_before": ["early", "mine"]})
        run["sys/tags"].add("late")

        assert '["early", "late", "mine", "page"]' == _tags(run)
    api.look()

    assert ["early", "late", "mine", "page"] == api.get("p/p/-/run/r")["tags"]


def test_the_script_removes_a_tag_of_the_page(api: Api, home: Path) -> None:
    """What the script removes is gone, whoever has added it; what the page removed stays away."""
    with _run(home, tags=["one", "two"]) as run:
        run.wait()
        api.look()
        api.ask("PATCH", "p/p/-/run/r", {"tags": ["two", "page"], "tags_before": ["one", "two"]})
        run["sys/tags"].remove("page")
        run["sys/tags"].add("three")

        assert '["three", "two"]' == _tags(run)


def test_a_page_that_was_opened_long_ago(api: Api, home: Path) -> None:
    """Saving the tags of a dialog does not remove what the script has added since the dialog was opened."""
    with _run(home, tags=["one"]) as run:
        run.wait()
        api.look()
        run["sys/tags"].add("since")
        run.wait()
        api.ask("PATCH", "p/p/-/run/r", {"tags": ["one", "page"], "tags_before": ["one"]})

        assert '["one", "page", "since"]' == _tags(run)


def test_many_runs_are_tagged_while_one_is_written(api: Api, home: Path) -> None:
    """A tag given to several runs at once, and taken again, leaves the script's tags alone."""
    with _run(home, tags=["one"]) as run:
        run.wait()
        api.look()
        api.post("p/p/-/runs/bulk", {"ids": ["r"], "op": "tag", "value": "bulk"})
        run["sys/tags"].add("two")
        assert '["bulk", "one", "two"]' == _tags(run)
        api.post("p/p/-/runs/bulk", {"ids": ["r"], "op": "untag", "value": "one"})
        run["sys/tags"].add("three")

        assert '["bulk", "three", "two"]' == _tags(run)


def test_changes_of_a_killed_script(home: Path) -> None:
    """What was added to a set and removed from it is there after the process was killed at once."""
    import subprocess
    import sys

    code = (
        "import os, signal, goodseed\n"
        f"run = goodseed.Run(project='p', run_id='r', storage='local', goodseed_home={str(home)!r}, git_ref=False,"
        " tags=['a', 'b'])\n"
        "run.wait(); run['sys/tags'].add('c'); run['sys/tags'].remove('a')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, env={"GOODSEED_QUIET": "1", "PATH": ""})
    with goodseed.Run(project="p", run_id="r", storage="local", goodseed_home=home, read_only=True) as run:
        assert '["b", "c"]' == _tags(run)
