"""The OpenAPI document tells the truth: schemathesis asks a real server what the document allows, and more."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

import goodseed
from goodseed.server.http.app import ROUTES

from .conftest import Client, Serve


def test_every_route_is_in_it(client: Client) -> None:
    """The document has every route, each with its summary and the parts of its path."""
    paths = client.get("/api/openapi.json").json["paths"]
    documented = {(method.upper(), path) for path, methods in paths.items() for method in methods}

    assert {(route.method, route.pattern.replace(":path}", "}")) for route in ROUTES} == documented
    assert all(operation["summary"] for methods in paths.values() for operation in methods.values())
    assert ["project", "run_id"] == [
        parameter["name"] for parameter in paths["/api/runs/{project}/{run_id}/configs"]["get"]["parameters"]
    ]


@pytest.mark.filterwarnings("default")  # what schemathesis warns of is its own
def test_schemathesis_finds_nothing(serve: Serve) -> None:
    """Whatever is asked, the status and the shape are documented ones, and no answer is a 5xx."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, assume, given, settings
    from hypothesis.errors import Unsatisfiable

    with goodseed.Run(project="p", run_id="r") as run:
        for step in range(20):
            run.log_metrics({"loss": float("nan") if step == 7 else 1.0}, step=step)
            run["notes"].log("text", step=step)
    client = serve()
    headers = {"Authorization": f"Bearer {client.policy.token}"}
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{client.port}/api/openapi.json")
    bounded = settings(
        max_examples=15, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    operations = [found.ok() for found in schema.get_all_operations()]
    operations = [operation for operation in operations if "/api/ui/" not in operation.path]  # they have their own test
    for operation in operations:
        fixed = {"project": "p", "run_id": "r"} if "{run_id}" in operation.path else None
        for mode in schemathesis.GenerationMode:
            for parameters in [fixed, None] if fixed else [None]:

                @bounded
                @given(operation.as_strategy(mode, path_parameters=parameters))
                def ask(case: Any) -> None:
                    query = case.query or {}
                    # OpenAPI can't say that one parameter needs another, or that an empty one counts as missing.
                    assume("pointCount" not in query or query.get("path"))
                    assume(all(value not in ("", [], [""], None) for value in query.values()))
                    assume(not any(isinstance(value, dict) for value in query.values()))  # sent as other parameters
                    case.call_and_validate(headers=headers, timeout=120)

                with suppress(Unsatisfiable):  # an operation without parameters can't be asked wrongly
                    ask()

    assert len([route for route in ROUTES if "/api/ui/" not in route.pattern]) - 1 == len(operations)
