"""The dashboard's handlers, called as the server calls them, over real runs."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import goodseed
from goodseed.server.dashboard.routes import ROUTES
from goodseed.server.routes import Request
from goodseed.server.store import CatalogStore


class Api:
    """Asks the handlers of one store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = CatalogStore(root)

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Any:
        """The content of an answer; JSON is decoded. ``target`` is what follows ``/api/ui/``, perhaps with a query."""
        from urllib.parse import parse_qs, unquote

        path, _, query = target.partition("?")
        for route in ROUTES:
            pattern = re.sub(r"\{(\w+)(:path)?\}", lambda m: f"(?P<{m[1]}>{'.+' if m[2] else '[^/]+'})", route.pattern)
            match = re.fullmatch(pattern, f"/api/ui/{unquote(path)}")
            if match and route.method == method:
                names = {name.replace("_", "-"): value for name, value in headers.items()}
                answer = route.handler(
                    self.store, Request(match.groupdict(), parse_qs(query, keep_blank_values=True), body, names)
                )
                self.answer = answer
                content = answer.content
                if content is not None and not isinstance(content, (bytes, dict, list)):
                    content = b"".join(content)
                if isinstance(content, bytes) and answer.content_type == "application/json":
                    return json.loads(content, parse_constant=_refuse)
                if isinstance(content, (dict, list)):
                    json.dumps(content, allow_nan=False)
                return content
        raise AssertionError(f"There is no {method} {target}")

    def get(self, target: str, **headers: str) -> Any:
        return self.ask("GET", target, **headers)

    def post(self, target: str, body: Any, **headers: str) -> Any:
        return self.ask("POST", target, body, **headers)

    def look(self) -> None:
        """See at once what has changed."""
        self.store.look()

    def restart(self) -> None:
        """Go on with another store over the same directory, as a server does that is started anew."""
        self.store.close()
        self.store = CatalogStore(self.root)

    def close(self) -> None:
        self.store.close()


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def frames(content: bytes) -> list[dict[str, Any]]:
    """All series of a binary answer, with their columns decoded as the documentation says."""
    found = []
    place = 0
    while place < len(content):
        assert content[place : place + 4] == b"GSB1"
        (length,) = struct.unpack_from("<I", content, place + 4)
        header = json.loads(content[place + 8 : place + 8 + length])
        start = place + 8 + length
        assert start % 8 == 0
        assert header["bytes"] % 8 == 0
        for series in header["series"]:
            for name, kind, *rest in series.pop("cols"):
                if kind == "lin":
                    series[name] = [rest[0] + i * rest[1] for i in range(series["n"])]
                else:
                    code = {"f64": "d", "f32": "f"}[kind]
                    assert rest[0] % 8 == 0
                    series[name] = list(struct.unpack_from(f"<{series['n']}{code}", content, start + rest[0]))
            found.append(series)
        place = start + header["bytes"]
    return found


@pytest.fixture
def api(home: Path) -> Iterator[Api]:
    """The handlers over the projects of the test's home."""
    made = Api(home / "projects")
    yield made
    made.close()


MakeApi = Callable[[Path], Api]


_DIFF = """diff --git a/train.py b/train.py
index 1..2 100644
--- a/train.py
+++ b/train.py
@@ -1,3 +1,4 @@
 import os
--- a comment
+new = 1
+newer = 2
 end
diff --git a/a b.py b/a b.py
new file mode 100644
--- /dev/null
+++ b/a b.py
@@ -0,0 +1 @@
+x
"""


def _seconds(time: str) -> float:
    assert time.endswith("Z")  # in UTC
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


@pytest.fixture
def page(api: Api) -> Api:
    with goodseed.Run(project="p", run_id="r", name="otter", storage="local", description="d") as run:
        run["config"] = {"lr": 0.1, "max_steps": 100, "big": 2**60, "inf": float("inf"), "tags": {"b", "a"}}
        run["source_code/git/commit_id"] = "abc"
        run["source_code/git/dirty"] = True
        run["source_code/diff"] = _DIFF
        run["monitoring/0/hostname"] = "box"
        run["monitoring/0/command"] = "python train.py"
        run["monitoring/0/packages"] = "a==1\nb==2"
        run.log_metrics({"loss": 1.0}, step=50)
    with goodseed.Run(project="p", run_id="s", storage="local") as run:
        run["config"] = {"lr": 0.2, "max_steps": 100.0, "only": None}
    return api
