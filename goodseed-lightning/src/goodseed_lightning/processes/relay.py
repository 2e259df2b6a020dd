"""Lets child processes log to a run that their parent has open.

One process at a time writes a run's file. Where a strategy forks or spawns its ranks while the run is open already,
rank zero sends what it logs to the parent, over a local socket that only holders of its key may use.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import secrets
import threading
import time
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from goodseed_lightning.training.steps import last_step

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from goodseed import Run

__all__ = ["ANSWERED", "READING", "Address", "Relay", "connect"]

_logger: Final = logging.getLogger("goodseed")
READING: Final = ("get_configs", "get_metric_paths", "get_metric_data", "get_string_paths", "get_string_data")
ANSWERED: Final = ("is_open", "flush", "last_step", *READING)
_PAUSE_SECONDS: Final = 0.05
_JOIN_SECONDS: Final = 5.0


class Address(NamedTuple):
    """Where a relay listens, and the key that it requires."""

    place: Any
    key: bytes


class Relay:
    """Stores in ``run`` what the children of this process send, until it is closed."""

    def __init__(self, run: Run) -> None:
        self._run: Final = run
        self._pid: Final = os.getpid()
        key = secrets.token_bytes(32)
        self._listener: Final = Listener(authkey=key)
        self.address: Final = Address(self._listener.address, key)
        self._is_closing = False
        self._reported: Final[set[str]] = set()
        self._thread: Final = threading.Thread(target=self._accept, name="goodseed-relay", daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether this process is the one whose children it serves, and not one of the children."""
        return self._pid == os.getpid()

    def serves(self, run: Run) -> bool:
        """Whether children of this process reach ``run`` through it."""
        return self._run is run and self.is_here

    def close(self) -> None:
        """Take no more children. In a child that has a copy of this one, it does nothing."""
        if not self.is_here or self._is_closing:
            return
        self._is_closing = True
        with contextlib.suppress(OSError, EOFError, multiprocessing.AuthenticationError):
            connect(self.address).close()  # what waits for a connection does not notice otherwise
        self._thread.join(_JOIN_SECONDS)
        self._listener.close()

    def _accept(self) -> None:
        while not self._is_closing:
            try:
                connection = self._listener.accept()
            except Exception as error:  # noqa: BLE001 - a foreign client, or it died while it authenticated
                _logger.debug("goodseed: a process could not log to the run of this one: %s", error)
                time.sleep(_PAUSE_SECONDS)
                continue
            if self._is_closing:
                connection.close()
                return
            threading.Thread(target=self._serve, args=(connection,), name="goodseed-relayed", daemon=True).start()

    def _serve(self, connection: Connection[Any, Any]) -> None:
        with connection:
            while True:
                try:
                    call, arguments, options = pickle.loads(connection.recv_bytes())
                    answer = self._answer(call, arguments, options)
                    if call in ANSWERED:
                        connection.send_bytes(pickle.dumps(answer))
                except (EOFError, OSError):
                    return  # the child has ended
                except Exception as error:  # noqa: BLE001 - nothing that a child sends may end the others' logging
                    self._report(error)

    def _answer(self, call: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if call == "is_open":
            return not self._run.is_closed
        try:
            if call == "last_step":
                return last_step(self._run, *arguments)
            if call in ("add", "remove"):
                return getattr(self._run[arguments[0]], call)(*arguments[1:])
            return getattr(self._run, call)(*arguments, **options)
        except Exception as error:  # noqa: BLE001 - what the run refuses, or a foreign __str__ raises
            self._report(error)
        return None

    def _report(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        if reason not in self._reported:
            self._reported.add(reason)
            _logger.warning("goodseed: what a child process logged is not stored: %s", reason)


def connect(address: Address) -> Connection[Any, Any]:
    """A connection to the relay at ``address``.

    Raises:
        OSError, EOFError, multiprocessing.AuthenticationError: No relay answers.
    """
    return Client(address.place, authkey=address.key)
