"""What ``goodseed import`` reads without any plugin of another package, as the plugin ``goodseed-import``."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import FileFormatError
from goodseed.hooktypes import Importer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from goodseed.run.run import Run

__all__ = ["goodseed_importers"]

_STEP_COLUMNS: Final = ("step", "global_step", "_step", "iteration", "epoch")


def goodseed_importers() -> list[Importer]:
    """Tables of metrics, as most frameworks' own loggers write them."""
    return [
        Importer("csv", "a CSV file a run: metrics in columns, as CSV loggers write them", _add_arguments, _load_csv),
        Importer("jsonl", "a file of JSON lines a run: an object of metrics a line", _add_arguments, _load_jsonl),
    ]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="each becomes a run of its name")
    parser.add_argument(
        "--step", metavar="COLUMN", help=f"the column of the steps (default: {', '.join(_STEP_COLUMNS)}, or the row)"
    )


def _load_csv(arguments: argparse.Namespace, open_run: Callable[..., Run]) -> int:
    for file in arguments.files:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            _import(file, csv.DictReader(lines), arguments.step, open_run)
    return len(arguments.files)


def _load_jsonl(arguments: argparse.Namespace, open_run: Callable[..., Run]) -> int:
    for file in arguments.files:
        with file.open(encoding="utf-8") as lines:
            _import(file, _objects(file, lines), arguments.step, open_run)
    return len(arguments.files)


def _objects(file: Path, lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise FileFormatError(f"{file}, line {number}: {line.strip()[:60]!r} is no JSON object.")
        yield row


def _import(
    file: Path, rows: Iterable[Mapping[str, Any]], step_column: str | None, open_run: Callable[..., Run]
) -> None:
    """Numbers become metrics, other texts string series; of rows of one step, each adds what it has."""
    with open_run(name=file.stem) as run:
        try:
            for number, row in enumerate(rows):
                _import_row(run, row, number, step_column)
        except (csv.Error, UnicodeDecodeError) as error:
            raise FileFormatError(f"{file} can't be read: {error}.") from error
        run["import/file"] = str(file.resolve())


def _import_row(run: Run, row: Mapping[str, Any], number: int, step_column: str | None) -> None:
    cells = {str(name): value for name, value in row.items() if name and value not in (None, "")}
    columns = (step_column,) if step_column else _STEP_COLUMNS
    steps = ((name, _number(cells[name])) for name in columns if name in cells)
    name, step = next(((name, step) for name, step in steps if step is not None and math.isfinite(step)), ("", number))
    cells.pop(name, None)
    numbers = {path: value for path, cell in cells.items() if (value := _number(cell)) is not None}
    run.log_metrics(numbers, step=step)
    run.log_strings({path: cell for path, cell in cells.items() if path not in numbers}, step=step)


def _number(cell: object) -> float | None:
    if isinstance(cell, (bool, int, float)):
        return float(cell)
    if not isinstance(cell, str):
        return None
    try:
        return float(cell)
    except ValueError:
        return {"true": 1.0, "false": 0.0}.get(cell.strip().lower())
