"""Packed points: columns of doubles instead of JSON, all of a request or nothing."""

from __future__ import annotations

import gzip
import math
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hub_process import HubProcess

import goodseed
from goodseed import columns
from goodseed.columns import Points
from goodseed.remote.wire import PACKED

MS = 1_790_000_000_000


def series(path: str, steps: list[float], values: list[float | None]) -> Points:
    """What a client packs."""
    return Points(path, "metric", steps, values, [MS / 1000 + step for step in range(len(steps))])


def pack(several: list[Points]) -> bytes:
    """As a client packs metrics."""
    return columns.pack(several, version=1)


def send(hub: HubProcess, run: str, body: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to a packed ingest."""
    headers = {
        "Authorization": f"Bearer {hub.key}", "Content-Type": PACKED, "Content-Encoding": "gzip",
    }  # fmt: skip
    status, _, answer = hub.raw("POST", f"/api/v1/runs/{run}/ingest", gzip.compress(body), headers)
    return status, answer


def points(hub: HubProcess, run: str, path: str) -> list[tuple[float, float]]:
    """Steps and values of a metric."""
    status, answer = hub.ask("GET", f"/api/v1/runs/{run}/data/metrics?path={path}")
    assert status == 200
    return [(point["step"], float(point["y"])) for point in answer["raw_points"]]


def test_every_double_comes_back(hub: HubProcess) -> None:
    """Float steps, NaN, infinities, subnormals and -0.0, of series with steps of their own and in common."""
    run = hub.make_run("packed-doubles")
    odd = [0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf]
    steps = [-3.5, 0.0, 1.0, 2.0, 2.5, 2**53 - 1.0]
    body = pack([series("a/b", steps, odd), series("c", steps, [1.0] * 6), series("é", [7.0], [None])])
    first, again = send(hub, run, body), send(hub, run, body)

    assert first == again == (200, b"{}")
    assert points(hub, run, "a/b") == list(zip(steps, odd, strict=True))
    assert points(hub, run, "c") == [(step, 1.0) for step in steps]
    assert [(step, str(value)) for step, value in points(hub, run, "%C3%A9")] == [(7.0, "nan")]


def test_later_points_replace_earlier_ones(hub: HubProcess) -> None:
    """Within a body and from one to the next, the last point of a step is the one that stays."""
    run = hub.make_run("packed-twice")
    send(hub, run, pack([series("a", [1.0, 2.0], [1.0, 2.0]), series("/a", [2.0, 3.0], [20.0, 30.0])]))
    send(hub, run, pack([series("a", [3.0], [300.0])]))

    assert points(hub, run, "a") == [(1.0, 1.0), (2.0, 20.0), (3.0, 300.0)]


GOOD = pack([series("a", [1.0, 2.0], [1.0, 2.0])])
BAD = {
    "nothing": b"",
    "JSON": b'{"points": []}',
    "another version": GOOD.replace(b"gspts\x01", b"gspts\x03"),
    **{f"cut after {size}": GOOD[:size] for size in range(9, len(GOOD), 3)},
    "too many points": GOOD[:8] + struct.pack("<II", 2**31, 2**31),
    "an empty series": GOOD[:8] + struct.pack("<II", 0, 1) + struct.pack("<I", 1) + b"a",
    "no series": GOOD[:8] + struct.pack("<II", 2, 0) + bytes(32),
    "a path that is no UTF-8": GOOD.replace(b"a", b"\xff"),
    "a path that can't be": pack([series("a\0b", [1.0], [1.0])]),
    "an infinite step": pack([series("a", [math.inf], [1.0])]),
    "a step that is NaN": pack([series("a", [1.0, math.nan, 2.0], [1.0, 1.0, 1.0])]),
    "a step beyond 2**53": pack([series("a", [2.0**53], [1.0])]),
    "a negative time": pack([Points("a", "metric", [1.0], [1.0], [-1.0])]),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_bodies_store_nothing(hub: HubProcess, name: str) -> None:
    """Whatever is wrong is a 400 with a JSON body, and nothing of the request is stored, what was good of it neither."""
    run = hub.make_run(f"packed-bad-{list(BAD).index(name)}")
    status, answer = send(hub, run, GOOD + BAD[name][8:] if name == "a negative time" else BAD[name])

    assert (status, b'"error_code"' in answer) == (400, True)
    assert hub.ask("GET", f"/api/v1/runs/{run}/paths") == (200, [])


def test_series_for_which_there_is_no_room(make_hub: Any) -> None:
    """They are named point by point, and the others are taken."""
    hub = make_hub("--max-series", "1")
    run = hub.make_run("packed-many")
    status, answer = send(hub, run, pack([series("a", [1.0, 2.0], [1.0, 2.0]), series("b", [1.0, 2.0], [1.0, 2.0])]))

    assert status == 200
    assert answer.count(b'"index":') == 2
    assert b'"index":2' in answer
    assert b'"index":3' in answer
    assert points(hub, run, "a") == [(1.0, 1.0), (2.0, 2.0)]


def test_client_packs_for_a_hub(hub: HubProcess, tmp_path: Path) -> None:
    """What a run and `goodseed upload` send in bulk comes back as it was logged, whatever it was."""
    script = """
import goodseed, math, sys
off = dict(capture_stdout=False, capture_stderr=False, capture_hardware_metrics=False, git_ref=False)
run = goodseed.Run(project="default/default", run_id=sys.argv[1], storage=sys.argv[2], **off)
for step in range(2500):
    run.log_metrics({f"m{k}": step * 0.1 + k for k in range(100)}, step=step)
run.log_metrics({"odd": math.nan, "m0": math.inf}, step=0.5)
run["text"].log("hello", step=1)
run.close()
"""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GOODSEED_")},
        "GOODSEED_API_URL": hub.url, "GOODSEED_API_KEY": hub.key, "GOODSEED_HOME": str(tmp_path),
    }  # fmt: skip
    for run_id, storage in (("packed-live", "cloud"), ("packed-bulk", "local")):
        subprocess.run([sys.executable, "-c", script, run_id, storage], env=environment, check=True, timeout=120)
    upload = [sys.executable, "-m", "goodseed", "upload", "-p", "default/default"]
    subprocess.run(upload, env=environment, check=True, timeout=120)

    for run_id in ("packed-live", "packed-bulk"):
        local = goodseed.Run(
            project="default/default", run_id=run_id, storage="local", read_only=True, goodseed_home=tmp_path
        )
        _, known = hub.ask("GET", "/api/v1/workspaces/default/projects/default/runs")
        (run,) = [one["id"] for one in known if one["run_id"] == run_id]
        for path in ("m0", "m99", "odd"):
            expected = [(point["step"], str(point["y"])) for point in local.get_metric_data(path)["raw_points"]]
            assert [(step, str(value)) for step, value in points(hub, run, path)] == expected
        _, texts = hub.ask("GET", f"/api/v1/runs/{run}/data/strings?path=text")
        assert [point["value"] for point in texts["points"]] == ["hello"]
