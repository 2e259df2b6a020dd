"""Runs ``goodseed import``: makes runs of what other tools have written."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Final

from goodseed.cli.command import Command
from goodseed.plugins import call_for_items, report

if TYPE_CHECKING:
    import argparse

    from goodseed.hooktypes import Importer

__all__ = ["COMMAND"]

_DESCRIPTION: Final = """\
Make runs out of what other tools have written. Installed plugins may offer more sources.

examples:
  goodseed import csv -p digits lightning_logs/version_0/metrics.csv
  goodseed import jsonl -p digits training-*.jsonl
"""
_logger: Final = logging.getLogger("goodseed")


def _importers() -> list[tuple[str, Importer]]:
    """The sources and their plugins, except those whose name is taken; sources of plugins come before ours."""
    found: dict[str, tuple[str, Importer]] = {}
    for plugin, importer in call_for_items("goodseed_importers", "name", "summary", "add_arguments", "load"):
        if importer.name in found:
            _logger.warning("goodseed: the importer %s of plugin %s is left out.", importer.name, plugin)
        found.setdefault(str(importer.name), (plugin, importer))
    return [found[name] for name in sorted(found)]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    sources = parser.add_subparsers(title="sources", metavar="<source>", required=True)
    for plugin, importer in _importers():
        child = sources.add_parser(importer.name, help=importer.summary, description=f"Import {importer.summary}.")
        child.add_argument("-p", "--project", default=None, help="where the runs go (default: GOODSEED_PROJECT)")
        child.add_argument("--home", default=None, metavar="DIR", help="instead of GOODSEED_HOME")
        try:
            importer.add_arguments(child)
        except Exception as error:  # noqa: BLE001 - the other sources stay usable
            report(plugin, "goodseed_importers", error)
        child.set_defaults(load=importer.load)


def _run(arguments: argparse.Namespace) -> int:
    from goodseed.run.run import Run  # SQLite and threads; the parser is made without them

    open_run = functools.partial(
        Run,
        project=arguments.project,
        goodseed_home=arguments.home,
        storage="local",
        capture_stdout=False,
        capture_stderr=False,
        capture_hardware_metrics=False,
        capture_traceback=False,
        git_ref=False,
    )
    count = arguments.load(arguments, open_run)
    print(f"Imported {count} run{'' if count == 1 else 's'}.")
    return 0


COMMAND: Final = Command("import", "make runs of what other tools have written", _DESCRIPTION, _add_arguments, _run)
