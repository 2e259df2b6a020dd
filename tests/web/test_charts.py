"""Charts: menus beside their buttons, values that are not finite, clicks, axes, groups, hardware, exports."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import goodseed

from .conftest import PROJECT, Tab, chart, move_over, painted, until, wait_painted

HOME = f"/p/{PROJECT}"


def _run(home: Path, run_id: str, points: dict[str, list[float]], status: str = "finished", **configs: object) -> None:
    run = goodseed.Run(
        project="p", run_id=run_id, storage="local", goodseed_home=home, capture_hardware_metrics=False, git_ref=False
    )
    for name, value in configs.items():
        run[f"config/{name}"] = value
    for step in range(max(map(len, points.values()))):
        run.log_metrics({path: values[step] for path, values in points.items() if step < len(values)}, step=step)
    run.close(status)


@pytest.mark.parametrize("metric", ["train/loss", "train/lr", "val/acc", "val/loss"])
@pytest.mark.parametrize("scroll", [0, 140])
def test_a_menu_opens_beside_its_button(tab: Tab, metric: str, scroll: int) -> None:
    """In every column, and wherever the page is scrolled to, all of the menu is on the screen, next to its button."""
    page = tab.open(HOME)
    card = chart(page, metric)
    page.locator(".scroll").evaluate(f"box => box.scrollTop = {scroll}")
    card.hover()
    card.get_by_role("button", name="More").click()
    menu = page.get_by_role("dialog", name="More")
    menu.get_by_text("Copy a link to this chart").wait_for()

    button, box = card.get_by_role("button", name="More").bounding_box(), menu.bounding_box()

    assert 0 <= box["x"] <= button["x"] + button["width"]
    assert box["x"] + box["width"] >= button["x"]
    assert box["x"] + box["width"] <= 1440
    is_below = abs(box["y"] - button["y"] - button["height"]) <= 8
    assert is_below or abs(box["y"] + box["height"] - button["y"]) <= 8
    item = menu.get_by_text("Copy a link to this chart").bounding_box()
    at = [item["x"] + 4, item["y"] + 4]
    assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('.menu') !== null", at)


def test_a_menu_follows_its_button(tab: Tab) -> None:
    """A page that is scrolled below an open menu takes it along."""
    page = tab.open(HOME)
    card = chart(page, "train/loss")
    card.hover()
    card.get_by_role("button", name="More").click()
    menu = page.get_by_role("dialog", name="More")
    before = menu.bounding_box()["y"] - card.get_by_role("button", name="More").bounding_box()["y"]
    page.locator(".scroll").evaluate("box => box.scrollTop += 30")
    until(
        page,
        "(() => { const b = document.querySelector('.menu').getBoundingClientRect(),"
        " a = document.querySelector('[aria-expanded=true][aria-label=More]').getBoundingClientRect();"
        f" return Math.abs(b.top - a.top - {before}) < 2 }})()",
    )


def test_nan_is_one_span_however_long(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """Four hundred NaN are shaded from the first to the last of them, also in a group of runs."""
    values = [math.nan if 100 <= step < 500 else math.exp(-step / 100) for step in range(600)]
    _run(tmp_path, "a", {"loss": values}, lr=0.1)
    tab = new_tab(serve(tmp_path).url)
    for query in ("", "?g=config/lr"):
        page = tab.open(f"/p/p{query}")
        card = chart(page, "loss")
        wait_painted(page, card)
        # In the middle of the span every row of pixels is shaded; behind it none is but the line's.
        shaded = card.locator("canvas.lines").evaluate(
            """(canvas) => {
                const over = canvas.parentElement.querySelector(".u-over");
                const [left, width] = [over.offsetLeft, over.offsetWidth];
                const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
                copy.drawImage(canvas, 0, 0);
                const part = (step) => {
                    const x = Math.round((left + width * step / 599) * canvas.width / canvas.clientWidth);
                    const data = copy.getImageData(x, 0, 1, canvas.height).data;
                    let count = 0;
                    for (let i = 3; i < data.length; i += 4) if (data[i] > 0) count++;
                    return count / canvas.height;
                };
                return [105, 160, 250, 350, 470, 495, 60, 550].map(part);
            }"""
        )
        assert min(shaded[:6]) > 0.6
        assert max(shaded[6:]) < 0.2


@pytest.mark.parametrize("query", ["", "?g=config/lr"])
def test_a_click_anywhere_opens_the_moment(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path, query: str) -> None:
    """Far from every line, and where the values are NaN, a click is about the x at which it was made."""
    _run(tmp_path, "a", {"loss": [math.nan if step > 50 else 1.0 for step in range(101)]}, lr=0.1)
    page = new_tab(serve(tmp_path).url).open(f"/p/p{query}")
    card = chart(page, "loss")
    wait_painted(page, card)
    for part in (0.2, 0.8):
        move_over(page, card, part, 0.9)
        box = card.locator(".u-over").bounding_box()
        page.mouse.click(box["x"] + box["width"] * part, box["y"] + box["height"] * 0.9)
        dialog = page.get_by_role("dialog", name=re.compile("at step"))
        dialog.wait_for()
        step = int(re.findall(r"step (\d+)", dialog.get_attribute("aria-label"))[0])
        assert abs(step - 100 * part) <= 1
        page.keyboard.press("Escape")


def test_a_tap_opens_one_thing(new_tab: Callable[..., Tab]) -> None:
    """On a phone a tap on a chart opens the moment, without a tooltip over it."""
    page = new_tab(viewport={"width": 390, "height": 844}, has_touch=True).open(HOME)
    card = chart(page, "val/acc")
    wait_painted(page, card)
    box = card.locator(".u-over").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.get_by_role("dialog", name=re.compile("at step")).wait_for()
    assert page.locator(".tip.on").count() == 0


def test_axes_of_any_double(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """Huge, tiny and nearly equal values have ticks that fit beside the chart."""
    steps = range(60)
    points = {
        "huge": [1e300 * math.sin(step / 10) for step in steps],
        "tiny": [1e-300 * math.cos(step / 10) for step in steps],
        "big": [1e9 + 0.001 * step for step in steps],
        "largest": [1.7e308 if step % 2 else -1.7e308 for step in steps],
    }
    _run(tmp_path, "a", points)
    page = new_tab(serve(tmp_path).url).open("/p/p")
    for metric in points:
        card = chart(page, metric)
        wait_painted(page, card)
        # Pixels of the axis canvas left of the plot: labels, none of them at its very edge.
        columns = card.locator(".u-wrap > canvas:not(.layer)").evaluate(
            """(canvas) => {
                const over = canvas.parentElement.querySelector(".u-over");
                const width = Math.floor(over.offsetLeft * canvas.width / canvas.clientWidth) - 1;
                const data = canvas.getContext("2d").getImageData(0, 0, width, canvas.height * 0.85 | 0);
                const used = new Set();
                for (let i = 3; i < data.data.length; i += 4) if (data.data[i]) used.add(((i - 3) / 4) % width);
                return [...used].sort((a, b) => a - b);
            }"""
        )
        assert len(columns) > 10, metric
        assert columns[0] >= 1, metric


def test_a_group_has_the_same_figures_in_list_chart_and_tooltip(
    new_tab: Callable[..., Tab], serve: Any, tmp_path: Path
) -> None:
    """Mean, deviation and count are of all runs that did not fail, shown or not."""
    for run_id, top, status in (("a", 0.2, "finished"), ("b", 0.4, "finished"), ("c", 0.9, "failed")):
        _run(tmp_path, run_id, {"acc": [top * (step + 1) / 40 for step in range(40)]}, status, lr=0.1)
    page = new_tab(serve(tmp_path).url).open("/p/p?g=config/lr&show=a")
    card = chart(page, "acc")
    wait_painted(page, card)
    head = page.locator(".grp")
    assert "n 2, 1 left out" in head.inner_text()
    assert "acc max 0.3000 ± 0.1414" in " ".join(head.inner_text().split())
    until(page, "document.querySelector('.best').innerText.includes('0.3000 ± 0.1414')")
    assert "n 2" in card.locator(".best").inner_text()
    move_over(page, card, 0.995, 0.5)
    tip = page.locator(".tip .tr .vl").first
    assert "n 2" in tip.inner_text()
    assert "0.3000 ± 0.1414" in tip.inner_text()
    until(page, "document.querySelector('.grp .lg')?.innerText === '0.3000 ± 0.1414, n 2'")


def test_hiding_a_group_takes_its_line_away(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """The square before a group's name shows and hides it."""
    for run_id, lr in (("a", 0.1), ("b", 0.1), ("c", 0.2)):
        _run(tmp_path, run_id, {"acc": [step * lr for step in range(40)]}, lr=lr)
    page = new_tab(serve(tmp_path).url).open("/p/p?g=config/lr")
    wait_painted(page, chart(page, "acc"))
    page.get_by_label("Show the group lr 0.1").click()
    until(page, "document.querySelectorAll('.grp.off').length === 1")
    move_over(page, chart(page, "acc"), 0.5, 0.5)
    until(page, "document.querySelectorAll('.tip .tr').length === 1")
    assert page.locator(".tip .nm").inner_text() == "lr 0.2"


