"""The dashboard in a real Chromium, on runs that the real API wrote, served by the real `goodseed serve`."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from weakref import WeakKeyDictionary

import pytest

import goodseed

if importlib.util.find_spec("playwright") is None:
    collect_ignore_glob = ["test_*.py"]

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROJECT = "vision/vit-sweep"
HOME = f"/p/{PROJECT}"
RUN = f"{HOME}/-/run/run-05"
RUNS = 14
STEPS = 300
LONG_STEPS = 20_000
SPIKE = 77.0


def _write(home: Path) -> None:
    """Runs of a small sweep: one with NaN, one that failed, one long with a spike, and one with everything else."""
    for number in range(RUNS):
        run = goodseed.Run(
            project=PROJECT,
            run_id=f"run-{number:02d}",
            name=f"vit-{number:02d}",
            tags=["baseline"] if number == 3 else ["ablation"] if number % 5 == 0 else [],
            storage="local",
            goodseed_home=home,
            capture_hardware_metrics=False,
            git_ref=False,
        )
        rate = [1e-4, 3e-4, 1e-3, 3e-3][number % 4]
        run["parameters"] = {
            "lr": rate, "depth": 6 + 3 * (number % 3), "optimizer": ["adamw", "lion"][number % 2], "seed": number // 4,
        }  # fmt: skip
        run["model/name"] = "vit_s16"
        steps = LONG_STEPS if number == 7 else STEPS
        for step in range(steps):
            part = (step + 1) / steps
            loss = 2.0 * math.exp(-4 * part * (1 + number / 40)) + 0.1 + 0.02 * math.sin(step * 1.7)
            if number == 4 and step == 150:
                loss = math.nan
            if number == 7 and step == 12_345:
                loss = SPIKE
            values = {"train/loss": loss, "train/lr": rate * (1 - part) + 1e-9}
            # All runs go over the same steps, a point each 66 or each one.
            at = step * (LONG_STEPS // steps)
            if step % 10 == 0:
                values |= {"val/acc": 0.95 - 0.8 * math.exp(-4 * part) + number / 1000, "val/loss": loss + 0.1}
            run.log_metrics(values, step=at)
            if step % 50 == 0 and steps == STEPS:
                print(f"\x1b[32mepoch {step // 50}\x1b[0m loss {loss:.4f}")
        if number == 5:
            print("a warning of the driver", file=sys.stderr)
            run["notes/remark"].log("the text of a string series", step=1)
        run.close("failed" if number == 11 else "finished")


def _write_many(home: Path) -> None:
    """One run with 1,500 metrics, and one whose texts are hostile."""
    with goodseed.Run(
        project="many",
        run_id="wide",
        storage="local",
        goodseed_home=home,
        capture_hardware_metrics=False,
        git_ref=False,
    ) as run:
        for step in range(20):
            run.log_metrics({f"layer{i % 30}/weight{i}": math.sin(step + i) for i in range(1500)}, step=step)
    with goodseed.Run(
        project="hostile", run_id="evil", name='<img src=x onerror="window.hurt=1">', tags=["<b>tag</b>", "\u202eevil"],
        description="<script>window.hurt=1</script>", storage="local", goodseed_home=home,
        capture_hardware_metrics=False, git_ref=False,
    ) as run:  # fmt: skip
        run["parameters"] = {"<i>lr</i>": '"><svg onload=window.hurt=1>'}
        run.log_metrics({"<u>loss</u>": 1.0, "javascript:alert(1)": 2.0}, step=0)
        print("\x1b]0;title\x07<script>window.hurt=1</script>")


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the runs of all tests that only look."""
    home = tmp_path_factory.mktemp("sweep")
    _write(home)
    _write_many(home)
    return home


