"""The few lines that a user sees."""

from __future__ import annotations

import sys

__all__ = ["notice"]


def notice(text: str, *, is_quiet: bool) -> None:
    """Print a line to stderr, unless ``GOODSEED_QUIET`` is set or there is no stderr to print to."""
    if is_quiet:
        return
    stream = sys.stderr
    try:
        stream.write(f"goodseed: {text}\n")
        stream.flush()
    except (AttributeError, OSError, ValueError):  # no terminal (pythonw), a closed pipe, a closed stream
        return
