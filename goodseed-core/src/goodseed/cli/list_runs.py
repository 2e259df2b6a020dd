"""Runs ``goodseed list``: lists the projects under a directory, or the runs of one project."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any, Final

from goodseed.cli.command import Command
from goodseed.cli.run_tables import projects_table, runs_table
from goodseed.cli.table import number
from goodseed.storage.catalog import Catalog
from goodseed.storage.kinds import kinds
from goodseed.terminal import no_directory, printable, show_progress, write

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from goodseed.storage.catalog import Problem, ProjectSummary, RunSummary

__all__ = ["COMMAND"]

_DESCRIPTION: Final = """\
List the projects under a directory, or the runs of one project, the newest first.

  goodseed list                       the projects in ~/.goodseed/projects
  goodseed list -p digits             the runs of the project digits
  goodseed list ./results             whatever runs lie under ./results
  goodseed list -p digits --json      for programs: NaN and infinities are the strings
                                      "NaN", "Infinity" and "-Infinity"

A run is running, finished, failed, or crashed: its process ended without closing it.
"""
_MAX_PROBLEMS: Final = 5


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", nargs="?", help="where to look (default: projects in GOODSEED_HOME, or ~/.goodseed)")
    parser.add_argument("-p", "--project", metavar="NAME", help="list the runs of this project")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(arguments: argparse.Namespace) -> int:
    with Catalog(arguments.dir, max_age_seconds=math.inf) as catalog:
        if arguments.dir is not None and not catalog.root.is_dir():
            return _fail(no_directory(arguments.dir))
        projects = catalog.projects(on_progress=show_progress)
        problems = catalog.problems()
        if arguments.project is None:
            return _list_projects(catalog, projects, problems, as_json=arguments.json)
        names = [project.name for project in projects]
        if arguments.project not in names:
            _warn_of(problems)
            return _fail(_unknown_project(arguments.project, names, catalog))
        runs = catalog.runs(arguments.project)
    if arguments.json:
        _write_json({"project": arguments.project, "runs": [_run_as_json(run) for run in runs], **_as_json(problems)})
    else:
        write(runs_table(runs))
        _warn_of(problems)
    return 0


def _list_projects(
    catalog: Catalog, projects: Sequence[ProjectSummary], problems: Sequence[Problem], *, as_json: bool
) -> int:
    if as_json:
        _write_json({"projects": [_project_as_json(project) for project in projects], **_as_json(problems)})
        return 0
    write(projects_table(projects) if projects else _no_runs_yet(catalog))
    if projects and sys.stdout.isatty():
        write(["", "To see the runs of one: goodseed list -p NAME"])
    _warn_of(problems)
    return 0


def _fail(sentence: str) -> int:
    print(f"goodseed list: {printable(sentence)}", file=sys.stderr)
    return 2


def _unknown_project(wanted: str, names: Sequence[str], catalog: Catalog) -> str:
    import difflib

    folded = {name.casefold(): name for name in names} | {name.casefold().rpartition("/")[2]: name for name in names}
    close = dict.fromkeys(folded[match] for match in difflib.get_close_matches(wanted.casefold(), folded))
    if close:
        hint = f"Did you mean {' or '.join(repr(name) for name in close)}?"
    else:
        hint = "goodseed list shows which there are." if names else "There are no runs there at all."
    return f"there is no project {wanted!r} under {catalog.root}. {hint}"


def _no_runs_yet(catalog: Catalog) -> list[str]:
    return [
        f"There are no runs under {printable(str(catalog.root))} yet. Make the first one:",
        "",
        "    import goodseed",
        "",
        '    with goodseed.Run(project="hello") as run:',
        "        for step in range(10):",
        '            run.log_metrics({"loss": 1 / (step + 1)}, step=step)',
        "",
        "Runs in another directory: goodseed list DIR",
    ]


def _warn_of(problems: Sequence[Problem]) -> None:
    for problem in problems[:_MAX_PROBLEMS]:
        reason = problem.reason
        sentence = reason if reason.startswith(str(problem.path)) else f"{problem.path} {reason}."
        print(f"goodseed list: left out: {printable(sentence)}", file=sys.stderr)
    if len(problems) > _MAX_PROBLEMS:
        print(f"goodseed list: left out: {len(problems) - _MAX_PROBLEMS:,} more; --json has them all.", file=sys.stderr)


def _write_json(value: dict[str, Any]) -> None:
    write([json.dumps(value, indent=2, allow_nan=False)])


def _project_as_json(project: ProjectSummary) -> dict[str, Any]:
    return {
        "project": project.name,
        "run_count": project.run_count,
        "running_count": project.running_count,
        "trashed_count": project.trashed_count,
        "modified_seconds": project.modified_seconds,
    }


def _run_as_json(run: RunSummary) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "project": run.project,
        "name": run.name,
        "state": run.state,
        "end_reason": run.end_reason,
        "created_at": run.created_at,
        "modified_at": run.modified_at,
        "closed_at": run.closed_at,
        "duration_seconds": run.duration_seconds,
        "trashed": run.trashed,
        "tags": list(run.tags),
        "last_metrics": {
            point.path: {"step": _finite_or_name(point.step), "y": _finite_or_name(point.y)}
            for point in run.last_metrics
        },
        "config_count": run.config_count,
        **{f"{kind.noun}_count": run.series_counts.get(kind.name, 0) for kind in kinds()},
        "path": run.path,
    }


def _finite_or_name(value: float) -> float | str:
    return value if math.isfinite(value) else number(value)


def _as_json(problems: Sequence[Problem]) -> dict[str, Any]:
    return {"problems": [{"path": str(problem.path), "reason": problem.reason} for problem in problems]}


COMMAND: Final = Command("list", "list projects, or the runs of one", _DESCRIPTION, _add_arguments, _run)
