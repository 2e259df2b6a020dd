"""Notes `sys.exit` from the import of goodseed on: ``sys.exit(main())`` looks it up before `main` opens a run."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["listeners", "plain_exit"]

listeners: Final[list[Callable[[object], None]]] = []
"""Called with the code, on whatever thread."""

plain_exit: Final[Callable[..., Any]] = sys.exit


@functools.wraps(plain_exit)
def _exit(*arguments: Any) -> Any:
    for listener in listeners:
        try:
            listener(*arguments[:1] or (None,))
        except Exception as error:  # noqa: BLE001 - the process exits in any case, whatever we fail to store
            import logging

            logging.getLogger("goodseed").warning("goodseed: the exit code could not be noted: %r", error)
    return plain_exit(*arguments)


sys.exit = _exit