def test_values_that_hardly_differ_are_told_apart(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """The tooltip has the digits that the axis shows; the largest doubles have an axis, too."""
    _run(tmp_path, "a", {"near": [1e9 + step / 1000 for step in range(40)], "far": [1.7e308, -1.7e308] * 20})
    page = new_tab(serve(tmp_path).url).open("/p/p")
    card = chart(page, "near")
    wait_painted(page, card)
    move_over(page, card)
    until(page, "/^1000000000[.]0(19|2)/.test(document.querySelector('.tip.on .vl')?.lastChild.data)")
    wait_painted(page, chart(page, "far"))


def test_an_empty_chart_has_no_tooltip(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """Where no line is drawn, nothing is said of values at the pointer."""
    _run(tmp_path, "a", {"acc": [0.1, 0.2]})
    page = new_tab(serve(tmp_path).url).open("/p/p?show=none")
    move_over(page, chart(page, "acc"))
    page.get_by_text("@ cursor").wait_for()
    assert page.locator(".tip.on").count() == 0


def test_names_that_differ_in_their_middle_are_told_apart(
    new_tab: Callable[..., Tab], serve: Any, tmp_path: Path
) -> None:
    """List and tooltip show of long names the part in which they differ."""
    for seed in "12":
        name = f"{'x' * 45}-seed{seed}-{'y' * 45}"
        with goodseed.Run(project="p", run_id=seed, name=name, storage="local", goodseed_home=tmp_path) as run:
            run.log_metrics({"acc": 0.1}, step=0)
            run.log_metrics({"acc": 0.2}, step=1)
    page = new_tab(serve(tmp_path).url).open("/p/p")
    card = chart(page, "acc")
    wait_painted(page, card, 50)
    assert [re.sub(r"\D", "", text) for text in page.locator(".row .mid > :last-child").all_inner_texts()] == ["2", "1"]
    move_over(page, card)
    page.locator(".tip.on").wait_for()
    names = page.locator(".tip .nm").all_inner_texts()
    assert sorted(re.sub(r"\D", "", name) for name in names) == ["1", "2"]


def test_hardware_of_several_runs_is_one_chart_per_name(
    new_tab: Callable[..., Tab], serve: Any, tmp_path: Path
) -> None:
    """Whatever the process in the path is called, `cpu` of all runs and processes is one chart."""
    _run(tmp_path, "a", {"monitoring/aaaa/cpu": [10.0, 20.0, 30.0], "monitoring/bbbb/cpu": [50.0, 60.0, 50.0]})
    _run(tmp_path, "b", {"monitoring/cccc/cpu": [90.0, 70.0, 80.0], "monitoring/cccc/memory": [1.0, 2.0, 1.0]})
    page = new_tab(serve(tmp_path).url).open("/p/p?open=monitoring")
    card = chart(page, "monitoring/*/cpu")
    wait_painted(page, card)
    assert page.locator('[data-metric^="monitoring/"]').count() == 2
    assert card.locator(".ttl").inner_text() == "monitoring/cpu"
    move_over(page, card, 0.5, 0.5)
    until(page, "document.querySelectorAll('.tip .tr').length === 3")
    assert sorted(page.locator(".tip .nm").all_inner_texts()) == sorted(["a · aaaa", "a · bbbb", "b"])
    page.goto(f"{page.url.split('/p/p')[0]}/p/p/-/run/a/system")
    wait_painted(page, chart(page, "monitoring/*/cpu"))
    assert page.locator("[data-metric]").count() == 1


def test_full_screen_has_a_legend(tab: Tab) -> None:
    """Every line has its name and its last value beside the chart; over the chart, the values at the cursor."""
    page = tab.open(f"{HOME}?f=val/acc")
    legend = page.get_by_label("Legend")
    until(page, "document.querySelectorAll('.legend li').length === 10")
    assert "last" in legend.inner_text()
    box = page.locator(".fullbody .u-over").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.move(box["x"] + 202, box["y"] + 200)
    until(page, "document.querySelector('.legend header').innerText.includes('at the cursor')")


def test_an_exported_drawing_says_what_its_axes_are(new_tab: Callable[..., Tab]) -> None:
    """Ticks, titles of both axes, the name of every line, and colours for white paper, whatever the screen's theme."""
    page = new_tab(color_scheme="dark").open(f"{HOME}?show=auto:14")
    card = chart(page, "val/acc")
    wait_painted(page, card)
    card.hover()
    card.get_by_role("button", name="More").click()
    with page.expect_download() as download:
        page.get_by_text("Drawing (SVG)").click()
    content = Path(download.value.path()).read_text(encoding="utf-8")
    texts = re.findall(r"<text[^>]*>(?:<title>[^<]*</title>)?([^<]*)</text>", content)
    assert {"step", "val/acc", "vit-13", "vit-00", "0.5", "10k"} <= set(texts)
    assert 'stroke="#3d72d9"' in content
    assert "#7caaff" not in content


def test_a_metric_named_as_an_aggregate_is_itself(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """`score:max` is shown, sorted and filtered as the metric that it is."""
    _run(tmp_path, "a", {"score:max": [7.0, 3.0]})
    _run(tmp_path, "b", {"score:max": [9.0, 1.0]})
    page = new_tab(serve(tmp_path).url).open("/p/p/-/table?cols=score:max&sort=-score:max")
    page.get_by_role("rowheader", name=re.compile("a$")).wait_for()
    assert page.locator(".trow .tc.n").all_inner_texts() == ["3", "1"]
    assert "score:max last" in page.locator(".thd").inner_text()
    page.goto(f"{page.url.split('/p/p')[0]}/p/p?q=score:max%3E2")
    until(page, "document.querySelector('.cnt')?.textContent === '1'")
    assert painted(chart(page, "score:max")) >= 0


def test_every_aggregate_says_what_it_is(tab: Tab) -> None:
    """The list begins with the good direction of the metrics, and names it; a click sorts the best first."""
    page = tab.open(HOME)
    page.locator(".row").first.wait_for()
    assert [text for text in page.locator(".thead button").all_inner_texts() if "/" in text] == [
        "val/acc max",
        "val/loss min",
    ]
    page.get_by_role("button", name="val/loss min").click()
    until(page, "new URLSearchParams(location.search).get('sort') === 'val/loss:min'")


def _as_building(content: bytes, share: float) -> bytes:
    """Frames of series of which only a share has been read by now."""
    made, place = b"", 0
    while place < len(content):
        (length,) = struct.unpack_from("<I", content, place + 4)
        start = place + 8 + length
        header = json.loads(content[place + 8 : start])
        header["series"] = [{**series, "building": share, "cursor": None} for series in header["series"]]
        head = json.dumps(header).encode()
        head += b" " * (-len(head) % 8)
        end = start + header["bytes"]
        made += b"GSB1" + struct.pack("<I", len(head)) + head + content[start:end]
        place = end
    return made


def test_a_chart_shows_what_has_been_read_of_a_long_series(tab: Tab) -> None:
    """While a series is read for the first time, its chart is drawn as far as that goes, and says so until all is there."""
    shares = [0.371, 0.74]

    def answer(route: Any) -> None:
        response = route.fetch()
        body = response.body()  # the test goes on until it is here: what is to be said is looked up after that
        if shares:
            body = _as_building(body, shares[0])
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in {"content-length", "content-encoding"}
        }
        route.fulfill(status=response.status, headers=headers, body=body)

    tab.page.route("**/-/series", answer)
    page = tab.open(HOME)
    card = chart(page, "train/loss")
    card.get_by_text("Reading: 37 %").wait_for()
    wait_painted(page, card)
    shares.pop(0)
    card.get_by_text("Reading: 74 %").wait_for()
    shares.pop(0)
    card.get_by_role("status").wait_for(state="detached")

    assert painted(card) > 200
    assert page.get_by_text("None of the shown runs has logged this.").count() == 0
