"""The dashboard over the hub: behind a sign-in, showing what the session may see, and changing what it may change."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import time
from contextlib import closing
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hub_process import HubProcess, MakeHub, point

from goodseed.server.http.app import ROUTES
from goodseed.server.routes import Route


class Browser:
    """Somebody who is signed in."""

    def __init__(self, hub: HubProcess, key: str, **headers: str) -> None:
        self.hub = hub
        self.origin = {"Origin": hub.url}
        form = urlencode({"key": key, "next": "/p/x"}).encode()
        self.status, self.headers, _ = hub.raw("POST", "/login", form, {**self.origin, **headers})
        cookie = SimpleCookie(self.headers.get("set-cookie", ""))
        self.cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in cookie.items())

    def ask(self, method: str, path: str, content: Any = None, **headers: str) -> tuple[int, Any]:
        """A request of one of its pages."""
        body = None if content is None else json.dumps(content).encode()
        sent = {
            "Cookie": self.cookie,
            **self.origin,
            **({"Content-Type": "application/json"} if body else {}),
            **headers,
        }
        sent = {name: value for name, value in sent.items() if value}
        status, _, answer = self.hub.raw(method, path, body, sent)
        return status, json.loads(answer) if answer[:1] in (b"{", b"[") else answer


@pytest.fixture(scope="module")
def room(hub: HubProcess) -> tuple[HubProcess, str, str]:
    """A hub with a finished run in ``room/p``, and the keys of a member and a viewer of that workspace."""
    hub.ask("POST", "/api/v1/workspaces", {"name": "room"})
    hub.ask("POST", "/api/v1/workspaces/room/projects", {"name": "p"})
    keys = []
    for role in ("member", "viewer"):
        hub.ask("POST", "/api/v1/users", {"name": f"room-{role}"})
        hub.ask("PUT", f"/api/v1/workspaces/room/members/room-{role}", {"role": role})
        keys.append(hub.ask("POST", "/api/v1/keys", {"user": f"room-{role}"})[1]["key"])
    run = hub.make_run("shown", "room/p")
    hub.ingest(run, [point("loss", step, step / 2) for step in range(100)])
    hub.ask("POST", f"/api/v1/runs/{run}/configs", {"configs": [{"path": "lr", "type_tag": "float", "value": "0.5"}]})
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    hub.make_run("hidden")
    time.sleep(1.5)  # what a page shows may be a second old
    return hub, keys[0], keys[1]


Room = tuple[HubProcess, str, str]


def test_pages_need_a_sign_in(room: Room) -> None:
    """Without a session pages lead to the sign-in, the API says 401, and a wrong key opens nothing."""
    hub, *_ = room
    page = hub.raw("GET", "/p/room/p?x=1")
    api = hub.raw("GET", "/api/ui/projects")
    wrong = Browser(hub, "gsk_00000000_wrong")
    form = hub.raw("GET", "/login?next=//evil.example/")

    assert (303, "/login?next=/p/room/p%3Fx%3D1") == (page[0], page[1]["location"])
    assert (401, "no_session") == (api[0], json.loads(api[2])["error"]["code"])
    assert (401, "") == (wrong.status, wrong.cookie)
    assert b"evil" not in form[2]
    assert "frame-ancestors 'none'" in form[1]["content-security-policy"]


def test_the_session_s_cookie(room: Room) -> None:
    """It is for no script and no other site, and with TLS for no plain connection; it ends with the session."""
    hub, member, _ = room
    browser = Browser(hub, member)
    attributes = {part.strip().lower() for part in browser.headers["set-cookie"].split(";")[1:]}
    before = browser.ask("GET", "/api/ui/session")
    out = browser.ask("POST", "/logout", {})[0]
    after = browser.ask("GET", "/api/ui/session")[0]

    assert (303, "/p/x") == (browser.status, browser.headers["location"])
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    assert "secure" not in attributes
    assert (200, "room-member", {"room": "member"}) == (before[0], before[1]["user"], before[1]["roles"])
    assert (303, 401) == (out, after)


def test_the_cookie_is_secure_behind_tls(make_hub: MakeHub) -> None:
    """A trusted proxy says that the connection has TLS; nobody else is believed."""
    trusting, plain = make_hub("--trusted-proxy", "127.0.0.1"), make_hub()
    origin = {"Origin": "https://hub.example", "Host": "hub.example", "X-Forwarded-Proto": "https"}

    assert "secure" in Browser(trusting, trusting.key, **origin).headers["set-cookie"].lower()
    assert "secure" not in Browser(plain, plain.key, **origin).headers["set-cookie"].lower()


def test_one_sees_one_s_workspaces(room: Room) -> None:
    """Lists have nothing of other workspaces, and what is asked by name is not there."""
    hub, member, _ = room
    browser = Browser(hub, member)
    _, projects = browser.ask("GET", "/api/ui/projects")
    _, runs = browser.ask("GET", "/api/runs")
    _, everything = Browser(hub, hub.key).ask("GET", "/api/ui/projects")
    foreign = browser.ask("GET", "/api/ui/p/default/default/-/run/hidden")
    nowhere = browser.ask("GET", "/api/ui/p/default/default/-/run/none")

    assert ["room/p"] == [project["name"] for project in projects]
    assert ["shown"] == [run["run_id"] for run in runs["runs"]]
    assert {"default/default", "room/p"} <= {project["name"] for project in everything}
    assert (404, foreign) == (foreign[0], nowhere)
    assert 404 == browser.ask("GET", "/api/runs/default/default/hidden/metrics")[0]


_RUN_ROUTES = [route for route in ROUTES if "{run_id}" in route.pattern or "/series" in route.pattern]


@pytest.mark.parametrize("route", _RUN_ROUTES, ids=lambda route: f"{route.method} {route.pattern}")
def test_a_run_of_another_workspace_is_no_run(room: Room, route: Route) -> None:
    """The dashboard's answers for a run that one may not see and for none are the same, to the byte and the header."""
    hub, member, _ = room
    path = route.pattern.replace("{project:path}", "default/default")
    sent = {"Authorization": f"Bearer {member}", "Content-Type": "application/json"}
    answers = []
    for run_id in ("hidden", "nobody"):
        body = {"items": [{"run": run_id, "path": "m"}]} if "/series" in path else {}
        content = json.dumps(body).encode() if route.method not in ("GET", "DELETE") else None
        status, headers, answer = hub.raw(route.method, path.replace("{run_id}", run_id), content, sent)
        headers.pop("date")
        answers.append((status, headers, answer.replace(run_id.encode(), b"")))

    assert answers[0] == answers[1]
    assert answers[0][0] in (400, 404)  # 400: of the queries that one of them needs, none is there


