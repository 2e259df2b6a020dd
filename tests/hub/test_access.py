"""Who may do what: every endpoint with every kind of key."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hub_process import HubProcess, point

import goodseed
from goodseed.cli.main import main

KINDS = ("none", "wrong", "revoked", "outsider", "viewer", "member", "limited", "workspace admin", "admin")
_READ, _WRITE, _RULE, _ADMINISTER = "viewer", "member", "workspace admin", "admin"
# What each kind of key may do in the workspace `team`; `limited` is a member's key that may only read.
_MAY = {
    "outsider": set(),
    "viewer": {_READ},
    "limited": {_READ},
    "member": {_READ, _WRITE},
    "workspace admin": {_READ, _WRITE, _RULE},
    "admin": {_READ, _WRITE, _RULE, _ADMINISTER},
}


@dataclass
class Team:
    """A workspace with a run, and a key of each kind."""

    hub: HubProcess
    keys: dict[str, str]
    run: str


@pytest.fixture(scope="module")
def team(hub: HubProcess) -> Team:
    """The workspace ``team`` and one beside it."""
    for workspace in ("team", "elsewhere"):
        assert 201 == hub.ask("POST", "/api/v1/workspaces", {"name": workspace})[0]
        assert 200 == hub.ask("POST", f"/api/v1/workspaces/{workspace}/projects", {"name": "p"})[0]
    keys = {"none": "", "wrong": "gsk_00000000_wrong", "admin": hub.key}
    people = {"outsider": ("elsewhere", "admin"), "viewer": ("team", "viewer"), "member": ("team", "member"),
              "workspace admin": ("team", "admin")}  # fmt: skip
    for kind, (workspace, role) in people.items():
        user = kind.replace(" ", "-")
        assert 201 == hub.ask("POST", "/api/v1/users", {"name": user})[0]
        assert 200 == hub.ask("PUT", f"/api/v1/workspaces/{workspace}/members/{user}", {"role": role})[0]
        keys[kind] = hub.ask("POST", "/api/v1/keys", {"user": user})[1]["key"]
    keys["limited"] = hub.ask("POST", "/api/v1/keys", {"user": "member", "grants": {"team": "viewer"}})[1]["key"]
    revoked = hub.ask("POST", "/api/v1/keys", {"user": "member"})[1]
    assert 204 == hub.ask("DELETE", f"/api/v1/keys/{revoked['id']}")[0]
    keys["revoked"] = revoked["key"]
    run = hub.make_run("r", "team/p")
    hub.ingest(run, [point("m", 0, 1), point("t", 0, text="x")])
    return Team(hub, keys, run)


_RUN = {"workspace": "team", "project": "p", "run_id": "r", "experiment_name": None}
# Method, path, body, what is needed, the answer to whoever has it, the answer to an outsider.
ENDPOINTS: list[tuple[str, str, Any, str, int, int]] = [
    ("POST", "/api/v1/runs", _RUN, _READ, 200, 403),
    ("POST", "/api/v1/runs/{run}/configs", {"configs": []}, _WRITE, 204, 404),
    ("POST", "/api/v1/runs/{run}/ingest", {"points": []}, _WRITE, 200, 404),
    ("POST", "/api/v1/runs/{run}/status", {"status": "running"}, _WRITE, 200, 404),
    ("POST", "/api/v1/runs/{run}/heartbeat", None, _WRITE, 200, 404),
    ("GET", "/api/v1/runs/{run}", None, _READ, 200, 404),
    ("GET", "/api/v1/runs/{run}/paths", None, _READ, 200, 404),
    ("GET", "/api/v1/runs/{run}/data/metrics?path=m", None, _READ, 200, 404),
    ("GET", "/api/v1/runs/{run}/data/strings?path=t", None, _READ, 200, 404),
    ("GET", "/api/v1/workspaces/team/projects", None, _READ, 200, 403),
    ("POST", "/api/v1/workspaces/team/projects", {"name": "p"}, _WRITE, 200, 403),
    ("GET", "/api/v1/workspaces/team/projects/p/runs", None, _READ, 200, 403),
    ("GET", "/api/v1/workspaces/team/members", None, _READ, 200, 403),
    ("PUT", "/api/v1/workspaces/team/members/viewer", {"role": "viewer"}, _RULE, 200, 403),
    ("DELETE", "/api/v1/workspaces/team/members/outsider", None, _RULE, 204, 403),
    ("GET", "/api/v1/users", None, _ADMINISTER, 200, 403),
    ("POST", "/api/v1/users", {"name": "admin"}, _ADMINISTER, 409, 403),
    ("DELETE", "/api/v1/users/nobody", None, _ADMINISTER, 404, 403),
    ("POST", "/api/v1/workspaces", {"name": "team"}, _ADMINISTER, 409, 403),
    # Everybody's own.
    ("GET", "/api/v1/auth/me", None, "", 200, 200),
    ("GET", "/api/v1/capabilities", None, "", 200, 200),
    ("GET", "/api/v1/workspaces", None, "", 200, 200),
    ("GET", "/api/v1/keys", None, "", 200, 200),
    ("POST", "/api/v1/keys", {"label": "mine"}, "", 201, 201),
    ("DELETE", "/api/v1/keys/00000000", None, "", 404, 404),
]


def test_the_matrix_has_every_endpoint(hub: HubProcess) -> None:
    """What the served OpenAPI document names is what is tested here."""
    document = json.loads(hub.raw("GET", "/api/v1/openapi.json")[2])
    served = {
        (method.upper(), re.sub(r"\{\w+\}", "*", path)) for path, item in document["paths"].items() for method in item
    }
    tested = set()
    for method, path, *_ in ENDPOINTS:
        plain = re.sub(r"/(team|p|viewer|outsider|nobody|00000000|\{run\})(?=/|$)", "/*", path.partition("?")[0])
        tested.add((method, re.sub(r"/(team|p|viewer|outsider|nobody|00000000|\{run\})(?=/|$)", "/*", plain)))

    assert served == tested


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint[0]} {endpoint[1]}")
def test_every_endpoint_with_every_key(team: Team, endpoint: tuple[Any, ...], kind: str) -> None:
    """Each does exactly what its role allows; an outsider can't tell a run from none."""
    method, path, body, needed, allowed, outside = endpoint
    status, answer = team.hub.ask(method, path.replace("{run}", team.run), body, key=team.keys[kind])
    if kind in ("none", "wrong", "revoked"):
        expected = 401
    elif kind == "limited" and (method, path) == ("POST", "/api/v1/keys"):
        expected = 403
    elif not needed or needed in _MAY[kind]:
        expected = allowed
    else:
        expected = outside if kind == "outsider" else 403

    assert expected == status, answer
    if status >= 400:
        assert {"error_code", "title", "detail"} == set(answer)


