"""The server that the other tests use is the protocol's: the reference's client, unmodified, works with it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from plain_server import PlainServer

import goodseed

WRITE = """
import goodseed
off = dict(capture_stdout=False, capture_stderr=False, capture_hardware_metrics=False, git_ref=False)
run = goodseed.Run(project="ws/p", run_id="theirs", name="first", **off)
run["lr"] = 0.1
for step in range(100):
    run.log_metrics({"loss": step / 2}, step=step)
run.log_strings({"note": "n"}, step=0)
run.close()
run = goodseed.Run(project="ws/p", resume_run_id="theirs", **off)
run.log_metrics({"loss": 99.0}, step=100)
run.close()
print("written")
"""
READ = """
import json, goodseed
read = goodseed.Run(project="ws/p", run_id="{read}", read_only=True)
print(json.dumps([read.get_metric_paths(), read.get_metric_data("loss"), read.get_string_data("note"),
    {row["path"]: row["value"] for row in read.get_configs()}["lr"]]))
"""


def run_reference(python: Path, script: str) -> str:
    """What a script with the reference prints last."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([str(python), "-c", script], capture_output=True, text=True, env=environment, timeout=120)
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()[-1]


def test_their_client_and_ours_understand_one_another(remote: PlainServer, reference: Path) -> None:
    """Each client writes, resumes and reads back, and reads what the other wrote."""
    with goodseed.Run(project="ws/p", run_id="ours") as run:
        run["lr"] = 0.1
        for step in range(100):
            run.log_metrics({"loss": step / 2}, step=step)
        run.log_strings({"note": "n"}, step=0)
        run.log_metrics({"loss": 99.0}, step=100)
    run_reference(reference, WRITE)
    theirs_of_theirs = json.loads(run_reference(reference, READ.replace("{read}", "theirs")))
    theirs_of_ours = json.loads(run_reference(reference, READ.replace("{read}", "ours")))
    ours_of_theirs = goodseed.Run(project="ws/p", run_id="theirs", read_only=True)

    assert theirs_of_theirs == theirs_of_ours
    assert theirs_of_ours[1]["raw_points"] == ours_of_theirs.get_metric_data("loss")["raw_points"]
    assert theirs_of_ours[2] == ours_of_theirs.get_string_data("note")
    assert [("ours", "finished"), ("theirs", "finished")] == remote.rows("SELECT run_id, status FROM run ORDER BY 1")