class Server:
    """A `goodseed serve` of its own process."""

    def __init__(self, home: Path, *, port: int = 0, **environment: str) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        environment = os.environ | {"GOODSEED_QUIET": "1"} | environment
        command = [sys.executable, "-m", "goodseed", "serve", str(home), "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        urllib.request.urlopen(f"{self.url}/api/ui/projects", timeout=30).close()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="session")
def server(sweep: Path) -> Iterator[Server]:
    server = Server(sweep)
    yield server
    server.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Serve another directory, perhaps with other environment variables."""
    servers: list[Server] = []

    def start(home: Path, **environment: str) -> Server:
        servers.append(Server(home, **environment))
        return servers[-1]

    yield start
    for one in servers:
        one.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail("These tests need Chromium: install it, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


_tabs: WeakKeyDictionary[Any, Tab] = WeakKeyDictionary()
POLL_MS = 50


class Tab:
    """A page, what it said in the console, and what it asked of the server."""

    def __init__(self, page: Page, root: str) -> None:
        self.page = page
        self.root = root
        self.problems: list[str] = []
        self.asked: list[Any] = []
        self.under_way: set[Any] = set()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.problems.append(error.stack or str(error)))
        page.on("request", self._ask)
        for end in ("requestfinished", "requestfailed"):
            page.on(end, self._end)
        _tabs[page] = self
        page.set_default_timeout(15_000)

    def _ask(self, request: Any) -> None:
        self.asked.append(request)
        self.under_way.add(request)

    def _end(self, request: Any) -> None:
        self.under_way.discard(request)

    def _hear(self, message: Any) -> None:
        # The tests read the canvases back, of which the browser warns.
        if message.type in ("error", "warning") and "willReadFrequently" not in message.text:
            self.problems.append(f"{message.type}: {message.text}")

    def open(self, path: str) -> Page:
        self.page.goto(self.root + path)
        self.page.wait_for_selector("main")
        return self.page

    def series_asks(self) -> list[Any]:
        """The bodies of the requests for series, so far."""
        return [request.post_data_json for request in self.asked if request.url.endswith("/series")]


@pytest.fixture
def new_tab(browser: Browser, server: Server, serve: object) -> Iterator[Callable[..., Tab]]:
    """A browser of its own for each tab; afterwards none may have complained.

    ``serve`` is asked for so that servers end after the tabs that look at them.
    """
    contexts: list[Any] = []
    tabs: list[Tab] = []

    def make(root: str = "", **options: Any) -> Tab:
        options = {"viewport": {"width": 1440, "height": 900}, "accept_downloads": True} | options
        context = browser.new_context(**options)
        contexts.append(context)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=root or server.url)
        tabs.append(Tab(context.new_page(), root or server.url))
        return tabs[-1]

    yield make
    for context in contexts:
        context.close()
    problems = [problem for tab in tabs for problem in tab.problems]
    assert problems == []


@pytest.fixture
def tab(new_tab: Callable[..., Tab]) -> Tab:
    return new_tab()


def chart(page: Page, metric: str) -> Any:
    """The card of a metric, drawn."""
    card = page.locator(f'[data-metric="{metric}"]').first
    card.scroll_into_view_if_needed()
    card.locator(".u-over").wait_for()
    return card


def painted(card: Any) -> int:
    """How many pixels of the chart's lines are not empty."""
    return int(
        card.locator("canvas.lines").evaluate(
            """canvas => {
                const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
                copy.drawImage(canvas, 0, 0);
                const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
                let count = 0;
                for (let i = 3; i < data.length; i += 4) if (data[i] > 0) count++;
                return count;
            }"""
        )
    )


def wait_painted(page: Page, card: Any, more_than: int = 200) -> int:
    """Wait until the chart has drawn its lines."""
    for _ in range(100):
        count = painted(card) if card.locator("canvas.lines").count() else 0
        if count > more_than:
            return count
        page.wait_for_timeout(POLL_MS)
    raise AssertionError("The chart stays empty")


def wait_repainted(page: Page, card: Any, before: int) -> int:
    """Wait until the chart's lines are drawn otherwise than they were."""
    for _ in range(100):
        count = painted(card)
        if count not in (0, before):
            return count
        page.wait_for_timeout(POLL_MS)
    raise AssertionError("The chart stays as it was")


def until(page: Page, expression: str) -> None:
    """Wait until an expression of the page is true; Playwright's own way is refused by the page's security policy."""
    for _ in range(300):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(POLL_MS)
    raise AssertionError(f"It never came true that {expression}")


def query(page: Page) -> dict[str, list[str]]:
    """The parameters in the page's address."""
    return parse_qs(urlsplit(page.url).query)


def make_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with one commit of a ``train.py``, which becomes the working directory; returns the script."""
    folder.mkdir()
    script = folder / "train.py"
    script.write_text("lr = 1\n", encoding="utf-8")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-C", str(folder)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "The first commit"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.chdir(folder)
    return script


def settled(page: Page) -> None:
    """Wait until all that was asked for is here, and painted."""
    for _ in range(600):
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if not _tabs[page].under_way and not page.locator('[aria-busy="true"]').count():
            # What has just come is painted in the frames that follow.
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestIdleCallback(done)))")
            if not _tabs[page].under_way:
                return
    raise AssertionError(f"Still under way: {[request.url for request in _tabs[page].under_way]}")


def move_over(page: Page, card: Any, x: float = 0.5, y: float = 0.5) -> None:
    """The pointer at a part of the chart's width and height."""
    box = card.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * x - 3, box["y"] + box["height"] * y)
    page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
