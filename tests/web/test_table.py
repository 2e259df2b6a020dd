"""The table of runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import goodseed

from .conftest import PROJECT, Tab, until

TABLE = f"/p/{PROJECT}/-/table"


def headers(page: Any) -> list[str]:
    return [text.split(" ")[0] for text in page.locator('.thd [role="columnheader"]').all_inner_texts()]


@pytest.fixture
def own(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> Tab:
    """A table of three runs that may be changed."""
    for number in range(3):
        with goodseed.Run(
            project="p", run_id=f"r{number}", name=f"name-{number}", storage="local", goodseed_home=tmp_path,
            capture_hardware_metrics=False, git_ref=False,
        ) as run:  # fmt: skip
            run["parameters"] = {"lr": 0.1 * number, "same": 1}
            run.log_metrics({"loss": float(number)}, step=1)
    tab = new_tab(serve(tmp_path).url)
    tab.open("/p/p/-/table").locator(".trow").first.wait_for()
    return tab


def tick(page: Any, *names: str) -> None:
    for name in names:
        page.get_by_role("checkbox", name=f"Select {name}").click()


def test_differing_configs_and_best_metrics_are_the_usual_columns(tab: Tab) -> None:
    """Without a choice the table shows what differs, and leaves out what is the same."""
    page = tab.open(TABLE)
    page.locator(".trow").nth(5).wait_for()
    until(page, "document.querySelector('.thd').textContent.includes('lr')")
    shown = page.locator(".thd").inner_text()
    assert "optimizer" in shown
    assert "acc" in shown
    assert "vit_s16" not in page.locator(".tbl").inner_text()


def test_sort_and_pin_and_reorder(tab: Tab) -> None:
    """A click sorts, Alt-click pins a column, dragging moves it; the address keeps all."""
    page = tab.open(f"{TABLE}?cols=parameters/lr&cols=val/acc&cols=parameters/depth")
    page.locator(".trow").first.wait_for()
    page.get_by_title("Sort by val/acc").click()
    until(page, "location.search.includes('sort=-val')")
    page.get_by_title("Sort by parameters/depth").click(modifiers=["Alt"])
    until(page, "location.search.includes('pincol=parameters/depth')")
    assert headers(page)[1] == "parameters/depth"
    page.get_by_title("Sort by val/acc").drag_to(page.get_by_title("Sort by parameters/lr"))
    until(page, "location.search.indexOf('cols=val') < location.search.indexOf('cols=parameters/lr')")


def test_only_differing_columns(own: Tab) -> None:
    """A switch hides the columns in which all runs are the same."""
    page = own.open("/p/p/-/table?cols=parameters/same&cols=parameters/lr")
    page.get_by_title("Sort by parameters/same").wait_for()
    page.get_by_role("button", name="Only differing").click()
    page.get_by_title("Sort by parameters/same").wait_for(state="detached")
    assert page.get_by_title("Sort by parameters/lr").count() == 1


def test_choose_columns(own: Tab) -> None:
    """Columns are searched for and ticked."""
    page = own.page
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("Search columns").fill("loss")
    page.locator(".menu .it", has_text="loss").get_by_role("button", name="mean").click()
    page.keyboard.press("Escape")
    page.get_by_title("Sort by loss mean").wait_for()
    assert "0" in page.locator(".trow").last.inner_text()


def test_each_column_is_offered_once(own: Tab) -> None:
    """What the run itself keeps is in the choice of columns once, however it is stored."""
    page = own.page
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("Search columns").fill("sys/")
    page.locator(".menu .it", has_text="sys/progress").wait_for()
    offered = [text.split()[0] for text in page.locator(".menu [data-found]").all_inner_texts()]
    assert len(offered) == len(set(offered)) > 4


def test_rename_note_tag_colour(own: Tab) -> None:
    """Name, note, tags and colour are edited in place, and stand in the run's own file."""
    page = own.page
    tick(page, "name-1")
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("textbox", name="Name").fill("better")
    page.get_by_role("textbox", name="Note").fill("a note")
    page.get_by_role("textbox", name="Tags").fill("gold, keep")
    page.get_by_role("button", name="Save").click()
    page.locator(".trow", has_text="better").get_by_text("gold").wait_for()
    page.goto(f"{own.root}/p/p/-/run/r1")
    page.get_by_text("a note").wait_for()


def test_ticks_are_seen(own: Tab) -> None:
    """A ticked run shows its tick, and so does the box for all."""
    page = own.page
    tick(page, "name-1")
    page.get_by_role("checkbox", name="Select name-1", checked=True).wait_for()
    tick(page, "name-0", "name-2")
    page.get_by_role("checkbox", name="Select all loaded runs", checked=True).wait_for()
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_role("checkbox", name="Select name-1", checked=False).wait_for()
    page.get_by_role("checkbox", name="Select all loaded runs").click()
    page.get_by_role("checkbox", name="Select name-2", checked=True).wait_for()


