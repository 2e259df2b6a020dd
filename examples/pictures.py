"""Makes the pictures of the README from the demo's own runs: the workspace, light and dark.

python examples/pictures.py HOME DIRECTORY, after examples/digits.py. It needs Playwright and Chromium (CHROMIUM, or on
the PATH).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

_SIZE = {"width": 1280, "height": 720}
_CHARTS = "() => document.querySelectorAll('canvas.lines').length >= 3"
_MAX_BYTES = 300_000


def _take(page: Page, address: str, theme: str, target: Path) -> None:
    """One picture, once its charts are drawn."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    page.goto(f"{address}/p/digits")
    page.wait_for_function(_CHARTS)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=target)
    if target.stat().st_size > _MAX_BYTES:
        raise SystemExit(f"{target} has {target.stat().st_size:,} bytes; a README should load quickly.")


def main() -> None:
    """Serve the demo's runs, and take the pictures."""
    home, directory = Path(sys.argv[1]), Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "goodseed", "serve", str(home), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        address = next(word for word in server.stdout.readline().split() if word.startswith("http")).rstrip("/")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            page = browser.new_page(viewport=_SIZE, device_scale_factor=1)  # type: ignore[arg-type]
            for theme in ("light", "dark"):
                _take(page, address, theme, directory / f"workspace-{theme}.png")
            browser.close()
    finally:
        server.terminate()
        server.communicate(timeout=30)


if __name__ == "__main__":
    main()
