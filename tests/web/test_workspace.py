"""The workspace: runs on the left, charts on the right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import goodseed

from .conftest import (
    HOME,
    Tab,
    chart,
    move_over,
    query,
    settled,
    until,
    wait_painted,
)


def test_projects_lead_to_their_runs(tab: Tab) -> None:
    """The first page lists the projects; a click opens one."""
    page = tab.open("/")
    page.get_by_role("link", name=re.compile("vit-sweep")).click()
    page.get_by_role("grid", name="Runs").wait_for()
    assert page.locator(".row").first.text_content().startswith("vit-13")
    assert urlsplit(page.url).path == HOME


def test_charts_draw_the_first_ten_runs(tab: Tab) -> None:
    """A workspace shows charts of the newest runs at once, without a click."""
    page = tab.open(HOME)
    wait_painted(page, chart(page, "val/acc"))
    assert page.locator(".lfoot b").text_content() == "10"


def test_hover_shows_values_of_all_runs_sorted_on_every_chart(tab: Tab) -> None:
    """The crosshair is linked: a tooltip here, a pill on the other charts, the values in the list."""
    page = tab.open(HOME)
    card = chart(page, "val/acc")
    wait_painted(page, card)
    wait_painted(page, chart(page, "val/loss"))
    page.keyboard.down("Shift")
    move_over(page, card, 0.5, 0.25)
    values = [
        float(text)
        for text in page.locator(".tip .tr .vl").evaluate_all("all => all.map(v => v.lastChild.textContent)")
    ]
    assert len(values) >= 8
    assert values == sorted(values, reverse=True)
    page.keyboard.up("Shift")
    assert page.locator(".tip .tr").count() == 5
    assert page.locator('[data-metric="val/loss"] .pill.on').count() == 1
    assert page.locator(".thead .lg").text_content() == "@ cursor"
    assert page.locator(".row .num.lg").first.text_content() != ""
    assert page.locator(".row.hl").count() == 1


def test_hovering_a_row_makes_its_run_stand_out(tab: Tab) -> None:
    """The list is the legend: the row under the pointer is drawn over the faded others."""
    page = tab.open(HOME)
    card = chart(page, "val/acc")
    wait_painted(page, card)
    page.locator(".row").nth(2).hover()
    page.wait_for_selector('[data-metric="val/acc"] .plot.fade')


def test_eye_toggles_solo_and_range_are_in_the_address(tab: Tab) -> None:
    """A click hides a run, Alt shows it alone, Shift takes a range; a link shows the same."""
    page = tab.open(HOME)
    wait_painted(page, chart(page, "val/acc"))
    page.get_by_label("Show vit-13").click()
    assert "run-13" not in query(page)["show"]
    page.get_by_label("Show vit-08").click(modifiers=["Alt"])
    assert query(page)["show"] == ["run-08"]
    page.get_by_label("Show vit-05").click(modifiers=["Shift"])
    assert sorted(query(page)["show"]) == ["run-05", "run-06", "run-07", "run-08"]
    page.reload()
    page.wait_for_selector(".row:not(.off)")
    until(page, "document.querySelectorAll('.row:not(.off)').length === 4")


def test_colour_of_a_run_is_the_same_on_every_page(tab: Tab) -> None:
    """A run keeps its colour, whatever is filtered and wherever it is shown."""
    page = tab.open(HOME)
    color = "e => getComputedStyle(e.querySelector('.sw')).backgroundColor"
    own = page.locator(".row", has_text="vit-09").evaluate(color)
    page.goto(f"{tab.root}{HOME}?q=name:vit-09")
    until(page, "document.querySelectorAll('.row').length === 1")
    assert page.locator(".row").evaluate(color) == own
    page.goto(f"{tab.root}{HOME}/-/run/run-09")
    assert page.locator(".rh").evaluate(color) == own


def test_filter_completes_and_narrows(tab: Tab) -> None:
    """Typing offers names and values; the list follows."""
    page = tab.open(HOME)
    page.keyboard.press("/")
    page.keyboard.type("optim")
    page.get_by_role("option", name="parameters/optimizer").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.type("=li")
    page.get_by_role("option", name="lion").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('.cnt').textContent === '7'")
    assert query(page)["q"] == ["parameters/optimizer=lion"]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("lr<=3e-4 state:finished", 8),
        ("tag:baseline", 1),
        ('name~"vit-0[12]"', 2),
        ("val/acc:max>0.94 not tag:ablation", 6),
        ("state:failed", 1),
    ],
)
def test_filter_language(tab: Tab, filter: str, expected: int) -> None:
    """Filters that users write work as they are."""
    page = tab.open(HOME)
    page.get_by_label("Filter runs").fill(filter)
    page.keyboard.press("Enter")
    until(page, f"document.querySelector('.cnt').textContent === '{expected}'")


def test_unreadable_filter_says_where(new_tab: Callable[..., Tab]) -> None:
    """A bad filter is marked at the place of its fault, and the list stays."""
    tab = new_tab()
    page = tab.open(HOME)
    page.wait_for_selector(".row")
    page.get_by_label("Filter runs").fill("lr<=1e-3 and (tag:")
    page.keyboard.press("Enter")
    assert "^" in page.locator(".fault pre").text_content()
    assert page.locator(".row").count() > 5
    tab.problems.clear()  # the browser reports the 400 itself


def test_sorting_by_a_metric(tab: Tab) -> None:
    """A click on a column sorts by it on the server."""
    page = tab.open(HOME)
    page.locator(".row").first.wait_for()
    page.locator(".thead").get_by_role("button", name="val/acc").click()
    until(page, "document.querySelector('.row .nm').textContent.startsWith('vit-13')")
    page.locator(".thead").get_by_role("button", name="val/acc").click()
    until(page, "document.querySelector('.row .nm').textContent.startsWith('vit-00')")


def test_columns_of_best_and_last(tab: Tab) -> None:
    """Any metric's min, max, mean or last can be a column of the list."""
    page = tab.open(HOME)
    page.locator(".row").first.wait_for()
    page.get_by_label("Columns", exact=True).first.click()
    item = page.locator(".menu .it", has_text="train/loss")
    item.get_by_role("button", name="min").click()
    page.keyboard.press("Escape")
    until(page, "[...document.querySelectorAll('.thead button')].some(b => b.title.includes('train/loss min'))")
    assert "train/loss:min" in query(page)["side"]


