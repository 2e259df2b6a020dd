"""Posts findings to a web address, from a thread that nobody waits for."""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
import urllib.request
from typing import Any

_logger = logging.getLogger("goodseed")
_TIMEOUT_SECONDS = 5.0
_MAX_WAITING = 100

_waiting: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue(_MAX_WAITING)
_starting = threading.Lock()
_thread: threading.Thread | None = None


def post(message: dict[str, Any]) -> None:
    """Post ``message`` soon, if ``GOODSEED_DOCTOR_WEBHOOK`` names an address."""
    global _thread
    url = os.environ.get("GOODSEED_DOCTOR_WEBHOOK", "")
    if not url.startswith(("https://", "http://")):
        return
    with _starting:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_work, name="goodseed-doctor-webhook", daemon=True)
            _thread.start()
    try:
        _waiting.put_nowait((url, message))
    except queue.Full:
        _logger.warning("goodseed-doctor: %s is too slow; a finding is not posted.", url)


def drain() -> None:
    """Wait until all is posted; each takes 5 s at most."""
    _waiting.join()


def _work() -> None:
    is_failing = False
    while True:
        url, message = _waiting.get()
        try:
            body = json.dumps(message).encode()
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
            urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS).close()
            is_failing = False
        except (OSError, ValueError) as error:
            if not is_failing:
                _logger.warning("goodseed-doctor: %s can't be reached: %s", url, error)
            is_failing = True
        finally:
            _waiting.task_done()
