"""A remote that speaks exactly the wire protocol over a real socket, keeps what it is sent in SQLite, and can misbehave.

It is also run by the benchmark, as a process of its own: ``python plain_server.py`` prints its address. There it keeps no
points, only counts their requests: what is measured is the client.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KEY = "gsk_right"
_SCHEMA = """
    CREATE TABLE project (workspace TEXT, name TEXT, PRIMARY KEY (workspace, name));
    CREATE TABLE run (id TEXT PRIMARY KEY, workspace TEXT, project TEXT, run_id TEXT, name TEXT, status TEXT,
        created_at TEXT, UNIQUE (workspace, project, run_id));
    CREATE TABLE config (run TEXT, path TEXT, type_tag TEXT, value TEXT, updated_at TEXT, PRIMARY KEY (run, path));
    CREATE TABLE point (run TEXT, path TEXT, step REAL, ts INTEGER, number REAL, text TEXT, kind TEXT,
        PRIMARY KEY (run, path, step)) WITHOUT ROWID;
"""


class RefusedError(Exception):
    """An answer that is an error of the protocol."""

    def __init__(self, status: int, code: str = "Bad.Request", detail: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.body = {"error_code": code, "title": "Refused", "detail": detail}


class PlainServer(ThreadingHTTPServer):
    """The remote.

    Attributes:
        misbehave: Called with the handler and the decoded path before a request is answered; returns True when it has
            answered, or not answered, itself.
        check_point: Called with every point that comes; what it raises is the answer.
        is_keeping: Points are read and kept, and not just taken.
        requests: Method and path of all that was asked.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, database: str = ":memory:", projects: tuple[str, ...] = ("ws/p", "default/p")) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self.connection.executescript(_SCHEMA)
        self.connection.executemany("INSERT INTO project VALUES (?, ?)", [name.split("/", 1) for name in projects])
        self.lock = threading.RLock()
        self.misbehave: Callable[[Any, str], bool] = lambda handler, path: False
        self.check_point: Callable[[dict[str, Any]], None] = lambda point: None
        self.is_keeping = True
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def rows(self, query: str, *parameters: object) -> list[Any]:
        """What it holds."""
        with self.lock:
            return self.connection.execute(query, parameters).fetchall()

    def start(self) -> PlainServer:
        """Serve, in a thread."""
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: PlainServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.server.requests.append((self.command, path))
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.misbehave(self, path):
            return
        try:
            if self.headers.get("Authorization") != f"Bearer {KEY}":
                raise RefusedError(401, "Auth.Invalid", "Unknown key.")
            if self.headers.get("Content-Encoding") == "gzip":
                raw = gzip.decompress(raw)
            if len(raw) > 16 << 20:
                raise RefusedError(413, "Body.TooLarge")
            if path.endswith("/ingest") and not self.server.is_keeping:
                self.answer(200, b"{}")
                return
            names = [unquote(part) for part in parts.path.removeprefix("/api/v1/").split("/")]
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            with self.server.lock:
                status, body = self._answer(self.command, names, query, json.loads(raw) if raw else None)
        except RefusedError as error:
            status, body = error.status, error.body
        self.answer(status, None if body is None else json.dumps(body, allow_nan=False).encode())

    def answer(self, status: int, body: bytes | None, content_type: str = "application/json", **headers: str) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if body is not None:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def _answer(self, method: str, names: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        rows, execute = self.server.rows, self.server.connection.execute
        if (method, names) == ("GET", ["auth", "me"]):
            return 200, {"name": "default"}
        if (method, names) == ("GET", ["workspaces"]):
            return 200, [{"id": name, "role": "member"} for (name,) in rows("SELECT DISTINCT workspace FROM project")]
        if names[0] == "workspaces" and names[2:] == ["projects"]:
            if method == "POST":
                execute("INSERT OR IGNORE INTO project VALUES (?, ?)", (names[1], body["name"]))
                return 200, {"name": body["name"]}
            return 200, [{"name": n} for (n,) in rows("SELECT name FROM project WHERE workspace = ?", names[1])]
        if names[0] == "workspaces" and names[2:3] == ["projects"] and names[4:] == ["runs"]:
            self._must_have(names[1], names[3])
            found = rows("SELECT run_id FROM run WHERE workspace = ? AND project = ?", names[1], names[3])
            return 200, [{"run_id": run_id} for (run_id,) in found]
        if (method, names) == ("POST", ["runs"]):
            return 200, {"id": self._make_run(body)}
        if names[0] == "runs" and len(names) > 1:
            if not rows("SELECT 1 FROM run WHERE id = ?", names[1]):
                raise RefusedError(404, "Run.NotFound")
            return self._answer_about(method, names[1], "/".join(names[2:]), query, body)
        raise RefusedError(404, "Route.NotFound")

    def _must_have(self, workspace: str, project: str) -> None:
        if workspace == "secret":
            raise RefusedError(403, "Auth.Forbidden", "Not your workspace.")
        if not self.server.rows("SELECT 1 FROM project WHERE workspace = ? AND name = ?", workspace, project):
            raise RefusedError(404, "Project.NotFound", f"No project {project}.")

    def _make_run(self, body: dict[str, Any]) -> str:
        workspace, project, run_id = body["workspace"], body["project"], body["run_id"]
        self._must_have(workspace, project)
        if not run_id:
            raise RefusedError(404, "Run.NotFound")
        self.server.connection.execute(
            """INSERT INTO run VALUES (?, ?, ?, ?, ?, 'running', ?) ON CONFLICT (workspace, project, run_id)
            DO UPDATE SET name = coalesce(excluded.name, name)""",
            (str(uuid.uuid4()), workspace, project, run_id, body.get("experiment_name"), body.get("created_at")),
        )
        key = (workspace, project, run_id)
        return str(
            self.server.rows("SELECT id FROM run WHERE workspace = ? AND project = ? AND run_id = ?", *key)[0][0]
        )

    def _answer_about(self, method: str, run: str, what: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        rows, connection = self.server.rows, self.server.connection
        if (method, what) == ("POST", "configs"):
            if len(body["configs"]) > 1000 or any(len(c["value"]) > 10_000 for c in body["configs"]):
                raise RefusedError(400, "Config.TooLarge", "A value is too long.")
            values = [(run, c["path"], c["type_tag"], c["value"], "2026-01-01T00:00:00Z") for c in body["configs"]]
            connection.executemany("INSERT OR REPLACE INTO config VALUES (?, ?, ?, ?, ?)", values)
            return 204, None
        if (method, what) == ("POST", "ingest"):
            return 200, self._ingest(run, body["points"])
        if (method, what) == ("POST", "status"):
            connection.execute("UPDATE run SET status = ? WHERE id = ?", (body["status"], run))
            return 200, {}
        if (method, what) == ("POST", "heartbeat"):
            return 204, None
        if what == "":
            found = rows("SELECT path, type_tag, value, updated_at FROM config WHERE run = ?", run)
            keys = ("path", "type_tag", "value", "updated_at")
            return 200, {"id": run, "configs": [dict(zip(keys, row, strict=True)) for row in found]}
        if what == "paths":
            found = rows("SELECT DISTINCT path, kind FROM point WHERE run = ?", run)
            return 200, [{"path": path, "type": kind} for path, kind in found]
        path = query["path"]
        if what == "data/metrics":
            low, high = float(query.get("step_min", "-inf")), float(query.get("step_max", "inf"))
            found = rows(
                "SELECT step, number FROM point WHERE run = ? AND path = ? AND step BETWEEN ? AND ? ORDER BY step",
                run, path, low, high,
            )  # fmt: skip
            points = [{"step": _whole(step), "y": number} for step, number in found]
            return 200, {"path": path, "downsampled": False, "raw_points": points}
        if what == "data/strings":
            found = rows("SELECT step, text FROM point WHERE run = ? AND path = ? ORDER BY step", run, path)
            offset = int(query.get("offset", 0))
            page = found[offset:][: int(query.get("limit", 100))]
            return 200, {"points": [{"step": _whole(s), "value": v} for s, v in page], "total": len(found)}
        raise RefusedError(404, "Route.NotFound")

    def _ingest(self, run: str, points: list[dict[str, Any]]) -> Any:
        values = []
        for point in points:
            self.server.check_point(point)
            number = point.get("number")
            if not isinstance(point["step"], int) or isinstance(number, str):
                raise RefusedError(400, "Point.Invalid", "A step is an integer, a number finite.")
            kind = "string" if "text" in point else "metric"
            values.append((run, point["path"], point["step"], point["timestampMs"], number, point.get("text"), kind))
        self.server.connection.execute("BEGIN")
        self.server.connection.executemany("INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        self.server.connection.execute("COMMIT")
        return {}


def _whole(step: float) -> float:
    return int(step) if step == int(step) else step


if __name__ == "__main__":
    server = PlainServer()
    server.is_keeping = False
    server.start()
    print(server.url, flush=True)
    threading.Event().wait()  # until it is killed