@pytest.mark.parametrize("path", [path for _, path, *_ in ENDPOINTS if "{run}" in path and "status" not in path])
def test_a_run_of_another_workspace_is_no_run(team: Team, path: str) -> None:
    """The answers for a run that one may not see and for none are the same, to the byte and the header."""
    method = next(entry[0] for entry in ENDPOINTS if entry[1] == path)
    body = b'{"configs": [], "points": []}' if method == "POST" else None
    headers = {"Authorization": f"Bearer {team.keys['outsider']}", "Content-Type": "application/json"}
    answers = []
    for run in (team.run, str(uuid.uuid4())):
        status, sent, content = team.hub.raw(method, path.replace("{run}", run), body, headers)
        sent.pop("date")
        answers.append((status, sent, content))

    assert answers[0] == answers[1]


def test_a_limited_key_reaches_no_other_key(team: Team) -> None:
    """Whoever finds one makes none with it that outlives it, sees none, and revokes none but itself."""
    made = team.hub.ask("POST", "/api/v1/keys", {"grants": {"team": "viewer"}}, key=team.keys["member"])[1]
    own = team.hub.ask("POST", "/api/v1/keys", {"label": "of the same user"}, key=team.keys["member"])[1]
    limited = made["key"]
    status = team.hub.ask("POST", "/api/v1/keys", {"grants": {"team": "viewer"}}, key=limited)[0]
    listed = team.hub.ask("GET", "/api/v1/keys", key=limited)[1]
    other = team.hub.ask("DELETE", f"/api/v1/keys/{own['id']}", key=limited)[0]
    itself = team.hub.ask("DELETE", f"/api/v1/keys/{made['id']}", key=limited)[0]

    assert (403, [made["id"]], 404, 204) == (status, [key["id"] for key in listed], other, itself)
    assert 200 == team.hub.ask("GET", "/api/v1/auth/me", key=own["key"])[0]


