"""The comparison of runs: what differs, parallel coordinates, scatter."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import goodseed

from .conftest import HOME, Tab, make_repository, settled, until


def test_compare_shows_differences_first(tab: Tab) -> None:
    """Only what differs, metrics with deltas to the baseline and the best marked; a switch shows all."""
    page = tab.open(f"{HOME}/-/compare?runs=run-01&runs=run-02&runs=run-03")
    table = page.locator("table.cmp")
    table.get_by_text("val/acc max").wait_for()
    text = table.inner_text()
    assert all(part in text for part in ("lr", "optimizer", "%", "●"))
    assert "vit_s16" not in text
    page.get_by_role("button", name="All", exact=True).click()
    table.get_by_text("vit_s16").first.wait_for()
    page.get_by_role("button", name="Markdown").click()
    page.get_by_text("Copied as Markdown").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("|  | vit-01 | vit-02 | vit-03 |")
    page.get_by_role("button", name="vit-01", exact=True).click()
    page.get_by_role("checkbox", name="vit-03").click()
    until(page, "document.querySelector('table.cmp thead th').textContent.includes('vit-03')")


def test_brush_over_an_axis_filters(tab: Tab) -> None:
    """Dragging along an axis of the parallel coordinates narrows the runs."""
    page = tab.open(f"{HOME}/-/compare?axes=parameters/lr&axes=val/acc:max")
    canvas = page.get_by_role("img", name=re.compile("Parallel coordinates"))
    canvas.wait_for()
    settled(page)
    box = canvas.bounding_box()
    x = box["x"] + box["width"] - 70
    page.mouse.move(x, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(x, box["y"] + 120, steps=4)
    page.mouse.up()
    until(page, "location.search.includes('val/acc')")
    assert parse_qs(urlsplit(page.url).query)["q"][0].startswith("val/acc:max>=")


def test_scatter_point_opens_its_run(tab: Tab) -> None:
    """Every point of the scatter plot is a run."""
    page = tab.open(f"{HOME}/-/compare?plot=scatter&sx=sys/ordinal&sy=val/acc:max&q=name:vit-09")
    canvas = page.get_by_role("img", name=re.compile("against"))
    canvas.wait_for()
    settled(page)
    box = canvas.bounding_box()
    for part in (0.05, 0.5):
        for y in range(30, 240, 8):
            page.mouse.move(box["x"] + 60 + (box["width"] - 130) * (part if part == 0.5 else 0), box["y"] + y)
            if "vit-09" in page.locator(".plotbox").inner_text():
                page.mouse.click(box["x"] + 60 + (box["width"] - 130) * (part if part == 0.5 else 0), box["y"] + y)
                page.wait_for_url(re.compile(r"/run/run-09(\?|$)"))
                return
    raise AssertionError("No point was found")


@pytest.mark.slow
def test_compare_finds_what_differs_in_many_metrics_and_in_the_code(
    new_tab: Callable[..., Tab], serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of 300 metrics, one of 6,000 configs, and changes that were not committed; what is the same is left out."""
    script = make_repository(tmp_path / "code", monkeypatch)
    home = tmp_path / "home"
    for number in range(2):
        script.write_text("lr = 2\n" * (number + 1), encoding="utf-8")
        with goodseed.Run(
            project="p",
            run_id=f"r{number}",
            storage="local",
            goodseed_home=home,
            capture_hardware_metrics=False,
            git_ref=True,
        ) as run:
            run.log_metrics({f"m{i:03}": float(number if i == 299 else 1) for i in range(300)}, step=0)
            run.log_configs({f"k{i:04}": number if i == 5_999 else 1 for i in range(6_000)})
    page = new_tab(serve(home).url).open("/p/p/-/compare?runs=r0&runs=r1")
    table = page.locator("table.cmp")
    table.get_by_text("m299 last").wait_for()
    text = table.inner_text()
    assert "k5999" in text
    assert "train.py +2 −1" in text
    assert "m000" not in text
    page.get_by_role("button", name="All", exact=True).click()
    table.get_by_text("k5998").wait_for()
    metrics = table.locator("tbody").first.locator("tr th").all_inner_texts()
    assert metrics[1] == "m299 last"
