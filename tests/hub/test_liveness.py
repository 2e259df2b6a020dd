"""Which runs are alive: told by their heartbeat."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hub_process import HubProcess, MakeHub, point


def status(hub: HubProcess, run_id: str) -> Any:
    """What the list of runs says."""
    _, runs = hub.ask("GET", "/api/v1/workspaces/default/projects/default/runs")
    return {run["run_id"]: run["status"] for run in runs}[run_id]


def shown(hub: HubProcess, run_id: str) -> Any:
    """What the dashboard says."""
    return hub.ask("GET", f"/api/ui/p/default/default/-/run/{run_id}")[1]["state"]


def wait_for(hub: HubProcess, run_id: str, wanted: str) -> None:
    """Until the list of runs and the dashboard say so."""
    deadline = time.monotonic() + 20
    while (status(hub, run_id), shown(hub, run_id)) != (wanted, wanted):
        assert time.monotonic() < deadline, (status(hub, run_id), shown(hub, run_id), wanted)
        time.sleep(0.1)


def test_a_silent_run_has_crashed_and_comes_back(make_hub: MakeHub) -> None:
    """Without a sign of life a run is crashed; with one it is running again, also after a restart of the hub."""
    hub = make_hub("--crashed-after", "2")
    run = hub.make_run("silent")
    hub.ingest(run, [point("m", 0, 1)])
    wait_for(hub, "silent", "running")
    wait_for(hub, "silent", "crashed")
    hub.ask("POST", f"/api/v1/runs/{run}/heartbeat")
    wait_for(hub, "silent", "running")
    hub.stop()
    hub.start()
    wait_for(hub, "silent", "crashed")
    hub.ingest(run, [point("m", 1, 1)])
    wait_for(hub, "silent", "running")


def test_a_finished_run_stays_so(make_hub: MakeHub) -> None:
    """Silence changes nothing, nor does what is uploaded later, nor a heartbeat that was under way."""
    hub = make_hub("--crashed-after", "1")
    run = hub.make_run("over")
    hub.ingest(run, [point("m", 0, 1)])
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    hub.ask("POST", f"/api/v1/runs/{run}/heartbeat")
    hub.ingest(run, [point("m", 1, 1)])
    wait_for(hub, "over", "finished")
    time.sleep(1.5)  # longer than a run may be silent
    found = status(hub, "over"), shown(hub, "over")
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "failed"})
    wait_for(hub, "over", "failed")
    bad = hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "crashed"})[0]

    assert (("finished", "finished"), 400) == (found, bad)


@pytest.mark.slow
def test_a_heartbeat_long_after_the_end_is_a_resumed_run(make_hub: MakeHub) -> None:
    """The reference's client never says that a run goes on: its heartbeat does."""
    hub = make_hub()
    run = hub.make_run("resumed")
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    time.sleep(5.5)  # longer than a late heartbeat takes
    hub.ask("POST", f"/api/v1/runs/{run}/heartbeat")

    assert "running" == status(hub, "resumed")


def test_a_run_that_is_uploaded_later_ended_when_it_says(hub: HubProcess) -> None:
    """The time of the end is the client's, where the client tells it; else that of the last word."""
    run = hub.make_run("old", created_at="2024-01-01T00:00:00+00:00")
    closed = "2024-01-01T01:00:00+00:00"
    times = [("sys/closed_time", closed), ("sys/modification_time", closed)]
    configs = [{"path": path, "type_tag": "datetime", "value": value} for path, value in times]
    hub.ask("POST", f"/api/v1/runs/{run}/configs", {"configs": configs})
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    wait_for(hub, "old", "finished")
    _, answer = hub.ask("GET", "/api/runs?project=default/default")
    found = {item["run_id"]: item["closed_at"] for item in answer["runs"]}

    assert closed == found["old"]
