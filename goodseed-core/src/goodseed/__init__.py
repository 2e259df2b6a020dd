"""Goodseed: an experiment tracker for machine learning. One run, one SQLite file."""

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
    ReadOnlyError,
    RunClosedError,
    RunExistsError,
    RunInUseError,
    RunNotFoundError,
)
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
    "ReadOnlyError",
    "Run",
    "RunClosedError",
    "RunExistsError",
    "RunInUseError",
    "RunNotFoundError",
    "Storage",
    "__version__",
]
