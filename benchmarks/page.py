"""How fast the dashboard is in a browser: first paint, many charts, hover, zoom, a long table, live points, memory.

Run it with ``python benchmarks/page.py [--trackio PYTHON] [--runs N] [--table-runs N] [--minutes N]``; it needs
Playwright and Chromium (``CHROMIUM``, or on the PATH). ``--trackio`` is the interpreter of an environment that holds
trackio: its page is then opened on the same runs.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalog import write_run
from measuring import span, table
from serving import serving

import goodseed

_METRICS = 20
_POINTS = 1_000
_MOVES = 120
_SCROLLS = 120
_COLUMNS = 60
_QUIET = {"capture_stdout": False, "capture_stderr": False, "capture_hardware_metrics": False, "git_ref": False}
# Counts the frames that the browser draws, and the longest gap between two of them.
_COUNT_FRAMES = """() => {
    window.frames_seen = [];
    const step = now => { window.frames_seen.push(now); window.frame = requestAnimationFrame(step) };
    window.frame = requestAnimationFrame(step) }"""
_FRAMES = "() => { cancelAnimationFrame(window.frame); return window.frames_seen }"
_PAINTED = """metrics => { const cards = [...document.querySelectorAll('[data-metric]')];
    return cards.length >= metrics && cards.every(card => { const canvas = card.querySelector('canvas.lines');
        if (!canvas || card.isPainted) return Boolean(canvas);
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
        copy.drawImage(canvas, 0, 0);
        const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
        for (let i = 3; i < data.length; i += 4) if (data[i] > 0) return card.isPainted = true;
        return false }) }"""
_SHOWN_BY_TRACKIO = "() => document.querySelectorAll('canvas, .vega-embed svg').length"


def value(run: int, metric: int, step: int) -> float:
    """A curve that falls, with some noise."""
    return math.exp(-step / (200 + 10 * run)) + 0.02 * math.sin(step * 1.3 + metric) + metric


def write_runs(home: Path, runs: int) -> None:
    """The runs, by our API."""
    for number in range(runs):
        with goodseed.Run(
            project="bench", run_id=f"run-{number:03d}", storage="local", goodseed_home=home, **_QUIET
        ) as run:  # type: ignore[arg-type]
            run["config"] = {"lr": 10 ** -(1 + number % 4), "seed": number}
            for step in range(_POINTS):
                run.log_metrics({f"train/m{m:02d}": value(number, m, step) for m in range(_METRICS)}, step=step)


_TRACKIO = """
import sys, math, trackio
runs, metrics, points = map(int, sys.argv[1:4])
for number in range(runs):
    trackio.init(project="bench", name=f"run-{number:03d}", embed=False, auto_log_gpu=False, auto_log_cpu=False)
    for step in range(points):
        trackio.log({f"train/m{m:02d}": math.exp(-step / (200 + 10 * number)) + 0.02 * math.sin(step * 1.3 + m) + m
                     for m in range(metrics)}, step=step)
    trackio.finish()
