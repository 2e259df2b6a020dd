"""Offers a child process the methods of a run that its parent has open."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import pickle
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from goodseed.config_values import config_leaves, config_value
from goodseed.values import as_number
from goodseed_lightning.processes.relay import ANSWERED, READING, connect

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection

    from goodseed_lightning.processes.relay import Address

__all__ = ["RelayedRun", "reach"]

_logger: Final = logging.getLogger("goodseed")
_FLUSH_SECONDS: Final = 60.0
_PLAIN: Final = (str, bool, int, float, type(None))


def reach(address: Address, run_id: str, project: str) -> RelayedRun | None:
    """The run at ``address``; None where its process has ended, or has closed it."""
    try:
        run = RelayedRun(connect(address), run_id, project)
    except (OSError, EOFError, multiprocessing.AuthenticationError):
        return None
    return run if run.is_open_elsewhere() else None


class RelayedRun:
    """A run that another process has open: what is logged here is stored there.

    It has the writing and reading methods of `goodseed.Run`. Closing it leaves the run open, as it belongs to the other
    process.
    """

    is_closed = False

    def __init__(self, connection: Connection[Any, Any], run_id: str, project: str) -> None:
        self.run_id: Final = run_id
        self.project: Final = project
        self._connection: Final = connection
        self._lock: Final = threading.Lock()
        self._is_lost = False

    def __repr__(self) -> str:
        return f"<goodseed run {self.run_id!r} of the parent process>"

    def log_metrics(self, data: Mapping[str, float], step: float) -> None:
        """See `goodseed.Run.log_metrics`."""
        self._call("log_metrics", {path: as_number(path, value) for path, value in data.items()}, float(step))

    def log_strings(self, data: Mapping[str, object], step: float) -> None:
        """See `goodseed.Run.log_strings`."""
        self._call("log_strings", {path: str(value) for path, value in data.items()}, float(step))

    def log_configs(self, data: Mapping[str, object], flatten: bool = True) -> None:
        """See `goodseed.Run.log_configs`."""
        leaves = config_leaves(data) if flatten else {path: config_value(value, path) for path, value in data.items()}
        self._call("log_configs", leaves, flatten=False)

    def __setitem__(self, path: str, value: object) -> None:
        self._call("log_configs", config_leaves(value, path), flatten=False)

    def __getitem__(self, path: str) -> RelayedField:
        return RelayedField(self, path)

    def last_step(self, path: str) -> float | None:
        """The highest step under ``path``; None without a point."""
        step: float | None = self._call("last_step", path)
        return step

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the parent has stored everything; see `goodseed.Run.flush`."""
        return bool(self._call("flush", timeout if timeout is not None else _FLUSH_SECONDS))

    def sync(self) -> None:
        """See `goodseed.Run.sync`."""
        self._call("sync")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the parent has stored everything."""
        return self.flush(timeout)

    def is_open_elsewhere(self) -> bool:
        """Whether the parent still has the run open; if not, the connection is closed."""
        if self._call("is_open"):
            return True
        self._connection.close()
        return False

    def change_set(self, change: str, path: str, values: str | Iterable[str]) -> None:
        """``add`` strings to the set of strings at ``path``, or ``remove`` them."""
        self._call(change, path, values if isinstance(values, str) else list(values))

    def settle(self) -> None:
        """Wait until the parent has taken everything."""
        self._call("is_open")

    def close(self, status: str = "finished", timeout: float | None = None) -> None:
        """Wait until the parent has taken everything; the parent closes the run."""
        self.settle()

    def __getattr__(self, name: str) -> Any:
        if name in READING:  # the methods of `goodseed.Run` that read
            return functools.partial(self._call, name)
        raise AttributeError(f"The run is open in the parent process, and here it has no attribute {name!r}.")

    def _call(self, call: str, *arguments: Any, **options: Any) -> Any:
        if self._is_lost:
            return None
        message = _pickled((call, arguments, options))
        with self._lock:
            try:
                self._connection.send_bytes(message)
                return pickle.loads(self._connection.recv_bytes()) if call in ANSWERED else None
            except (EOFError, OSError) as error:
                self._is_lost = True
                _logger.warning("goodseed: the parent process is gone, and with it run %s (%s).", self.run_id, error)
        return None


class RelayedField:
    """One attribute of a `RelayedRun`."""

    def __init__(self, run: RelayedRun, path: str) -> None:
        self._run: Final = run
        self.path: Final = path

    def log(self, value: float | str, *, step: float) -> None:
        """Add a point to the series of this path."""
        if isinstance(value, str):
            self._run.log_strings({self.path: value}, step)
        else:
            self._run.log_metrics({self.path: value}, step)

    def add(self, values: str | Iterable[str]) -> None:
        """Add to the set of strings at this path."""
        self._run.change_set("add", self.path, values)

    def remove(self, values: str | Iterable[str]) -> None:
        """Remove from the set of strings at this path."""
        self._run.change_set("remove", self.path, values)


def _pickled(message: Any) -> bytes:
    try:
        return pickle.dumps(message)
    except Exception:  # noqa: BLE001 - a foreign __reduce__ may raise anything: the value becomes its text
        return pickle.dumps(_as_text(message))


def _as_text(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {str(key): _as_text(value) for key, value in part.items()}
    if isinstance(part, tuple):
        return tuple(_as_text(value) for value in part)
    return part if isinstance(part, _PLAIN) else str(part)
