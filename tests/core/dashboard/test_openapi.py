"""The OpenAPI document tells the truth about the dashboard's endpoints."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import goodseed
from goodseed.server.dashboard.routes import ROUTES
from goodseed.server.dashboard.table.filters import parse_filter
from goodseed.server.http.app import Application
from goodseed.server.http.listener import Server
from goodseed.server.http.security import Policy
from goodseed.server.http.static import Pages
from goodseed.server.openapi import make_document, make_route
from goodseed.server.routes import RequestError
from goodseed.server.store import CatalogStore


@pytest.fixture
def served(home: Path) -> Iterator[tuple[str, str]]:
    """The address and the token of a server that has these endpoints."""
    policy = Policy()
    store = CatalogStore(home / "projects")
    application = Application(store, policy, Pages(home / "none"), (*ROUTES, make_route(ROUTES)))
    server = Server(("127.0.0.1", 0), application)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", policy.token
    server.shutdown()
    thread.join()
    server.server_close()
    store.close()


def test_the_document_is_json() -> None:
    """Every endpoint has a summary, and all that the document says of it is JSON."""
    assert all(route.summary and json.dumps(route.operation) for route in ROUTES)


def test_the_docs_list_every_endpoint() -> None:
    """The table of docs/dashboard-api.md has the addresses and methods of the routes: no more, and no fewer."""
    table = (Path(__file__).parents[3] / "docs" / "dashboard-api.md").read_text("utf-8").split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([A-Z, ]+?) +(/api/ui/|…/-/)(\S*)` \|", table, re.MULTILINE)
    prefixes = {"/api/ui/": "/api/ui/", "…/-/": "/api/ui/p/{project}/-/"}
    told = {
        (method, prefixes[prefix] + rest.replace("<id>", "{run_id}").replace("<name>", "{name}"))
        for methods, prefix, rest in rows
        for method in methods.split(", ")
    }

    assert told == {(route.method, route.pattern.replace("{project:path}", "{project}")) for route in ROUTES}


def test_the_document_has_every_route() -> None:
    """The paths and methods of the document are those that are answered."""
    document = make_document(ROUTES)

    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert described == {(route.method, route.pattern.replace("{project:path}", "{project}")) for route in ROUTES}


def _is_sayable(fields: Any) -> bool:
    """Whether OpenAPI can say that it is right or wrong: not of a filter's grammar, of limits that hang together, of Unicode."""
    if not isinstance(fields, dict):
        return True
    try:
        parse_filter(fields["filter"]) if isinstance(fields.get("filter"), str) else None
        json.dumps(fields, ensure_ascii=False).encode()
    except (RequestError, UnicodeEncodeError, TypeError):
        return False
    match fields.get("range"):
        case [int() | float() as low, int() | float() as high]:
            return low <= high
    return True


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what schemathesis warns of is its own
def test_schemathesis_finds_nothing(served: tuple[str, str]) -> None:
    """Whatever is asked, the status and the shape are documented ones, and no answer is a 5xx."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, assume, given, settings
    from hypothesis.errors import Unsatisfiable

    with goodseed.Run(project="p", run_id="r") as run:
        run["config/lr"] = 0.1
        for step in range(20):
            run.log_metrics({"loss": float("nan") if step == 7 else 1.0}, step=step)
            run["notes"].log("text", step=step)
    address, token = served
    schema = schemathesis.openapi.from_url(f"{address}/api/openapi.json")
    bounded = settings(
        max_examples=10, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    for operation in [found.ok() for found in schema.get_all_operations()]:
        names = {"project": "p", "run_id": "r", "name": "v"}
        fixed = {name: value for name, value in names.items() if f"{{{name}}}" in operation.path} or None
        for mode in schemathesis.GenerationMode:

            @bounded
            @given(operation.as_strategy(mode, path_parameters=fixed))
            def ask(case: Any) -> None:
                query = case.query or {}
                # OpenAPI can't say that an empty parameter counts as missing.
                assume(all(value not in ("", [], [""], None) for value in query.values()))
                assume(not any(isinstance(value, dict) for value in query.values()))  # sent as other parameters
                assume(_is_sayable(case.body) and _is_sayable(query))
                case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, timeout=120)

            with suppress(Unsatisfiable):
                ask()
