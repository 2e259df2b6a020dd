"""The page while runs are being written, and while nobody answers."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import goodseed

from .conftest import Tab, chart, settled, wait_painted, wait_repainted


def _run(home: Path, name: str) -> goodseed.Run:
    return goodseed.Run(
        project="p", run_id=name, storage="local", goodseed_home=home, capture_hardware_metrics=False, git_ref=False
    )


def test_points_arrive_without_fetching_the_history_again(
    new_tab: Callable[..., Tab], serve: Any, tmp_path: Path
) -> None:
    """A running run grows on the screen by what is new alone, and its end is seen."""
    run = _run(tmp_path, "live")
    for step in range(200):
        run.log_metrics({"loss": math.exp(-step / 100)}, step=step)
    run.flush()
    tab = new_tab(serve(tmp_path).url)
    page = tab.open("/p/p")
    card = chart(page, "loss")
    before = wait_painted(page, card)
    page.get_by_text("1 running").wait_for()
    asks = len(tab.series_asks())
    for step in range(200, 300):
        run.log_metrics({"loss": math.exp(-step / 100)}, step=step)
    run.flush()
    wait_repainted(page, card, before)
    later = tab.series_asks()[asks:]
    assert later
    assert all(ask["since"] for ask in later)
    card.scroll_into_view_if_needed()
    run.close()
    page.locator(".row .st").wait_for(state="detached")
    page.get_by_role("button", name="Live", exact=True).wait_for()


@pytest.mark.parametrize("where", ["x=wall", "x=time", "x=metric:time", "z=10~150"])
def test_points_arrive_on_other_axes(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path, where: str) -> None:
    """By time, too, what is new is put behind what is there; in a zoom nothing is fetched again."""
    run = _run(tmp_path, "live")
    for step in range(2_000):
        run.log_metrics({"loss": float(step), "time": step / 100}, step=step)
        if step % 100 == 0:
            time.sleep(0.02)  # so that the points have several times
    run.flush()
    tab = new_tab(serve(tmp_path).url)
    page = tab.open(f"/p/p?{where}&f=loss")
    dialog = page.get_by_role("dialog")
    wait_painted(page, dialog)
    asks = len(tab.series_asks())
    for part in range(3):
        with page.expect_response("**/series"):
            for step in range(2_000 + 50 * part, 2_050 + 50 * part):
                run.log_metrics({"loss": float(step), "time": step / 100}, step=step)
            run.flush()
    settled(page)
    later = tab.series_asks()[asks:]
    assert later
    assert all(ask["since"] for ask in later)
    dialog.get_by_label("Export").click()
    with page.expect_download() as download:
        page.get_by_text("Points as drawn (CSV)").click()
    download.value.save_as(tmp_path / "drawn.csv")
    rows = [line.split(",") for line in (tmp_path / "drawn.csv").read_text().splitlines()[1:]]
    numbers = [float(row[2]) for row in rows], [float(row[3]) for row in rows]
    assert numbers[0] == sorted(numbers[0])
    assert numbers[1] == sorted(set(numbers[1]))  # no point is drawn twice: each is higher than the one before
    # The first point is there still, and so is, without a zoom, the last.
    assert numbers[1][0] < 20
    if "z" not in where:
        assert numbers[1][-1] == pytest.approx(2_149, abs=50)
    run.close()


def test_new_runs_and_metrics_appear(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """A run that begins is in the list and in the charts without a reload."""
    with _run(tmp_path, "first") as run:
        run.log_metrics({"loss": 1.0}, step=0)
    page = new_tab(serve(tmp_path).url).open("/p/p")
    page.locator(".row").first.wait_for()
    with _run(tmp_path, "second") as run:
        run.log_metrics({"other": 1.0}, step=0)
    page.get_by_role("link", name="second").wait_for(timeout=20_000)
    page.locator('[data-metric="other"]').wait_for(timeout=20_000)


def test_crashed_run_is_seen(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """A killed process's run is marked as crashed, not as running."""
    script = (
        f"import goodseed, os, signal; r = goodseed.Run(project='p', run_id='dead', storage='local', goodseed_home={str(tmp_path)!r},"
        "capture_hardware_metrics=False, git_ref=False); r.log_metrics({'loss': 1.0}, step=0); r.flush(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    page = new_tab(serve(tmp_path).url).open("/p/p")
    page.locator('.row [aria-label="crashed"]').wait_for()
    page.goto(page.url + "/-/run/dead")
    page.locator(".badge", has_text=re.compile("crashed")).wait_for()


def test_zoom_and_scroll_survive_live_points(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """What is being looked at stays where it is while points arrive."""
    run = _run(tmp_path, "live")
    for step in range(200):
        run.log_metrics({f"m{i}": math.sin(step / 20 + i) for i in range(20)}, step=step)
    run.flush()
    page = new_tab(serve(tmp_path).url).open("/p/p?z=50~100")
    wait_painted(page, chart(page, "m1"))
    page.locator(".scroll").evaluate("e => e.scrollTo(0, 400)")
    with page.expect_response("**/series"):
        for step in range(200, 260):
            run.log_metrics({f"m{i}": math.sin(step / 20 + i) for i in range(20)}, step=step)
        run.flush()
    settled(page)
    assert page.locator(".scroll").evaluate("e => e.scrollTop") == 400
    assert "z=50~100" in page.url
    run.close()


@pytest.mark.slow
def test_memory_does_not_grow_under_live_updates(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """Minutes of updates leave no more behind than the points themselves: the heap is about what it was."""
    run = _run(tmp_path, "live")
    for step in range(500):
        run.log_metrics({f"m{i}": math.sin(step / 20 + i) for i in range(12)}, step=step)
    run.flush()
    tab = new_tab(serve(tmp_path).url)
    page = tab.open("/p/p")
    wait_painted(page, chart(page, "m0"))
    session = page.context.new_cdp_session(page)

    def heap() -> int:
        session.send("HeapProfiler.collectGarbage")
        return int(session.send("Runtime.getHeapUsage")["usedSize"])

    sizes = []
    for part in range(8):
        with page.expect_response("**/series"):
            for step in range(500 + part * 50, 550 + part * 50):
                run.log_metrics({f"m{i}": math.sin(step / 20 + i) for i in range(12)}, step=step)
            run.flush()
        settled(page)
        sizes.append(heap())
    run.close()
    assert sizes[-1] < 60_000_000
    assert sizes[-1] - sizes[2] < 3_000_000


def test_server_that_goes_away_and_comes_back(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """Without a server the page says so, keeps what it shows, and goes on by itself."""
    with _run(tmp_path, "r") as run:
        run.log_metrics({"loss": 1.0}, step=0)
    server = serve(tmp_path)
    tab = new_tab(server.url)
    page = tab.open("/p/p")
    page.locator(".row").first.wait_for()
    server.process.terminate()
    server.process.wait(20)
    page.get_by_text("can't be reached").wait_for(timeout=40_000)
    assert page.locator(".row").count() == 1
    page.close()
    tab.problems.clear()  # the browser reports refused connections itself


def test_tags_that_the_script_adds_while_they_are_edited_stay(
    new_tab: Callable[..., Tab], serve: Any, tmp_path: Path
) -> None:
    """Of tags only what the editor changes is changed, whatever script and page have done since the dialog opened."""
    run = _run(tmp_path, "live")
    run["sys/tags"].add(["old", "bad"])
    run.flush()
    page = new_tab(serve(tmp_path).url).open("/p/p/-/run/live")
    head = page.locator(".rh")
    head.get_by_text("bad", exact=True).wait_for()
    page.get_by_role("button", name="Edit", exact=True).click()
    run["sys/tags"].add("new")
    run.flush()
    head.get_by_text("new", exact=True).wait_for()
    page.get_by_role("textbox", name="Tags").fill("old, mine")
    page.get_by_role("button", name="Save").click()
    head.get_by_text("mine", exact=True).wait_for()
    page.get_by_role("button", name="Edit", exact=True).click()
    run["sys/tags"].add("newest")
    run.flush()
    head.get_by_text("newest", exact=True).wait_for()
    page.get_by_role("textbox", name="Name").fill("renamed")
    page.get_by_role("button", name="Save").click()
    head.get_by_text("renamed", exact=True).wait_for()
    run.close()
    assert head.locator(".tag").all_inner_texts() == ["mine", "new", "newest", "old"]
