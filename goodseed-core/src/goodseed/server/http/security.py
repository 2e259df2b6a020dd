"""Checks hosts, origins and the access token of a request."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final

from goodseed.server.routes import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PAGE_HEADERS", "SAFE_METHODS", "Policy", "is_loopback"]

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Nothing inline, nothing from elsewhere, in no frame: text of a run that got into the page as markup would do nothing.
_CONTENT_SECURITY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PAGE_HEADERS: Final = {
    "Content-Security-Policy": _CONTENT_SECURITY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address without a port, is this machine and no other can reach it."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Policy:
    """What a server allows.

    Attributes:
        is_token_required: Every request needs the token: the server can be reached from other machines.
        allowed_hosts: Further names in ``Host``, lower-case, beside those of the loopback.
        cors_origins: The origins whose pages may read the specification's endpoints; empty for any.
        token: The secret of this start.
        cookie: The name of the cookie that holds it; cookies are shared by all ports of a host.
    """

    is_token_required: bool = False
    allowed_hosts: frozenset[str] = frozenset()
    cors_origins: frozenset[str] = frozenset()
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    cookie: str = "goodseed"

    def check_host(self, host: str | None) -> None:
        """Refuse a name that could be anybody's: with DNS rebinding, a foreign page's own name leads here.

        Raises:
            RequestError: ``Host`` is missing, or none of ours.
        """
        name = _host_name(host)
        if name is None:
            raise RequestError("The Host header is missing or malformed", code="bad_host")
        if is_loopback(name) or name in self.allowed_hosts:
            return
        if self.is_token_required and (_is_address(name) or name == socket.gethostname().lower()):
            return
        raise RequestError(
            f"The host {name[:100]!r} is not allowed",
            status=403,
            code="bad_host",
            hint="Start goodseed serve with --allowed-host NAME.",
        )

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Refuse a request without the token, where every request needs it.

        Raises:
            RequestError: It has none, or another.
        """
        if self.is_token_required and not self.has_token(headers):
            raise RequestError(
                "The token is missing or wrong",
                status=401,
                code="no_token",
                hint="Open the link that goodseed serve printed, or send the header Authorization: Bearer TOKEN.",
            )

    def check_same_origin(self, headers: Mapping[str, str]) -> None:
        """Refuse what a page of another origin sends.

        Raises:
            RequestError: ``Origin`` or ``Sec-Fetch-Site`` names another.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        host = headers.get("host", "").lower()
        own = (None, f"http://{host}", f"https://{host}")  # https: behind a proxy that ends TLS
        if site not in (None, "same-origin", "none") or (origin and origin.lower()) not in own:
            raise RequestError("Only pages of this server may request this", status=403, code="foreign_origin")

    def check_change(self, headers: Mapping[str, str]) -> None:
        """Refuse a change that is requested neither by our own page nor with the token.

        Raises:
            RequestError: The origin or the token is not ours.
        """
        self.check_same_origin(headers)
        if not self.has_token(headers):
            raise RequestError(
                "A change needs the token of this server",
                status=401,
                code="no_token",
                hint="Pages get it in a cookie with the page; others send it as Authorization: Bearer TOKEN.",
            )

    def has_token(self, headers: Mapping[str, str]) -> bool:
        """Whether the request carries the token: as a bearer, in our header, or in the cookie."""
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(credentials.strip()):
            return True
        return self.is_token(headers.get("x-goodseed-token", "")) or self.is_token(self._cookie(headers))

    def is_token(self, text: str) -> bool:
        """Whether ``text`` is the token; takes the same time whatever it is."""
        return hmac.compare_digest(text.encode("utf-8", "replace"), self.token.encode())

    def _cookie(self, headers: Mapping[str, str]) -> str:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return morsel.value if morsel is not None else ""

    def set_cookie(self) -> str:
        """The ``Set-Cookie`` that gives the token to our own page, and to no script."""
        return f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"

    def cors_headers(self, origin: str | None) -> dict[str, str]:
        """What lets a page of ``origin`` read the answer; nothing where it may not."""
        if not self.cors_origins:
            return {"Access-Control-Allow-Origin": "*"}
        vary = {"Vary": "Origin"}
        return {"Access-Control-Allow-Origin": origin, **vary} if origin and origin in self.cors_origins else vary

    def preflight_headers(self, origin: str | None) -> dict[str, str]:
        """What answers a browser that asks before it reads."""
        return {
            **self.cors_headers(origin),
            "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": "600",
        }


def _host_name(host: str | None) -> str | None:
    """The name in a ``Host`` header, lower-case and without port and brackets."""
    if not host or any(character in "/\\@?#%, " for character in host) or not host.isprintable():
        return None
    name, bracket, port = host.rpartition("]")
    if bracket:
        name = name.removeprefix("[")
        is_well_formed = host.startswith("[") and (not port or port.startswith(":")) and _is_address(name)
        port = port.removeprefix(":")
    else:
        name, _, port = host.partition(":")
        is_well_formed = bool(name)
    if not is_well_formed or (port and not (port.isascii() and port.isdecimal() and len(port) <= 5)):
        return None
    return name.lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
