"""The reference's client, unmodified, works with the hub."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from hub_process import HubProcess, point

import goodseed

WRITE = """
import goodseed
off = dict(capture_stdout=False, capture_stderr=False, capture_hardware_metrics=False, git_ref=False)
run = goodseed.Run(project="default/default", run_id="theirs", name="first", **off)
run["lr"] = 0.1
run["tags"] = {"a"}
for step in range(100):
    run.log_metrics({"loss": step / 2}, step=step)
run.log_metrics({"inf": float("inf")}, step=0)
run.log_strings({"note": "n"}, step=0)
run.close()
run = goodseed.Run(project="default/default", resume_run_id="theirs", **off)
run.log_metrics({"loss": 99.0}, step=100)
run.close()
local = goodseed.Run(project="default/default", run_id="uploaded", storage="local", **off)
local.log_metrics({"loss": 1.0}, step=0)
local.close()
"""
READ = """
import json, goodseed
read = goodseed.Run(project="default/default", run_id="RUN", read_only=True)
print(json.dumps([read.get_metric_paths(), read.get_metric_data("loss")["raw_points"], read.get_string_data("note"),
    {row["path"]: row["value"] for row in read.get_configs()}["lr"]]))
"""


def run_reference(python: Path, hub: HubProcess, home: Path, *arguments: str) -> str:
    """What a script with the reference prints last."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GOODSEED"))}
    environment |= {"GOODSEED_API_URL": hub.url, "GOODSEED_API_KEY": hub.key, "GOODSEED_HOME": str(home)}
    done = subprocess.run([str(python), *arguments], capture_output=True, text=True, env=environment, timeout=120)
    assert 0 == done.returncode, done.stderr
    return (done.stdout.splitlines() or [""])[-1]


def test_their_client_writes_resumes_uploads_and_reads(
    hub: HubProcess, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each client reads what the other wrote."""
    run_reference(reference, hub, tmp_path / "theirs", "-c", WRITE)
    run_reference(
        reference,
        hub,
        tmp_path / "theirs",
        "-m",
        "goodseed.cli",
        "upload",
        "-p",
        "default/default",
        "--run-id",
        "uploaded",
    )
    monkeypatch.setenv("GOODSEED_API_URL", hub.url)
    monkeypatch.setenv("GOODSEED_API_KEY", hub.key)
    with goodseed.Run(project="default/default", run_id="by-us", goodseed_home=tmp_path / "ours") as run:
        run["lr"] = 0.1
        for step in range(100):
            run.log_metrics({"loss": step / 2}, step=step)
        run.log_metrics({"loss": 99.0}, step=100)
        run.log_strings({"note": "n"}, step=0)
    theirs = json.loads(run_reference(reference, hub, tmp_path / "theirs", "-c", READ.replace("RUN", "theirs")))
    ours = json.loads(run_reference(reference, hub, tmp_path / "theirs", "-c", READ.replace("RUN", "by-us")))
    read = goodseed.Run(project="default/default", run_id="theirs", read_only=True, storage="cloud")
    points = [(item["step"], item["y"]) for item in read.get_metric_data("loss")["raw_points"]]
    read.close()
    _, runs = hub.ask("GET", "/api/v1/workspaces/default/projects/default/runs")
    statuses = {run["run_id"]: run["status"] for run in runs}

    assert {"inf", "loss"} <= set(theirs[0])
    assert (
        [(item["step"], item["y"]) for item in theirs[1]] == [(item["step"], item["y"]) for item in ours[1]] == points
    )
    assert ("0.1", "0.1") == (theirs[3], ours[3])
    assert [(0, "n")] == [(item["step"], item["value"]) for item in theirs[2]]
    assert [(0, 1.0)] == hub.pairs(hub.make_run("uploaded"), "loss")
    assert {"theirs": "finished", "by-us": "finished"}.items() <= statuses.items()


def test_their_reads_of_large_pages(hub: HubProcess, reference: Path, tmp_path: Path) -> None:
    """Buckets and pages of a long run come in the form that their client takes."""
    run = hub.make_run("long")
    hub.ingest(
        run, [point("loss", step, step) for step in range(5000)] + [point("note", s, text=str(s)) for s in range(50)]
    )
    script = """
import json, goodseed
read = goodseed.Run(project="default/default", run_id="long", read_only=True)
print(json.dumps([read.get_metric_data("loss", max_points=100)["downsampled"], len(read.get_string_data("note", limit=7))]))
"""
    answer = json.loads(run_reference(reference, hub, tmp_path, "-c", script))

    assert [True, 7] == answer
