"""What takes longer than a query may is read all the same, in parts."""

from __future__ import annotations

import itertools
import os
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
    os.utime(run.path, (1.6e9, 1.6e9))  # what is made of a file that has changed just now is not kept
    api.look()
    start, ticks = time.monotonic(), itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: start + next(ticks) / 4)
    return api


def test_a_chart_that_takes_long_is_made_in_pieces(slow: Api) -> None:
    """Each answer shows what has been read by then and says how much that is; all of it is kept, over a restart, too."""
    wanted = {"runs": ["long"], "paths": ["loss"], "points": 100}
    answers = []
    for restarts in range(60):
        (series,) = slow.post("p/p/-/series", wanted)["series"]
        answers.append(series)
        if "building" not in series:
            break
        if restarts % 3 == 1:
            slow.restart()

    assert [] == [series for series in answers if "problem" in series or not series["n"]]
    assert len(answers) > 2
    totals = [series["total"] for series in answers]
    assert sorted(set(totals)) == totals
    shares = [series["building"] for series in answers[:-1]]
    assert shares == pytest.approx([total / _POINTS for total in totals[:-1]], abs=0.01)
    assert _POINTS == totals[-1]
    assert (-1.0, 1008.0) == (answers[-1]["stats"]["min"], answers[-1]["stats"]["max"])


def test_an_aggregate_that_takes_long_is_right(slow: Api) -> None:
    """The lowest, the highest and the last value of a long series stand in the table, however long the machine takes."""
    columns = ["loss:min", "loss:max", "loss:last", "loss:count"]
    table = slow.post("p/p/-/runs/query", {"columns": columns})

    last = (_POINTS - 1) * 7919 % 1009
    assert [[-1.0], [1008.0], [last], [_POINTS]] == [table["columns"][name] for name in columns]
