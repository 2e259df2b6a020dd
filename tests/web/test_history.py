"""The history of a run on its page: attempts, and what is no longer the run's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import goodseed

from .conftest import Tab, wait_painted

TAILS = "loss|sys/attempts/1/loss"


def _run(home: Path, **arguments: Any) -> goodseed.Run:
    return goodseed.Run(
        project="p", storage="local", goodseed_home=home, capture_hardware_metrics=False, git_ref=False, **arguments
    )


def test_history_of_a_rewound_run(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """A rewound run shows its attempts and its tails; a run with one attempt, which replaced nothing, has no such tab."""
    for name in ("plain", "long"):
        with _run(tmp_path, run_id=name) as run:
            run.log_points("loss", range(100), [1 / (step + 1) for step in range(100)])
    with _run(tmp_path, resume_run_id="long", rewind_to=60) as run:
        run.log_points("loss", range(61, 120), [0.5] * 59)
    page = new_tab(serve(tmp_path).url).open("/p/p/-/run/long/history")
    rows = page.get_by_role("region", name="Table of attempts").get_by_role("row")
    card = page.locator("article.chart").first
    wait_painted(page, card)

    assert 3 == rows.count()
    assert "61 to 119, rewound to 60" in rows.nth(2).inner_text()
    assert "goodseed rewind -p 'p' -r 'long' --undo" in page.get_by_role("note").inner_text()
    assert TAILS == card.get_attribute("data-metric")
    page.goto(page.url.replace("long/history", "plain"))
    page.get_by_role("link", name="Overview").wait_for()
    assert 0 == page.get_by_role("link", name="History").count()


def test_lists_leave_tails_out(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """The charts of a run and of its project are of the run's own metrics."""
    with _run(tmp_path, run_id="long") as run:
        run.log_points("loss", range(100), [1.0] * 100)
    with _run(tmp_path, resume_run_id="long", rewind_to=0) as run:
        run.log_points("loss", range(1, 100), [0.0] * 99)
    tab = new_tab(serve(tmp_path).url)
    for address in ("/p/p", "/p/p/-/run/long/charts"):
        page = tab.open(address)
        cards = page.locator("article.chart")
        wait_painted(page, cards.first)

        assert ["loss"] == [card.get_attribute("data-metric") for card in cards.all()]
