"""Adds ``goodseed hub`` to the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goodseed.hookspecs import hookimpl

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

__all__ = ["goodseed_commands"]


@hookimpl
def goodseed_commands() -> Iterable[
    tuple[str, str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]
]:
    """The command ``goodseed hub``."""
    from goodseed_hub.cli import add_arguments, run  # slow to import: other commands do without it

    return [("hub", "serve a team's runs, and administer them", add_arguments, run)]
