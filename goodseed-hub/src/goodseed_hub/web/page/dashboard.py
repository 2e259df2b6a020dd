"""Serves the dashboard over the runs that a session may see, behind a sign-in."""

from __future__ import annotations

import gzip
import hmac
import re
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, final
from urllib.parse import parse_qsl, quote

import msgspec
from starlette.responses import Response, StreamingResponse

from goodseed.server.http.app import Application
from goodseed.server.http.app import Call as UiCall
from goodseed.server.http.security import PAGE_HEADERS, SAFE_METHODS, Policy
from goodseed.server.http.static import Pages
from goodseed_hub.limits import RateLimiter
from goodseed_hub.registry.caller import Caller
from goodseed_hub.web.page.sign_in import STYLE, again_page, sign_in_page
from goodseed_hub.web.page.visible import AllRuns, VisibleRuns
from goodseed_hub.web.page.warming import Warming

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from goodseed.server.http.app import Response as UiResponse
    from goodseed_hub.service import Hub

__all__ = ["COOKIE", "Dashboard"]

COOKIE: Final = "goodseed-hub"
_CSRF_HEADER: Final = "x-goodseed-csrf"
_MAX_BODY_BYTES: Final = 1 << 20
_MAX_APPLICATIONS: Final = 64
_SIGN_INS_A_SECOND: Final = 1.0
_SIGN_IN_BURST: Final = 20
_MIN_COMPRESSED_BYTES: Final = 1024
_COMPRESSED: Final = re.compile(r"text/|application/(json|javascript)|image/svg")
_HTML: Final = "text/html; charset=utf-8"
_PRIVATE: Final = {**PAGE_HEADERS, "Cache-Control": "no-store"}
_NOBODY: Final = Caller("", "", is_admin=False)
_LOCAL_PATH: Final = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*", re.ASCII)


class _HubPolicy(Policy):
    """The caller is authenticated before the handlers are called, and pages of other origins may read nothing."""

    def check_host(self, host: str | None) -> None:
        """Accept any: with DNS rebinding, a request under a foreign name carries no session cookie."""

    def check_token(self, headers: Mapping[str, str]) -> None:
        """It was checked."""

    def check_change(self, headers: Mapping[str, str]) -> None:
        """It was checked."""

    def has_token(self, headers: Mapping[str, str]) -> bool:
        """It was checked."""
        return True

    def is_token(self, text: str) -> bool:
        """There is none: keys and sessions are the hub's."""
        return False

    def cors_headers(self, origin: str | None) -> dict[str, str]:
        """No other origin."""
        return {}


@final
class Dashboard:
    """Answers every request outside of the protocol; for any number of threads.

    Attributes:
        limits: Of its requests.
    """

    def __init__(self, hub: Hub) -> None:
        self.limits: Final = replace(hub.limits, max_body_bytes=_MAX_BODY_BYTES)
        self._hub: Final = hub
        self._runs: Final = AllRuns(hub)
        self._warming: Final = Warming(self._runs)
        self._pages: Final = Pages()
        self._policy: Final = _HubPolicy(is_token_required=True)
        self._sign_ins: Final = RateLimiter(_SIGN_INS_A_SECOND, _SIGN_IN_BURST)
        self._lock: Final = threading.Lock()
        self._applications: Final[OrderedDict[tuple[frozenset[str], frozenset[str]], Application]] = OrderedDict()

    def start(self) -> None:
        """Begin to read ahead what will be asked of runs that end."""
        self._hub.when_ended(self._warming.note)
        self._warming.start()

    def close(self) -> None:
        """Close the files that are open."""
        self._warming.close()
        self._runs.close()

    def refusal(self, request: Request) -> Response | None:
        """The answer to a caller who may not send a body, before it is read."""
        if request.method in SAFE_METHODS or request.scope["path"] == "/login":
            return None
        return None if self._caller(request, _cookie(request)) is not None else _not_signed_in(request)

    def respond(self, request: Request, body: bytes) -> Response:
        """The answer to a request."""
        path = request.scope["path"]
        if path == "/login":
            return self._answer_sign_in(request, body)
        if path == "/login.css":
            return Response(STYLE, 200, dict(PAGE_HEADERS), "text/css; charset=utf-8")
        token = _cookie(request)
        caller = self._caller(request, token)
        if path.startswith("/assets/") and request.method in SAFE_METHODS:
            return self._answer(request, body, _NOBODY if caller is None else caller)
        if caller is None:
            return _not_signed_in(request)
        if request.method not in SAFE_METHODS:
            problem = _forgery(request, caller)
            if problem:
                return _api_error(403, "foreign_origin", problem)
        if path == "/logout" and request.method == "POST":
            self._hub.access.end_session(token)
            return _redirect("/login", f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
        if path == "/api/ui/session" and request.method == "GET":
            content = {"user": caller.user, "roles": dict(caller.roles), "csrf": caller.csrf}
            return Response(msgspec.json.encode(content), 200, _PRIVATE, "application/json")
        wait_seconds = self._hub.rates.wait_seconds(caller.key_id)
        if wait_seconds:
            return _api_error(429, "too_many", "Too many requests", {"Retry-After": str(max(1, round(wait_seconds)))})
        return self._answer(request, body, caller)

    def _caller(self, request: Request, token: str) -> Caller | None:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._hub.access.caller(credentials.strip())
        return self._hub.access.session_caller(token) if token else None

    # -- the core's handlers --------------------------------------------------------------------------------------

    def _answer(self, request: Request, body: bytes, caller: Caller) -> Response:
        query = request.scope["query_string"].decode("ascii", "replace")
        target = request.scope["path"] + (f"?{query}" if query else "")
        headers = {name: value for name, value in request.headers.items() if name not in ("authorization", "cookie")}
        answered = self._application(caller).respond(UiCall(request.method, target, headers, body))
        return _as_response(request, answered)

    def _application(self, caller: Caller) -> Application:
        visible = frozenset(caller.roles)
        writable = frozenset(name for name in visible if caller.may("member", name))
        with self._lock:
            application = self._applications.pop((visible, writable), None)
            if application is None:
                store = VisibleRuns(self._runs, visible, writable)
                application = Application(store, self._policy, self._pages)
            self._applications[visible, writable] = application
            while len(self._applications) > _MAX_APPLICATIONS:
                self._applications.popitem(last=False)
            return application

    # -- signing in -----------------------------------------------------------------------------------------------

    def _answer_sign_in(self, request: Request, body: bytes) -> Response:
        if request.method == "GET":
            return _page(sign_in_page(_local(dict(request.query_params).get("next", "/"))))
        if request.method != "POST":
            return _api_error(405, "bad_method", "Method not allowed", {"Allow": "GET, POST"})
        if _is_foreign(request):
            return _api_error(403, "foreign_origin", "Only pages of this server may request this")
        address = request.client.host if request.client is not None else ""
        form = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10)) if body.count(b"&") < 10 else {}
        next_path = _local(form.get("next", "/"))
        if self._sign_ins.wait_seconds(address):
            return _page(sign_in_page(next_path, "Too many tries: wait a moment."), 429)
        session = self._hub.access.begin_session(form.get("key", "").strip())
        if session is None:
            return _page(sign_in_page(next_path, "This key is not valid."), 401)
        token, seconds = session
        secure = "; Secure" if request.url.scheme == "https" else ""
        cookie = f"{COOKIE}={token}; Path=/; Max-Age={seconds:.0f}; HttpOnly; SameSite=Strict{secure}"
        return _redirect(next_path, cookie)