def test_a_key_makes_no_stronger_key(team: Team) -> None:
    """Nobody gives what they have not, and none makes keys of others but an admin."""
    stronger = team.hub.ask("POST", "/api/v1/keys", {"grants": {"team": "admin"}}, key=team.keys["member"])[0]
    others = team.hub.ask("POST", "/api/v1/keys", {"user": "admin"}, key=team.keys["workspace admin"])[0]

    assert (403, 403) == (stronger, others)


def test_a_key_without_grants_follows_its_user(team: Team) -> None:
    """What its user may do later, it may, too."""
    team.hub.ask("POST", "/api/v1/users", {"name": "grows"})
    team.hub.ask("PUT", "/api/v1/workspaces/team/members/grows", {"role": "viewer"})
    first = team.hub.ask("POST", "/api/v1/keys", {"user": "grows"})[1]["key"]
    own = team.hub.ask("POST", "/api/v1/keys", {}, key=first)[1]["key"]
    before = team.hub.ask("POST", f"/api/v1/runs/{team.run}/ingest", {"points": []}, key=own)[0]
    team.hub.ask("PUT", "/api/v1/workspaces/team/members/grows", {"role": "member"})
    after = team.hub.ask("POST", f"/api/v1/runs/{team.run}/ingest", {"points": []}, key=own)[0]

    assert (403, 200) == (before, after)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/runs/%00", None),
        ("GET", "/api/v1/runs/x%00/paths", None),
        ("DELETE", "/api/v1/keys/%00", None),
        ("DELETE", "/api/v1/users/%00", None),
        ("PUT", "/api/v1/workspaces/team/members/%00", {"role": "viewer"}),
        ("GET", "/api/v1/workspaces/team/projects/%00/runs", None),
        ("POST", "/api/v1/keys", {"grants": {"a\0b": "viewer"}}),
        ("POST", "/api/v1/keys", {"grants": {"\ud800": "viewer"}}),
        ("POST", "/api/v1/users", {"name": "a\0b"}),
    ],
)
def test_what_no_name_can_hold_is_refused(team: Team, method: str, path: str, body: Any) -> None:
    """NUL and halves of characters are the client's fault, whatever the store."""
    status, answer = team.hub.ask(method, path, body)

    assert 400 == status
    assert {"error_code", "title", "detail"} == set(answer)


def test_a_run_ends_whatever_its_configs_say(team: Team) -> None:
    """A time that is none does not keep the run from being finished."""
    run = team.hub.make_run("odd-end")
    configs = {"configs": [{"path": "sys/closed_time", "type_tag": "datetime", "value": "20\x0026"}]}
    team.hub.ask("POST", f"/api/v1/runs/{run}/configs", configs)
    assert 200 == team.hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})[0]
    assert "finished" == team.hub.ask("GET", f"/api/v1/runs/{run}")[1]["status"]


def test_a_viewer_makes_no_run(team: Team) -> None:
    """Whoever may only read is told that there is no such run, and there is none afterwards."""
    asked = {**_RUN, "run_id": "made-by-a-viewer"}
    status, answer = team.hub.ask("POST", "/api/v1/runs", asked, key=team.keys["viewer"])
    _, runs = team.hub.ask("GET", "/api/v1/workspaces/team/projects/p/runs")

    assert (404, "Run.NotFound") == (status, answer["error_code"])
    assert ["r"] == [run["run_id"] for run in runs]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("viewer", 404, "Project.NotFound"),
        ("limited", 404, "Project.NotFound"),
        ("outsider", 403, "Auth.Forbidden"),
        ("member", 200, None),
        ("workspace admin", 200, None),
        ("admin", 200, None),
    ],
)
def test_who_makes_a_project_by_its_first_run(team: Team, kind: str, status: int, code: str | None) -> None:
    """Members and admins do; a viewer has the protocol's answer, others that of any workspace that is not theirs."""
    name = f"by-{kind.replace(' ', '-')}"
    found, answer = team.hub.ask("POST", "/api/v1/runs", {**_RUN, "project": name}, key=team.keys[kind])
    _, projects = team.hub.ask("GET", "/api/v1/workspaces/team/projects")

    assert (status, code) == (found, answer.get("error_code"))
    assert (status == 200) == (name in [project["name"] for project in projects])


