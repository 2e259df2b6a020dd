"""Defines what a command is; each module beside this one makes one, and `goodseed.cli.main` lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

__all__ = ["Command"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command of ``goodseed``.

    Attributes:
        name: What is typed.
        summary: What it does, for the list of commands.
        description: What it does, with examples, for its own help.
        add_arguments: Says which arguments it takes.
        run: Does it, and returns the exit status. It may raise `goodseed.GoodseedError` or `OSError` to fail.
    """

    name: str
    summary: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
