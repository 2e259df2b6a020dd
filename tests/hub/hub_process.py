"""A hub in a process of its own, as it is installed, and requests to it as any client makes them."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psutil

_START_SECONDS = 60


class HubProcess:
    """``goodseed hub serve``, with a data directory and perhaps a database.

    Attributes:
        data: The data directory.
        database: The database's address, or None.
        url: The hub's address.
        key: The first admin's key; where that was made before, the one that was given.
    """

    def __init__(self, data: Path, database: str | None = None, *options: str, key: str = "") -> None:
        self.data = data
        self.database = database
        self._options = options
        self.key = key
        self.url = ""
        self.lines: list[str] = []
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "goodseed", "hub", "serve", "--port", "0", "--data", str(self.data)]
        self._process = subprocess.Popen(
            [*command, *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
        )
        lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(lines,), daemon=True)
        self._reader.start()
        deadline = time.monotonic() + _START_SECONDS
        self.url = ""
        while not self.url:
            line = lines.get(timeout=max(0.1, deadline - time.monotonic()))
            if not line:
                raise AssertionError("".join(self.lines))
            if line.startswith("Goodseed hub at "):
                self.url = line.split()[3]
        if not self.key:
            self.key = lines.get(timeout=10).rpartition(" ")[2].strip()

    def _read(self, lines: queue.Queue[str]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)
            lines.put(line)
        lines.put("")

    def environment(self) -> dict[str, str]:
        """For commands that work on this hub's data."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GOODSEED_")}
        return {**kept, **({"GOODSEED_HUB_DATABASE": self.database} if self.database else {})}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What ``goodseed hub`` does with this hub's data."""
        command = [sys.executable, "-m", "goodseed", "hub", *arguments, "--data", str(self.data)]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment(), timeout=120)

    def stop(self) -> int:
        """Stop it, as a service manager does; returns its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(60)
        self._close()
        return status

    def kill(self) -> None:
        """Kill it with -9."""
        self._process.kill()
        self._process.wait(60)
        self._close()

    def _close(self) -> None:
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def clients(self) -> set[int]:
        """The ports from which clients are connected to it just now."""
        connections = psutil.Process(self.pid).net_connections("tcp")
        return {connection.raddr.port for connection in connections if connection.raddr}

    # -- requests -------------------------------------------------------------------------------------------------

    def raw(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def ask(
        self, method: str, path: str, content: Any = None, *, key: str | None = None, is_compressed: bool = False
    ) -> tuple[int, Any]:
        """Status and JSON of an answer; ``content`` is sent as JSON."""
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        body = None
        if content is not None:
            body = json.dumps(content).encode()
            headers["Content-Type"] = "application/json"
        if is_compressed and body is not None:
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        status, _, answer = self.raw(method, path, body, headers)
        return status, json.loads(answer) if answer else None

    def make_run(self, run_id: str, project: str = "default/default", **more: Any) -> str:
        """The id of a run, which is made."""
        workspace, _, name = project.partition("/")
        body = {"workspace": workspace, "project": name, "run_id": run_id, "experiment_name": None, **more}
        status, answer = self.ask("POST", "/api/v1/runs", body)
        assert status == 200, answer
        return str(answer["id"])

    def ingest(self, run: str, points: list[dict[str, Any]]) -> Any:
        """Send points; returns the answer."""
        status, answer = self.ask("POST", f"/api/v1/runs/{run}/ingest", {"points": points}, is_compressed=True)
        assert status == 200, answer
        return answer

    def metric(self, run: str, path: str, **query: object) -> Any:
        """One metric."""
        text = "".join(f"&{name}={value}" for name, value in query.items())
        status, answer = self.ask("GET", f"/api/v1/runs/{run}/data/metrics?path={quote(path, safe='')}{text}")
        assert status == 200, answer
        return answer

    def pairs(self, run: str, path: str) -> list[tuple[float, Any]]:
        """Step and value of all points of a metric."""
        return [(point["step"], point["y"]) for point in self.metric(run, path)["raw_points"]]

    def configs(self, run: str) -> dict[str, str]:
        """A run's configs."""
        status, answer = self.ask("GET", f"/api/v1/runs/{run}")
        assert status == 200, answer
        return {row["path"]: row["value"] for row in answer["configs"]}


MakeHub = Callable[..., HubProcess]


def point(path: str, step: float, number: Any = None, text: str | None = None, time_ms: int = 1_700_000_000_000) -> Any:
    """A point as the protocol has it."""
    value = {"number": number} if text is None else {"text": text}
    return {"path": path, "step": step, "timestampMs": time_ms, **value}
