"""Moves, copies and exports all data of a hub."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from goodseed_hub.cli.common import add_command, place
from goodseed_hub.errors import HubError

if TYPE_CHECKING:
    import argparse

__all__ = ["add_commands"]

_MIGRATE: Final = """\
Copy everything between a data directory and a database; what is copied from stays as it is.

  goodseed hub migrate --to database --data /srv/goodseed --database postgresql://hub@db/hub
  goodseed hub migrate --to directory --data /srv/goodseed-new --database postgresql://hub@db/hub

Stop the hub before.
"""
_EXPORT: Final = """\
Write every config and every point as a row: workspace, project, run_id, kind, path, step, value, time.

  goodseed hub export --project default/digits > digits.csv
  goodseed hub export --format jsonl --output all.jsonl
"""


def add_commands(commands: Any) -> None:
    """Add the commands."""
    migrate = add_command(commands, "migrate", "move a data directory into a database, or back", _migrate, _MIGRATE)
    migrate.add_argument("--to", choices=("database", "directory"), required=True, help="where to")
    migrate.add_argument("--again", action="store_true", help="continue an interrupted move")
    export = add_command(commands, "export", "write all data as plain rows", _export, _EXPORT)
    export.add_argument("--project", metavar="WORKSPACE/PROJECT", help="only of this project")
    export.add_argument("--run-id", help="only this run")
    export.add_argument("--format", choices=("csv", "jsonl"), default="csv")
    export.add_argument("--output", metavar="FILE", help="where to (default: the standard output)")
    backup = add_command(commands, "backup", "copy a data directory, also while it is served", _backup)
    backup.add_argument("target", metavar="DIR", help="a new directory; it can be served as it is")


def _migrate(arguments: argparse.Namespace) -> int:
    from goodseed_hub.opening import open_hub
    from goodseed_hub.transfer import move

    directory, database_url = place(arguments)
    if database_url is None:
        raise HubError("Name the database: --database postgresql://…, or GOODSEED_HUB_DATABASE.")
    with ExitStack() as opened:
        embedded = opened.enter_context(open_hub(directory))
        database = opened.enter_context(open_hub(directory, database_url))
        source, target = (embedded, database) if arguments.to == "database" else (database, embedded)
        count = move(source, target, is_again=arguments.again, on_run=_show_progress)
        target.store.settle(state.record for state in target.directory.runs())
    print(f"{count:,} points were copied, and counted where they were copied to.")
    return 0


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} runs", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _export(arguments: argparse.Namespace) -> int:
    from goodseed_hub.opening import open_hub
    from goodseed_hub.transfer import export_rows, write_rows

    workspace, slash, project = (arguments.project or "").partition("/")
    if arguments.project and not slash:
        raise HubError(f"Name the workspace too: WORKSPACE/{arguments.project}.")
    with ExitStack() as opened:
        hub = opened.enter_context(open_hub(*place(arguments), is_read_only=True))
        output = sys.stdout
        if arguments.output:
            output = opened.enter_context(Path(arguments.output).open("w", encoding="utf-8", newline=""))
        records = [
            state.record
            for state in hub.directory.runs(workspace or None, project or None)
            if arguments.run_id in (None, state.record.run_id)
        ]
        if arguments.run_id and not records:
            raise HubError(f"There is no run {arguments.run_id!r}.")
        count = write_rows(export_rows(hub.store, records), output, arguments.format)
    print(f"{count:,} rows of {len(records)} runs.", file=sys.stderr)
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    from goodseed_hub.transfer import backup

    directory, database_url = place(arguments)
    if database_url is not None:
        raise HubError("A database is copied with its own tools: pg_dump.")
    count = backup(directory, Path(arguments.target))
    print(f"{count} runs were copied to {arguments.target}.")
    return 0
