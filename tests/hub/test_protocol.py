"""The wire protocol, from outside: what is written comes back."""

from __future__ import annotations

import json
import struct
import uuid
from pathlib import Path

import pytest
from hub_process import HubProcess, MakeHub, point

import goodseed


def test_values_come_back_as_they_went_in(hub: HubProcess) -> None:
    """Integer and float steps, numbers that JSON does not have, and any text."""
    run = hub.make_run("values")
    hub.ingest(
        run,
        [
            point("m", 0, 1.5),
            point("m", 1, 2),
            point("m", 1.5, "NaN"),
            point("m", 2, "Infinity"),
            point("m", 3, "-Infinity"),
            point("m", 2**52, -0.1),
            point("/slash", 0, 7),
            point("t", 0, text="a\0b\ud83c\udf31\n"),
            point("t", 0.5, text=""),
        ],
    )
    status, texts = hub.ask("GET", f"/api/v1/runs/{run}/data/strings?path=t")
    _, paths = hub.ask("GET", f"/api/v1/runs/{run}/paths")

    assert [(0, 1.5), (1, 2.0), (1.5, "NaN"), (2, "Infinity"), (3, "-Infinity"), (2**52, -0.1)] == hub.pairs(run, "m")
    assert [(0, 7.0)] == hub.pairs(run, "slash")
    assert (200, 2) == (status, texts["total"])
    assert [(0, "a\0b🌱\n"), (0.5, "")] == [(item["step"], item["value"]) for item in texts["points"]]
    assert [("m", "metric"), ("slash", "metric"), ("t", "string")] == [(p["path"], p["type"]) for p in paths]
    assert 1_700_000_000_000 == texts["points"][0]["timestampMs"]


def test_bare_tokens_that_json_lacks_are_taken(hub: HubProcess) -> None:
    """The reference's client sends NaN and Infinity as bare tokens."""
    run = hub.make_run("tokens")
    body = b'{"points": [{"path": "m", "step": 0, "timestampMs": 5, "number": Infinity},'
    body += b'{"path": "m", "step": 1, "timestampMs": 5, "number": NaN}]}'
    headers = {"Authorization": f"Bearer {hub.key}", "Content-Type": "application/json"}

    assert 200 == hub.raw("POST", f"/api/v1/runs/{run}/ingest", body, headers)[0]
    assert [(0, "Infinity"), (1, "NaN")] == hub.pairs(run, "m")


@pytest.mark.parametrize(
    "bad",
    [
        {"path": "", "step": 0, "number": 1},
        {"path": "a\0b", "step": 0, "number": 1},
        {"path": "x" * 5000, "step": 0, "number": 1},
        {"path": 7, "step": 0, "number": 1},
        {"path": "m", "step": "1", "number": 1},
        {"path": "m", "step": True, "number": 1},
        {"path": "m", "step": 2**53 + 1, "number": 1},
        {"path": "m", "step": 0, "number": "fast"},
        {"path": "m", "step": 0, "number": None},
        {"path": "m", "step": 0, "number": 1, "text": "x"},
        {"path": "m", "step": 0, "text": "\ud800"},
        {"path": "m", "step": 0, "text": "x" * (4 << 20) + "x"},
        {"path": "m", "step": 0, "number": 1, "timestampMs": -1},
        {"path": "m", "step": 0, "number": 1, "timestampMs": 10**18},
        [],
        None,
    ],
)
def test_a_bad_point_blocks_no_other(hub: HubProcess, bad: object) -> None:
    """It is named in the answer, and all others are stored."""
    run = hub.make_run(f"bad-{uuid.uuid4().hex}")
    answer = hub.ingest(run, [point("m", 5, 5), bad, point("m", 6, 6)])  # type: ignore[list-item]

    assert [1] == [item["index"] for item in answer["rejected"]]
    assert all(item["detail"] for item in answer["rejected"])
    assert [(5, 5.0), (6, 6.0)] == hub.pairs(run, "m")


def test_protobuf(hub: HubProcess) -> None:
    """Points may come in protobuf."""

    def varint(value: int) -> bytes:
        value &= 2**64 - 1
        encoded = b""
        while value > 127:
            encoded += bytes([value & 127 | 128])
            value >>= 7
        return encoded + bytes([value])

    def message(path: str, step: int, rest: bytes) -> bytes:
        inner = b"\x0a" + varint(len(path)) + path.encode() + b"\x10" + varint(step) + b"\x18" + varint(12345) + rest
        return b"\x0a" + varint(len(inner)) + inner

    run = hub.make_run("protobuf")
    body = message("m", 3, b"\x21" + struct.pack("<d", 0.25)) + message("m", -4, b"\x21" + struct.pack("<d", 1.0))
    body += message("t", 1, b"\x2a" + varint(3) + "ä!".encode()) + message("u", 1, b"")
    headers = {"Authorization": f"Bearer {hub.key}", "Content-Type": "application/protobuf"}
    status, _, answer = hub.raw("POST", f"/api/v1/runs/{run}/ingest", body, headers)

    assert (200, [3]) == (status, [item["index"] for item in json.loads(answer)["rejected"]])
    assert [(-4, 1.0), (3, 0.25)] == hub.pairs(run, "m")
    assert 400 == hub.raw("POST", f"/api/v1/runs/{run}/ingest", body[:-1], headers)[0]


