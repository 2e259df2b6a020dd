"""Turns requests into answers: authentication, rate limits, sizes, errors."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, final
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from goodseed.errors import RunInUseError, RunNotFoundError
from goodseed.server.http.security import SAFE_METHODS
from goodseed_hub.errors import ApiError
from goodseed_hub.limits import MemoryBudget, MemoryGate
from goodseed_hub.web.api import admin, runs, workspaces
from goodseed_hub.web.api.openapi import make_document
from goodseed_hub.web.calls import Call, Endpoint, Reply
from goodseed_hub.web.reading import drain, read_body
from goodseed_hub.wire.bodies import announced_bytes, decompress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from goodseed_hub.registry.caller import Caller
    from goodseed_hub.service import Hub
    from goodseed_hub.web.page.dashboard import Dashboard

__all__ = ["ENDPOINTS", "HubApp", "make_app"]

ENDPOINTS: Final[tuple[Endpoint, ...]] = (*runs.ENDPOINTS, *workspaces.ENDPOINTS, *admin.ENDPOINTS)

_PATTERNS: Final = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", endpoint.pattern)), endpoint) for endpoint in ENDPOINTS]
_logger: Final = logging.getLogger("goodseed")
_WRITERS: Final = 24
_READERS: Final = 16
_MAX_PARAMETERS: Final = 100
_BUSY_SECONDS: Final = 2.0
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_encode: Final = msgspec.json.Encoder().encode
_Answer = TypeVar("_Answer")


def make_app(hub: Hub, dashboard: Dashboard | None = None) -> HubApp:
    """The application that serves ``hub``."""
    server = _Server(hub, dashboard)
    routes = [Route(endpoint.pattern, server.handler(endpoint), methods=[endpoint.method]) for endpoint in ENDPOINTS]
    document = make_document(ENDPOINTS)
    routes += [
        Route("/api/v1/openapi.json", lambda request: JSONResponse(document), methods=["GET"]),
        Route("/healthz", lambda request: JSONResponse({"status": "ok"}), methods=["GET"]),
        Route("/{path:path}", server.answer_other, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http_error, Exception: server.unknown_error})
    return HubApp(app, server.close)


@final
class HubApp:
    """The application; routes see the path as it was sent, as a project's name may hold an encoded slash."""

    def __init__(self, app: ASGIApp, close: Callable[[], None]) -> None:
        self._app: Final = app
        self._close: Final = close

    def close(self) -> None:
        """Wait for what is being done in threads."""
        self._close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            raw = scope.get("raw_path") or scope["path"].encode()
            path = raw.decode("ascii", "replace").partition("?")[0]
            # The reference's client sends //api where its address ends with a slash.
            scope = {**scope, "path": "/" + path.lstrip("/") if path.startswith("//") else path}
        await self._app(scope, receive, send)


