"""What takes longer than a query may is read all the same, in parts."""

from __future__ import annotations

import itertools
import sqlite3
import time
from contextlib import closing

import pytest

import goodseed

from .conftest import Api

_POINTS = 600_000


@pytest.fixture
def slow(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A long series, and a machine on which each query takes seconds: each look at the clock finds it a quarter of a second later."""
    with goodseed.Run(project="p", run_id="long", storage="local") as run:
        run.log_metrics({"loss": -1.0}, step=0)
    with closing(sqlite3.connect(run.path)) as connection:
        points = ((step, step * 7919 % 1009, step / 10) for step in range(1, _POINTS))
        connection.executemany("INSERT INTO metric_points (series_id, step, y, ts) VALUES (1, ?, ?, ?)", points)
        connection.commit()
    api.look()
    start, ticks = time.monotonic(), itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: start + next(ticks) / 4)
    return api


def test_a_chart_that_takes_long_is_whole(slow: Api) -> None:
    """The first chart of a long series shows all of it, however long the machine takes."""
    (series,) = slow.post("p/p/-/series", {"runs": ["long"], "paths": ["loss"], "points": 100})["series"]

    assert _POINTS == series["total"]
    assert (-1.0, 1008.0) == (series["stats"]["min"], series["stats"]["max"])


def test_an_aggregate_that_takes_long_is_right(slow: Api) -> None:
    """The lowest, the highest and the last value of a long series stand in the table, however long the machine takes."""
    columns = ["loss:min", "loss:max", "loss:last", "loss:count"]
    table = slow.post("p/p/-/runs/query", {"columns": columns})

    last = (_POINTS - 1) * 7919 % 1009
    assert [[-1.0], [1008.0], [last], [_POINTS]] == [table["columns"][name] for name in columns]