def test_making_a_run_is_idempotent_and_a_null_name_erases_none(hub: HubProcess) -> None:
    """The same id for the same name, and a name that was given stays until there is another."""
    first = hub.make_run("twice", experiment_name="first")
    again = hub.make_run("twice")
    _, before = hub.ask("GET", f"/api/v1/runs/{first}")
    hub.make_run("twice", experiment_name="second")
    _, after = hub.ask("GET", f"/api/v1/runs/{first}")

    assert first == again
    assert ("first", "second") == (before["experiment_name"], after["experiment_name"])


def test_what_is_not_there(hub: HubProcess) -> None:
    """An empty run id, a workspace and a run that there are not have the protocol's answers, and nothing is made."""
    asked = {"workspace": "default", "project": "nope", "run_id": "x", "experiment_name": None}
    empty = hub.ask("POST", "/api/v1/runs", {**asked, "project": "default", "run_id": ""})
    empty_in_none = hub.ask("POST", "/api/v1/runs", {**asked, "run_id": ""})
    foreign = hub.ask("POST", "/api/v1/runs", {**asked, "workspace": "nope"})
    unknown = hub.ask("GET", f"/api/v1/runs/{uuid.uuid4()}")
    listed = hub.ask("GET", "/api/v1/workspaces/default/projects/nope/runs")

    assert (404, "Run.NotFound") == (empty[0], empty[1]["error_code"])
    assert (404, "Project.NotFound") == (empty_in_none[0], empty_in_none[1]["error_code"])
    assert (403, "Auth.Forbidden") == (foreign[0], foreign[1]["error_code"])
    assert (404, "Run.NotFound") == (unknown[0], unknown[1]["error_code"])
    assert (404, "Project.NotFound") == (listed[0], listed[1]["error_code"])
    assert {"error_code", "title", "detail"} == set(unknown[1])


def test_a_run_makes_its_project(hub: HubProcess) -> None:
    """Whoever may write to a workspace need not make the project before; a name that can be none makes nothing."""
    asked = {"workspace": "default", "run_id": "x", "experiment_name": None}
    made = [hub.ask("POST", "/api/v1/runs", {**asked, "project": "group/new"}) for _ in range(2)]
    refused = [
        hub.ask("POST", "/api/v1/runs", {**asked, "project": name})
        for name in ("", "..", "a//b", "/a", "x" * 201, "a\nb")
    ]
    bad_run = hub.ask("POST", "/api/v1/runs", {**asked, "project": "of-no-run", "run_id": "../x"})
    _, projects = hub.ask("GET", "/api/v1/workspaces/default/projects")
    names = {project["name"]: project["run_count"] for project in projects}

    assert [200, 200] == [status for status, _ in made]
    assert made[0] == made[1]
    assert 1 == names["group/new"]
    assert [(400, "Project.InvalidName")] * 6 == [(status, answer["error_code"]) for status, answer in refused]
    assert (400, "Run.InvalidId") == (bad_run[0], bad_run[1]["error_code"])
    assert "of-no-run" not in names


def test_a_hub_may_make_no_projects(make_hub: MakeHub) -> None:
    """With `--no-new-projects`, a run for a project that there is not has the protocol's answer, whoever asks."""
    hub = make_hub("--no-new-projects")
    asked = {"workspace": "default", "project": "new", "run_id": "x", "experiment_name": None}
    status, answer = hub.ask("POST", "/api/v1/runs", asked)
    _, projects = hub.ask("GET", "/api/v1/workspaces/default/projects")
    made, _ = hub.ask("POST", "/api/v1/workspaces/default/projects", {"name": "new"})

    assert (404, "Project.NotFound") == (status, answer["error_code"])
    assert ["default"] == [project["name"] for project in projects]
    assert (200, 200) == (made, hub.ask("POST", "/api/v1/runs", asked)[0])