def test_the_dashboard_s_endpoints_read_the_hub(room: Room) -> None:
    """The table, a series and a run's page show what was written over the protocol."""
    hub, member, _ = room
    browser = Browser(hub, member)
    table = browser.ask("GET", "/api/ui/p/room/p/-/runs/query")
    run = browser.ask("GET", "/api/ui/p/room/p/-/run/shown")
    config = browser.ask("GET", "/api/ui/p/room/p/-/run/shown/config")
    metrics = browser.ask("GET", "/api/runs/room/p/shown/metrics?path=loss")[1]["metrics"]
    page = hub.raw("GET", "/", None, {"Cookie": browser.cookie})

    assert (200, 200, 200, 200) == (table[0], run[0], config[0], page[0])
    assert "finished" == run[1]["state"]
    assert [step / 2 for step in range(100)] == [item["value"] for item in metrics]
    assert page[1]["content-type"].startswith("text/html")
    assert "access-control-allow-origin" not in page[1]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": ""}, 403),
        ({"Origin": "", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "", "X-Goodseed-Csrf": "wrong"}, 403),
    ],
)
def test_no_other_page_changes_anything(room: Room, headers: dict[str, str], status: int) -> None:
    """A change needs a page of this server behind it, or the session's own token."""
    hub, member, _ = room
    browser = Browser(hub, member)
    change = {"name": f"renamed {status} {len(headers)}"}

    assert status == browser.ask("PATCH", "/api/ui/p/room/p/-/run/shown", change, **headers)[0]


def test_the_csrf_token_is_enough(room: Room) -> None:
    """A client without an origin sends the session's token."""
    hub, member, _ = room
    browser = Browser(hub, member)
    token = browser.ask("GET", "/api/ui/session")[1]["csrf"]
    headers = {"Origin": "", "X-Goodseed-Csrf": token}

    assert 200 == browser.ask("PATCH", "/api/ui/p/room/p/-/run/shown", {"name": "token"}, **headers)[0]


def test_a_viewer_changes_nothing(room: Room) -> None:
    """Neither a run, nor the trash, nor a view; reading by POST is allowed."""
    hub, _, viewer = room
    browser = Browser(hub, viewer)
    answers = [
        browser.ask("PATCH", "/api/ui/p/room/p/-/run/shown", {"name": "x"})[0],
        browser.ask("POST", "/api/runs/room/p/shown/trash", {})[0],
        browser.ask("PUT", "/api/ui/p/room/p/-/views/mine", {"a": 1})[0],
        browser.ask("POST", "/api/ui/p/room/p/-/runs/bulk", {"ids": ["shown"], "op": "trash"})[0],
    ]

    assert [403] * 4 == answers
    assert 200 == browser.ask("POST", "/api/ui/p/room/p/-/runs/query", {})[0]


