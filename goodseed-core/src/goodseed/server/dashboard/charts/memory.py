"""Keeps the last read series of runs at rest, in bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Hashable

    from goodseed.server.dashboard.charts.format import Series
    from goodseed.server.dashboard.state import DashboardState
    from goodseed.server.routes import Store

__all__ = ["SeriesMemory", "memory_of"]

_MAX_VALUES: Final = 6_000_000  # of eight bytes
_OVERHEAD: Final = 250
_FORMS: Final = 4  # a number, and what is made of it to be sent


@final
class SeriesMemory:
    """What was last asked for; for any number of threads."""

    def __init__(self, max_values: int = _MAX_VALUES) -> None:
        """Keep that many numbers."""
        self._max_values: Final = max_values
        self._lock: Final = threading.Lock()
        self._kept: Final[OrderedDict[tuple[str, Hashable], Series]] = OrderedDict()
        self._values = 0

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._values = 0

    def get(self, run: str, key: Hashable) -> Series | None:
        """What `put` was given."""
        with self._lock:
            series = self._kept.get((run, key))
            if series is not None:
                self._kept.move_to_end((run, key))
            return series

    def put(self, run: str, key: Hashable, series: Series) -> None:
        """Keep a series of the run with that file, and forget those that have not been asked for longest."""
        with self._lock:
            old = self._kept.pop((run, key), None)
            self._values += _size(series) - (_size(old) if old is not None else 0)
            self._kept[run, key] = series
            while self._values > self._max_values:
                self._values -= _size(self._kept.popitem(last=False)[1])


def memory_of(dashboard: DashboardState) -> SeriesMemory:
    """The series that were last read from one store."""
    return dashboard.shared.get(_new_memory)


def _new_memory(_store: Store) -> SeriesMemory:
    return SeriesMemory()


def _size(series: Series) -> int:
    if series.sent is not None:
        return _OVERHEAD + len(series.encoded["binary", False][1]) // 8
    columns = {id(column): len(column) for _, column in series.columns(is_full=True)}
    return _OVERHEAD + _FORMS * sum(columns.values())
