"""The command ``goodseed hub``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodseed_hub.cli import admin, data, serve

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands of ``goodseed hub``."""
    commands = parser.add_subparsers(title="commands", metavar="<command>", required=True)
    for module in (serve, admin, data):
        module.add_commands(commands)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked."""
    return int(arguments.hub_command(arguments))
