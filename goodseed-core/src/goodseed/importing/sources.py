"""Lists the built-in sources of ``goodseed import``; registered as the plugin ``goodseed-import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from goodseed.errors import FileFormatError
from goodseed.hooktypes import Importer
from goodseed.importing.cells import STEP_COLUMNS
from goodseed.importing.csv_file import examine_csv
from goodseed.importing.json_lines import examine_json_lines
from goodseed.importing.rows import write

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from goodseed.importing.rows import Examined
    from goodseed.run.run import Run

__all__ = ["goodseed_importers"]


def goodseed_importers() -> list[Importer]:
    """Tables of metrics, as most frameworks' own loggers write them."""
    return [
        Importer("csv", "a CSV file a run: metrics in columns, as CSV loggers write them", _add_arguments, _load_csv),
        Importer("jsonl", "a file of JSON lines a run: an object of metrics a line", _add_arguments, _load_json_lines),
    ]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="each becomes a run of its name")
    parser.add_argument(
        "--step", metavar="COLUMN", help=f"the column of the steps (default: {', '.join(STEP_COLUMNS)}, or the row)"
    )


def _load_csv(arguments: argparse.Namespace, open_run: Callable[..., Run]) -> int:
    return _load(arguments, open_run, examine_csv)


def _load_json_lines(arguments: argparse.Namespace, open_run: Callable[..., Run]) -> int:
    return _load(arguments, open_run, examine_json_lines)


def _load(
    arguments: argparse.Namespace, open_run: Callable[..., Run], examine: Callable[[Path, str | None], Examined]
) -> int:
    """Look through every file before the first run is made: one that is refused leaves nothing behind."""
    files = [examine(file, arguments.step) for file in arguments.files]
    for examined in files:
        write(examined, open_run)
    if left_out := [examined for examined in files if examined.notes.left_out]:
        count = sum(examined.notes.left_out for examined in left_out)
        raise FileFormatError(
            f"Imported {len(files)} run{'' if len(files) == 1 else 's'}, but not whole: {count} "
            f"line{'' if count == 1 else 's'} of {', '.join(str(examined.file) for examined in left_out)} left out."
        )
    return len(files)
