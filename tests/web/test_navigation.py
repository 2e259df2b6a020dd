"""Ways through the page: what goes along, what is said while it loads, and where nothing is."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import goodseed

from .conftest import PROJECT, Server, Tab, until

HOME = f"/p/{PROJECT}"


def _query(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def _one_run(home: Path, **more: Any) -> goodseed.Run:
    return goodseed.Run(
        project="p", run_id="a", storage="local", goodseed_home=home, capture_hardware_metrics=False, git_ref=False,
        **more,
    )  # fmt: skip


def test_filter_sort_and_choice_go_along_to_a_run_and_back(tab: Tab) -> None:
    """From the list to a run, on to the next one, to the comparison and back: the list stays what it was."""
    page = tab.open(f"{HOME}?q=optimizer=lion&sort=val/acc:max&show=run-01&show=run-03&sm=0.5")
    page.locator(".row").first.wait_for()
    names = page.locator(".row .nm a").all_inner_texts()
    kept = {"q": ["optimizer=lion"], "sort": ["val/acc:max"], "show": ["run-01", "run-03"], "sm": ["0.5"]}
    page.locator(".row .nm a").first.click()
    page.locator(".rh h1").get_by_text(names[0], exact=True).wait_for()
    assert kept.items() <= _query(page).items()
    page.keyboard.press("j")
    page.locator(".rh h1").get_by_text(names[1], exact=True).wait_for()
    page.get_by_role("link", name=re.compile("^Charts")).click()
    page.get_by_role("link", name=re.compile("^Compare")).click()
    page.locator("table.cmp thead th").first.wait_for()
    assert kept.items() <= _query(page).items()
    assert sorted(_query(page)["runs"]) == ["run-01", "run-03"]
    assert page.get_by_label("Filter runs").input_value() == "optimizer=lion"
    page.get_by_role("link", name=re.compile("^Workspace")).click()
    page.locator(".row").first.wait_for()
    assert kept.items() <= _query(page).items()
    assert page.locator(".row .nm a").all_inner_texts() == names


def test_ticked_runs_stay_ticked(tab: Tab) -> None:
    """What was ticked in the table is so after a look at a run."""
    page = tab.open(f"{HOME}/-/table")
    page.get_by_label("Select vit-09").click()
    page.get_by_role("link", name="vit-08").click()
    page.locator(".rh h1").wait_for()
    page.get_by_role("link", name=re.compile("^Table")).click()
    page.locator(".trow.sel").wait_for()
    assert page.locator(".tfoot b").inner_text() == "1"


@pytest.mark.slow
def test_the_next_run_is_found_beyond_the_first_page(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """`j` on the page of a run follows the list, however far down the run is."""
    for number in range(230):
        with goodseed.Run(
            project="p", run_id=f"r{number:03}", storage="local", goodseed_home=tmp_path,
            capture_hardware_metrics=False, capture_stdout=False, capture_stderr=False, git_ref=False,
        ):  # fmt: skip
            pass
    page = new_tab(serve(tmp_path).url).open("/p/p/-/run/r010?sort=sys/id")
    page.locator(".rh h1").wait_for()
    page.goto(f"{page.url.split('/p/p')[0]}/p/p/-/run/r215?sort=sys/id")
    page.locator(".rh h1").wait_for()
    page.keyboard.press("j")
    page.locator(".rh h1").get_by_text("r216", exact=True).wait_for()
    page.keyboard.press("k")
    page.locator(".rh h1").get_by_text("r215", exact=True).wait_for()


def test_loading_is_not_empty(tab: Tab) -> None:
    """While the runs are on their way nothing says that there are none."""
    page = tab.page
    held: list[Any] = []
    page.route("**/runs/query", lambda route: held.append(route))
    for path in (HOME, f"{HOME}/-/table", f"{HOME}/-/compare"):
        tab.open(path)
        page.locator(".skeleton, [aria-busy=true]").first.wait_for()
        text = page.inner_text("body")
        assert not re.search(r"\b0\b|No runs|No run |Choose at least two", text.replace("0.00", "")), path
    for route in held:
        route.abort()
    page.unroute("**/runs/query")
    tab.open(HOME)
    page.locator(".row").first.wait_for()
    assert page.locator(".skeleton").count() == 0
    tab.problems = [problem for problem in tab.problems if "ERR_FAILED" not in problem]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/p/no/such", "There is no project no/such"),
        (f"{HOME}/-/run/none", "There is no run none"),
        (f"{HOME}/-/nothing", "There is no such page"),
        ("/nowhere", "There is no such page"),
    ],
)
def test_what_is_not_there_is_a_404(tab: Tab, path: str, text: str) -> None:
    """An unknown project, run or page says so, and leads back."""
    page = tab.open(path)
    page.get_by_role("heading", name=text).wait_for()
    assert "404" in page.inner_text("main")
    assert page.locator("main a.link").count() == 1
    tab.problems = [problem for problem in tab.problems if "404" not in problem]


def test_an_unknown_project_shows_up_with_its_first_run(
    new_tab: Callable[..., Tab], serve: Any, tmp_path: Path
) -> None:
    """The 404 of a project ends when somebody starts a run in it."""
    (tmp_path / "projects").mkdir()
    tab = new_tab(serve(tmp_path).url)
    page = tab.open("/p/p")
    page.get_by_role("heading", name="There is no project p").wait_for()
    _one_run(tmp_path).close()
    page.locator(".row").first.wait_for()
    tab.problems = [problem for problem in tab.problems if "404" not in problem]


def test_a_filter_that_finds_nothing_says_so_without_axes(tab: Tab) -> None:
    """No text stands over the labels of an axis of nothing."""
    page = tab.open(f"{HOME}?q=tag:zzz")
    note = page.locator('[data-metric="val/acc"] .none')
    note.wait_for()
    assert note.inner_text() == "No run passes this filter."
    plot, box = page.locator('[data-metric="val/acc"] .plot').bounding_box(), note.bounding_box()
    assert (box["width"], box["height"]) == (plot["width"], plot["height"])


def test_an_empty_trash_says_so(tab: Tab) -> None:
    """The table of the trash is not blank."""
    page = tab.open(f"{HOME}/-/table?trash=1")
    page.get_by_text("The trash is empty.").wait_for()


def test_a_server_that_starts_anew_costs_no_edit(new_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """An open page changes a run although the server has another token by then."""
    _one_run(tmp_path).close()
    first = Server(tmp_path)
    tab = new_tab(first.url)
    page = tab.open("/p/p/-/run/a")
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("Name").fill("after the restart")
    first.close()
    second = Server(tmp_path, port=first.port)
    try:
        page.get_by_role("button", name="Save").click()
        page.locator(".rh h1").get_by_text("after the restart").wait_for()
    finally:
        tab.problems = [p for p in tab.problems if not re.search("401|ERR_CONNECTION|ERR_EMPTY|ERR_SOCKET", p)]
        page.close()
        second.close()


def test_a_page_that_could_not_be_loaded_comes_with_the_server(new_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """Where a page's code can't be fetched that is said, and it is there once the server is."""
    _one_run(tmp_path, name="the run").close()
    first = Server(tmp_path)
    tab = new_tab(first.url)
    page = tab.open("/p/p")
    page.locator(".row").wait_for()
    first.close()
    page.get_by_role("link", name=re.compile("^Table")).click()
    page.get_by_text("This page can't be loaded").wait_for()
    second = Server(tmp_path, port=first.port)
    try:
        page.locator(".trow", has_text="the run").wait_for()
    finally:
        tab.problems = [p for p in tab.problems if "ERR_" not in p]
        page.close()
        second.close()


def test_dialogs_begin_with_their_first_field(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """What is typed after a dialog or menu has opened goes into its first field; Enter takes the only match."""
    _one_run(tmp_path, name="first").close()
    with goodseed.Run(project="p", run_id="b", name="second", storage="local", goodseed_home=tmp_path):
        pass
    page = new_tab(serve(tmp_path).url).open("/p/p/-/run/a")
    page.get_by_role("button", name="Edit", exact=True).click()
    until(page, "document.activeElement.value === 'first'")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Compare with…").click()
    page.get_by_role("dialog", name="Compare with a run").get_by_text("second").wait_for()
    page.keyboard.type("sec")
    until(page, "document.querySelectorAll('.menu [data-found]').length === 1")
    page.keyboard.press("Enter")
    until(page, "new URLSearchParams(location.search).get('base') === 'b'")


def test_keys_are_named_as_the_machine_names_them(tab: Tab, new_tab: Callable[..., Tab]) -> None:
    """Ctrl where there is Ctrl; the sign of the command key on Apple's machines alone."""
    page = tab.open(HOME)
    assert page.locator(".cmdk kbd").inner_text() == "Ctrl K"
    agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
    assert new_tab(user_agent=agent).open(HOME).locator(".cmdk kbd").inner_text() == "⌘K"


