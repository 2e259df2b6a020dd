"""Stores saved views of a project, whose content only the page interprets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.dashboard.times import iso_utc
from goodseed.server.routes import Answer, RequestError

if TYPE_CHECKING:
    from goodseed.server.routes import Request, Store

__all__ = ["delete_view", "get_view", "list_views", "put_view"]

_NAME: Final = re.compile(r"[^\W_][\w .\-]{0,99}")


def list_views(store: Store, request: Request) -> Answer:
    """The names of the views."""
    dashboard = dashboard_of(store)
    project = dashboard.project(store, request.parameters["project"])
    views = dashboard.settings.views(project.name)
    return Answer(
        {"views": [{"name": name, "updated": iso_utc(view["updated"])} for name, view in sorted(views.items())]}
    )


def get_view(store: Store, request: Request) -> Answer:
    """One view."""
    dashboard = dashboard_of(store)
    project = dashboard.project(store, request.parameters["project"])
    view = dashboard.settings.views(project.name).get(request.parameters["name"])
    if view is None:
        raise _missing(request)
    return Answer(view["content"])


def put_view(store: Store, request: Request) -> Answer:
    """Store a view."""
    name = request.parameters["name"]
    if not _NAME.fullmatch(name):
        raise RequestError(
            "A view's name has 1 to 100 letters, digits, spaces or any of -_., and begins with a letter or digit"
        )
    if not isinstance(request.body, dict):
        raise RequestError("A view must be a JSON object")
    dashboard = dashboard_of(store)
    project = dashboard.project(store, request.parameters["project"])
    entry = dashboard.settings.set_view(project.name, name, request.body)
    return Answer({"name": name, "updated": iso_utc(entry["updated"]) if entry else None})


def delete_view(store: Store, request: Request) -> Answer:
    """Remove a view."""
    dashboard = dashboard_of(store)
    project = dashboard.project(store, request.parameters["project"])
    if dashboard.settings.set_view(project.name, request.parameters["name"], None) is None:
        raise _missing(request)
    return Answer({"ok": True})


def _missing(request: Request) -> RequestError:
    return RequestError(f"There is no view {request.parameters['name']!r:.120}", status=404, code="not_found")
