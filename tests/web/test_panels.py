"""Panels of plugins on a run's page."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import goodseed

from .conftest import Tab

PLUGIN = """
from goodseed.hookspecs import Bars, Panel, Table, Text, hookimpl

def show(run):
    yield Text("<img src=x onerror='window.hurt=1'>")
    yield Table(["Layer", "Norm"], [["conv1", 0.25], ["<b>fc</b>", None]])
    yield Bars(["up", "down"], [3.0, -1.5])

def broken(run):
    raise RuntimeError("oh")

@hookimpl
def goodseed_panels():
    return [Panel("norms", "Norms", show), Panel("broken", "Broken", broken), Panel("none", "None", lambda run: [])]
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_panels(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path, theme: str) -> None:
    """A plugin's texts, tables and bars stand on the page as what they are, and a broken one costs the page nothing."""
    from axe_playwright_python.sync_playwright import Axe

    info = tmp_path / "packages" / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[goodseed]\nacme = acme_plugin\n")
    (info.parent / "acme_plugin.py").write_text(PLUGIN)
    with goodseed.Run(
        project="p", run_id="one", storage="local", goodseed_home=tmp_path / "home", capture_hardware_metrics=False,
        git_ref=False,
    ) as run:  # fmt: skip
        run.log_metrics({"loss": 1.0}, step=0)
    python_path = os.pathsep.join([str(info.parent), str(Path(goodseed.__file__).parent.parent)])
    tab = new_tab(serve(tmp_path / "home", PYTHONPATH=python_path).url, color_scheme=theme)
    page = tab.open("/p/p/-/run/one")
    norms = page.get_by_role("region", name="Norms", exact=True)
    norms.wait_for()
    page.get_by_role("region", name="Broken").get_by_role("alert").get_by_text("acme failed").wait_for()

    assert norms.locator("p").text_content() == "<img src=x onerror='window.hurt=1'>"
    assert norms.locator("td").all_text_contents() == ["conv1", "0.2500", "<b>fc</b>", ""]
    assert norms.locator("dd").all_text_contents() == ["3", "−1.500"]
    widths = [bar.bounding_box()["width"] for bar in norms.locator("dd i").all()]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.02)
    assert page.get_by_role("region", name="None").count() == 0
    assert page.evaluate("window.hurt") is None
    if "SCREENSHOTS" in os.environ:
        page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"panels-{theme}.png")
    results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    assert [one["id"] for one in results.response["violations"]] == []
