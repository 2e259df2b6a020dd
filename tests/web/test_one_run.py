"""The page of one run: overview, configs, logs, texts, source."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import goodseed

from .conftest import HOME, RUN, Tab, chart, make_repository, move_over, settled, until, wait_painted


def test_run_overview(tab: Tab) -> None:
    """Best figures, charts, the last output and the configs of a run, against a baseline."""
    page = tab.open(f"{RUN}?base=run-03")
    page.locator(".stat").nth(1).wait_for()
    assert page.locator(".stat").count() == 4
    assert "at this step" in page.locator(".stat").first.inner_text()
    wait_painted(page, chart(page, "val/acc"))
    page.get_by_text("Last output").wait_for()
    assert "was" in page.locator(".kv").first.inner_text()


def test_run_of_max_steps_shows_progress(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """Where max_steps is known, a running run says how far it is and when it will be done."""
    run = goodseed.Run(
        project="p", run_id="r", storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False, git_ref=False
    )
    run["parameters/max_steps"] = 100
    for step in range(26):
        run.log_metrics({"loss": 1.0}, step=step)
    run.flush()
    try:
        page = new_tab(serve(tmp_path).url).open("/p/p/-/run/r")
        page.get_by_text(re.compile("running · 25 %")).wait_for()
        page.locator(".meta").get_by_text("ETA").wait_for()
        page.goto(page.url.partition("/-/")[0])
        page.get_by_role("img", name=re.compile(r"^running · 25 % · .* left$")).wait_for()
        for step in range(26, 51):
            run.log_metrics({"loss": 1.0}, step=step)
        page.get_by_role("img", name=re.compile(r"^running · 50 % · .* left$")).wait_for()
        page.get_by_role("link", name="Table").click()
        page.locator(".tc.x").get_by_text("50 %").wait_for()
    finally:
        run.close()


def test_config_tree_search_and_diff(tab: Tab) -> None:
    """The configs are a tree that is searched; against a baseline the other values stand beside."""
    page = tab.open(f"{RUN}/config?base=run-03")
    page.get_by_text("was 0.003").wait_for()
    page.get_by_label("Filter configs").fill("heads")
    page.get_by_text("Nothing matches.").wait_for()
    page.get_by_label("Filter configs").fill("optim")
    assert page.locator("dd").count() == 1
    page.get_by_role("button", name="List").click()
    assert page.locator("dt").inner_text().startswith("parameters/optimizer")


def test_what_is_searched_and_chosen_is_in_the_address(tab: Tab) -> None:
    """A link shows the same rows of configs and of a comparison; the copied JSON holds whole values."""
    page = tab.open(f"{RUN}/config")
    page.get_by_label("Filter configs").fill("optimizer")
    page.get_by_role("button", name="List", exact=True).click()
    page.goto(page.url)
    page.get_by_label("Filter configs").wait_for()
    assert page.get_by_label("Filter configs").input_value() == "optimizer"
    page.get_by_text("parameters/optimizer").wait_for()
    assert page.get_by_text("parameters/depth").count() == 0
    page = tab.open(f"{HOME}/-/compare?runs=run-01&runs=run-02&rows=optimizer")
    page.locator("table.cmp").get_by_text("optimizer").first.wait_for()
    assert "depth" not in page.locator("table.cmp").inner_text()


def test_long_values_are_copied_whole(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """The page has the beginning of a long value; what it copies as JSON is all of it."""
    with goodseed.Run(
        project="p", run_id="r", storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False, git_ref=False
    ) as run:
        run["long"] = "x" * 50_000
    tab = new_tab(serve(tmp_path).url)
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=tab.root)
    page = tab.open("/p/p/-/run/r/config?keys=long")
    page.get_by_role("button", name="JSON").click()
    page.get_by_text("Copied as JSON").wait_for()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == {"long": "x" * 50_000}


def test_logs_search_streams_and_download(tab: Tab) -> None:
    """The console with its colours, a search that jumps, one stream alone, and a file of it."""
    page = tab.open(f"{RUN}/logs")
    page.locator(".ln .a2").first.wait_for()
    page.get_by_label("Search the log").fill("epoch 3")
    page.get_by_text("1 / 1").wait_for()
    assert page.locator(".ln.at mark").inner_text() == "epoch 3"
    page.get_by_label("Search the log").fill("")
    page.get_by_role("button", name="stderr").click()
    until(page, "document.querySelectorAll('.ln').length === 1")
    assert "a warning of the driver" in page.locator(".ln").inner_text()
    page.get_by_role("button", name="Console").click()
    page.get_by_text("epoch 5").wait_for()
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download").click()
    assert "epoch 5" in Path(caught.value.path()).read_text(encoding="utf-8")


def test_logs_follow_a_live_run(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """New lines appear at the end while the run prints them."""
    script = (
        f"import goodseed, sys; r = goodseed.Run(project='p', run_id='r', storage='local', goodseed_home={str(tmp_path)!r},"
        "capture_hardware_metrics=False, git_ref=False); print('the first line', flush=True); sys.stdin.readline();"
        "print('a later line', flush=True); sys.stdin.readline(); r.close()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdout.readline()
        page = new_tab(serve(tmp_path).url).open("/p/p/-/run/r/logs")
        page.locator(".log").get_by_text("the first line").wait_for()
        process.stdin.write(b"\n")
        process.stdin.flush()
        page.locator(".log").get_by_text("a later line").wait_for()
    finally:
        process.communicate(b"\n", timeout=20)


def test_click_on_a_point_shows_that_second(tab: Tab) -> None:
    """A point leads to the lines of the log at its time, and on to the whole log there."""
    page = tab.open(f"{HOME}?show=run-02")
    card = chart(page, "train/loss")
    wait_painted(page, card)
    box = card.locator(".u-over").bounding_box()
    for part in range(5, 96, 3):
        move_over(page, card, 0.5, part / 100)
        if page.locator(".tip .tr.on").count():
            page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * part / 100)
            break
    dialog = page.get_by_role("dialog", name=re.compile("vit-02 at step"))
    dialog.get_by_text("epoch").first.wait_for()
    dialog.get_by_role("link", name="Open the log here").click()
    page.wait_for_url(re.compile(r"/run/run-02/logs\?.*\bat="))
    page.locator(".ln.at").wait_for()


def test_the_line_of_a_point_is_in_view_and_samples_of_other_seconds_say_so(
    new_tab: Callable[..., Tab], serve: Any, tmp_path: Path
) -> None:
    """Of many lines around a point, the last one before it is marked and in view; a sample says how old it is."""
    now = 1_700_000_000.0
    with goodseed.Run(
        project="p", run_id="r", storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False, git_ref=False
    ) as run:
        for step in range(3):
            run["loss"].log(1.0, step=step)
        run.log_metrics({"monitoring/x/cpu": 12.0, "monitoring/x/ram": 34.0}, step=0)
        path = run.path
    with closing(sqlite3.connect(str(path))) as connection, connection:
        (number,) = connection.execute(
            "INSERT INTO string_series (path) VALUES ('monitoring/x/stdout') RETURNING id"
        ).fetchone()
        connection.executemany(
            "INSERT INTO string_points (series_id, step, value, ts) VALUES (?, ?, ?, ?)",
            [(number, i, f"line {i}" + "\n" * 5, now + (i - 100) / 10) for i in range(200)],
        )
        connection.executemany(
            "UPDATE metric_points SET ts = ? + step WHERE series_id = (SELECT id FROM metric_series WHERE path = ?)",
            [(now - 1, "loss"), (now - 9, "monitoring/x/cpu"), (now, "monitoring/x/ram")],
        )
    page = new_tab(serve(tmp_path).url).open("/p/p")
    card = chart(page, "loss")
    wait_painted(page, card, 50)
    move_over(page, card, 0.5, 0.5)
    box = card.locator(".u-over").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    dialog = page.get_by_role("dialog")
    dialog.locator(".ln.at").get_by_text("line 100").wait_for()
    inside = """line => {
        const at = line.getBoundingClientRect();
        return [".log", ".dlg"].every(name => {
            const box = line.closest(name).getBoundingClientRect();
            return at.top >= box.top - 1 && at.bottom <= box.bottom + 1;
        });
    }"""
    assert dialog.locator(".ln.at").evaluate(inside)
    assert re.search(r"\d\d:\d\d:20 ", dialog.locator(".body").first.inner_text())
    assert dialog.locator("dd").all_inner_texts() == ["12 9s before", "34"]


@pytest.mark.slow
def test_every_line_of_a_long_log_is_reached(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """More lines than a browser can lay out: both ends, the way between them, a search; and long lines whole in the file."""
    lines = 600_000
    with goodseed.Run(
        project="p", run_id="r", storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False, git_ref=False
    ) as run:
        for first in range(0, lines, 20_000):
            for n in range(first, first + 20_000):
                run.log_strings({"monitoring/a/stdout": f"line {n}"}, step=n)
            run.flush()
        run.log_strings({"monitoring/a/stdout": "long " + "x" * 30_000}, step=lines)
    page = new_tab(serve(tmp_path).url).open("/p/p/-/run/r/logs")
    page.get_by_text("cut here").wait_for()
    page.get_by_role("log").focus()
    page.keyboard.press("Home")
    page.get_by_text("line 3", exact=True).wait_for()
    page.keyboard.press("End")
    page.get_by_text("cut here").wait_for()
    for _ in range(3):
        page.get_by_role("log").evaluate("log => { log.scrollTop = 0 }")
        settled(page)
    page.get_by_text("line 3", exact=True).wait_for()
    page.get_by_label("Search the log").fill("line 555555")
    page.locator(".ln.at mark", has_text="line 555555").wait_for()


def test_texts_side_by_side_by_step(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """Several series beside one another, another run's below, a search, and the way to older steps and back."""
    for run_id in ("r", "other"):
        with goodseed.Run(
            project="p", run_id=run_id, storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False
        ) as run:
            print("this is the console")
            for step in range(120):
                run.log_strings({"samples/answer": f"{run_id} says\n  <b>{step}</b>", "samples/prompt": "which?"}, step)
    page = new_tab(serve(tmp_path).url).open("/p/p/-/run/r")
    page.get_by_role("link", name=re.compile("^Text")).click()
    texts = page.get_by_role("region", name="Texts")
    latest = texts.get_by_role("region", name="Step 119", exact=True)
    latest.get_by_text("r says\n  <b>119</b>").wait_for()
    latest.get_by_text("which?").wait_for()
    assert texts.locator("section").count() == 50
    assert "console" not in page.locator(".split").inner_text()

    page.get_by_role("button", name="samples/prompt").click()
    until(page, "!document.querySelector('.texts').textContent.includes('which?')")
    page.get_by_role("button", name="Older").click()
    texts.get_by_role("region", name="Step 69", exact=True).wait_for()
    page.get_by_role("button", name="Latest").click()
    latest.wait_for()
    page.get_by_label("Search the texts").fill("<B>7<")
    texts.get_by_role("region", name="Step 7", exact=True).locator("mark", has_text="<b>7<").wait_for()
    assert texts.locator("section").count() == 1

    page.get_by_role("button", name="Compare with").click()
    page.get_by_role("button", name="other").first.click()
    texts.get_by_text("other says\n  <b>7</b>").wait_for()
    page.reload()
    texts.get_by_text("other says\n  <b>7</b>").wait_for()
    assert texts.locator("section").count() == 1