def test_keys_are_shown_once_and_their_last_use_is_known(team: Team) -> None:
    """No answer after the first has the key, nor anything that it could be made of."""
    secret = team.keys["member"]
    team.hub.ask("GET", "/api/v1/auth/me", key=secret)
    status, keys = team.hub.ask("GET", "/api/v1/keys")
    member = next(key for key in keys if key["id"] == secret.split("_")[1])

    assert 200 == status
    assert {"id", "user", "label", "created_at", "last_used_at", "grants"} == set(member)
    assert member["last_used_at"] >= member["created_at"]
    assert secret.split("_", 2)[2] not in json.dumps(keys)


def test_a_user_who_is_removed_has_no_key(team: Team) -> None:
    """Removing a user takes the keys with it; the only admin stays."""
    hub = team.hub
    hub.ask("POST", "/api/v1/users", {"name": "gone"})
    key = hub.ask("POST", "/api/v1/keys", {"user": "gone"})[1]["key"]
    before = hub.ask("GET", "/api/v1/capabilities", key=key)[0]
    removed = hub.ask("DELETE", "/api/v1/users/gone")[0]
    after = hub.ask("GET", "/api/v1/capabilities", key=key)[0]

    assert (200, 204, 401) == (before, removed, after)
    assert 404 == hub.ask("DELETE", "/api/v1/users/admin")[0]


@pytest.mark.parametrize("kind", ["viewer", "limited"])
@pytest.mark.parametrize("run_id", ["new", "r"])
def test_a_key_that_only_views_opens_no_run(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, run_id: str
) -> None:
    """A run that a key may not write raises at its start, with the remedy, and leaves no file."""
    monkeypatch.setenv("GOODSEED_API_URL", team.hub.url)
    options = {"project": "team/p", "goodseed_home": tmp_path, "storage": "cloud", "api_key": team.keys[kind]}

    with pytest.raises(goodseed.AuthenticationError, match="may only view the workspace 'team'"):
        goodseed.Run(run_id=run_id, **options)  # type: ignore[arg-type]
    assert [] == list(tmp_path.rglob("*.sqlite"))
    with goodseed.Run(run_id="r", read_only=True, **options) as run:  # type: ignore[arg-type]
        assert ["m"] == run.get_metric_paths()


def test_whose_key_it_is(team: Team, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`goodseed whoami` names the user and the workspace."""
    monkeypatch.setenv("GOODSEED_API_URL", team.hub.url)
    assert 0 == main(["whoami", "--api-key", team.keys["viewer"]])

    assert f"viewer (workspace team) at {team.hub.url}\n" == capsys.readouterr().out


def test_runs_have_the_same_keys_everywhere(team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lists and reads runs gives the same keys of a local run and of its copy at the hub."""
    monkeypatch.setenv("GOODSEED_API_URL", team.hub.url)
    monkeypatch.setenv("GOODSEED_HOME", str(tmp_path))
    monkeypatch.setenv("GOODSEED_API_KEY", team.keys["member"])
    with goodseed.Run(project="team/p", run_id="both", name="Both", storage="local") as run:
        run.log_metrics({"loss": 1.0}, step=0)
        run["lr"] = 0.1
    assert 0 == main(["upload", "-p", "team/p", "-r", "both"])
    found = {}
    for storage in ("local", "cloud"):
        runs = {entry["run_id"]: entry for entry in goodseed.list_runs("team/p", storage=storage)}
        with goodseed.Run(project="team/p", run_id="both", read_only=True, storage=storage) as reader:
            configs = {row["path"]: row for row in reader.get_configs()}
        found[storage] = (runs["both"], configs["lr"])

    here, there = found["local"][0], found["cloud"][0]
    unsaid = {"end_reason", "closed_at", "duration_seconds"}  # what a remote's list does not say is None
    assert {key: None if key in unsaid else value for key, value in here.items()} == there
    assert {**found["local"][1], "updated_at": ""} == {**found["cloud"][1], "updated_at": ""}


def test_a_path_that_no_remote_series_has(
    team: Team, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run of a remote gives the empty result for an unknown path, too, and says once what may be meant."""
    monkeypatch.setenv("GOODSEED_API_URL", team.hub.url)
    with goodseed.Run(
        project="team/p", run_id="r", read_only=True, storage="cloud", api_key=team.keys["viewer"]
    ) as run:
        assert [] == run.get_metric_data("mm")["raw_points"]
        assert [] == run.get_string_data("tt")

    assert 2 == sum("Did you mean" in record.getMessage() for record in caplog.records)