def test_tags_with_commas_stay_whole(own: Tab) -> None:
    """Changing a name leaves the tags alone; a tag with a comma stands in quotes, and can be written so."""
    page = own.page
    tick(page, "name-1")
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("textbox", name="Tags").fill('"a,b", c')
    page.get_by_role("button", name="Save").click()
    page.locator(".trow .tag", has_text="a,b").wait_for()
    page.get_by_role("button", name="Edit").click()
    assert page.get_by_role("textbox", name="Tags").input_value() == '"a,b", c'
    page.get_by_role("textbox", name="Name").fill("other")
    page.get_by_role("button", name="Save").click()
    page.locator(".trow", has_text="other").wait_for()
    assert page.locator(".trow .tag").all_inner_texts() == ["a,b", "c"]


def test_archived_runs_are_hidden_and_come_back(own: Tab) -> None:
    """The archive hides runs; a filter shows it, and there they can be brought back."""
    page = own.page
    tick(page, "name-1")
    page.get_by_role("button", name="Archive", exact=True).click()
    until(page, "document.querySelectorAll('.trow').length === 2")
    page.goto(f"{own.root}/p/p/-/table?q=archived:true")
    page.locator(".trow", has_text="name-1").wait_for()
    tick(page, "name-1")
    page.get_by_role("button", name="Unarchive").click()
    until(page, "document.querySelectorAll('.trow').length === 0")
    page.goto(f"{own.root}/p/p/-/table")
    until(page, "document.querySelectorAll('.trow').length === 3")


def test_table_by_keyboard(own: Tab) -> None:
    """With the table in focus, arrows choose a run, Space ticks it, Enter opens it."""
    page = own.page
    page.get_by_role("grid", name="Runs").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    page.get_by_role("checkbox", name="Select name-1", checked=True).wait_for()
    page.keyboard.press("Enter")
    until(page, "location.pathname.endsWith('/run/r1')")


def test_bulk_tag_trash_undo_restore(own: Tab) -> None:
    """Many runs are tagged, put into the trash, brought back by Undo and from the trash."""
    page = own.page
    tick(page, "name-0", "name-2")
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_label("Tag", exact=True).fill("seen")
    page.get_by_role("button", name="Add").click()
    until(page, "[...document.querySelectorAll('.trow .tag')].filter(t => t.textContent === 'seen').length === 2")
    page.locator(".tfoot").get_by_role("button", name="Trash").click()
    until(page, "document.querySelectorAll('.trow').length === 1")
    page.get_by_role("button", name="Undo").click()
    until(page, "document.querySelectorAll('.trow').length === 3")
    tick(page, "name-1")
    page.locator(".tfoot").get_by_role("button", name="Trash").click()
    until(page, "document.querySelectorAll('.trow').length === 2")
    page.locator(".tools").get_by_role("button", name="Trash").click()
    until(page, "document.querySelectorAll('.trow').length === 1")
    tick(page, "name-1")
    page.get_by_role("button", name="Restore").click()
    until(page, "document.querySelectorAll('.trow').length === 0")


def test_pinned_runs_stay_on_top(own: Tab) -> None:
    """A pinned run stands above the list, whatever the sort."""
    page = own.page
    tick(page, "name-0")
    page.get_by_role("button", name="Pin").click()
    until(page, "document.querySelector('.trow').textContent.includes('name-0')")
    page.get_by_title("Sort by name").click()
    page.get_by_label("Unpin name-0").click()
    page.get_by_label("Unpin name-0").wait_for(state="detached")


def test_csv_holds_all_rows(tab: Tab) -> None:
    """The table as CSV: every run of the filter, values in full."""
    page = tab.open(f"{TABLE}?cols=parameters/lr&cols=val/acc:max&q=optimizer=lion")
    page.locator(".trow").first.wait_for()
    with page.expect_download() as caught:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(io.StringIO(Path(caught.value.path()).read_text(encoding="utf-8"))))
    assert rows[0] == ["run_id", "sys/name", "parameters/lr", "val/acc:max"]
    assert len(rows) == 8
    assert float(rows[1][2]) == 0.0003


def test_selected_runs_are_compared(own: Tab) -> None:
    """Two ticked runs lead to their comparison."""
    page = own.page
    tick(page, "name-0", "name-2")
    page.get_by_role("button", name="Compare").click()
    page.locator("table.cmp").get_by_role("link", name="name-2").wait_for()
    assert parse_qs(urlsplit(page.url).query)["runs"] == ["r0", "r2"]


def test_grouped_table_has_aggregates(tab: Tab) -> None:
    """Groups show their number of runs and the means of their columns."""
    page = tab.open(f"{TABLE}?g=parameters/optimizer&cols=val/acc")
    page.locator(".tgrp").first.wait_for()
    texts = page.locator(".tgrp").all_inner_texts()
    assert any("n 7" in text and "±" in text for text in texts)


@pytest.mark.slow
def test_rows_outside_the_view_are_not_there(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """Of many rows only those in view are in the page, and scrolling finds the others."""
    for number in range(260):
        goodseed.Run(
            project="p", run_id=f"r{number:03d}", storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False,
            capture_stdout=False, capture_stderr=False, git_ref=False,
        ).close()  # fmt: skip
    page = new_tab(serve(tmp_path).url).open("/p/p/-/table")
    page.locator(".trow").first.wait_for()
    assert page.locator(".trow").count() < 80
    page.locator(".tbl").evaluate("e => e.scrollTo(0, e.scrollHeight)")
    page.get_by_text("r000").wait_for()