def test_a_fault_of_the_filter_is_said_once(tab: Tab) -> None:
    """Also where a plot and a list ask the same."""
    page = tab.open(f"{HOME}/-/compare?q=lr%3C%3C3")
    page.locator(".fault").first.wait_for()
    until(page, "document.querySelectorAll('.plotwait').length === 0 || document.querySelectorAll('.fault').length > 0")
    assert page.locator(".fault").count() == 1
    tab.problems = [problem for problem in tab.problems if "400" not in problem]


def test_the_comparison_begins_with_validation_and_training(tab: Tab) -> None:
    """The best values of what matters stand first."""
    page = tab.open(f"{HOME}/-/compare?runs=run-00&runs=run-01")
    page.locator("table.cmp tbody tr").nth(1).wait_for()
    rows = page.locator("table.cmp tbody").first.locator("tr:not(.sec) th").all_inner_texts()
    assert rows[:4] == ["val/acc max", "val/acc last", "val/loss min", "val/loss last"]


def test_plots_of_all_runs_are_in_the_order_of_the_list(tab: Tab) -> None:
    """What a plot asks for is sorted and filtered as the list is, so that a limit leaves out the last of it."""
    page = tab.open(f"{HOME}/-/compare?plot=scatter&sort=-val/acc:max&q=optimizer=lion")
    page.get_by_role("img", name=re.compile("of 7 runs")).wait_for()
    asked = [request.post_data_json for request in tab.asked if request.url.endswith("/runs/query")]
    plots = [body for body in asked if body["limit"] == 1000]
    assert plots
    assert all(body["sort"] == [["val/acc:max", "desc"]] for body in plots)