def test_changes_are_kept(make_hub: MakeHub, store: str) -> None:
    """What is renamed, tagged, trashed, coloured and saved is there after a restart, and over the protocol."""
    hub = make_hub()
    run = hub.make_run("edited")
    hub.ingest(run, [point("m", 0, 1)])
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    time.sleep(1.5)  # what a page shows may be a second old
    browser = Browser(hub, hub.key)
    base = "/api/ui/p/default/default/-"
    change = {"name": "better", "tags": ["a", "b"], "color": "#112233", "description": "words"}
    edited = browser.ask("PATCH", f"{base}/run/edited", change)
    trashed = browser.ask("PATCH", f"{base}/run/edited", {"trashed": True})[0]
    saved = browser.ask("PUT", f"{base}/views/mine", {"columns": ["m"]})[0]
    hub.stop()
    if store == "postgres":  # another machine, which has no copies yet
        hub.data = hub.data.with_name("another")
    hub.start()
    browser = Browser(hub, hub.key)
    found = browser.ask("GET", f"{base}/run/edited")[1]

    assert (200, 200, 200) == (edited[0], trashed, saved), edited
    assert ("better", ["a", "b"], "#112233", True) == (found["name"], found["tags"], found["color"], found["trashed"])
    assert {"columns": ["m"]} == browser.ask("GET", f"{base}/views/mine")[1]
    assert ("better", "words") == tuple(hub.configs(run)[path] for path in ("sys/name", "sys/description"))


@pytest.mark.parametrize("odd", ['prefs={"a":1}', "a=b c", "x@y=1", "foo", "name=\xe9", "a[b]=1", "=", '"'])
def test_cookies_of_others_do_no_harm(room: Room, odd: str) -> None:
    """Other applications on the host set cookies as they like."""
    hub, key, _ = room
    browser = Browser(hub, key)
    for cookies in (f"{odd}; {browser.cookie}", f"{browser.cookie}; {odd}"):
        assert 200 == browser.ask("GET", "/api/ui/projects", Cookie=cookies)[0]


