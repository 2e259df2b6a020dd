"""Whatever is sent, the answer is one, or a fault that says what was wrong with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import goodseed
from goodseed.errors import GoodseedError
from goodseed.server.routes import RequestError

from .conftest import Api

_ODD: list[Any] = [
    None,
    True,
    -1,
    2**70,
    1e400,
    "",
    "x" * 10_000,
    "\ud800",
    "\0",
    [],
    [[]],
    {},
    {"a": 1},
    [None],
    ["a", 1],
]
_FIELDS = {
    "runs/query": ("filter", "columns", "sort", "group_by", "offset", "limit", "ids", "trashed", "other"),
    "series": ("runs", "paths", "items", "x", "range", "points", "agg", "since", "offset", "other"),
    "diff": ("runs", "base", "prefix", "q", "other"),
    "runs/bulk": ("ids", "op", "value", "other"),
}


@pytest.fixture
def one(api: Api) -> Api:
    with goodseed.Run(project="p", run_id="r", storage="local") as run:
        run.log_metrics({"y": 1.0}, step=0)
    return api


@pytest.mark.parametrize(
    ("address", "field"), [(address, field) for address, fields in _FIELDS.items() for field in fields]
)
def test_odd_members(one: Api, address: str, field: str) -> None:
    """A member of any other type or size is a 400, or does no harm."""
    for odd in _ODD:
        with suppress(RequestError):
            one.post(
                f"p/p/-/{address}", {"runs": ["r"], "paths": ["y"], field: odd} if address == "series" else {field: odd}
            )
    for body in (3, "x", [1]):
        with pytest.raises(RequestError):
            one.post(f"p/p/-/{address}", body)


@pytest.mark.parametrize("address", ["attrs", "runs/query", "changes", "run/r/config", "run/r/attrs", "run/r/logs"])
@pytest.mark.parametrize(
    "name",
    ["limit", "cursor", "offset", "from", "q", "kind", "stream", "sort", "since", "watch", "around_ms", "filter"],
)
def test_odd_parameters(one: Api, address: str, name: str) -> None:
    """A parameter of any value is a 400, or does no harm."""
    for odd in ("-1", "99999999999999999999", "1e9", "%00", "%F0%9F%A6%A6", "x" * 5000, "٣", "nan", "-", "("):
        with suppress(RequestError):
            one.get(f"p/p/-/{address}?{name}={odd}")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(alphabet=st.sampled_from("ab/lr<>=!~()\"'`:-\\*+?[]{}|1e.andort \n"), max_size=40)
    | st.text(max_size=40)
)
def test_any_filter_is_answered(one: Api, text: str) -> None:
    """A filter of any signs finds runs, or is a 400 that says where it can't be read."""
    faults = []
    try:
        one.post("p/p/-/runs/query", {"filter": text})
    except RequestError as error:
        faults.append(error)

    assert all(fault.status == 400 and ("column" in fault.details or "Unicode" in str(fault)) for fault in faults)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE metric_points SET y = 'text'",
        "UPDATE metric_points SET ts = 'soon'",
        "DROP TABLE metric_points",
        "UPDATE configs SET value = NULL, type_tag = 'int'",
        "UPDATE configs SET value = x'ff00ff'",
        "INSERT INTO configs (path, type_tag, value, updated_at) VALUES ('deep', 'string_set', replace(hex(zeroblob(50000)), '0', '['), '')",
        "UPDATE metric_series SET path = x'fffe'",
    ],
)
def test_a_damaged_run_harms_no_other(one: Api, home: Path, damage: str) -> None:
    """What a file holds that no run would leaves the answers about the other runs as they are."""
    with goodseed.Run(project="p", run_id="bad", storage="local") as run:
        run["config/a"] = 1
        run.log_metrics({"y": 1.0}, step=0)
    with closing(sqlite3.connect(home / "projects/p/runs/bad.sqlite")) as connection, connection:
        connection.execute(damage)
    one.look()

    table = one.post(
        "p/p/-/runs/query", {"ids": ["r"], "columns": ["y", "y:max", "config/a"], "filter": "y:mean>0 or y:missing"}
    )
    series = one.post("p/p/-/series", {"runs": ["bad", "r"], "paths": ["y"]})["series"]
    for address in (
        "run/bad",
        "run/bad/config",
        "run/bad/attrs",
        "run/bad/logs",
        "run/bad/source",
        "attrs",
        "changes?watch=bad",
    ):
        with suppress(GoodseedError):
            one.get(f"p/p/-/{address}")

    assert {"y": [1.0], "y:max": [1.0], "config/a": [None]} == table["columns"]
    assert [1.0] == series[1]["last"]
