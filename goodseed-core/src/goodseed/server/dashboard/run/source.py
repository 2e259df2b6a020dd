"""Answers a run's source code: facts of git, and the uncommitted changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from goodseed.server.dashboard.project.column_values import decoded, plain_value
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.parameters import text
from goodseed.server.routes import Answer, RequestError

if TYPE_CHECKING:
    from goodseed.server.dashboard.project.entry import Entry
    from goodseed.server.dashboard.state import DashboardState
    from goodseed.server.open_runs import OpenRun
    from goodseed.server.routes import Request, Store

__all__ = ["get_diff", "get_requirements", "get_source", "git_facts"]

_TEXT: Final = "text/plain; charset=utf-8"
_MAX_FILES: Final = 5_000
_GIT: Final = {
    "commit": "commit_id",
    "branch": "current_branch",
    "dirty": "dirty",
    "message": "commit_message",
    "author": "commit_author",
    "date": "commit_date",
    "remotes": "remotes",
    "repository": "repository_path",
    "upstream_branch": "upstream_branch",
    "upstream_commit": "upstream_commit_id",
}
_FACTS: Final = """
    SELECT path, type_tag, substr(value, 1, 10000) FROM configs
    WHERE path >= 'source_code/git/' AND path < 'source_code/git0'"""
_ONE: Final = "SELECT value FROM configs WHERE path = ?"
_UPSTREAM: Final = """
    SELECT path, value FROM configs WHERE path >= 'source_code/diff_upstream_' AND path < 'source_code/diff_upstream`'
    ORDER BY path LIMIT 1"""
_NAMED: Final = """
    SELECT value FROM configs WHERE path >= 'monitoring/' AND path < 'monitoring0' AND path LIKE ?
    ORDER BY path LIMIT 1"""
_REQUIREMENTS: Final = ("source_code/requirements",)


def git_facts(reader: OpenRun) -> dict[str, Any]:
    """The facts about the repository; None for unknown ones."""
    found = {path: plain_value(decoded(tag, value)) for path, tag, value in reader.rows(_FACTS)}
    return {name: found.get(f"source_code/git/{path}") for name, path in _GIT.items()}


def get_source(store: Store, request: Request) -> Answer:
    """The facts, and which files had been changed."""
    dashboard, entry = _find(store, request)
    with dashboard.reading(entry.run) as reader:
        git = git_facts(reader)
        diff = _value(reader, "source_code/diff")
        upstream = reader.rows(_UPSTREAM)
        requirements = _requirements(reader)
        commands = reader.rows(_NAMED, "%/command")
        entrypoint = _value(reader, "source_code/entrypoint")
    here = f"/api/ui/p/{quote(entry.run.project)}/-/run/{quote(entry.run.run_id)}/source"
    content = {
        **{name: git[name] for name in ("commit", "branch", "dirty", "message", "author", "date", "remotes")},
        **_changes(diff),
        "diff_url": f"{here}/diff" if diff else None,
        "diff_bytes": len(diff.encode()) if diff else 0,
        "requirements_url": f"{here}/requirements" if requirements else None,
        "command": commands[0][0] if commands else None,
        "entrypoint": entrypoint,
        "upstream": None,
    }
    if upstream:
        content["upstream"] = {
            "commit": git["upstream_commit"],
            "branch": git["upstream_branch"],
            **_changes(upstream[0][1]),
            "diff_url": f"{here}/diff?against=upstream",
        }
    return Answer(content)


def get_diff(store: Store, request: Request) -> Answer:
    """The diff as text."""
    against = text(request, "against") or "commit"
    if against not in ("commit", "upstream"):
        raise RequestError("against must be commit or upstream")
    dashboard, entry = _find(store, request)
    with dashboard.reading(entry.run) as reader:
        if against == "upstream":
            rows = reader.rows(_UPSTREAM)
            diff = rows[0][1] if rows else None
        else:
            diff = _value(reader, "source_code/diff")
    return _text_answer(diff, "This run has no such diff")


def get_requirements(store: Store, request: Request) -> Answer:
    """The installed packages, one a line."""
    dashboard, entry = _find(store, request)
    with dashboard.reading(entry.run) as reader:
        return _text_answer(_requirements(reader), "This run does not say what was installed")


def _find(store: Store, request: Request) -> tuple[DashboardState, Entry]:
    dashboard = dashboard_of(store)
    return dashboard, dashboard.entry(store, request)


def _value(reader: OpenRun, path: str) -> str | None:
    rows = reader.rows(_ONE, path)
    return str(rows[0][0]) if rows and rows[0][0] is not None else None


def _requirements(reader: OpenRun) -> str | None:
    for path in _REQUIREMENTS:
        found = _value(reader, path)
        if found:
            return found
    rows = reader.rows(_NAMED, "%/packages")
    return str(rows[0][0]) if rows and rows[0][0] else None


def _text_answer(content: str | None, problem: str) -> Answer:
    if not content:
        raise RequestError(problem, status=404, code="not_found")
    return Answer(content.encode("utf-8", "replace"), content_type=_TEXT)


def _changes(diff: str | None) -> dict[str, Any]:
    """The files of a unified diff, with the lines that were added and deleted."""
    files: list[dict[str, Any]] = []
    current: dict[str, Any] | None = None
    left_old = left_new = 0
    for line in (diff or "").split("\n"):
        if left_old > 0 or left_new > 0:  # inside a hunk, whose lines may look like anything
            sign = line[:1]
            left_old -= sign in ("-", " ", "")
            left_new -= sign in ("+", " ", "")
            if current is not None:
                current["add"] += sign == "+"
                current["del"] += sign == "-"
        elif line.startswith("diff --git "):
            current = {"path": _path_of(line), "add": 0, "del": 0, "status": "modified"}
            files.append(current)
        elif current is not None:
            hunk = re.match(r"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@", line)
            if hunk:
                left_old, left_new = (1 if count is None else int(count) for count in hunk.groups())
            elif line.startswith("new file"):
                current["status"] = "added"
            elif line.startswith("deleted file"):
                current["status"] = "deleted"
            elif line.startswith("rename to "):
                current["status"], current["path"] = "renamed", line.removeprefix("rename to ")
            elif line.startswith("Binary files"):
                current["status"] = "binary"
    return {
        "files": files[:_MAX_FILES],
        "add": sum(file["add"] for file in files),
        "del": sum(file["del"] for file in files),
    }


def _path_of(line: str) -> str:
    """The second of the two names in ``diff --git a/NAME b/NAME``."""
    names = line.removeprefix("diff --git ")
    quoted = re.search(r' "b/((?:[^"\\]|\\.)*)"$', names)
    if quoted:
        return quoted[1]
    half = len(names) // 2
    if names[:half][2:] == names[half + 1 :][2:]:  # both are the same: it may hold spaces
        return names[half + 3 :]
    return names.rpartition(" b/")[2]
