"""Who may ask what: hosts, origins, the token, and what pages may do."""

from __future__ import annotations

import pytest

import goodseed
from goodseed.server.http.security import Policy

from .conftest import Serve

TRASH = "/api/runs/p/a/trash"


@pytest.fixture(autouse=True)
def _run() -> None:
    with goodseed.Run(project="p", run_id="a") as run:
        run.log_metrics({"<script>alert(1)</script>": 1.0}, step=0)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:8765", "127.1.2.3", "[::1]:1", "lab", "lab:9"]
)
def test_own_hosts(serve: Serve, host: str) -> None:
    """The names of this machine, and those that were allowed, are answered."""
    assert 200 == serve(Policy(allowed_hosts=frozenset({"lab"}))).get("/api/projects", host=host).status


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "evil@localhost", "[::1",
             "localhost:80:80", "localhost:x", "127.0.0.1, evil.example", "::1", "0.0.0.0", "lab.evil"],
)  # fmt: skip
def test_foreign_hosts(serve: Serve, host: str) -> None:
    """Any other name, as DNS rebinding brings it, is refused, pages and API alike."""
    client = serve(Policy(allowed_hosts=frozenset({"lab"})))

    assert {400, 403} >= {client.get(target, host=host).status for target in ("/", "/api/projects", "/api/ui/x")}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://["},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_changes_from_elsewhere(serve: Serve, headers: dict[str, str]) -> None:
    """A page of another origin changes nothing, even with the token."""
    client = serve()
    reply = client.ask("POST", TRASH, authorization=f"Bearer {client.policy.token}", **headers)

    assert 403 == reply.status
    assert not client.get("/api/runs").json["runs"][0]["trashed"]


def test_changes_need_the_token(serve: Serve) -> None:
    """Without the token nothing is changed; the page's cookie carries it, for no script and no other site."""
    client = serve()
    cookie = client.get("/").headers["set-cookie"]
    own = {"origin": f"http://127.0.0.1:{client.port}", "sec_fetch_site": "same-origin"}
    refused = [
        client.ask("POST", TRASH, **own),
        client.ask("POST", TRASH, authorization="Bearer wrong", **own),
        client.ask("POST", TRASH, cookie="goodseed=wrong", **own),
        client.ask("POST", TRASH, authorization="Bearer \xe9"),
        client.ask("POST", f"{TRASH}?token={client.policy.token}"),
    ]

    assert [401] * 5 == [reply.status for reply in refused]
    assert "HttpOnly; SameSite=Strict" in cookie
    assert 200 == client.ask("POST", TRASH, cookie=cookie.partition(";")[0], **own).status
    assert 200 == client.ask("POST", TRASH, x_goodseed_token=client.policy.token).status


def test_cors(serve: Serve) -> None:
    """Pages of any origin may read the specification's endpoints, preflight included, and no others."""
    client = serve()
    read = client.get("/api/runs", origin="https://goodseed.ai", sec_fetch_site="cross-site")
    missing = client.get("/api/runs/p/none/configs", origin="https://goodseed.ai")
    preflight = client.ask("OPTIONS", "/api/runs", origin="https://goodseed.ai", access_control_request_method="GET")
    change = client.ask("OPTIONS", TRASH, origin="https://goodseed.ai", access_control_request_method="POST")

    assert ["*"] * 3 == [reply.headers["access-control-allow-origin"] for reply in (read, missing, preflight)]
    assert (204, "GET, HEAD, OPTIONS") == (preflight.status, preflight.headers["access-control-allow-methods"])
    assert "access-control-allow-origin" not in change.headers
    assert "access-control-allow-origin" not in client.get("/", origin="https://goodseed.ai").headers


def test_narrow_cors(serve: Serve) -> None:
    """--cors-origin leaves all other origins out."""
    client = serve(Policy(cors_origins=frozenset({"https://goodseed.ai"})))
    ours = client.get("/api/runs", origin="https://goodseed.ai").headers
    other = client.get("/api/runs", origin="https://evil.example").headers
    preflight = client.ask("OPTIONS", "/api/runs", origin="https://evil.example").headers

    assert ("https://goodseed.ai", "Origin") == (ours["access-control-allow-origin"], ours["vary"])
    assert "access-control-allow-origin" not in {**other, **preflight}
    assert "Origin" == other["vary"]


def test_required_token(serve: Serve) -> None:
    """Where other machines can connect, everything needs the token, which the link turns into a cookie."""
    client = serve(Policy(is_token_required=True))
    link = client.get(f"/?project=p&token={client.policy.token}")
    cookie = link.headers["set-cookie"].partition(";")[0]

    assert [401] * 4 == [client.get(target).status for target in ("/", "/api/runs", "/api/nothing", "/?token=wrong")]
    assert (303, "/?project=p") == (link.status, link.headers["location"])
    assert 200 == client.get("/", cookie=cookie).status == client.get("/api/runs", cookie=cookie).status
    assert 200 == client.get("/api/runs", authorization=f"bearer {client.policy.token}").status
    assert 200 == client.get("/api/runs", cookie=cookie, host="192.168.1.7:8765").status
    assert 403 == client.get("/api/runs", cookie=cookie, host="evil.example").status


@pytest.mark.parametrize("target", ["/", "/?project=p", "/api/runs", "/api/nothing", "/assets/none.js"])
def test_headers(serve: Serve, target: str) -> None:
    """Every answer forbids inline scripts, frames, guessing of types, and referrers."""
    headers = serve().get(target).headers
    policy = headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert ("nosniff", "DENY", "no-referrer") == (
        headers["x-content-type-options"],
        headers["x-frame-options"],
        headers["referrer-policy"],
    )


def test_names_are_no_markup(serve: Serve) -> None:
    """What a run is called stands in the plain list as text."""
    with goodseed.Run(project="p", run_id="b", name="<script>alert(1)</script>"):
        pass
    page = serve().get("/?project=p").body.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "<script" not in serve().get("/?project=%3Cscript%3E").body.decode()
