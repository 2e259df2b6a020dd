"""Checks what a remote answers, and makes errors of what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from goodseed.errors import (
    AuthenticationError,
    ProjectNotFoundError,
    RemoteError,
    RemoteRefusedError,
    RunNotFoundError,
)

if TYPE_CHECKING:
    from goodseed.remote.transport import Response

__all__ = ["Answers", "harmless"]

_RETRYABLE: Final = frozenset({408, 425, 429})
_MAX_DETAIL: Final = 300


class Answers:
    """The answers of one remote. Any method raises, or returns, errors that name its address."""

    def __init__(self, api_url: str) -> None:
        self._api_url: Final = api_url

    def refusal(self, answer: Response) -> Exception:
        """The error for an answer whose status is none of success."""
        code, text = _explanation(answer.body)
        if answer.status == 401:
            return AuthenticationError(
                f"The API key is wrong, or no longer valid, at {self._api_url}{text}. "
                "Set GOODSEED_API_KEY to a valid one, or run goodseed login."
            )
        if answer.status == 403:
            return AuthenticationError(
                f"The API key has no access{text} ({self._api_url}). Use another key or another workspace."
            )
        if code == "Project.NotFound":
            return ProjectNotFoundError(
                f"{self._api_url} has no such project{text}. Make it there, or correct project=…"
            )
        if code == "Run.NotFound":
            return RunNotFoundError(f"{self._api_url} has no such run{text}.")
        if 400 <= answer.status < 500 and answer.status not in _RETRYABLE:
            message = f"{self._api_url} answered {answer.status}{text}"
            return RemoteRefusedError(message, status=answer.status, code=code)
        if 300 <= answer.status < 400:
            return self.strange(f"a redirect ({answer.status}), which is not followed")
        return RemoteError(
            f"{self._api_url} answered {answer.status}{text}", retry_after_seconds=answer.retry_after_seconds
        )

    def as_json(self, answer: Response) -> Any:
        """The JSON document in an answer."""
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self.strange("no JSON") from None

    def field(self, answer: object, name: str) -> str:
        """A text in a JSON object that must be there."""
        value = answer.get(name) if isinstance(answer, dict) else None
        if not isinstance(value, str) or not value:
            raise self.strange(f"nothing called {name!r}")
        return value

    def column(self, answer: object, name: str) -> list[str]:
        """The same text of each object in a JSON array."""
        if not isinstance(answer, list):
            raise self.strange("no list")
        return [self.field(item, name) for item in answer]

    def strange(self, what: str) -> RemoteError:
        """The error for an answer that no Goodseed server gives."""
        return RemoteError(f"{self._api_url} gave {what}: it is not a Goodseed server, or a proxy answers in its place")


def _explanation(body: bytes) -> tuple[str, str]:
    """The code of an error, and the text to show for it."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(content, dict):
        return "", ""
    said = [text for key in ("title", "detail") if (text := harmless(content.get(key)))]
    return str(content.get("error_code") or ""), f" ({': '.join(said)})" if said else ""


def harmless(text: object) -> str:
    """A text of the remote in one line, without control characters."""
    shown = text[:_MAX_DETAIL] if isinstance(text, str) else ""
    return "".join(character if character.isprintable() else " " for character in shown).strip().rstrip(".")
