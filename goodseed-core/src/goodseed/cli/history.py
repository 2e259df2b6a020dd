"""Runs ``goodseed attempts``, which lists the lives of a run, and ``goodseed rewind``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from goodseed.cli.command import Command
from goodseed.cli.table import Column, duration, number, render
from goodseed.errors import RunNotFoundError
from goodseed.storage.catalog import Catalog
from goodseed.storage.life import seconds_of
from goodseed.terminal import has_colours, line_width, write
from goodseed.values import as_step

if TYPE_CHECKING:
    import argparse

    from goodseed.paths import RunFiles
    from goodseed.storage.history.attempts import Attempt

__all__ = ["ATTEMPTS", "REWIND"]

_ATTEMPTS: Final = """\
List the attempts of a run: each is one life of it, from when it was opened or resumed
until it was closed, or its process died.

  goodseed attempts -p digits -r bold-falcon-k3x
  goodseed attempts -p digits -r bold-falcon-k3x --json
"""
_REWIND: Final = """\
Take a run that has ended back to a step: the points beyond it are set aside as the tail
of the attempt that logged them. Nothing is lost, and --undo takes it back.

  goodseed rewind -p digits -r bold-falcon-k3x --to 900
  goodseed rewind -p digits -r bold-falcon-k3x --undo

A script that goes on from a checkpoint does both in one:
goodseed.Run(resume_run_id="bold-falcon-k3x", rewind_to=900)
"""


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", nargs="?", help="where to look (default: projects in GOODSEED_HOME, or ~/.goodseed)")
    parser.add_argument("-p", "--project", metavar="NAME", required=True, help="the project of the run")
    parser.add_argument("-r", "--run-id", metavar="ID", required=True, help="the run")


def _add_attempts(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_rewind(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--to", metavar="STEP", type=float, help="the last step that stays")
    choice.add_argument("--undo", action="store_true", help="take back the last rewind")


def _find(arguments: argparse.Namespace) -> RunFiles:
    with Catalog(arguments.dir) as catalog:
        for run in catalog.runs(arguments.project):
            if run.run_id == arguments.run_id:
                return run.files
        root = catalog.root
    raise RunNotFoundError(
        f"There is no run {arguments.run_id!r} in project {arguments.project!r} under {root}: "
        f"goodseed list -p {arguments.project} shows the runs that there are."
    )


def _list_attempts(arguments: argparse.Namespace) -> int:
    from goodseed.storage.reader import RunReader  # for this command alone: every command makes this parser

    with RunReader(_find(arguments)) as reader:
        attempts = reader.attempts()
    if arguments.json:
        write([json.dumps([asdict(attempt) for attempt in attempts], indent=2)])
        return 0
    columns = [
        Column("attempt", [str(attempt.number) for attempt in attempts], is_number=True),
        Column("state", [attempt.state for attempt in attempts]),
        Column("opened", [(attempt.opened_at or "")[:19].replace("T", " ") for attempt in attempts]),
        Column("took", [_took(attempt) for attempt in attempts], is_number=True),
        Column("steps", [_steps(attempt) for attempt in attempts]),
        Column("host", [attempt.host or "" for attempt in attempts], spare_width=20, least_width=8),
        Column("job", [attempt.job_id or "" for attempt in attempts], is_optional=True),
        Column("commit", [(attempt.commit or "")[:7] for attempt in attempts], is_optional=True),
        Column("ended by", [attempt.end_reason or "" for attempt in attempts], spare_width=40, least_width=8),
    ]
    write(render(columns, width=line_width(sys.stdout), has_colours=has_colours(sys.stdout)))
    return 0


def _took(attempt: Attempt) -> str:
    opened, closed = (seconds_of(text, 0.0) for text in (attempt.opened_at, attempt.closed_at))
    return duration(closed - opened) if opened and closed >= opened else ""


def _steps(attempt: Attempt) -> str:
    if attempt.first_step is None or attempt.last_step is None:
        return ""
    rewound = "" if attempt.rewound_to is None else f", rewound to {number(attempt.rewound_to)}"
    return f"{number(attempt.first_step)} to {number(attempt.last_step)}{rewound}"


def _rewind(arguments: argparse.Namespace) -> int:
    from goodseed.storage.edits import rewind_run, undo_last_rewind

    step = None if arguments.undo else as_step(arguments.to, "--to")
    files = _find(arguments)
    done = undo_last_rewind(files) if step is None else rewind_run(files, step)
    if done is None:
        print(f"goodseed rewind: there is no rewind of {arguments.run_id} to take back.", file=sys.stderr)
        return 1
    counted = f"{done.points:,} points of {done.series:,} series"
    if step is None:
        print(f"{counted} beyond step {number(done.step)} are back.")
    else:
        print(f"{counted} beyond step {number(step)} are set aside, and none is lost. To take it back: --undo")
    return 0


ATTEMPTS: Final = Command("attempts", "list the lives of a run", _ATTEMPTS, _add_attempts, _list_attempts)
REWIND: Final = Command("rewind", "take a run back to a step", _REWIND, _add_rewind, _rewind)
