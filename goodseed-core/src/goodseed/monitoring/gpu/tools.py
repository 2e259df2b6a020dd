"""Runs command-line tools that may be missing, slow or stuck."""

from __future__ import annotations

import logging
import shutil
import subprocess
import threading
from typing import Final

__all__ = ["Tool", "kill_tool_of"]

_logger: Final = logging.getLogger("goodseed")
_running: Final[dict[int, subprocess.Popen[str]]] = {}
_given_up: Final[set[str]] = set()


class Tool:
    """A program that prints facts about the hardware. After it has hung once, this process does not start it again.

    Args:
        name: Looked for on ``PATH``.
        timeout_seconds: After that long it counts as hanging and is killed.
    """

    def __init__(self, name: str, timeout_seconds: float = 5.0) -> None:
        self._name: Final = name
        self._timeout_seconds: Final = timeout_seconds
        self._program: Final = None if name in _given_up else shutil.which(name)
        self._is_broken = self._program is None

    @property
    def is_usable(self) -> bool:
        """Whether the tool is installed and has not failed yet."""
        return not self._is_broken

    def run(self, *arguments: str) -> str | None:
        """What the tool prints; None if it is missing, fails or hangs, and ever after."""
        if self._is_broken or self._program is None:
            return None
        output = self._output([self._program, *arguments])
        self._is_broken = output is None
        return output

    def _output(self, command: list[str]) -> str | None:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            _logger.debug("goodseed: %s does not start: %s", self._name, error)
            return None
        ident = threading.get_ident()
        _running[ident] = process
        try:
            output, _ = process.communicate(timeout=self._timeout_seconds)
        except subprocess.TimeoutExpired:
            _given_up.add(self._name)
            _logger.info("goodseed: %s hangs and is tried no more.", self._name)
            _kill(process)
            return None
        finally:
            _running.pop(ident, None)
        if process.returncode != 0:
            _logger.debug("goodseed: %s ended with %d and is tried no more.", self._name, process.returncode)
            return None
        return output


def kill_tool_of(thread_ident: int | None) -> None:
    """Kill the tool that this thread waits for, so that the thread can end."""
    process = _running.get(thread_ident or 0)
    if process is not None:
        process.kill()


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    if process.stdout is not None:
        process.stdout.close()
    try:
        process.wait(0.5)
    except subprocess.TimeoutExpired:  # stuck in its driver, where not even a kill reaches it
        _logger.debug("goodseed: process %d can't be killed.", process.pid)
