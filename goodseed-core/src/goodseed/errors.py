"""Defines every exception that Goodseed raises.

::

    GoodseedError
    ├── InvalidValueError   (ValueError)    a value, path, step or argument that can't be stored
    ├── InvalidTypeError    (TypeError)     a value of a type that can't be stored
    ├── RunClosedError      (RuntimeError)  a write to a run that is closed
    ├── ForkedRunError      (RuntimeError)  a write from a forked child to its parent's run
    ├── ReadOnlyError       (RuntimeError)  a write to a run opened with read_only=True
    ├── DisabledError       (RuntimeError)  a read from a run with storage="disabled"
    ├── RunExistsError      (FileExistsError)    run_id is taken
    ├── RunNotFoundError    (FileNotFoundError)  no such run
    ├── RunInUseError       (RuntimeError)  another live process writes this run
    ├── FileFormatError     (ValueError)    not a run file, a damaged one, or one of a newer version
    ├── ConfigurationError  (ValueError)    an environment variable or a combination of arguments
    ├── AuthenticationError (PermissionError)    a key is missing, wrong, or has no access
    ├── ProjectNotFoundError (FileNotFoundError) the remote has no such project
    └── RemoteError         (ConnectionError)    the remote is unreachable, fails, or is no Goodseed server
        └── RemoteRefusedError  (ValueError)     the remote refuses what was sent, and would again
"""

from __future__ import annotations

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "DisabledError",
    "FileFormatError",
    "ForkedRunError",
    "GoodseedError",
    "InvalidTypeError",
    "InvalidValueError",
    "ProjectNotFoundError",
    "ReadOnlyError",
    "RemoteError",
    "RemoteRefusedError",
    "RunClosedError",
    "RunExistsError",
    "RunInUseError",
    "RunNotFoundError",
]


class GoodseedError(Exception):
    """The root of the tree: catch it to catch everything that Goodseed raises."""


class InvalidValueError(GoodseedError, ValueError):
    """A value, path, step or argument can't be stored as it is."""


class InvalidTypeError(GoodseedError, TypeError):
    """A value has a type that can't be stored."""


class RunClosedError(GoodseedError, RuntimeError):
    """The run is closed; nothing more can be written to it."""


class ForkedRunError(GoodseedError, RuntimeError):
    """A forked child tried to write to the run of its parent."""


class ReadOnlyError(GoodseedError, RuntimeError):
    """The run was opened with ``read_only=True``, or unpickled in another process than that which writes it."""


class DisabledError(GoodseedError, RuntimeError):
    """The run was opened with ``storage="disabled"`` and holds nothing to read."""


class RunExistsError(GoodseedError, FileExistsError):
    """A run with this id exists already."""


class RunNotFoundError(GoodseedError, FileNotFoundError):
    """There is no run with this id."""


class RunInUseError(GoodseedError, RuntimeError):
    """A live process is writing this run."""


class FileFormatError(GoodseedError, ValueError):
    """A file is not a run file, is damaged, or was written by a newer version."""


class ConfigurationError(GoodseedError, ValueError):
    """An environment variable or a combination of arguments is invalid."""


class AuthenticationError(GoodseedError, PermissionError):
    """An API key is missing, wrong, or has no access."""


class ProjectNotFoundError(GoodseedError, FileNotFoundError):
    """The remote has no project of this name."""


class RemoteError(GoodseedError, ConnectionError):
    """The remote can't be reached, fails, or is no Goodseed server; the same may work later.

    Attributes:
        retry_after_seconds: How long the remote asks to be left alone; None where it says nothing.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RemoteRefusedError(RemoteError, ValueError):
    """The remote refuses what was sent, and would refuse it again.

    Attributes:
        status: The HTTP status, 400 to 499.
        code: The remote's ``error_code``.
    """

    def __init__(self, message: str, *, status: int = 400, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
