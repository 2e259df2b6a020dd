"""WCAG 2 AA, as axe sees it, on every page in both themes; and pictures of them to look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import PROJECT, Tab, settled

HOME = f"/p/{PROJECT}"
PAGES = {
    "projects": "/",
    "workspace": HOME,
    "grouped": f"{HOME}?g=parameters/depth&show=auto:14&sm=0.6",
    "table": f"{HOME}/-/table",
    "compare": f"{HOME}/-/compare?runs=run-01&runs=run-02",
    "scatter": f"{HOME}/-/compare?plot=scatter",
    "run": f"{HOME}/-/run/run-05?base=run-03",
    "charts": f"{HOME}/-/run/run-05/charts",
    "config": f"{HOME}/-/run/run-05/config?base=run-03",
    "logs": f"{HOME}/-/run/run-05/logs?find=epoch",
    "text": f"{HOME}/-/run/run-05/text?base=run-03",
    "system": f"{HOME}/-/run/run-05/system",
    "source": f"{HOME}/-/run/run-05/source",
    "trash": f"{HOME}/-/table?trash=1",
    "nothing found": f"{HOME}?q=zzz",
    "no columns": f"{HOME}?side=none",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", list(PAGES))
def test_axe_finds_nothing(new_tab: Callable[..., Tab], name: str, theme: str) -> None:
    """No violation of WCAG 2 A and AA on any page; with SCREENSHOTS set, a picture of each is kept there."""
    from axe_playwright_python.sync_playwright import Axe

    page = new_tab(color_scheme=theme, reduced_motion="reduce").open(PAGES[name])
    settled(page)
    if "SCREENSHOTS" in os.environ:
        page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"{name}-{theme}.png")
    results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    found = [(one["id"], [node["html"][:160] for node in one["nodes"][:4]]) for one in results.response["violations"]]
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_overlays(new_tab: Callable[..., Tab], theme: str) -> None:
    """Menus, the palette, dialogs and a chart alone hold to the same."""
    from axe_playwright_python.sync_playwright import Axe

    page = new_tab(color_scheme=theme).open(HOME)
    page.locator(".row").first.wait_for()
    steps: list[Callable[[], object]] = [
        lambda: page.keyboard.press("Control+k"),
        lambda: (page.keyboard.press("Control+k"), page.keyboard.type("zzzzz")),
        lambda: page.keyboard.press("?"),
        lambda: page.locator("#group").click(),
        lambda: page.get_by_label("Columns", exact=True).first.click(),
        lambda: page.goto(page.url.split("?")[0] + "?f=val/acc"),
    ]
    found = []
    for step in steps:
        step()
        settled(page)
        results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
        found += [
            (one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in results.response["violations"]
        ]
        page.keyboard.press("Escape")
        settled(page)
    assert found == []
