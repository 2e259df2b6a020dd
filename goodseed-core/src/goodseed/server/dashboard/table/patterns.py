"""Matches regular expressions from outside; a process of its own runs those that could take long."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from goodseed.server.routes import Store

__all__ = ["MAX_TEXT", "Pattern", "PatternWorkers", "compile_pattern"]

MAX_TEXT: Final = 500  # characters that a pattern is tried on; of a config no more are kept
_MAX_PATTERN: Final = 200
_CHEAP_STEPS: Final = 100_000  # half a millisecond, in which nothing else can run
_SECONDS: Final = 2.0  # of a pattern on all texts; other requests for the project wait meanwhile
_MAX_WORKERS: Final = 2
_WAIT_SECONDS: Final = 5.0
_WATCH_SECONDS: Final = 0.05
_REPEAT: Final = re.compile(r"[*+]|\{\d*,?\d*\}")
_WORKER: Final = """
import json, re, sys, warnings
warnings.simplefilter("ignore")
for line in sys.stdin:
    pattern, text = json.loads(line)
    print(int(re.search(pattern, text, re.IGNORECASE) is not None), flush=True)
"""


def compile_pattern(text: str, column: int, fault: Callable[[int, str, str], Exception]) -> Pattern:
    """Compile a regular expression, in any case.

    Args:
        text: The expression.
        column: Its position in the filter.
        fault: Makes an exception of a column, a message and a hint.

    Raises:
        Exception: That of ``fault``: the expression can't be read.
    """
    if len(text) > _MAX_PATTERN:
        raise fault(column, f"A regular expression must have at most {_MAX_PATTERN} characters", "")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read otherwise
            compiled = re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        place: Any = getattr(error, "pos", None)
        message = f"The regular expression can't be read: {getattr(error, 'msg', error)}"
        raise fault(column + (place or 0), message, "") from error
    hint = "Put plain text in place of some of its repetitions."
    return Pattern(compiled, lambda: fault(column, "The regular expression takes too long", hint))


@final
class Pattern:
    """A regular expression."""

    def __init__(self, compiled: re.Pattern[str], too_long: Callable[[], Exception]) -> None:
        self._compiled: Final = compiled
        self._too_long: Final = too_long
        self._power, self._choices = _cost(compiled.pattern)
        self._known: dict[str, bool] = {}
        self._left_seconds = _SECONDS

    def holds(self, text: str, workers: PatternWorkers) -> bool:
        """Whether a part of ``text`` matches.

        Raises:
            Exception: This takes too long.
        """
        if self._power and len(text) ** self._power << self._choices <= _CHEAP_STEPS:
            return self._compiled.search(text) is not None
        found = self._known.get(text)
        if found is None:
            try:
                found = self._known[text] = self._ask(text, workers)
            except (OSError, ValueError) as error:
                raise self._too_long() from error
        return found

    def _ask(self, text: str, workers: PatternWorkers) -> bool:
        with workers.one() as worker:
            began = time.monotonic()
            found = worker.holds(self._compiled.pattern, text, self._left_seconds)
            self._left_seconds -= time.monotonic() - began
        return found


@final
class PatternWorkers:
    """The few processes that try the patterns of one server; for any number of threads."""

    def __init__(self, store: Store) -> None:
        """None is started yet."""
        self._places: Final = threading.BoundedSemaphore(_MAX_WORKERS)
        self._idle: Final[list[_Worker]] = []

    @contextlib.contextmanager
    def one(self) -> Iterator[_Worker]:
        """A worker, for this thread alone; one whose time was over is not used again.

        Raises:
            OSError: All are busy, or there can be no such process.
        """
        if not self._places.acquire(timeout=_WAIT_SECONDS):
            raise TimeoutError("too many regular expressions at once")
        try:
            try:
                worker = self._idle.pop()
            except IndexError:
                worker = _Worker()
            yield worker
            self._idle.append(worker)
        finally:
            self._places.release()

    def close(self) -> None:
        """End those that are idle; a later pattern starts others."""
        while self._idle:
            self._idle.pop().close()


@final
class _Worker:
    """A process that tries patterns on texts; it ends with this one."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            OSError: There can be no such process.
        """
        self._process: Final = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._is_asked: Final = threading.Event()
        self._until = 0.0
        threading.Thread(target=self._watch, name="goodseed-patterns", daemon=True).start()

    def holds(self, pattern: str, text: str, seconds: float) -> bool:
        """Whether a part of ``text`` matches.

        Raises:
            OSError, ValueError: The time was over, and the process is ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._until = time.monotonic() + seconds
        self._is_asked.set()
        try:
            self._process.stdin.write(json.dumps([pattern, text]) + "\n")
            self._process.stdin.flush()
            found = bool(int(self._process.stdout.readline()))
        except BaseException:
            self.close()
            raise
        self._is_asked.clear()
        return found

    def close(self) -> None:
        """End it."""
        self._process.kill()
        for pipe in (self._process.stdout, self._process.stdin):
            with contextlib.suppress(OSError):  # what is not sent yet can't be any more
                if pipe is not None:
                    pipe.close()
        self._is_asked.set()  # its watch ends with it

    def _watch(self) -> None:
        while self._is_asked.wait():
            time.sleep(_WATCH_SECONDS)
            if self._process.poll() is not None:
                return
            if self._is_asked.is_set() and time.monotonic() > self._until:
                self._process.kill()
                self._process.wait()
                return


def _cost(pattern: str) -> tuple[int, int]:
    """To which power of a text's length a search takes time, and how often that doubles; 0 where it may take more."""
    plain = re.sub(r"\\\\", "..", pattern)
    plain = re.sub(r"\[(?:\^?\]|\^)?(?:\\.|[^\]\\])*\]", lambda found: "x" * len(found.group()), plain)
    if re.search(r"\\[1-9]|\(\?(?!:)", plain):  # references to groups, look-around, conditions
        return 0, 0
    plain = re.sub(r"\\.", "xx", plain, flags=re.DOTALL)
    if re.search(rf"\)(?:{_REPEAT.pattern})", plain):  # what is repeated may itself be found in many ways
        return 0, 0
    return 1 + len(_REPEAT.findall(plain)), plain.count("?") + plain.count("|")