"""


@contextmanager
def trackio_page(python: str, home: Path, runs: int) -> Iterator[str]:
    """Trackio's page on the same runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"TRACKIO_DIR": str(home), "HOME": str(home)}
    environment.pop("PYTHONPATH", None)
    subprocess.run([python, "-c", _TRACKIO, str(runs), str(_METRICS), str(_POINTS)], check=True, env=environment,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    where = f"server_port={port}, host='127.0.0.1'"
    show = f"import trackio; trackio.show('bench', open_browser=False, block_thread=True, {where})"
    process = subprocess.Popen(
        [python, "-c", show], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        address = f"http://127.0.0.1:{port}/?project=bench"
        for _ in range(300):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def first_paint(page: Any) -> float:
    """Seconds from the navigation to the first paint with content."""
    for _ in range(200):
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
        if paint:
            return float(paint) / 1000
        page.wait_for_timeout(20)
    raise RuntimeError("Nothing was painted")


def rate_of(frames: list[float]) -> tuple[float, float]:
    """Frames a second, and the longest time between two, in seconds."""
    gaps = [b - a for a, b in itertools.pairwise(frames)]
    return 1000 * len(gaps) / sum(gaps), max(gaps) / 1000


def watched(page: Any, work: Any) -> tuple[float, float]:
    """The frame rate while something is done."""
    page.evaluate(_COUNT_FRAMES)
    work()
    return rate_of(page.evaluate(_FRAMES))


def frames(rate: tuple[float, float]) -> str:
    """What `watched` returned, in words."""
    return f"{rate[0]:.0f} frames/s, longest {span(rate[1])}"


def report_charts(browser: Any, home: Path, runs: int, trackio: str | None) -> None:
    """First paint, and 20 charts of many runs: until they are drawn, under the pointer, and zoomed."""
    write_runs(home, runs)
    rows = []
    with serving(home / "projects") as server:
        address = f"http://127.0.0.1:{server.port}/p/bench?show=auto:{runs}&n=5"
        paints, drawn = [], []
        for _ in range(5):
            context = browser.new_context(viewport={"width": 1920, "height": 1400})
            page = context.new_page()
            started = time.perf_counter()
            page.goto(address, wait_until="commit")
            while not page.evaluate(_PAINTED, _METRICS):
                page.wait_for_timeout(10)
            drawn.append(time.perf_counter() - started)
            paints.append(first_paint(page))
            context.close()
        paint, interactive = sorted(paints)[2], sorted(drawn)[2]
        context = browser.new_context(viewport={"width": 1920, "height": 1400})
        page = context.new_page()
        page.goto(address)
        page.locator(".u-over").first.wait_for()
        page.wait_for_timeout(1500)
        box = page.locator(".u-over").nth(7).bounding_box()

        def hover() -> None:
            for i in range(_MOVES):
                page.mouse.move(box["x"] + box["width"] * (i + 1) / (_MOVES + 2), box["y"] + box["height"] * 0.4)

        first_hovering, hovering = watched(page, hover), watched(page, hover)

        def zoom() -> None:
            page.mouse.move(box["x"] + 40, box["y"] + 40)
            page.mouse.down()
            page.mouse.move(box["x"] + 120, box["y"] + 40, steps=10)
            page.mouse.up()
            page.wait_for_timeout(600)

        zooming = watched(page, zoom)
        rows += [
            ["first paint", span(paint), "500 ms"],
            [f"{_METRICS} charts × {runs} runs × {_POINTS:,} points, drawn", span(interactive), "1.5 s"],
            ["under the moving pointer, its first two seconds", frames(first_hovering), ""],
            ["under the moving pointer", frames(hovering), "60"],
            ["zooming and fetching", frames(zooming), "60"],
        ]
        context.close()
    if trackio:
        rows += _trackio_rows(browser, trackio, home, runs, paint, interactive)
    table("charts", ["", "measured", "bound"], rows)


def _trackio_rows(
    browser: Any, python: str, home: Path, runs: int, paint: float, interactive: float
) -> list[list[str]]:
    with trackio_page(python, home / "trackio", runs) as address:
        context = browser.new_context(viewport={"width": 1920, "height": 1400})
        page = context.new_page()
        started = time.perf_counter()
        page.goto(address, wait_until="commit")
        theirs = first_paint(page)
        charts = time.perf_counter()
        count, still = 0, time.perf_counter()
        while time.perf_counter() - started < 90:
            now = page.evaluate(_SHOWN_BY_TRACKIO)
            if now != count:
                count, still, charts = now, time.perf_counter(), time.perf_counter()
            if count and time.perf_counter() - still > 4:
                break
            page.wait_for_timeout(50)
        shown = charts - started
        context.close()
    return [
        ["trackio: first paint", f"{span(theirs)}, {theirs / paint:.1f} × ours", ""],
        [f"trackio: its {count} canvases are there", f"{span(shown)}, {shown / interactive:.1f} × ours", ""],
    ]


def report_table(browser: Any, home: Path, runs: int) -> None:
    """A table of many runs and columns: until it is there, and while it is scrolled both ways."""
    first = write_run(home, _COLUMNS, run_id="run-00000")
    for number in range(1, runs):
        shutil.copyfile(first, first.with_name(f"run-{number:05}.sqlite"))
    with serving(home / "projects") as server:
        context = browser.new_context(viewport={"width": 1920, "height": 1080})
        page = context.new_page()
        project = page.request.get(f"http://127.0.0.1:{server.port}/api/ui/projects").json()[0]["name"]
        found = page.request.get(
            f"http://127.0.0.1:{server.port}/api/ui/p/{project}/-/attrs?kind=series&limit=1000"
        ).json()
        columns = "&".join(f"cols={item['path']}" for item in found["items"][:_COLUMNS])
        started = time.perf_counter()
        page.goto(f"http://127.0.0.1:{server.port}/p/{project}/-/table?{columns}")
        page.locator(".trow .tc.n").first.wait_for(timeout=120_000)
        loaded = time.perf_counter() - started

        def scroll(sideways: bool, pixels: int) -> None:
            page.evaluate(
                f"""() => new Promise(done => {{ const box = document.querySelector('.tbl'); let i = 0;
                const step = () => {{ box.{"scrollLeft" if sideways else "scrollTop"} += {pixels};
                    if (++i < {_SCROLLS}) requestAnimationFrame(step); else done() }}; step() }})"""
            )

        page.wait_for_timeout(500)
        first, calm = (watched(page, lambda: scroll(sideways=False, pixels=80)) for _ in range(2))
        down = watched(page, lambda: scroll(sideways=False, pixels=320))
        side = watched(page, lambda: scroll(sideways=True, pixels=60))
        page.wait_for_timeout(300)
        rows = [
            [f"{runs:,} runs × {len(found['items'][:_COLUMNS])} columns are there", span(loaded), ""],
            ["scrolling down, 4,800 pixels a second, the first two seconds", frames(first), ""],
            ["scrolling down, 4,800 pixels a second", frames(calm), "60"],
            ["scrolling down, 19,000 pixels a second", frames(down), "60"],
            ["scrolling sideways, 3,600 pixels a second", frames(side), "60"],
        ]
        context.close()
    table("the table", ["", "measured", "bound"], rows)


def report_live(browser: Any, home: Path, minutes: float) -> None:
    """How soon a logged point is on the screen, and what is left in memory after minutes of live points."""
    run = goodseed.Run(project="live", run_id="live", storage="local", goodseed_home=home, **_QUIET)  # type: ignore[arg-type]
    for step in range(2_000):
        run.log_metrics({f"train/m{m:02d}": value(0, m, step) for m in range(_METRICS)}, step=step)
    run.flush()
    with serving(home / "projects") as server:
        context = browser.new_context(viewport={"width": 1920, "height": 1400})
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/p/live?side=train/m00&n=5")
        page.locator(".u-over").first.wait_for()
        page.wait_for_timeout(2000)
        session = page.context.new_cdp_session(page)
        delays, heaps, step = [], [], 2_000
        ends = time.monotonic() + 60 * minutes
        while time.monotonic() < ends:
            for _ in range(100):
                run.log_metrics({f"train/m{m:02d}": value(0, m, step) for m in range(_METRICS)}, step=step)
                step += 1
            marker = 1_000.0 + len(delays)
            run.log_metrics({"train/m00": marker}, step=step)
            logged = time.perf_counter()
            shown = f"document.querySelector('.row .num')?.title === '{marker:.0f}'"
            while not page.evaluate(shown) and time.perf_counter() - logged < 10:
                page.wait_for_timeout(20)
            delays.append(time.perf_counter() - logged)
            session.send("HeapProfiler.collectGarbage")
            heaps.append(session.send("Runtime.getHeapUsage")["usedSize"] / 2**20)
        context.close()
    run.close()
    delays.sort()
    third = max(1, len(heaps) // 3)
    rows = [
        ["a point is on the screen after", f"{span(delays[len(delays) // 2])}, longest {span(delays[-1])}", "2 s"],
        [f"heap in thirds of {minutes:g} minutes, {step - 2_000:,} points of {_METRICS} metrics",
         " · ".join(f"{max(heaps[i * third:(i + 1) * third]):.0f} MiB" for i in range(3)), "300 MB"],
    ]  # fmt: skip
    table("live", ["", "measured", "bound"], rows)


def main() -> None:
    """Print the tables."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description="Measure the dashboard in a browser.")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--table-runs", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--trackio", metavar="PYTHON")
    options = parser.parse_args()
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as directory:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        report_charts(browser, Path(directory) / "charts", options.runs, options.trackio)
        report_live(browser, Path(directory) / "live", options.minutes)
        report_table(browser, Path(directory) / "table", options.table_runs)
        browser.close()


if __name__ == "__main__":
    main()