def test_texts_of_a_live_run_arrive(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """A text that is logged while the page is open stands above the older ones."""
    with goodseed.Run(
        project="p", run_id="r", storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False
    ) as run:
        run.log_strings({"sample": "the first"}, step=1)
        page = new_tab(serve(tmp_path).url).open("/p/p/-/run/r/text")
        page.get_by_text("the first").wait_for()
        run.log_strings({"sample": "the second"}, step=2)
        page.get_by_text("the second").wait_for()
        assert page.locator(".texts section").first.get_attribute("aria-label") == "Step 2"


def test_what_ended_a_run_is_said(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """The page of a failed run has the error and its traceback, that of a crashed one how to go on."""
    start = "import goodseed, os; r = goodseed.Run(project='p', run_id={!r}, storage='local', capture_hardware_metrics=False);"
    for run_id, end in (("bad", "raise ValueError('<b>too hot')"), ("gone", "os.kill(os.getpid(), 9)")):
        subprocess.run(
            [sys.executable, "-c", start.format(run_id) + end],
            env={**os.environ, "GOODSEED_HOME": str(tmp_path)},
            capture_output=True,
            check=False,
        )
    page = new_tab(serve(tmp_path).url).open("/p/p/-/run/bad")
    end = page.get_by_role("region", name="What ended it")
    end.get_by_role("heading", name="ValueError: <b>too hot").wait_for()
    assert "Traceback (most recent call last)" in end.locator("pre").inner_text()
    page.get_by_role("link", name="Logs", exact=True).click()
    page.get_by_role("link", name="ValueError: <b>too hot").click()
    end.wait_for()
    page.goto(page.url.replace("/bad", "/gone"))
    end.get_by_role("heading", name="No sign of life since").wait_for()
    assert 'goodseed.Run(project="p", resume_run_id="gone")' in end.inner_text()


def test_source_shows_commit_and_changes(
    new_tab: Callable[..., Tab], serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit, the changed files and their lines."""
    script = make_repository(tmp_path / "code", monkeypatch)
    script.write_text("lr = 2\nnew = 1\n", encoding="utf-8")
    home = tmp_path / "home"
    goodseed.Run(
        project="p", run_id="r", storage="local", goodseed_home=home, capture_hardware_metrics=False, git_ref=True
    ).close()
    page = new_tab(serve(home).url).open("/p/p/-/run/r/source")
    page.get_by_text("The first commit").wait_for()
    assert page.locator(".dl.add").count() == 2
    assert page.locator(".dl.del").inner_text().strip().endswith("lr = 1")


def test_python_snippet_loads_the_run(tab: Tab, capsys: pytest.CaptureFixture[str]) -> None:
    """What the Python button copies runs, and prints the run's data, whatever directory is served."""
    page = tab.open(RUN)
    page.get_by_role("button", name="Python").click()
    page.get_by_text("Python copied").wait_for()
    exec(compile(page.evaluate("navigator.clipboard.readText()"), "snippet", "exec"), {})
    assert "val/acc" in capsys.readouterr().out


def test_next_and_previous_run(tab: Tab) -> None:
    """J and k go through the runs of the list, in the same tab."""
    page = tab.open(f"{RUN}/config")
    page.get_by_role("heading", name="vit-05").wait_for()
    page.keyboard.press("j")
    page.get_by_role("heading", name="vit-04").wait_for()
    assert urlsplit(page.url).path.endswith("/run/run-04/config")
    page.keyboard.press("k")
    page.get_by_role("heading", name="vit-05").wait_for()


def test_missing_run_says_so(new_tab: Callable[..., Tab]) -> None:
    """An address of no run is explained."""
    tab = new_tab()
    tab.page.goto(f"{tab.root}{HOME}/-/run/nothing")
    tab.page.get_by_role("heading", name="There is no run nothing").wait_for()
    tab.problems.clear()  # the browser reports the 404 itself
