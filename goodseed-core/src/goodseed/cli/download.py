"""Runs ``goodseed download``: copies a run of the remote into a run file here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from goodseed.cli.command import Command
from goodseed.cli.remote import client_of
from goodseed.paths import run_files
from goodseed.terminal import printable

if TYPE_CHECKING:
    import argparse

__all__ = ["COMMAND"]

_DESCRIPTION: Final = """\
Write the file of a run from what the remote holds: the same configs, metrics and texts.

  goodseed download -p team/vision --run-id bold-falcon-k3x

A run that is there already is left as it is. Times of points come along where the remote
gives them (goodseed hub does); else each has the time of the download.
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-p", "--project", metavar="NAME", required=True, help="the project of the run")
    parser.add_argument("-r", "--run-id", metavar="ID", required=True, help="the run")
    parser.add_argument("--api-key", metavar="KEY", help="the API key")


def _run(arguments: argparse.Namespace) -> int:
    from goodseed.remote.reader import RemoteRun
    from goodseed.sync.download import download_run
    from goodseed.terminal import Progress

    files = run_files(arguments.project, arguments.run_id)
    client = client_of(arguments)
    progress = Progress("Downloading", 0)
    try:
        remote = RemoteRun.find(client, arguments.project, arguments.run_id)
        count = download_run(
            remote, files, project=arguments.project, run_id=arguments.run_id, on_points=progress.advance
        )
    finally:
        progress.end()
        client.close()
    print(f"{count:,} points in {printable(str(files.database))}")
    return 0


COMMAND: Final = Command("download", "write a run's file from the remote", _DESCRIPTION, _add_arguments, _run)
