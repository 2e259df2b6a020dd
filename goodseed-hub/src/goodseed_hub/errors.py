"""Defines the errors that the hub answers with.

::

    GoodseedError
    ├── ApiError            (ValueError)    a request that is refused, with its status and code
    └── HubError            (RuntimeError)  a command that can't be done
"""

from __future__ import annotations

from typing import Final

from goodseed.errors import GoodseedError

__all__ = ["ApiError", "HubError"]


class HubError(GoodseedError, RuntimeError):
    """A command failed; the message says why."""


class ApiError(GoodseedError, ValueError):
    """A request is refused; nothing of it is stored.

    Attributes:
        status: The HTTP status.
        code: The protocol's ``error_code``.
        title: A few words for people.
        detail: A sentence for people.
        retry_after_seconds: When to try again; None where that would not help.
    """

    def __init__(
        self, status: int, code: str, title: str, detail: str = "", *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(detail or title)
        self.status: Final = status
        self.code: Final = code
        self.title: Final = title
        self.detail: Final = detail or title
        self.retry_after_seconds: Final = retry_after_seconds

    @classmethod
    def bad_request(cls, detail: str, code: str = "Request.Invalid") -> ApiError:
        """The request is invalid."""
        return cls(400, code, "Bad request", detail)

    @classmethod
    def too_large(cls, detail: str) -> ApiError:
        """The request exceeds a limit."""
        return cls(413, "Request.TooLarge", "Too large", detail)

    @classmethod
    def run_not_found(cls) -> ApiError:
        """There is no such run, or the caller may not know of it: the answer is the same."""
        return cls(404, "Run.NotFound", "Run not found", "There is no such run, or the key has no access to it.")

    @classmethod
    def project_not_found(cls, project: str) -> ApiError:
        """The workspace has no such project."""
        return cls(404, "Project.NotFound", "Project not found", f"There is no project {project!r:.200}.")

    @classmethod
    def no_access(cls, workspace: str) -> ApiError:
        """The key has no access to the workspace, or there is no such workspace: the answer is the same."""
        return cls(403, "Auth.Forbidden", "No access", f"The key has no access to the workspace {workspace!r:.200}.")
