"""The OpenAPI document tells the truth: schemathesis asks what it allows, and much that it does not."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hub_process import MakeHub, point


@pytest.mark.filterwarnings("default")  # what schemathesis warns of is its own
def test_schemathesis_finds_nothing(make_hub: MakeHub) -> None:
    """Whatever is asked, the status and the shape are documented ones, and no answer is a 5xx."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, assume, given, settings
    from hypothesis.errors import Unsatisfiable
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    hub = make_hub("--requests-a-second", "100000")
    run = hub.make_run("r")
    hub.ingest(run, [point("m", step, "NaN" if step == 7 else 1) for step in range(20)])
    hub.ingest(run, [point("t", step, text="x") for step in range(20)])
    hub.ask("POST", "/api/v1/users", {"name": "second", "is_admin": True})
    hub.ask("POST", "/api/v1/users", {"name": "third"})
    key = hub.ask("POST", "/api/v1/keys", {"user": "second"})[1]["key"]
    schema = schemathesis.openapi.from_url(f"{hub.url}/api/v1/openapi.json")
    bounded = settings(
        max_examples=10, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    names = {"id": run, "workspace": "default", "project": "default", "user": "third"}
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        fixed = {name: value for name, value in names.items() if f"{{{name}}}" in operation.path} or None
        for mode in schemathesis.GenerationMode:
            for parameters in [fixed, None] if fixed else [None]:

                @bounded
                @given(operation.as_strategy(mode, path_parameters=parameters))
                def ask(case: Any) -> None:
                    # OpenAPI can't say that an empty parameter counts as missing.
                    query = case.query or {}
                    assume(all(value not in ("", [], [""], None) for value in query.values()))
                    assume(not any(isinstance(value, dict) for value in query.values()))  # sent as other parameters
                    case.call_and_validate(
                        headers={"Authorization": f"Bearer {key}"},
                        timeout=120,
                        # Which names can be those of files, and which text fits a tag, is more than a schema says.
                        excluded_checks=[positive_data_acceptance],
                    )

                with suppress(Unsatisfiable):  # an operation without parameters can't be asked wrongly
                    ask()

    assert 25 == len(operations)
    assert 200 == hub.ask("GET", f"/api/v1/runs/{run}/data/metrics?path=m")[0]
