"""Parses the command line of ``goodseed``, runs the command, and turns its errors into exit statuses."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from goodseed import __version__
from goodseed.cli import download, history, import_runs, list_plugins, list_runs, login, serve, upload
from goodseed.cli.command import Command
from goodseed.errors import GoodseedError
from goodseed.plugins import call_each, report
from goodseed.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

_COMMANDS: Final[tuple[Command, ...]] = (
    serve.COMMAND,
    list_runs.COMMAND,
    history.ATTEMPTS,
    history.REWIND,
    upload.COMMAND,
    download.COMMAND,
    login.LOGIN,
    login.LOGOUT,
    login.WHOAMI,
    list_plugins.COMMAND,
)
_WITH_PLUGINS: Final = (import_runs.COMMAND,)  # what it takes is known only when plugins are loaded

_DESCRIPTION: Final = """\
Goodseed tracks machine-learning experiments. Each run is one SQLite file on your disk:

    import goodseed

    with goodseed.Run(project="digits") as run:
        run["parameters"] = {"lr": 0.01}
        for step in range(100):
            run.log_metrics({"loss": 1 / (step + 1)}, step=step)
"""
_EXAMPLES: Final = """\
examples:
  goodseed                    the runs in a browser; the same as goodseed serve
  goodseed list               the projects, and how many runs each has
  goodseed list -p digits     the runs of a project, with their last metrics
  goodseed list --help        more about one command

Runs lie in ~/.goodseed/projects; GOODSEED_HOME moves ~/.goodseed elsewhere.
"""

_FAILED: Final = 1
_BAD_ARGUMENTS: Final = 2
_INTERRUPTED: Final = 130
_BROKEN_PIPE: Final = 141


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence, and no page of usage before it."""
        self.exit(_BAD_ARGUMENTS, f"{self.prog}: {printable(message)}. See {self.prog} --help.\n")


class _HarmlessFormatter(logging.Formatter):
    """What the library has to say may hold names of files, which may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(record.getMessage())


def _plugin_commands() -> list[Command]:
    """The commands that need plugins, and those of plugins, except those whose name is taken."""
    taken = {command.name for command in (*_COMMANDS, *_WITH_PLUGINS)}
    found = list(_WITH_PLUGINS)
    for plugin, answer in call_each("goodseed_commands"):
        try:
            commands = [
                Command(name, summary, f"{summary}.", _guarded(plugin, add), run) for name, summary, add, run in answer
            ]
        except (TypeError, ValueError):
            logging.getLogger("goodseed").warning("goodseed: plugin %s has invalid commands: update it.", plugin)
            continue
        for command in commands:
            if command.name in taken:
                text = "goodseed: the command %s of plugin %s is left out: there is one of that name."
                logging.getLogger("goodseed").warning(text, command.name, plugin)
                continue
            taken.add(command.name)
            found.append(command)
    return found


def _guarded(plugin: str, add: Callable[[argparse.ArgumentParser], None]) -> Callable[[argparse.ArgumentParser], None]:
    """The same function, whose errors are reported: the other commands stay usable."""

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        try:
            add(parser)
        except Exception as error:  # noqa: BLE001 - the other commands stay usable, whatever a plugin raises
            report(plugin, "goodseed_commands", error)

    return add_arguments


def _make_parser(*, with_plugins: bool) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="goodseed",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"goodseed {__version__}", help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="<command>", required=True)
    for command in (*_COMMANDS, *(_plugin_commands() if with_plugins else ())):
        child = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(child)
        child.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` asks for, by default the process's arguments.

    Returns:
        The exit status: 0, 1 for a failure that stderr names, 2 for bad arguments, 130 after Ctrl-C, 141 if the reader
        of the output has stopped.
    """
    logger, handler = logging.getLogger("goodseed"), logging.StreamHandler()
    handler.setFormatter(_HarmlessFormatter())
    logger.addHandler(handler)
    try:
        return _run(argv)
    finally:
        logger.removeHandler(handler)


def _run(argv: Sequence[str] | None) -> int:
    try:
        try:
            given = (sys.argv[1:] if argv is None else argv) or [serve.COMMAND.name]
            # Loading plugins takes longer than most commands.
            is_ours = given[0] in {command.name for command in _COMMANDS} or given[0] == "--version"
            arguments = _make_parser(with_plugins=not is_ours).parse_args(given)
        except SystemExit as ending:  # --help, --version, and bad arguments
            sys.stdout.flush()
            return int(ending.code or 0)
        status = int(arguments.run(arguments) or 0)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Python flushes stdout once more as it exits, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (GoodseedError, OSError) as error:
        print(f"goodseed: {printable(str(error))}", file=sys.stderr)
        return _FAILED
