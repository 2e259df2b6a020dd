"""The dashboard's files, and the plain list where there are none."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import goodseed

from .conftest import Serve


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A small dashboard."""
    directory = tmp_path / "web"
    (directory / "assets").mkdir(parents=True)
    (directory / "index.html").write_text("<!doctype html><title>Dashboard</title>")
    (directory / "assets" / "index-a1B2c3D4.js").write_text("export {};")
    (directory / "assets" / "notes.exe").write_text("no")
    (tmp_path / "secret.txt").write_text("secret")
    (directory / "link.txt").symlink_to(tmp_path / "secret.txt")
    return directory


def test_pages(serve: Serve, web: Path) -> None:
    """Every address that is no file's and no API's is the dashboard, which is asked for again each time."""
    client = serve(web=web)
    replies = [client.get(target) for target in ("/", "/index.html", "/p/ws/run-1.5", "/runs?x=1")]

    assert [(200, "text/html; charset=utf-8", "no-cache")] * 4 == [
        (reply.status, reply.headers["content-type"], reply.headers["cache-control"]) for reply in replies
    ]
    assert b"Dashboard" in replies[2].body
    assert 304 == client.get("/", if_none_match=replies[0].headers["etag"]).status


def test_the_dashboard_is_found() -> None:
    """`goodseed serve` has the built dashboard: its page, and every script and style that the page names."""
    command = [sys.executable, "-m", "goodseed", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        address = re.search(r"http://[\w.:]+", server.stdout.readline())
        assert address is not None
        with urllib.request.urlopen(f"{address[0]}/", timeout=30) as page:
            assets = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.read().decode())
        lengths = []
        for asset in assets:
            with urllib.request.urlopen(address[0] + asset, timeout=30) as reply:
                lengths.append(len(reply.read()))
        server.terminate()

    assert {".js", ".css"} <= {Path(asset).suffix for asset in assets}
    assert min(lengths) > 0


def test_assets(serve: Serve, web: Path) -> None:
    """A file whose name has its hash is kept for ever; one that is not there is a 404."""
    client = serve(web=web)
    script = client.get("/assets/index-a1B2c3D4.js")

    assert ("text/javascript; charset=utf-8", "public, max-age=31536000, immutable") == (
        script.headers["content-type"],
        script.headers["cache-control"],
    )
    assert "set-cookie" not in script.headers
    assert [404] * 4 == [
        client.get(target).status for target in ("/assets/none.js", "/assets/notes.exe", "/link.txt", "/favicon.ico")
    ]


def test_plain_list(serve: Serve) -> None:
    """Without a dashboard, / lists the projects, and ?project= the runs of one."""
    empty = serve().get("/").body.decode()
    with goodseed.Run(project="ws/p & q", run_id="a", name="the name"):
        pass
    client = serve()

    assert "no runs" in empty
    assert 'href="/?project=ws%2Fp%20%26%20q">ws/p &amp; q</a>' in client.get("/").body.decode()
    assert "the name" in client.get("/?project=ws%2Fp%20%26%20q").body.decode()
    assert 404 == client.get("/somewhere").status
