"""Writes the few lines that a user sees at the start and the end of a run."""

from __future__ import annotations

import logging
import shlex
import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from goodseed.config import DEFAULT_API_URL, Storage, is_web_address
from goodseed.paths import home_directory

if TYPE_CHECKING:
    from goodseed.run.opening.request import Opened, Request
    from goodseed.storage.writing.writer import CloseReport

__all__ = ["closing_line", "missing_key_line", "notice", "opening_line", "overwritten_line", "warn_of_loss"]

_logger: Final = logging.getLogger("goodseed")
_DEFAULT_PAGE: Final = "https://goodseed.ai"


def opening_line(request: Request, opened: Opened) -> str:
    """Which run it is, and where it goes."""
    verb = "Run" if opened.is_new else "Resumed run"
    where = f", synced to {request.api_url}" if request.storage is Storage.CLOUD else ""
    return f"{verb} {opened.run_id} in project {opened.project}: {opened.path}{where}"


def missing_key_line(request: Request, run_id: str) -> str:
    """Why the run is not synced to the remote that is configured, and how to do it later."""
    upload = f"goodseed upload -p {request.project} --run-id {run_id}"
    return f"No API key for {request.api_url}, so the run stays on this machine. Later: goodseed login, then {upload}"


def closing_line(request: Request, opened: Opened, status: str) -> str:
    """How the run ended, and how to look at it."""
    return f"Closed run {opened.run_id} ({status}). To see it: {_view(request, opened)}"


def overwritten_line(count: int) -> str:
    """How many values were replaced, and how to read them."""
    what = "1 value was replaced" if count == 1 else f"{count:,} values were replaced"
    return f"{what} by another one at the same step. To read what was: run.get_metric_data(path, superseded=True)"


def _view(request: Request, opened: Opened) -> str:
    if request.storage is Storage.CLOUD and is_web_address(request.api_url):
        if request.api_url == DEFAULT_API_URL:
            return _DEFAULT_PAGE
        base = request.api_url.rstrip("/")
        # A project without a workspace is in that of the key, which is not known here.
        return f"{base}/p/{quote(opened.project)}/-/run/{quote(opened.run_id)}" if "/" in opened.project else base
    assert opened.path is not None
    if home_directory() / "projects" in opened.path.parents:
        return "goodseed serve"
    place = next((parent for parent in opened.path.parents if parent.name == "projects"), opened.path.parent)
    return f"goodseed serve {shlex.quote(str(place))}"


def notice(text: str, *, is_quiet: bool) -> None:
    """Print a line to stderr, unless ``GOODSEED_QUIET`` is set or there is no stderr to print to."""
    if is_quiet:
        return
    stream = sys.stderr
    try:
        stream.write(f"goodseed: {text}\n")
        stream.flush()
    except (AttributeError, OSError, ValueError):  # no terminal (pythonw), a closed pipe, a closed stream
        return


def warn_of_loss(report: CloseReport, opened: Opened) -> None:
    """Warn of what closing could not store in the run file."""
    run_id, path = opened.run_id, opened.path
    if report.kept_in is not None:
        _logger.warning(
            "goodseed: run %s could not be stored completely, and there was no room beside it. All of the rest is kept "
            "in %s: make room, move that to %s-inbox, and the next process that opens the run stores it.",
            *(run_id, report.kept_in, path),
        )
    elif not report.is_stored:
        _logger.warning(
            "goodseed: run %s could not be stored completely; the rest is kept in %s-inbox, and "
            "the next process that opens the run stores it.",
            *(run_id, path),
        )
    if report.dropped:
        _logger.warning("goodseed: %d log calls of run %s found no room and are lost.", report.dropped, run_id)
