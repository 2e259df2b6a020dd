"""Goodseed: an experiment tracker for machine learning. One run, one SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import goodseed.run.process_end.exits as _exits  # noqa: F401 - hears of sys.exit from now on
from goodseed.config import Storage
from goodseed.errors import (
    AuthenticationError,
    ConfigurationError,
    DisabledError,
    FileFormatError,
    ForkedRunError,
    GoodseedError,
    InvalidTypeError,
    InvalidValueError,
    ProjectNotFoundError,
    ReadOnlyError,
    RemoteError,
    RemoteRefusedError,
    RunClosedError,
    RunExistsError,
    RunInUseError,
    RunNotFoundError,
)

if TYPE_CHECKING:
    from goodseed.projects import list_projects, list_runs
    from goodseed.run.run import Run
    from goodseed.source_code import GitRef

__version__ = "0.5.0"

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "DisabledError",
    "FileFormatError",
    "ForkedRunError",
    "GitRef",
    "GoodseedError",
    "InvalidTypeError",
    "InvalidValueError",
    "ProjectNotFoundError",
    "ReadOnlyError",
    "RemoteError",
    "RemoteRefusedError",
    "Run",
    "RunClosedError",
    "RunExistsError",
    "RunInUseError",
    "RunNotFoundError",
    "Storage",
    "__version__",
    "list_projects",
    "list_runs",
]

_LATER = {
    "Run": "goodseed.run.run",
    "GitRef": "goodseed.source_code",
    "list_projects": "goodseed.projects",
    "list_runs": "goodseed.projects",
}


def __getattr__(name: str) -> object:
    # SQLite and threads are loaded with the first use of Run: many processes import a training script and open none.
    if name not in _LATER:
        raise AttributeError(f"module 'goodseed' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