@final
class _Server:
    """Answers requests out of a hub."""

    def __init__(self, hub: Hub, dashboard: Dashboard | None) -> None:
        self._hub: Final = hub
        self._dashboard: Final = dashboard
        self._budget: Final = MemoryBudget(hub.limits.max_waiting_bytes)
        self._gate: Final = MemoryGate(hub.limits.max_decoding_bytes)
        self._writers: Final = ThreadPoolExecutor(_WRITERS, "goodseed-hub-write")
        self._readers: Final = ThreadPoolExecutor(_READERS, "goodseed-hub-read")
        self._reported: Final[set[str]] = set()

    def close(self) -> None:
        """Wait for the threads."""
        self._writers.shutdown()
        self._readers.shutdown()

    def handler(self, endpoint: Endpoint) -> Callable[[Request], Any]:
        """What Starlette calls for an endpoint."""
        pool = self._readers if endpoint.method == "GET" else self._writers

        async def handle(request: Request) -> Response:
            try:
                return await self._answer(endpoint, request, pool)
            except ClientDisconnect:
                return Response(status_code=400)
            except Exception as error:  # noqa: BLE001 - becomes a 5xx with a JSON body, and is logged
                return self._error(request, error)

        return handle

    async def _answer(self, endpoint: Endpoint, request: Request, pool: ThreadPoolExecutor) -> Response:
        try:
            caller = await self._caller(request)
        except ApiError:
            await drain(request, self._hub.limits)
            raise
        counted = 0

        def take(count: int) -> None:
            nonlocal counted
            if not self._budget.take(caller.key_id, 2 * count):  # the chunks, and the body that is made of them
                raise ApiError(
                    503,
                    "Server.Busy",
                    "Busy",
                    "Too many requests are being answered.",
                    retry_after_seconds=_BUSY_SECONDS,
                )
            counted += 2 * count

        try:
            body = await read_body(request, self._hub.limits, take) if endpoint.has_body else b""
            return await _in_thread(pool, lambda: self._respond(endpoint, request, caller, body))
        finally:
            if counted:
                self._budget.give_back(caller.key_id, counted)

    def _respond(self, endpoint: Endpoint, request: Request, caller: Caller, body: bytes) -> Response:
        with self._plain(body, request.headers.get("content-encoding", "")) as plain:
            call = Call(
                hub=self._hub,
                caller=caller,
                path={name: _unquoted(value) for name, value in request.path_params.items()},
                query=_query(request),
                body=plain,
                content_type=request.headers.get("content-type", ""),
            )
            return _as_response(endpoint.handler(call))

    @contextmanager
    def _plain(self, body: bytes, encoding: str) -> Iterator[bytes]:
        """The decompressed body, counted among those that are in memory."""
        limit = self._hub.limits.max_plain_bytes
        expected = min(limit, announced_bytes(body, encoding)) if body else 0
        with ExitStack() as held:
            keep = held.enter_context(self._gate.holding(expected))
            try:
                plain = decompress(body, encoding, expected) if body else b""
            except ApiError as error:
                if error.status != 413 or expected == limit:
                    raise
                held.close()  # it says less than it holds, as one of several members does
                keep = held.enter_context(self._gate.holding(limit))
                plain = decompress(body, encoding, limit)
            keep(len(plain))
            yield plain

    async def _caller(self, request: Request) -> Caller:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        key = credentials.strip() if scheme.lower() == "bearer" else ""
        caller = None
        if key:
            caller = await _in_thread(self._readers, lambda: self._hub.access.caller(key))
        if caller is None:
            detail = "The API key is missing." if not key else "The API key is wrong, or was revoked."
            raise ApiError(401, "Auth.Invalid", "Not authenticated", detail)
        wait_seconds = self._hub.rates.wait_seconds(caller.key_id)
        if wait_seconds:
            raise ApiError(
                429, "Rate.Exceeded", "Too many requests",
                f"A key can make at most {self._hub.limits.requests_a_second:g} requests a second.",
                retry_after_seconds=max(1.0, wait_seconds),
            )  # fmt: skip
        return caller

    # -- everything else ------------------------------------------------------------------------------------------

    async def answer_other(self, request: Request) -> Response:
        """A page of the dashboard, or nothing."""
        path = request.scope["path"]
        allowed = sorted({endpoint.method for pattern, endpoint in _PATTERNS if pattern.fullmatch(path)})
        if allowed:
            answer = self._error(
                request,
                ApiError(405, "Route.BadMethod", "Method not allowed", "This address does not take this method."),
            )
            answer.headers["Allow"] = ", ".join(allowed)
            return answer
        if self._dashboard is None or path.startswith("/api/v1/"):
            return self._error(
                request, ApiError(404, "Route.NotFound", "Not found", "There is nothing at this address.")
            )
        try:
            dashboard = self._dashboard
            refused = await _in_thread(self._readers, lambda: dashboard.refusal(request))
            if refused is not None:
                return refused
            has_body = request.method not in SAFE_METHODS
            body = await read_body(request, dashboard.limits) if has_body else b""
            return await _in_thread(self._readers, lambda: dashboard.respond(request, body))
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - becomes a 5xx with a JSON body, and is logged
            return self._error(request, error)

    # -- faults ---------------------------------------------------------------------------------------------------

    async def unknown_error(self, request: Request, error: Exception) -> Response:
        """The answer to a request that failed outside of an endpoint."""
        return self._error(request, error)

    def _error(self, request: Request, error: Exception) -> Response:
        known = error if isinstance(error, ApiError) else self._as_api_error(request, error)
        content = {"error_code": known.code, "title": known.title, "detail": known.detail}
        headers = dict(_HEADERS)
        if known.retry_after_seconds is not None:
            headers["Retry-After"] = str(max(1, round(known.retry_after_seconds)))
        if known.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(content, known.status, headers)

    def _as_api_error(self, request: Request, error: Exception) -> ApiError:
        if isinstance(error, RunNotFoundError):
            return ApiError.run_not_found()
        if isinstance(error, RunInUseError):
            return ApiError(503, "Run.InUse", "Busy", "The run's file is in use.", retry_after_seconds=1.0)
        if isinstance(error, UnicodeEncodeError) or _is_refused_by_postgres(error):
            return ApiError.bad_request("The request holds NUL, or text that is not valid Unicode.", "Text.Invalid")
        self._report(request, error)
        if isinstance(error, (OSError, sqlite3.Error)) or type(error).__module__.startswith("psycopg"):
            return ApiError(
                503, "Store.Unavailable", "Not stored", "The hub can't reach its data now.", retry_after_seconds=5.0
            )
        return ApiError(500, "Server.Error", "Internal error", "The hub failed; its log says why.")

    def _report(self, request: Request, error: Exception) -> None:
        """Log each kind of fault once."""
        kind = f"{type(error).__name__}: {error}"[:200]
        if kind not in self._reported and len(self._reported) < 1000:
            self._reported.add(kind)
            _logger.error(
                "goodseed: %s %.200s failed: %s (reported once).",
                request.method, request.scope["path"], kind, exc_info=error,
            )  # fmt: skip