def test_parallel_coordinates_are_scrolled_on_a_phone(new_tab: Callable[..., Tab]) -> None:
    """Axes keep room for their names; nothing else of the page is wider than the screen."""
    page = new_tab(viewport={"width": 390, "height": 844}, has_touch=True).open(f"{HOME}/-/compare")
    plot = page.get_by_role("img", name=re.compile("Parallel coordinates"))
    plot.wait_for()
    axes = len(re.findall(",", plot.get_attribute("aria-label"))) + 1
    assert plot.bounding_box()["width"] >= 96 * axes
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_pruned_run_is_no_failure(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """It has a word and a colour of its own in list and page, and the filter finds it."""
    run = _one_run(tmp_path)
    run.log_metrics({"loss": 1.0}, step=0)
    run.close()
    with closing(sqlite3.connect(str(run.path))) as connection, connection:
        connection.execute(
            "INSERT INTO configs (path, type_tag, value, updated_at) SELECT 'sys/end_reason', 'str', 'pruned', value"
            " FROM configs WHERE path = 'sys/closed_time'"
        )
    page = new_tab(serve(tmp_path).url).open("/p/p?q=state:pruned")
    page.locator(".row .st.pruned").wait_for()
    page.locator(".row .nm a").click()
    page.locator(".badge.pruned").wait_for()
    assert "pruned" in page.locator(".badge").inner_text()
    assert page.locator(".end").count() == 0


def test_the_reason_of_an_end_is_in_the_list(new_tab: Callable[..., Tab], serve: Any, tmp_path: Path) -> None:
    """The mark of a failed run says why, and so does its page."""
    with pytest.raises(RuntimeError), _one_run(tmp_path):
        raise RuntimeError("out of memory")
    page = new_tab(serve(tmp_path).url).open("/p/p")
    mark = page.locator(".row .st.failed")
    mark.wait_for()
    assert "out of memory" in mark.get_attribute("title")
    page.locator(".row .nm a").click()
    page.get_by_role("heading", name=re.compile("out of memory")).wait_for()


def test_an_unknown_tab_leads_to_the_overview(tab: Tab) -> None:
    """An address with a tab that there is not shows the overview, says so, and keeps the rest of the address."""
    page = tab.open(f"{HOME}/-/run/run-01/telemetry?base=run-02")

    page.get_by_role("status").get_by_text("A run has no tab “telemetry”").wait_for()
    assert page.locator("nav.sub [aria-current]").inner_text() == "Overview"
    assert urlsplit(page.url).path == f"{HOME}/-/run/run-01"
    assert _query(page) == {"base": ["run-02"]}


def test_every_tab_of_a_run_has_its_address(tab: Tab) -> None:
    """Each link of a run's page opens its tab; texts are offered only where there are some, and open by address."""
    page = tab.open(f"{HOME}/-/run/run-01")
    page.locator("nav.sub a").first.wait_for()
    titles = [re.sub(r"[\d,]+$", "", text.split()[0]) for text in page.locator("nav.sub a").all_inner_texts()]

    assert titles[:2] == ["Overview", "Charts"]
    assert "Text" not in titles
    for title in (*titles, "Text"):
        page.goto(f"{tab.root}{HOME}/-/run/run-01/{title.lower()}")
        page.locator("nav.sub [aria-current]").get_by_text(title).wait_for()
