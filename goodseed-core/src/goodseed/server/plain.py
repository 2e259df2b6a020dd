"""Renders a plain list of projects and runs, for installations without the built dashboard."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from goodseed.server.routes import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from goodseed.server.routes import Store

__all__ = ["plain_page"]

_MAX_RUNS: Final = 1000


def plain_page(store: Store, project: str = "") -> Answer:
    """The projects or, with ``project``, its newest runs."""
    parts = _runs(store, project) if project else _projects(store)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Goodseed</title>'
        f'<meta name="viewport" content="width=device-width"></head><body>{"".join(parts)}</body></html>'
    )
    return Answer(page.encode("utf-8", "replace"), content_type="text/html; charset=utf-8")


def _projects(store: Store) -> Iterable[str]:
    projects = store.projects()
    yield "<h1>Projects</h1>"
    if not projects:
        yield "<p>There are no runs here yet.</p>"
        return
    yield "<table><tr><th>project</th><th>runs</th><th>running</th></tr>"
    for project in projects:
        link = f"/?project={quote(project.name, safe='', errors='replace')}"
        yield (
            f'<tr><td><a href="{escape(link)}">{escape(project.name)}</a></td>'
            f"<td>{project.run_count}</td><td>{project.running_count}</td></tr>"
        )
    yield "</table>"


def _runs(store: Store, project: str) -> Iterable[str]:
    runs = store.runs(project)
    yield f'<p><a href="/">Projects</a></p><h1>{escape(project)}</h1>'
    if not runs:
        yield "<p>There are no runs in this project.</p>"
        return
    yield "<table><tr><th>run</th><th>name</th><th>state</th><th>created</th><th>data</th></tr>"
    for run in runs[:_MAX_RUNS]:
        base = f"/api/runs/{quote(run.project, errors='replace')}/{quote(run.run_id, safe='', errors='replace')}"
        links = " ".join(
            f'<a href="{escape(f"{base}/{kind}")}">{kind}</a>' for kind in ("configs", "metrics", "string_series")
        )
        cells = (run.run_id, run.name or "", run.state, (run.created_at or "")[:19])
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}<td>{links}</td></tr>"
    yield "</table>"
    if len(runs) > _MAX_RUNS:
        yield f"<p>and {len(runs) - _MAX_RUNS} older ones</p>"
