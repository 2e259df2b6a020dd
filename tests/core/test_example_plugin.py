"""The training doctor of examples/plugin, installed as its README says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import goodseed

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"
QUIET = "capture_hardware_metrics=False, git_ref=False"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of packages into which pip has put it."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--target", str(target), str(EXAMPLE)], check=True, timeout=300, capture_output=True)
    return target


@pytest.fixture
def python(installed: Path, tmp_path: Path) -> Any:
    """Runs Python where the doctor is installed."""

    def run(*arguments: str, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(installed), str(Path(goodseed.__file__).parent.parent)])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GOODSEED_")}
        own = {"PYTHONPATH": path, "GOODSEED_HOME": str(tmp_path), "GOODSEED_QUIET": "1", "GOODSEED_STORAGE": "local"}
        done = subprocess.run(
            [sys.executable, "-W", "error", *arguments], env={**kept, **own, **environment}, text=True,
            capture_output=True, timeout=100,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        return done

    return run


def training(body: str) -> str:
    """A script whose run is `run`."""
    lines = "\n    ".join(body.strip().splitlines())
    return (
        f"import math, random, time, goodseed\nrandom.seed(0)\n"
        f"with goodseed.Run(project='p', run_id='one', {QUIET}) as run:\n    {lines}\n"
    )


def found(home: Path) -> tuple[dict[str, str], list[str]]:
    """The doctor's configs and findings."""
    run = goodseed.Run(project="p", run_id="one", read_only=True, storage="local", goodseed_home=home)
    configs = {config["path"]: config["value"] for config in run.get_configs()}
    own = {path: value for path, value in configs.items() if path.startswith("doctor/")}
    return own, [point["value"] for point in run.get_string_data("doctor/findings")]


SICK = """
for step in range(2000):
    loss = 2 * math.exp(-step / 50) + 0.5 + random.gauss(0, 0.01)
    run.log_metrics({
        "train/loss": 40.0 if step == 300 else loss,
        "val/loss": math.nan if step >= 900 else loss,
        "lr": 100.0 if step == 500 else 0.1,
    }, step=step)
"""


def test_sick_run(python: Any, tmp_path: Path) -> None:
    """NaN, a spike and a plateau are each found once, in the run and by the command; a spike of a rate is none."""
    python("-c", training(SICK))
    configs, findings = found(tmp_path)
    examined = python("-m", "goodseed", "doctor", "-p", "p", "one", status=1)

    kinds = sorted(finding.partition(":")[0] for finding in findings)
    assert kinds == ["nan", "plateau", "spike"] or kinds == ["nan", "plateau", "plateau", "spike"]
    assert "spike: train/loss jumped from" in "\n".join(findings)
    assert "nan: val/loss is nan at step 900" in findings
    assert configs["doctor/healthy"] == "false"
    assert (configs["doctor/nan"], configs["doctor/spike"]) == ("1", "1")
    assert sorted(examined.stdout.splitlines()) == sorted(findings)


def test_healthy_run(python: Any, tmp_path: Path) -> None:
    """A training that goes well is said to be healthy, and nothing else is written."""
    python(
        "-c",
        training(
            "for step in range(3000):\n"
            "    run.log_metrics({'loss': 3 / (1 + step / 100) + random.gauss(0, 0.001), 'acc': step / 3000}, step=step)"
        ),
    )
    examined = python("-m", "goodseed", "doctor", "-p", "p", "one")

    assert found(tmp_path) == ({"doctor/healthy": "true"}, [])
    assert examined.stdout == "healthy\n"


def test_stall(python: Any, tmp_path: Path) -> None:
    """Silence after regular points is found while it lasts, once."""
    python(
        "-c",
        training(
            "for step in range(20):\n    run.log_metrics({'a': 1}, step=step)\n    time.sleep(0.02)\ntime.sleep(5)"
        ),
        GOODSEED_DOCTOR_STALL_SECONDS="2",
    )
    _, findings = found(tmp_path)

    assert [finding.partition(":")[0] for finding in findings] == ["stall"]


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web address, and what was posted to it."""
    posted: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", posted
        server.shutdown()
        thread.join()


def test_webhook(python: Any, inbox: tuple[str, list[dict[str, Any]]]) -> None:
    """Each finding is posted; an address that is not there costs a warning."""
    url, posted = inbox
    body = "run.log_metrics({'loss': math.nan}, step=3)"
    python("-c", training(body), GOODSEED_DOCTOR_WEBHOOK=url)
    gone = python("-c", training(body).replace("'one'", "'two'"), GOODSEED_DOCTOR_WEBHOOK="http://127.0.0.1:9/nobody")

    assert posted == [
        {
            "text": "p one: loss is nan at step 3",
            "project": "p",
            "run": "one",
            "kind": "nan",
            "path": "loss",
            "step": 3.0,
        }
    ]
    assert gone.stderr.count("can't be reached") == 1


def test_it_can_be_turned_off(python: Any, tmp_path: Path) -> None:
    """`goodseed plugins` names it with its hooks; GOODSEED_DISABLE_PLUGINS leaves it out."""
    listed = python("-m", "goodseed", "plugins").stdout
    python("-c", training("run.log_metrics({'loss': math.nan}, step=3)"), GOODSEED_DISABLE_PLUGINS="doctor")

    assert "doctor  (goodseed-doctor 1.0)  goodseed_commands, goodseed_panels, goodseed_points_stored" in listed
    assert found(tmp_path) == ({}, [])
