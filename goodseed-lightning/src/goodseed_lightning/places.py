"""Names a run in the file system."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["file_name", "save_directory"]

_MAX_NAME_CHARACTERS: Final = 80


def file_name(name: str) -> str:
    """``name`` with all replaced that a file's name can't hold on some system."""
    kept = "".join(letter if letter.isalnum() or letter in " -_.=+" else "-" for letter in name)
    return kept.strip(" .-")[:_MAX_NAME_CHARACTERS].strip(" .-") or "run"


def save_directory(log_dir: str | os.PathLike[str] | None, run_id: str) -> str:
    """The absolute path of a directory of the run's own, below ``log_dir`` or ``goodseed_logs``."""
    base = os.fspath(log_dir) if log_dir is not None else "goodseed_logs"
    return os.path.abspath(os.path.join(os.path.expanduser(base), run_id))