def test_nobody_sends_a_body_without_a_key(room: Room) -> None:
    """Whoever is not signed in is told so before the body has come."""
    hub, *_ = room
    parts = urlsplit(hub.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        connection.sendall(
            b"POST /api/ui/p/room/p/-/runs/query HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{"
        )
        assert b" 401 " in connection.recv(4096).partition(b"\r\n")[0]


def test_a_change_leaves_the_others_as_they_are(make_hub: MakeHub) -> None:
    """What a client has set a moment before is still there after something else is changed on the page."""
    hub = make_hub()
    run = hub.make_run("edited")

    def client_sets(path: str, value: str, tag: str = "str") -> None:
        configs = {"configs": [{"path": path, "type_tag": tag, "value": value}]}
        assert hub.ask("POST", f"/api/v1/runs/{run}/configs", configs)[0] < 300

    client_sets("sys/tags", '["one"]', "string_set")
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    browser = Browser(hub, hub.key)
    base = "/api/ui/p/default/default/-"
    for _ in range(20):
        if browser.ask("GET", f"{base}/run/edited")[0] == 200:
            break
        time.sleep(0.2)
    client_sets("sys/tags", '["one", "two"]', "string_set")
    assert 200 == browser.ask("PATCH", f"{base}/run/edited", {"trashed": True})[0]
    assert ["one", "two"] == json.loads(hub.configs(run)["sys/tags"])
    client_sets("sys/name", "by the client")
    bulk = browser.ask("POST", f"{base}/runs/bulk", {"ids": ["edited"], "op": "tag", "value": "three"})
    assert ["edited"] == bulk[1]["done"]
    found = hub.configs(run)
    assert ("by the client", ["one", "three", "two"]) == (found["sys/name"], json.loads(found["sys/tags"]))


def test_clients_and_page_edit_a_live_run(make_hub: MakeHub) -> None:
    """What is changed on the page of a live run stays when the client sends its own tags, name and note again."""
    hub = make_hub()
    run = hub.make_run("live", experiment_name="first")
    browser = Browser(hub, hub.key)
    path = "/api/ui/p/default/default/-/run/live"

    def client_sets(path: str, value: str, tag: str = "str") -> None:
        configs = {"configs": [{"path": path, "type_tag": tag, "value": value}]}
        assert hub.ask("POST", f"/api/v1/runs/{run}/configs", configs)[0] < 300

    client_sets("sys/tags", '["one", "two"]', "string_set")
    client_sets("sys/description", "by the script")
    for _ in range(20):
        change = {"name": "better", "tags": ["page", "two"], "tags_before": ["one", "two"], "description": "noted"}
        if browser.ask("PATCH", path, change)[0] == 200:
            break
        time.sleep(0.2)
    client_sets("sys/tags", '["one", "two"]', "string_set")
    client_sets("sys/description", "by the script")
    hub.make_run("live", experiment_name="first")
    found = hub.configs(run)
    assert ("noted", ["page", "two"]) == (found["sys/description"], json.loads(found["sys/tags"]))
    assert "better" == hub.ask("GET", f"/api/v1/runs/{run}")[1]["experiment_name"]
    hub.stop()
    hub.start()
    client_sets("sys/tags", '["one", "three", "two"]', "string_set")
    client_sets("sys/description", "by the script, later")

    found = hub.configs(run)
    assert ("by the script, later", ["page", "three", "two"]) == (
        found["sys/description"],
        json.loads(found["sys/tags"]),
    )
    assert 409 == Browser(hub, hub.key).ask("PATCH", path, {"trashed": True})[0]


def test_a_new_name_is_told_by_the_protocol(make_hub: MakeHub) -> None:
    """A run that is renamed on the page has that name for clients, too."""
    hub = make_hub()
    run = hub.make_run("edited", experiment_name="old")
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    browser = Browser(hub, hub.key)
    path = "/api/ui/p/default/default/-/run/edited"
    for _ in range(20):
        if browser.ask("PATCH", path, {"name": "new"})[0] == 200:
            break
        time.sleep(0.2)
    assert "new" == hub.ask("GET", f"/api/v1/runs/{run}")[1]["experiment_name"]


def test_a_workspace_of_any_name_is_found_after_a_restart(make_hub: MakeHub) -> None:
    """One that is called as the directory that all of them are in, and is alone there, keeps its projects."""
    hub = make_hub()
    assert hub.ask("POST", "/api/v1/workspaces", {"name": "projects"})[0] < 300
    run = hub.make_run("one", "projects/digits")
    hub.ingest(run, [point("m", 0, 1)])
    hub.stop()
    hub.start()
    found = Browser(hub, hub.key).ask("GET", "/api/ui/projects")[1]
    assert ["projects/digits"] == [project["name"] for project in found]


def test_a_revoked_key_ends_its_sessions(make_hub: MakeHub) -> None:
    """Whoever signed in with it is out, from the next second on."""
    hub = make_hub()
    made = hub.ask("POST", "/api/v1/keys", {})[1]
    browser = Browser(hub, made["key"])
    before = browser.ask("GET", "/api/ui/projects")[0]
    revoked = hub.command("keys", "revoke", made["id"])
    deadline = time.monotonic() + 10
    while browser.ask("GET", "/api/ui/projects")[0] == 200 and time.monotonic() < deadline:
        time.sleep(0.1)

    assert (200, 0, 401) == (before, revoked.returncode, browser.ask("GET", "/api/ui/projects")[0])


def test_what_has_ended_is_read_ahead(make_hub: MakeHub) -> None:
    """Some seconds after a run's end its charts are kept, before anybody asks; and what is asked then is right."""
    hub = make_hub()
    run = hub.make_run("over")
    hub.ingest(run, [point("m", step, step / 2) for step in range(10)])
    hub.ask("POST", f"/api/v1/runs/{run}/configs", {"configs": [{"path": "lr", "type_tag": "float", "value": "0.5"}]})
    hub.ask("POST", f"/api/v1/runs/{run}/status", {"status": "finished"})
    deadline = time.monotonic() + 120
    while not any(kept_rows(path) for path in hub.data.rglob(".goodseed-cache.sqlite")):
        assert time.monotonic() < deadline, hub.lines
        time.sleep(0.2)
    _, table = hub.ask("POST", "/api/ui/p/default/default/-/runs/query", {"columns": ["lr", "m:last"]})
    _, found = hub.ask("POST", "/api/ui/p/default/default/-/series", {"items": [{"run": "over", "path": "m"}]})

    assert {"lr": [0.5], "m:last": [4.5]} == table["columns"]
    assert [step / 2 for step in range(10)] == found["series"][0]["last"]


def kept_rows(path: Path) -> int:
    """How many series are kept in the cache; none where its tables are not made yet."""
    with closing(sqlite3.connect(path)) as connection, contextlib.suppress(sqlite3.OperationalError):
        return sum(count for (count,) in connection.execute("SELECT count(*) FROM chart"))
    return 0


def test_a_page_may_be_reached_by_a_link_elsewhere(room: Room) -> None:
    """The browser keeps the cookie back then; the page loads itself again, and nobody has to sign in again."""
    hub, *_ = room
    status, sent, content = hub.raw("GET", "/p/room/p", None, {"Sec-Fetch-Site": "cross-site"})

    assert (200, True) == (status, b'http-equiv="refresh"' in content)
    assert "no-store" == sent["cache-control"]
    assert urlsplit(hub.url).hostname == "127.0.0.1"
