"""Holds what the hub's commands share."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from goodseed.paths import absolute_directory
from goodseed_hub.opening import default_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["add_command", "place", "print_table"]


def add_command(
    commands: Any, name: str, summary: str, command: Callable[[argparse.Namespace], int], description: str = ""
) -> argparse.ArgumentParser:
    """Add a command that works on a hub's data; returns its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description or f"{summary[0].upper()}{summary[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data", metavar="DIR", help="the data directory (default: GOODSEED_HUB_DATA, or hub in ~/.goodseed)"
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="a PostgreSQL database instead (default: GOODSEED_HUB_DATABASE, which hides the password from others)",
    )
    parser.set_defaults(hub_command=command)
    return parser


def place(arguments: argparse.Namespace) -> tuple[Path, str | None]:
    """The data directory, and the database if there is to be one."""
    directory = absolute_directory(arguments.data) if arguments.data else default_directory()
    return directory, arguments.database or os.environ.get("GOODSEED_HUB_DATABASE") or None


def print_table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print columns as wide as they need to be."""
    from goodseed.terminal import printable

    texts = [[printable("" if cell is None else str(cell)) for cell in row] for row in [list(titles), *rows]]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