def _is_refused_by_postgres(error: Exception) -> bool:
    """Whether the database can't hold a value: psycopg is there only where it is used."""
    return any(kind.__module__.startswith("psycopg") and kind.__name__ == "DataError" for kind in type(error).__mro__)


async def _in_thread(pool: ThreadPoolExecutor, action: Callable[[], _Answer]) -> _Answer:
    return await asyncio.get_running_loop().run_in_executor(pool, action)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    code, title = {
        404: ("Route.NotFound", "Not found"), 405: ("Route.BadMethod", "Method not allowed"),
    }.get(status, ("Request.Invalid", "Bad request"))  # fmt: skip
    return JSONResponse({"error_code": code, "title": title, "detail": title}, status, {**_HEADERS, **headers})


def _unquoted(text: str) -> str:
    try:
        found = unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise ApiError.bad_request("The address is not valid UTF-8.", "Path.Invalid") from error
    if "\0" in found:
        raise ApiError.bad_request("The address holds NUL.", "Path.Invalid")
    return found


def _query(request: Request) -> dict[str, str]:
    try:
        return dict(
            parse_qsl(
                request.scope["query_string"].decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_MAX_PARAMETERS,
            )
        )
    except ValueError as error:
        raise ApiError.bad_request("The query is malformed.", "Query.Invalid") from error


def _as_response(reply: Reply) -> Response:
    if reply.status == 204:
        return Response(status_code=204, headers=_HEADERS)
    if isinstance(reply.content, (dict, list)):
        return Response(_encode(reply.content), reply.status, _HEADERS, "application/json")
    chunks: Iterator[bytes] = reply.content
    return StreamingResponse(chunks, reply.status, _HEADERS, "application/json")
