"""Runs ``goodseed upload``: sends what is not uploaded yet from run files to the remote."""

from __future__ import annotations

import sqlite3
import sys
import threading
from typing import TYPE_CHECKING, Final

from goodseed.cli.command import Command
from goodseed.cli.remote import client_of
from goodseed.errors import AuthenticationError, GoodseedError, ProjectNotFoundError
from goodseed.paths import RunFiles
from goodseed.storage.catalog import Catalog
from goodseed.terminal import Progress, printable

if TYPE_CHECKING:
    import argparse

    from goodseed.storage.summary import RunSummary

__all__ = ["COMMAND"]

_DESCRIPTION: Final = """\
Upload what is not uploaded yet: of one run, or of all runs of a project. What was
uploaded before is not sent again, so a command that was broken off goes on where it was.

  goodseed upload -p team/vision                  every run of the project
  goodseed upload -p team/vision --run-id bold-falcon-k3x

The API key is that of --api-key, GOODSEED_API_KEY, or goodseed login, in this order.
The exit status is 1 when something stayed behind; a summary says what.
"""
_AT_ONCE: Final = 4


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-p", "--project", metavar="NAME", required=True, help="the project of the runs")
    parser.add_argument("-r", "--run-id", metavar="ID", help="only this run")
    parser.add_argument("--api-key", metavar="KEY", help="the API key")


class _Upload:
    """All runs to upload, and how far they are."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments: Final = arguments
        self._lock: Final = threading.Lock()
        self._progress: Final = Progress("Uploading", 0)
        self._sent = 0
        self.total = 0
        self.refused = 0
        self.failures: dict[str, str] = {}

    def run(self, run: RunSummary) -> None:
        """Upload one run; what goes wrong is kept for the summary."""
        from goodseed.sync.files import open_for_upload

        try:
            with open_for_upload(RunFiles(run.files.database), run.project, run.run_id) as upload:
                client = client_of(self._arguments)
                with self._lock:
                    self.total += upload.pending
                    self._progress.grow(upload.pending)
                try:
                    upload.run(client, self._count)
                finally:
                    client.close()
            with self._lock:
                self.refused += upload.refused
        except (AuthenticationError, ProjectNotFoundError):
            raise
        except (GoodseedError, OSError, sqlite3.Error) as error:
            with self._lock:
                self.failures[run.run_id] = str(error)

    def _count(self, items: int) -> None:
        with self._lock:
            self._sent += items
            self._progress.show(self._sent)

    def end(self) -> int:
        """Say how it went; returns the exit status."""
        self._progress.end()
        print(f"{self._sent:,} of {self.total:,} items that waited are uploaded.")
        if self.refused:
            print(f"{self.refused:,} were refused by the remote, and are kept on this machine alone.", file=sys.stderr)
        for run_id, reason in self.failures.items():
            print(f"goodseed upload: {printable(f'{run_id} stayed behind: {reason}')}", file=sys.stderr)
        return 1 if self.failures or self.refused else 0


def _run(arguments: argparse.Namespace) -> int:
    from concurrent.futures import ThreadPoolExecutor

    client_of(arguments).close()  # a missing key is reported before anything else
    with Catalog() as catalog:
        runs = [
            run for run in catalog.runs(arguments.project) if arguments.run_id is None or run.run_id == arguments.run_id
        ]
        root = catalog.root
    if not runs:
        wanted = f"run {arguments.run_id!r} in project" if arguments.run_id is not None else "project"
        print(
            f"goodseed upload: there is no {printable(f'{wanted} {arguments.project!r} under {root}')}.",
            file=sys.stderr,
        )
        return 1
    upload = _Upload(arguments)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done in [pool.submit(upload.run, run) for run in runs]:
            done.result()
    return upload.end()


COMMAND: Final = Command("upload", "upload what is not uploaded yet", _DESCRIPTION, _add_arguments, _run)