def _as_response(request: Request, answered: UiResponse) -> Response:
    headers = answered.headers
    content = answered.content
    if request.method == "HEAD" or answered.status in (204, 304):
        if not isinstance(content, bytes):
            content.close()
        return Response(b"", answered.status, headers)
    if not isinstance(content, bytes):
        return StreamingResponse(content.to_the_end(), answered.status, headers)
    is_small = len(content) < _MIN_COMPRESSED_BYTES or "Content-Encoding" in headers
    if not is_small and _COMPRESSED.match(headers.get("Content-Type", "")):
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            content = gzip.compress(content, 1, mtime=0)
            headers["Content-Encoding"] = "gzip"
    return Response(content, answered.status, headers)


def _cookie(request: Request) -> str:
    # Not by http.cookies: one odd cookie, of any application on this host, and it finds none of those behind.
    pairs = (part.partition("=") for part in request.headers.get("cookie", "").split(";"))
    return next((value.strip().strip('"') for name, _, value in pairs if name.strip() == COOKIE), "")


def _is_foreign(request: Request) -> bool:
    """Whether a page of another origin sent this, or the request does not say where it came from."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    host = request.headers.get("host", "").lower()
    if site is not None:  # the browser itself says so, and a form of a page without a referrer has the origin "null"
        return site != "same-origin"
    if origin is not None:
        return origin.lower() not in (f"http://{host}", f"https://{host}")
    return True


def _forgery(request: Request, caller: Caller) -> str:
    """Why a change is refused that only carries a cookie; empty where it is not."""
    if not caller.csrf:  # a key was sent, which no browser does by itself
        return ""
    token = request.headers.get(_CSRF_HEADER)
    if token is not None:
        return "" if hmac.compare_digest(token.encode(), caller.csrf.encode()) else "The CSRF token is wrong"
    return "Only pages of this server may request this" if _is_foreign(request) else ""


def _not_signed_in(request: Request) -> Response:
    path = request.scope["path"]
    if path.startswith("/api/") or request.method not in SAFE_METHODS:
        return _api_error(401, "no_session", "Sign in, or send the header Authorization: Bearer KEY")
    if request.headers.get("sec-fetch-site") == "cross-site":
        return _page(again_page())
    query = request.scope["query_string"].decode("ascii", "replace")
    return _redirect("/login?next=" + quote(path + (f"?{query}" if query else ""), safe="/"))


def _api_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    content = msgspec.json.encode({"error": {"code": code, "message": message, "hint": ""}})
    return Response(content, status, {**_PRIVATE, **(headers or {})}, "application/json")


def _page(content: bytes, status: int = 200) -> Response:
    # Where a browser tells no more, its form has to tell its origin, which it does not under "no-referrer".
    return Response(content, status, {**_PRIVATE, "Referrer-Policy": "same-origin", "Content-Type": _HTML})


def _redirect(path: str, cookie: str = "") -> Response:
    return Response(b"", 303, {**_PRIVATE, "Location": path, **({"Set-Cookie": cookie} if cookie else {})})


def _local(path: str) -> str:
    """``path`` where it leads to this server, else the start."""
    return path if _LOCAL_PATH.fullmatch(path) else "/"
