"""Shows plugins' panels on the page of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from goodseed.hooktypes import Bars, Panel, Table, Text
from goodseed.plugins import call_each, report
from goodseed.server.dashboard.state import dashboard_of
from goodseed.server.routes import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from goodseed.run.run import Run
    from goodseed.server.routes import Request, Store
    from goodseed.storage.summary import RunSummary

__all__ = ["get_panels"]

_HOOK: Final = "goodseed_panels"
_MAX_BLOCKS: Final = 50
_MAX_ROWS: Final = 1_000
_MAX_COLUMNS: Final = 50
_MAX_CHARACTERS: Final = 20_000


def get_panels(store: Store, request: Request) -> Answer:
    """The panels of a run, each with its blocks, or with what went wrong with it."""
    dashboard = dashboard_of(store)
    entry = dashboard.entry(store, request)
    panels = [(plugin, panel) for plugin, answer in call_each(_HOOK) for panel in answer]
    if not panels:
        return Answer({"panels": []})
    run = _open(entry.run)
    return Answer({"panels": [found for plugin, panel in panels if (found := _shown(plugin, panel, run)) is not None]})


def _open(summary: RunSummary) -> Run:
    from goodseed.run.run import Run  # a server without such plugins does without

    file = summary.files.database
    return Run(
        project=summary.project, run_id=file.stem, read_only=True, storage="local", log_dir=file.parent
    )  # fmt: skip


def _shown(plugin: str, panel: Panel, run: Run) -> dict[str, Any] | None:
    try:
        blocks = [_block(block) for block, _ in zip(panel.show(run), range(_MAX_BLOCKS), strict=False)]
        problem = ""
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's failure is its own panel's
        report(plugin, _HOOK, error)
        blocks, problem = [], f"The plugin {plugin} failed to show this; the server's console says why."
    if not blocks and not problem:
        return None
    name = f"{plugin}/{getattr(panel, 'name', '')}"
    return {"name": _text(name), "title": _text(getattr(panel, "title", name)), "blocks": blocks, "problem": problem}


def _block(block: object) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"kind": "text", "text": _text(block.text)}
    if isinstance(block, Table):
        columns = [_text(column) for column in block.columns][:_MAX_COLUMNS]
        rows = list(_rows(block, len(columns)))
        return {"kind": "table", "columns": columns, "rows": rows}
    if isinstance(block, Bars):
        values = [float(value) for value in block.values][:_MAX_ROWS]
        labels = [_text(label) for label in block.labels][: len(values)]
        finite = [(label, value) for label, value in zip(labels, values, strict=True) if math.isfinite(value)]
        return {"kind": "bars", "labels": [label for label, _ in finite], "values": [value for _, value in finite]}
    raise TypeError(f"A panel consists of Text, Table and Bars, not of {type(block).__name__}.")


def _rows(table: Table, columns: int) -> Iterator[list[str | float | bool | None]]:
    for row, _ in zip(table.rows, range(_MAX_ROWS), strict=False):
        cells = [_cell(cell) for cell in row][:columns]
        yield cells + [None] * (columns - len(cells))


def _cell(cell: object) -> str | float | bool | None:
    if cell is None or isinstance(cell, bool) or (isinstance(cell, (int, float)) and math.isfinite(cell)):
        return cell
    return _text(cell)


def _text(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()[:_MAX_CHARACTERS]
