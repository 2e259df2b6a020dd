"""Finds a run's git repository and stores its facts on a background thread."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from goodseed.source_code.facts import collect_parts
from goodseed.threads import signals_kept_out

if TYPE_CHECKING:
    from goodseed.sink import Sink

__all__ = ["GitRef", "SourceCode"]

_logger: Final = logging.getLogger("goodseed")


class GitRef:
    """Where a run's source code is.

    Args:
        repository_path: A directory in the git repository; None for the working directory, else the script's.
    """

    DISABLED: ClassVar[GitRef]

    def __init__(self, repository_path: str | os.PathLike[str] | None = None) -> None:
        self.repository_path: Final = None if repository_path is None else Path(repository_path)

    def __reduce__(self) -> str | tuple[type[GitRef], tuple[Path | None]]:
        # DISABLED is recognized by identity: a copy in another process must look it up by name.
        return "GitRef.DISABLED" if self is GitRef.DISABLED else (GitRef, (self.repository_path,))

    def __repr__(self) -> str:
        return "GitRef.DISABLED" if self is GitRef.DISABLED else f"GitRef({str(self.repository_path or '.')!r})"


GitRef.DISABLED = GitRef()


class SourceCode:
    """Stores the facts of a run's source code, in a thread of its own."""

    def __init__(self, sink: Sink, git_ref: GitRef | bool | None) -> None:
        """Prepare.

        Args:
            sink: Takes the facts, under ``source_code/``.
            git_ref: Where the repository is; False or `GitRef.DISABLED` for no facts.
        """
        self._sink: Final = sink
        self._is_wanted: Final = git_ref is not False and git_ref is not GitRef.DISABLED
        self._ref: Final = git_ref if isinstance(git_ref, GitRef) else GitRef()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; returns at once, and never raises."""
        if not self._is_wanted:
            return
        try:
            script = _entrypoint()
            if script:
                self._sink.log_configs({"source_code/entrypoint": script})
            starts = _starts(self._ref, script)
            self._thread = threading.Thread(
                target=self._collect, args=(starts,), name="goodseed-source-code", daemon=True
            )
            with signals_kept_out():
                self._thread.start()
        except (OSError, RuntimeError) as error:  # the working directory is gone, or no thread can be started
            self._thread = None
            _logger.warning("goodseed: the facts of the source code can't be collected: %s", error)

    def _collect(self, starts: tuple[str, ...]) -> None:
        try:
            root = _find_repository(starts)
            if root is not None:
                for facts in collect_parts(root):
                    self._sink.log_configs(facts)
            elif self._ref.repository_path is not None:
                _logger.warning("goodseed: there is no git repository at %s or above it", self._ref.repository_path)
        except Exception as error:  # noqa: BLE001 - git facts are worth less than a training
            _logger.warning("goodseed: the git facts of %s can't be read: %s", " or ".join(starts), error)

    def stop(self, timeout_seconds: float) -> None:
        """Wait for the facts, at most that long."""
        if self._thread is not None:
            self._thread.join(timeout_seconds)
            self._thread = None


def _entrypoint() -> str | None:
    """The script that Python was started with, if any."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.abspath(script) if script else None


def _starts(ref: GitRef, script: str | None) -> tuple[str, ...]:
    """The directories to look for a repository from, in order."""
    if ref.repository_path is not None:
        return (os.path.abspath(os.path.expanduser(ref.repository_path)),)
    return (os.getcwd(), os.path.dirname(script)) if script else (os.getcwd(),)


def _find_repository(starts: tuple[str, ...]) -> Path | None:
    for start in starts:
        for directory in (Path(start), *Path(start).parents):
            if os.path.exists(directory / ".git") or _is_bare(directory):
                return directory
    return None


def _is_bare(directory: Path) -> bool:
    return os.path.isfile(directory / "HEAD") and all(os.path.isdir(directory / name) for name in ("objects", "refs"))