def test_only_cards_in_view_are_drawn(tab: Tab) -> None:
    """Of 1,500 charts only those on the screen hold a canvas or ask for data."""
    page = tab.open("/p/many")
    page.locator(".u-over").first.wait_for()
    settled(page)
    assert page.locator("canvas.lines").count() < 30
    asked = {path["path"] for ask in tab.series_asks() for path in ask["items"]}
    assert len(asked) < 40
    page.locator(".scroll").evaluate("e => e.scrollTo(0, e.scrollHeight / 2)")
    settled(page)
    assert page.locator("canvas.lines").count() < 40


def test_monitoring_is_shut_and_unfetched(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """The hardware's metrics cost nothing before they are opened."""
    with goodseed.Run(
        project="p", storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False, git_ref=False
    ) as run:
        run.log_metrics({"loss": 1.0, "monitoring/abcd1234/cpu": 50.0}, step=0)
    tab = new_tab(serve(tmp_path).url)
    page = tab.open("/p/p")
    page.locator(".u-over").first.wait_for()
    settled(page)
    assert page.locator('[data-metric="monitoring/*/cpu"]').count() == 0
    assert not any("monitoring" in item["path"] for ask in tab.series_asks() for item in ask["items"])
    page.get_by_role("button", name="monitoring").click()
    chart(page, "monitoring/*/cpu")


def test_saved_view_brings_everything_back(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """A view is kept on the server under a name, for everybody."""
    with goodseed.Run(
        project="p", storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False, git_ref=False
    ) as run:
        run.log_metrics({"loss": 1.0}, step=0)
    url = serve(tmp_path).url
    page = new_tab(url).open("/p/p?sm=0.3&m=loss")
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Save this view as").fill("mine")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved as").wait_for()
    other = new_tab(url).open("/p/p")
    other.get_by_role("button", name="Views").click()
    other.locator(".menu").get_by_text("mine").click()
    until(other, "location.search.includes('sm=0.3')")


def test_empty_states_teach(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """Where nothing is yet, the page says how to begin, and a copy button gives the code."""
    (tmp_path / "projects").mkdir()
    page = new_tab(serve(tmp_path).url).open("/")
    page.get_by_text("No runs yet").wait_for()
    assert "goodseed.Run(" in page.locator(".code").text_content()


def test_hostile_texts_are_texts(tab: Tab) -> None:
    """Names, tags, configs and logs of a run file are shown, never obeyed."""
    page = tab.open("/p/hostile")
    page.locator(".row").get_by_text('<img src=x onerror="window.hurt=1">').wait_for()
    for part in ("", "/charts", "/config", "/logs", "/source"):
        page.goto(f"{tab.root}/p/hostile/-/run/evil{part}")
        page.wait_for_selector(".rh")
        settled(page)
    assert page.evaluate("window.hurt") is None


def test_tooltip_shows_the_best_and_the_one_under_the_pointer(tab: Tab) -> None:
    """Where not all fit, the first rows are the highest, and the last is the line that stands out."""
    page = tab.open(HOME)
    card = chart(page, "val/acc")
    wait_painted(page, card)
    values = "all => all.map(v => v.lastChild.textContent)"
    for height in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        move_over(page, card, 0.3, height)
        few = page.locator(".tip .tr .vl").evaluate_all(values)
        page.keyboard.down("Shift")
        every = page.locator(".tip .tr .vl").evaluate_all(values)
        page.keyboard.up("Shift")
        assert every[:4] == few[:4]
        if page.locator(".tip .tr.on").count():
            assert len(every) >= 8
            return
    raise AssertionError("No line was under the pointer")


def test_names_stay_where_there_are_no_columns(tab: Tab) -> None:
    """Runs without metrics, or a list without columns, still show names and times."""
    page = tab.open(f"{HOME}?side=none")
    name = page.locator(".row .t").first.bounding_box()
    assert name is not None
    assert name["width"] > 20


def test_rows_by_keyboard(tab: Tab) -> None:
    """With the list in focus, arrows choose a run, Space hides it, Enter opens it."""
    page = tab.open(HOME)
    page.locator(".row").first.wait_for()
    rows = page.get_by_role("grid", name="Runs")
    rows.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.getAttribute('aria-activedescendant')") == "row-1"
    page.keyboard.press(" ")
    until(page, "document.querySelector('#row-1 .eye').getAttribute('aria-pressed') === 'false'")
    page.keyboard.press("Enter")
    until(page, "location.pathname.endsWith('/run/run-12')")


def test_unfinished_filters_are_not_asked_for(tab: Tab) -> None:
    """What is being typed is applied once it is a condition; nothing on the way is refused."""
    page = tab.open(HOME)
    page.locator(".row").first.wait_for()
    page.locator("#run-filter").focus()
    for part in ("lr<=", "1e-3 (", "state:", "finished or ", 'name~"vit', '-0")'):
        page.keyboard.type(part)
        page.wait_for_timeout(400)  # longer than the page waits for the next letter before it asks
    until(page, "location.search.includes('vit-0')")
    page.locator(".row").first.wait_for()
