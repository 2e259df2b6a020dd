"""What can be set of charts: axes, smoothing, zoom, panels, full screen, export."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import goodseed

from .conftest import (
    HOME,
    SPIKE,
    Tab,
    chart,
    move_over,
    painted,
    query,
    settled,
    until,
    wait_painted,
    wait_repainted,
)


def test_smoothing_changes_the_curve_and_keeps_the_raw_one(tab: Tab) -> None:
    """The slider smooths; the raw curve stays, faint; the tooltip tells both."""
    page = tab.open(f"{HOME}?show=run-00")
    card = chart(page, "train/loss")
    before = wait_painted(page, card)
    page.get_by_label("Smoothing", exact=True).fill("0.9")
    wait_repainted(page, card, before)
    assert query(page)["sm"] == ["0.9"]
    move_over(page, card, 0.5, 0.8)
    assert "raw" in page.locator(".tip").text_content()
    for kind in ("Gaussian", "Mean"):
        page.get_by_title("Kind of smoothing").click()
        page.get_by_role("checkbox", name=kind).click()
        settled(page)
        assert painted(card) > 200


def test_x_axes(tab: Tab) -> None:
    """Steps, relative time, wall time, another metric, and a logarithmic axis."""
    page = tab.open(f"{HOME}?show=run-00")
    wait_painted(page, chart(page, "train/loss"))
    for name, value in (("Relative", "time"), ("Wall", "wall")):
        page.get_by_role("group", name="X axis").get_by_role("button", name=name).click()
        assert query(page)["x"] == [value]
        wait_painted(page, chart(page, "train/loss"))
    page.get_by_role("button", name="Metric…").click()
    page.locator(".menu .it", has_text="train/lr").click()
    assert query(page)["x"] == ["train/lr"]
    wait_painted(page, chart(page, "train/loss"))
    wait_painted(page, chart(page, "val/acc"))
    page.goto(f"{tab.root}{HOME}?show=run-00&xlog=1")
    wait_painted(page, chart(page, "train/loss"))


def test_a_metric_without_common_steps_falls_back_to_steps(
    new_tab: Callable[..., Tab], serve: Any, tmp_path: Path
) -> None:
    """A metric on the x axis never leaves other charts empty."""
    import goodseed

    with goodseed.Run(
        project="p", storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False, git_ref=False
    ) as run:
        for step in range(50):
            run.log_metrics({"even": float(step)}, step=2 * step)
            run.log_metrics({"odd": float(step)}, step=2 * step + 1)
    page = new_tab(serve(tmp_path).url).open("/p/p?x=even")
    wait_painted(page, chart(page, "odd"))


def test_log_y(tab: Tab) -> None:
    """One click makes y logarithmic; the address keeps it."""
    page = tab.open(f"{HOME}?show=run-00")
    card = chart(page, "train/loss")
    before = wait_painted(page, card)
    card.hover()
    card.get_by_label("Log y axis").click()
    assert query(page)["y"] == ["train/loss"]
    wait_repainted(page, card, before)


def test_log_y_under_the_pointer(tab: Tab) -> None:
    """The key `l` does so, too, for an axis that began at 0; uPlot never ended drawing that."""
    page = tab.open(HOME)
    card = chart(page, "train/lr")
    wait_painted(page, card)
    move_over(page, card, 0.5, 0.5)
    before = painted(card)
    page.keyboard.press("l")
    until(page, 'document.querySelector(\'[data-metric="train/lr"] [aria-label="Log y axis"][aria-pressed=true]\')')
    after = wait_repainted(page, card, before)
    page.keyboard.press("l")
    wait_repainted(page, card, after)
    assert query(page).get("y") is None


def test_drag_zooms_and_fetches_finer_data(tab: Tab) -> None:
    """Dragging zooms all charts and asks for the points of that range; double-click goes back."""
    page = tab.open(f"{HOME}?show=run-07")
    card = chart(page, "train/loss")
    wait_painted(page, card)
    box = card.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40, steps=4)
    page.mouse.up()
    page.wait_for_selector(".zoomchip")
    settled(page)
    low, high = (float(end) for end in query(page)["z"][0].split("~"))
    assert 7_000 < low < high < 11_000
    assert tab.series_asks()[-1]["range"] == [low, high]
    card.locator(".u-over").dblclick()
    page.wait_for_selector(".zoomchip", state="detached")


def test_spike_of_one_point_in_20000_is_never_lost(tab: Tab) -> None:
    """Buckets keep their extremes: the spike is in the band, and in the chart with outliers."""
    page = tab.open(f"{HOME}?show=run-07")
    card = chart(page, "train/loss")
    wait_painted(page, card)
    card.get_by_role("button", name="clipped").click()
    assert query(page)["full"] == ["1"]
    settled(page)
    texts = []
    for offset in range(-8, 9):
        move_over(page, card, 12_345 / 20_000 + offset / 1000, 0.95)
        texts.append(page.locator(".tip").text_content())
    assert any(f"to {SPIKE:.0f}" in text for text in texts)


def test_nan_is_marked(tab: Tab) -> None:
    """A NaN is a mark in the chart and in the tooltip."""
    page = tab.open(f"{HOME}?show=run-04")
    card = chart(page, "train/loss")
    wait_painted(page, card)
    texts = []
    for offset in range(-8, 9):
        move_over(page, card, 150 / 299 + offset / 1000, 0.85)
        texts.append(page.locator(".tip").text_content())
    assert any("NaN" in text for text in texts)


def test_grouping_shows_mean_and_band(tab: Tab) -> None:
    """Runs grouped by a config become one line each, with the number of runs and the spread."""
    page = tab.open(f"{HOME}?show=auto:14")
    wait_painted(page, chart(page, "val/acc"))
    page.keyboard.press("g")
    page.get_by_role("checkbox", name="parameters/depth").click()
    page.keyboard.press("Escape")
    page.wait_for_selector(".grp")
    assert re.search(r"n \d", page.locator(".grp").first.text_content())
    card = chart(page, "val/acc")
    wait_painted(page, card)
    move_over(page, card, 0.5, 0.5)
    text = page.locator(".tip").text_content()
    assert "3 lines" in text
    assert re.search(r"n \d", text)
    page.locator("#group").click()
    page.get_by_role("button", name="min–max").click()
    assert query(page)["band"] == ["minmax"]


def test_metric_filter(tab: Tab) -> None:
    """Regular expressions, all terms, and terms that must not match; a broken one says so."""
    page = tab.open(HOME)
    chart(page, "val/acc")
    page.keyboard.press("m")
    page.keyboard.type("loss$ !train")
    until(page, "document.querySelectorAll('[data-metric]').length === 1")
    assert page.locator("[data-metric]").get_attribute("data-metric") == "val/loss"
    page.get_by_label("Filter metrics by regular expression").fill("(")
    page.get_by_text("no regular expression").wait_for()


def test_pinned_charts_come_first(tab: Tab) -> None:
    """A pinned chart stands in the first section, also after the next visit."""
    page = tab.open(HOME)
    card = chart(page, "train/loss")
    card.hover()
    card.get_by_label("Pin").click()
    assert page.locator(".sec").first.locator("[data-metric]").get_attribute("data-metric") == "train/loss"
    page.goto(tab.root + HOME)
    until(page, "document.querySelector('.sec [data-metric]')?.dataset.metric === 'train/loss'")


def test_several_metrics_in_one_chart(tab: Tab) -> None:
    """A panel draws several metrics of the shown runs."""
    page = tab.open(f"{HOME}?show=run-00")
    page.get_by_role("button", name="Panel").click()
    page.locator(".menu").get_by_role("checkbox", name="train/loss").click()
    page.locator(".menu").get_by_role("checkbox", name="val/loss").click()
    page.get_by_role("button", name="One chart of 2 metrics").click()
    card = chart(page, "train/loss|val/loss")
    wait_painted(page, card)
    move_over(page, card, 0.5, 0.5)
    assert "2 lines" in page.locator(".tip").text_content()


def test_full_screen(tab: Tab) -> None:
    """A chart alone, large, by a key and by its address."""
    page = tab.open(HOME)
    chart(page, "val/acc").hover()
    page.keyboard.press("f")
    dialog = page.get_by_role("dialog", name="val/acc")
    wait_painted(page, dialog)
    assert dialog.bounding_box()["width"] > 1000
    assert query(page)["f"] == ["val/acc"]
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_a_metric_may_have_any_name(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """One whose name has the sign that joins the metrics of a panel is shown alone, pinned and found like any other."""
    with goodseed.Run(project="p", storage="local", goodseed_home=tmp_path, capture_hardware_metrics=False) as run:
        for step in range(50):
            run.log_metrics({"a|b": step, "a": -step, "b\\": step}, step=step)
    page = new_tab(serve(tmp_path).url).open("/p/p")
    page.locator(".u-over").first.wait_for()
    page.locator("[data-metric='a\\\\|b']").hover()
    page.keyboard.press("f")
    dialog = page.get_by_role("dialog", name="a|b")
    wait_painted(page, dialog)
    page.keyboard.press("Escape")
    page.locator("[data-metric='a\\\\|b']").hover()
    page.keyboard.press("p")
    until(page, "document.querySelector('.sec .ttl')?.title === 'a|b'")
    assert query(page)["pin"] == ["a|b"]


@pytest.mark.parametrize(
    ("item", "name", "start"),
    [
        ("Image (PNG)", "val_acc.png", b"\x89PNG"),
        ("Drawing (SVG)", "val_acc.svg", b"<svg"),
        ("Points as drawn (CSV)", "val_acc.csv", b"run,metric,step"),
    ],
)
def test_export(tab: Tab, item: str, name: str, start: bytes) -> None:
    """A chart as an image, a drawing, or numbers."""
    page = tab.open(f"{HOME}?show=run-00")
    card = chart(page, "val/acc")
    wait_painted(page, card)
    card.hover()
    card.get_by_label("More").click()
    with page.expect_download() as caught:
        page.get_by_role("button", name=item).click()
    content = Path(caught.value.path()).read_bytes()
    assert caught.value.suggested_filename == name
    assert content.startswith(start)
    if name.endswith(".csv"):
        assert len(content.splitlines()) == 1 + 30


def test_full_screen_shows_the_values_at_the_cursor(tab: Tab) -> None:
    """The tooltip stands above the chart that is seen alone."""
    page = tab.open(f"{HOME}?f=val/acc")
    dialog = page.get_by_role("dialog")
    dialog.locator(".u-over").wait_for()
    settled(page)
    move_over(page, dialog, 0.5, 0.3)
    tip = page.locator(".tip.on").bounding_box()
    assert tip is not None
    # The tooltip takes no pointer: who is in front is asked while it does.
    front = page.evaluate(
        """([x, y]) => {
            const tip = document.querySelector(".tip");
            tip.style.pointerEvents = "auto";
            const found = document.elementFromPoint(x, y);
            tip.style.pointerEvents = "";
            return tip.contains(found);
        }""",
        [tip["x"] + tip["width"] / 2, tip["y"] + tip["height"] / 2],
    )
    assert front


def test_zoom_by_wall_time_of_a_short_run(tab: Tab) -> None:
    """A drag over a second of a wall clock is a zoom: its ends are rounded to a part of it."""
    page = tab.open(f"{HOME}?show=run-00&x=wall")
    card = chart(page, "train/loss")
    wait_painted(page, card)
    move_over(page, card, 0.3)
    page.mouse.down()
    move_over(page, card, 0.6)
    page.mouse.up()
    page.locator(".zoomchip").wait_for()
    low, high = map(float, query(page)["z"][0].split("~"))
    assert low < high < low + 60


def test_a_link_to_a_zoom_smooths_as_the_zoom_does(new_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """How much a curve is smoothed depends on the whole of it, also where only a part of it was ever asked for."""
    drawn = []
    page = new_tab().open(f"{HOME}?show=run-07&sm=0.9&f=train/loss")
    dialog = page.get_by_role("dialog")
    dialog.locator(".u-over").wait_for()
    settled(page)
    move_over(page, dialog, 0.4)
    page.mouse.down()
    move_over(page, dialog, 0.5)
    page.mouse.up()
    until(page, "location.search.includes('z=')")
    for one in (page, new_tab().open(page.url.split(page.url.split("/p/")[0])[1])):
        settled(one)
        one.get_by_label("Export").first.click()
        with one.expect_download() as download:
            one.get_by_text("Points as drawn (CSV)").click()
        download.value.save_as(tmp_path / "drawn.csv")
        drawn.append([float(line.split(",")[-1]) for line in (tmp_path / "drawn.csv").read_text().splitlines()[1:]])
    assert drawn[0] == pytest.approx(drawn[1], abs=1e-3)


def test_what_a_chart_can_do_is_reached_by_tab(tab: Tab) -> None:
    """The buttons of a chart are out of sight, and not out of reach."""
    page = tab.open(f"{HOME}?show=run-00")
    card = chart(page, "val/acc")
    wait_painted(page, card)
    page.locator("#metric-filter").focus()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('[data-metric]') !== null"):
            break
    metric = page.evaluate("document.activeElement.closest('[data-metric]').dataset.metric")
    page.keyboard.press("l")
    assert query(page)["y"] == [metric]


def test_a_zoom_between_two_points_shows_the_line(tab: Tab) -> None:
    """A metric that is logged seldom goes through a zoom that holds none of its points."""
    page = tab.open(f"{HOME}?show=run-00&z=100~200")
    wait_painted(page, chart(page, "val/acc"), 20)
    assert page.get_by_text("None of the shown runs has logged this").count() == 0


def test_the_zoom_moves_no_chart(tab: Tab) -> None:
    """The mark of a zoom lies over the charts."""
    page = tab.open(f"{HOME}?show=run-00")
    card = chart(page, "val/acc")
    before = card.bounding_box()
    page.goto(f"{tab.root}{HOME}?show=run-00&z=100~15000")
    page.locator(".zoomchip").wait_for()
    assert before == chart(page, "val/acc").bounding_box()
