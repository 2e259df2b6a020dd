"""Turns requests into answers, without sockets: routes, permissions, errors and headers."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlencode

from goodseed.errors import FileFormatError, RunInUseError, RunNotFoundError
from goodseed.server import openapi
from goodseed.server.api import api
from goodseed.server.dashboard.routes import ROUTES as DASHBOARD_ROUTES
from goodseed.server.encoding import Chunks, json_text
from goodseed.server.http.security import PAGE_HEADERS, SAFE_METHODS
from goodseed.server.routes import JSON, Answer, Request, RequestError, Route

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from goodseed.server.http.security import Policy
    from goodseed.server.http.static import Pages
    from goodseed.server.routes import Store

__all__ = ["ROUTES", "Application", "Call", "Response"]

_logger: Final = logging.getLogger("goodseed")
_MAX_PARAMETERS: Final = 1000
_UI: Final = "/api/ui/"
_BAD_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_NOWHERE: Final = re.compile(r"[\x00-\x1f\x7f\\]|//|/\.{1,2}(/|$)")

_DOCUMENTED: Final[tuple[Route, ...]] = (*api.ROUTES, *DASHBOARD_ROUTES)
ROUTES: Final[tuple[Route, ...]] = (*_DOCUMENTED, openapi.make_route(_DOCUMENTED))


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came: ``target`` as sent, ``headers`` with lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(slots=True)
class Response:
    """A response: ``content`` is whole, or comes in chunks and must be closed."""

    status: int
    content: bytes | Chunks = b""
    headers: dict[str, str] = field(default_factory=dict)


class Application:
    """Answers calls out of a store; for any number of threads."""

    def __init__(self, store: Store, policy: Policy, pages: Pages, routes: Sequence[Route] = ROUTES) -> None:
        self._store: Final = store
        self._policy: Final = policy
        self._pages: Final = pages
        self._routes: Final = [(_compile(route.pattern), route) for route in routes]
        self._reported: Final[set[str]] = set()

    def respond(self, call: Call) -> Response:
        """The response to ``call``; a fault of any kind is a response too."""
        path = call.target.partition("?")[0]
        try:
            self._policy.check_host(call.headers.get("host"))
            path, query = _decode(call.target)
            if path.startswith("/api/") or path == "/api":
                response = self._respond_api(call, path, query)
            else:
                response = self._respond_page(call, path, query)
        except Exception as error:  # noqa: BLE001 - becomes a 5xx with a JSON body, and is logged
            response = self._error(call, path, error)
        return self._finish(call, response)

    def fault(self, status: int, message: str) -> Response:
        """The response to an invalid request."""
        return self._complete(Response(status, _encode({"error": message}), {"Content-Type": JSON}))

    # -- the API --------------------------------------------------------------------------------------------------

    def _respond_api(self, call: Call, path: str, query: Mapping[str, Sequence[str]]) -> Response:
        found = [(match, route) for pattern, route in self._routes if (match := pattern.fullmatch(path))]
        is_public = any(route.is_public for _, route in found)
        if call.method == "OPTIONS" and found:
            allowed = {"Allow": _methods(found)}
            origin = call.headers.get("origin")
            return Response(204, headers={**allowed, **(self._policy.preflight_headers(origin) if is_public else {})})
        self._policy.check_token(call.headers)
        if not found:
            raise RequestError("Not found", status=404, code="not_found")
        wanted = "GET" if call.method == "HEAD" else call.method
        match, route = next((one for one in found if one[1].method == wanted), (None, None))
        if match is None or route is None:
            raise _MethodError(_methods(found))
        if route.changes_state:
            self._policy.check_change(call.headers)
            self._store.check_change(match.groupdict().get("project"))
        elif not route.is_public:
            self._policy.check_same_origin(call.headers)
        request = Request(match.groupdict(), query, _decode_body(call), call.headers)
        return _as_response(route.handler(self._store, request))

    # -- pages ----------------------------------------------------------------------------------------------------

    def _respond_page(self, call: Call, path: str, query: Mapping[str, Sequence[str]]) -> Response:
        if call.method not in SAFE_METHODS:
            raise _MethodError("GET, HEAD, OPTIONS")
        if call.method == "OPTIONS":
            return Response(204, headers={"Allow": "GET, HEAD, OPTIONS"})
        if "token" in query and self._policy.is_token(query["token"][0]):
            # Out of the address bar, the history and what is sent on as a referrer.
            rest = urlencode([(name, value) for name, values in query.items() if name != "token" for value in values])
            here = call.target.partition("?")[0] + (f"?{rest}" if rest else "")
            return Response(303, headers={"Location": here, "Set-Cookie": self._policy.set_cookie()})
        self._policy.check_token(call.headers)
        response = _as_response(self._pages.answer(self._store, path, query))
        is_page = response.headers["Content-Type"].startswith("text/html")
        if is_page and call.headers.get("sec-fetch-site") != "cross-site" and not self._policy.has_token(call.headers):
            response.headers["Set-Cookie"] = self._policy.set_cookie()
        return response

    # -- faults ---------------------------------------------------------------------------------------------------

    def _error(self, call: Call, path: str, error: Exception) -> Response:
        status, code, hint = 500, "internal", ""
        details: Mapping[str, object] = {}
        message = "The server could not answer this; its console says why"
        headers = {"Content-Type": JSON}
        if isinstance(error, RequestError):
            status, code, hint, details, message = error.status, error.code, error.hint, error.details, str(error)
            if isinstance(error, _MethodError):
                headers["Allow"] = error.allowed
            if status == 401:
                headers["WWW-Authenticate"] = "Bearer"
        elif isinstance(error, (RunNotFoundError, FileNotFoundError)):
            status, code, message = 404, "not_found", str(error) if isinstance(error, RunNotFoundError) else "Not found"
        elif isinstance(error, RunInUseError):
            status, code, message = 409, "run_in_use", str(error)
        elif isinstance(error, (FileFormatError, sqlite3.Error)):
            status, code, message = 422, "damaged_file", f"The run's file can't be used: {error}"
        else:
            self._report(call, error)
        if path.startswith(_UI):
            body: dict[str, object] = {"error": {**details, "code": code, "message": message, "hint": hint}}
        else:
            body = {"error": message if not hint else f"{message}. {hint}"}
        return Response(status, _encode(body), headers)

    def _report(self, call: Call, error: Exception) -> None:
        """Log each kind of fault once."""
        kind = f"{type(error).__name__}: {error}"[:200]
        if kind not in self._reported and len(self._reported) < 100:
            self._reported.add(kind)
            _logger.error("goodseed: %.200s failed: %s (reported once).", call.target, kind, exc_info=error)

    # -- what HTTP adds -------------------------------------------------------------------------------------------

    def _finish(self, call: Call, response: Response) -> Response:
        path = call.target.partition("?")[0]
        is_public = call.method in SAFE_METHODS and any(
            route.is_public and pattern.fullmatch(unquote(path)) for pattern, route in self._routes
        )
        if is_public and "Access-Control-Allow-Origin" not in response.headers:
            response.headers |= self._policy.cors_headers(call.headers.get("origin"))
        self._complete(response)
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin" if is_public else "same-origin"
        if response.status == 200 and call.method in ("GET", "HEAD") and isinstance(response.content, bytes):
            tag = response.headers.setdefault("ETag", _tag(response.content))
            if _is_known(tag, call.headers.get("if-none-match", "")):
                response.status, response.content = 304, b""
        return response

    def _complete(self, response: Response) -> Response:
        is_private = "private, " if self._policy.is_token_required else ""
        response.headers = {**PAGE_HEADERS, "Cache-Control": f"{is_private}no-cache", **response.headers}
        return response


class _MethodError(RequestError):
    def __init__(self, allowed: str) -> None:
        super().__init__("Method not allowed", status=405, code="bad_method")
        self.allowed: Final = allowed


def _methods(found: list[tuple[re.Match[str], Route]]) -> str:
    methods = {route.method for _, route in found} | {"OPTIONS"}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _compile(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(:path)?\}", pattern)
    compiled = re.escape(parts[0])
    for name, is_path, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        compiled += f"(?P<{name}>{'.+' if is_path else '[^/]+'}){re.escape(literal)}"
    return re.compile(compiled)


def _decode(target: str) -> tuple[str, dict[str, list[str]]]:
    """The path, and the parameters of the query; each decoded once.

    Raises:
        RequestError: They are not valid text, or the path leads elsewhere.
    """
    path, _, query = target.partition("?")
    try:
        decoded = unquote(path, errors="strict")
        parameters = parse_qs(query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise RequestError("The address is not valid UTF-8, or has too many parameters", code="bad_path") from error
    is_plain = target.startswith("/") and target.isascii() and target.isprintable() and "#" not in target
    if not is_plain or _BAD_ESCAPE.search(path):
        raise RequestError("The address is malformed", code="bad_path")
    if _NOWHERE.search(decoded):
        raise RequestError("Not found", status=404, code="not_found")
    return decoded, parameters


def _decode_body(call: Call) -> Any:
    if not call.body or call.method in SAFE_METHODS:
        return None
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise RequestError(
            "The body must be JSON", status=415, code="bad_body", hint="Send it with Content-Type: application/json."
        )
    try:
        return json.loads(call.body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RequestError("The body is not valid JSON", code="bad_body") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _as_response(answer: Answer) -> Response:
    content = answer.content
    headers = {"Content-Type": answer.content_type, **answer.headers}
    if isinstance(content, bytes):
        return Response(answer.status, content, headers)
    if content is None and answer.status in (204, 304):
        return Response(answer.status, headers=dict(answer.headers))
    if content is None or isinstance(content, (dict, list, tuple, str, int, float)):
        return Response(answer.status, _encode(content), headers)
    # The first chunk shows whether there is an answer at all, while another status can still be sent.
    chunks = iter(content)
    return Response(answer.status, Chunks([next(chunks, b"")], chunks), headers)


def _encode(value: Any) -> bytes:
    return json_text(value).encode()


def _tag(content: bytes) -> str:
    return f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


def _is_known(tag: str, known: str) -> bool:
    wanted = tag.removeprefix("W/")
    return known.strip() == "*" or any(one.strip().removeprefix("W/") == wanted for one in known.split(","))
