"""The palette, the keys, the theme, and what else all pages share."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from .conftest import HOME, Tab, chart, until, wait_painted


def test_palette_jumps_to_runs_metrics_and_actions(tab: Tab) -> None:
    """Control-K finds a run, a metric and an action."""
    page = tab.open(HOME)
    page.keyboard.press("Control+k")
    page.keyboard.type("vit-07")
    page.get_by_role("option", name=re.compile("vit-07")).first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/run/run-07(\?|$)"))
    page.keyboard.press("Control+k")
    page.keyboard.type("val/acc")
    page.get_by_role("option", name="val/acc").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="val/acc").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("light or")
    page.keyboard.press("Enter")
    until(page, "document.documentElement.dataset.theme === 'dark'")


def test_a_dialog_takes_the_very_next_key(tab: Tab) -> None:
    """What is typed right after the palette was asked for is typed into it, and Escape closes what just opened."""
    page = tab.open(HOME)
    typed = page.evaluate(
        """async () => {
            const press = (key, ctrlKey = false) => document.activeElement.dispatchEvent(
                new KeyboardEvent("keydown", { key, ctrlKey, bubbles: true, cancelable: true }));
            press("k", true);
            await Promise.resolve();
            const first = document.activeElement.tagName;
            press("Escape");
            await Promise.resolve();
            return [first, document.querySelectorAll("[aria-modal]").length];
        }"""
    )
    assert typed == ["INPUT", 0]


def test_keys(tab: Tab) -> None:
    """The keys of the help page do what it says."""
    page = tab.open(HOME)
    wait_painted(page, chart(page, "val/acc"))
    page.keyboard.press("x")
    assert parse_qs(urlsplit(page.url).query)["x"] == ["time"]
    page.keyboard.press("]")
    assert parse_qs(urlsplit(page.url).query)["sm"] == ["0.1"]
    page.keyboard.press("j")
    page.wait_for_selector('.row[aria-selected="true"]')
    page.keyboard.press(" ")
    until(page, "document.querySelector('.row[aria-selected=true]').classList.contains('off')")
    chart(page, "val/acc").hover()
    page.keyboard.press("l")
    assert parse_qs(urlsplit(page.url).query)["y"] == ["val/acc"]
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard shortcuts").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    page.wait_for_url(re.compile(r"/-/table\?"))
    page.keyboard.press("3")
    page.wait_for_url(re.compile(r"/-/compare\?"))


def test_theme_follows_the_system_until_it_is_chosen(new_tab: Callable[..., Tab]) -> None:
    """Dark systems get the dark page; the switch is remembered."""
    page = new_tab(color_scheme="dark").open(HOME)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("t")
    page.reload()
    page.wait_for_selector("main")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_back_goes_back(tab: Tab) -> None:
    """The browser's back button leads through the pages."""
    page = tab.open(HOME)
    page.locator(".row a").first.click()
    page.wait_for_url(re.compile(r"/run/run-13(\?|$)"))
    page.go_back()
    page.get_by_role("grid", name="Runs").wait_for()


def test_nothing_comes_from_elsewhere(tab: Tab) -> None:
    """The page works offline: every request goes to its own server."""
    page = tab.open(HOME)
    wait_painted(page, chart(page, "val/acc"))
    assert {urlsplit(request.url).netloc for request in tab.asked} == {urlsplit(tab.root).netloc}
