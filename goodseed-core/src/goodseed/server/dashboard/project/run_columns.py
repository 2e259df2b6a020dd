"""Reads what a column holds of one run: its configs, an aggregate of a metric, or a metric where another is best."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from goodseed.storage.history.attempts import IS_CURRENT
from goodseed.storage.kinds import NUMBERS
from goodseed.storage.rollup.aggregate import whole_node
from goodseed.storage.rollup.nodes import Nodes, mean_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from goodseed.server.open_runs import OpenRun

__all__ = [
    "AGGREGATES",
    "CONFIGS",
    "MONITORING",
    "NAMES",
    "aggregates_of",
    "read_content",
    "shared_path",
    "value_at",
]

AGGREGATES: Final = ("last", "min", "max", "mean", "first", "count")
CONFIGS: Final = ""  # the name under which all configs of a run are kept
NAMES: Final = ":"  # that of the metrics with a colon in their names
MONITORING: Final = "monitoring/"
_AGGREGATES: Final = "m:"  # before the path of a metric
_VALUE_AT: Final = "a:"  # before which extreme, and the paths of two metrics
_MAX_CONFIGS: Final = 2_000  # of one run that are kept; of more, a table shows none
_MAX_KEPT_CHARACTERS: Final = 500
# What monitoring stores is another path for each process, and diffs are long: neither makes a column.
_CONFIG_ROWS: Final = f"""
    SELECT path, type_tag, substr(value, 1, {_MAX_KEPT_CHARACTERS}) FROM configs
    WHERE (path < 'monitoring/' OR path >= 'monitoring0') AND (path < 'source_code/diff' OR path >= 'source_code/difg')
        AND (path != 'sys/end_reason' OR updated_at >= (SELECT value FROM configs WHERE path = 'sys/closed_time'))
    ORDER BY path LIMIT {_MAX_CONFIGS}"""
_NAMES_ROWS: Final = f"""
    SELECT path FROM {NUMBERS.series_table}
    WHERE path LIKE '%:_%' AND (path < 'monitoring/' OR path >= 'monitoring0') AND {IS_CURRENT}
    ORDER BY path LIMIT 1000"""
_METRICS_OF: Final = f"SELECT path, id FROM {NUMBERS.series_table} WHERE path GLOB 'monitoring/*' ORDER BY path"
_POINTS: Final = f"FROM {NUMBERS.point_table} WHERE series_id = ?"
_AT: Final = f"SELECT step {_POINTS} AND {NUMBERS.column} = ? ORDER BY step LIMIT 1"
_VALUE_UP_TO: Final = f"SELECT {NUMBERS.column} {_POINTS} AND step <= ? ORDER BY step DESC LIMIT 1"


def aggregates_of(path: str) -> str:
    """The name under which the aggregates of a metric are kept."""
    return f"{_AGGREGATES}{path}"


def value_at(path: str, other: str, extreme: str) -> str:
    """The name under which the value of a metric is kept where ``other`` has its ``min`` or ``max``."""
    return f"{_VALUE_AT}{extreme}:{json.dumps([path, other])}"


def shared_path(path: str) -> str:
    """The one name that a metric of the hardware has for all processes: ``monitoring/*/cpu``."""
    head, _, rest = path.removeprefix(MONITORING).partition("/")
    return f"{MONITORING}*/{rest}" if path.startswith(MONITORING) and head and rest else path


def read_content(reader: OpenRun, name: str) -> Sequence[Any]:
    """What the column ``name`` holds of a run."""
    if name == CONFIGS:
        return reader.rows(_CONFIG_ROWS)
    if name == NAMES:
        return [path for (path,) in reader.rows(_NAMES_ROWS)]
    if name.startswith(_AGGREGATES):
        return _aggregates(reader, name.removeprefix(_AGGREGATES))
    _, extreme, paths = name.split(":", 2)
    path, other = json.loads(paths)
    return _value_where(reader, path, other, extreme)


def _aggregates(reader: OpenRun, path: str) -> Sequence[Any]:
    """In the order of `AGGREGATES`; empty without a point. Of the hardware, over all of the run's processes."""
    is_shared = path.startswith(f"{MONITORING}*/")
    numbers = (
        [number for one, number in reader.rows(_METRICS_OF) if shared_path(one) == path]
        if is_shared
        else [number for number in (reader.metric_id(path),) if number is not None]
    )
    with reader.transaction() as connection:
        found = [_whole_node(connection, reader, number) for number in numbers]
    nodes = [node for node in found if node is not None]
    if not nodes:
        return ()
    columns = {name: [node[place] for node in nodes] for place, name in enumerate(Nodes.FIELDS)}
    count = sum(columns["count"])
    finite = count - sum(columns["nan"]) - sum(columns["positive"]) - sum(columns["negative"])
    if not finite:
        return (columns["last_y"][0], None, None, None, columns["first_y"][0], int(count))
    low, high = min(columns["low"]), max(columns["high"])
    mean = mean_of(sum(columns["total"]), finite, low, high)
    return (columns["last_y"][0], low, high, mean, columns["first_y"][0], int(count))


def _whole_node(connection: sqlite3.Connection, reader: OpenRun, number: int) -> tuple[float, ...] | None:
    rollup = reader.stored_rollup(connection, number)
    if rollup is None:
        return whole_node(connection, number, reader.renew)
    coarsest = rollup.levels[-1]
    return coarsest.part(0, len(coarsest)).merged(0, len(coarsest))


def _value_where(reader: OpenRun, path: str, other: str, extreme: str) -> Sequence[Any]:
    number, other_number = reader.metric_id(path), reader.metric_id(other)
    if number is None or other_number is None:
        return ()
    with reader.transaction() as connection:
        node = _whole_node(connection, reader, other_number)
        if node is None:
            return ()
        best = node[Nodes.FIELDS.index("low" if extreme == "min" else "high")]
        row = connection.execute(_AT, (other_number, best)).fetchone() if math.isfinite(best) else None
        found = None if row is None else connection.execute(_VALUE_UP_TO, (number, row[0])).fetchone()
    return () if found is None else (math.nan if found[0] is None else found[0],)