def test_projects_with_slashes_and_addresses_with_two(hub: HubProcess) -> None:
    """A project's name may hold slashes, encoded in the path; and //api is /api."""
    status, made = hub.ask("POST", "/api/v1/workspaces/default/projects", {"name": "group/sub"})
    hub.make_run("inside", "default/group/sub")
    _, runs = hub.ask("GET", "//api/v1/workspaces/default/projects/group%2Fsub/runs")

    assert (200, "group/sub") == (status, made["name"])
    assert ["inside"] == [run["run_id"] for run in runs]


def test_configs_all_or_none(hub: HubProcess) -> None:
    """A request with a bad config stores none of its configs."""
    run = hub.make_run("configs")
    good = {"path": "lr", "type_tag": "float", "value": "0.1"}
    bad = [
        {"path": "x", "type_tag": "float", "value": "fast"},
        {"path": "x", "type_tag": "who", "value": "1"},
        {"path": "", "type_tag": "int", "value": "1"},
        {"path": "x", "type_tag": "str", "value": 5},
        {"path": "x", "type_tag": "str", "value": "x" * ((4 << 20) + 1)},
        "none",
    ]
    answers = [hub.ask("POST", f"/api/v1/runs/{run}/configs", {"configs": [good, one]})[0] for one in bad]
    many = hub.ask("POST", f"/api/v1/runs/{run}/configs", {"configs": [good] * 1001})[0]
    before = hub.configs(run)
    status, nothing = hub.ask("POST", f"/api/v1/runs/{run}/configs", {"configs": [good]}, is_compressed=True)

    assert ([400] * len(bad), 400) == (answers, many)
    assert {} == before
    assert (204, None) == (status, nothing)
    assert {"lr": "0.1"} == hub.configs(run)


def test_the_same_batch_twice_and_out_of_order(hub: HubProcess) -> None:
    """A batch that comes again changes nothing; the order of batches does not matter where they do not overlap."""
    run = hub.make_run("again")
    batches = [[point("m", step, step / 2) for step in range(start, start + 50)] for start in (100, 0, 50)]
    for batch in [*batches, batches[0], batches[2]]:
        hub.ingest(run, batch)
    hub.ingest(run, [point("m", 7, 70), point("m", 7, 71)])

    assert [(step, 71.0 if step == 7 else step / 2) for step in range(150)] == hub.pairs(run, "m")


def test_windows_buckets_and_pages(hub: HubProcess) -> None:
    """Part of a metric, its buckets, and pages of a string series."""
    run = hub.make_run("pages")
    hub.ingest(run, [point("m", step, step) for step in range(1000)] + [point("t", s, text=str(s)) for s in range(50)])
    window = hub.metric(run, "m", step_min=10, step_max=12.5)
    buckets = hub.metric(run, "m", max_points=10)
    few = hub.metric(run, "m", step_max=3, max_points=10)
    _, page = hub.ask("GET", f"/api/v1/runs/{run}/data/strings?path=t&limit=3&offset=40")

    assert [10, 11, 12] == [item["step"] for item in window["raw_points"]]
    assert (True, 1000) == (buckets["downsampled"], sum(bucket["count"] for bucket in buckets["buckets"]))
    assert {"step_first", "step_last", "count", "min", "max", "mean", "last", "non_finite"} == set(
        buckets["buckets"][0]
    )
    assert (False, 4) == (few["downsampled"], len(few["raw_points"]))
    assert (["40", "41", "42"], 50) == ([item["value"] for item in page["points"]], page["total"])
    assert [] == hub.metric(run, "nothing")["raw_points"]


def test_our_client_writes_resumes_and_reads(hub: HubProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What our client logs can be read from the hub, and goes on where it stopped."""
    monkeypatch.setenv("GOODSEED_API_URL", hub.url)
    monkeypatch.setenv("GOODSEED_API_KEY", hub.key)
    monkeypatch.setenv("GOODSEED_HOME", str(tmp_path))
    off = {"capture_stdout": False, "capture_stderr": False, "capture_hardware_metrics": False, "git_ref": False}
    with goodseed.Run(project="default", run_id="ours", name="n", **off) as run:
        run["lr"] = 0.1
        for step in range(100):
            run.log_metrics({"loss": step / 2}, step=step + 0.5)
    with goodseed.Run(project="default", resume_run_id="ours", **off) as run:
        run.log_metrics({"loss": float("nan")}, step=200)
    read = goodseed.Run(project="default", run_id="ours", read_only=True, storage="cloud")
    points = read.get_metric_data("loss")["raw_points"]
    read.close()

    assert 101 == len(points)
    assert (0.5, 200.0) == (points[0]["step"], points[-1]["step"])
    assert "ours" in [run["run_id"] for run in goodseed.list_runs("default/default")]
