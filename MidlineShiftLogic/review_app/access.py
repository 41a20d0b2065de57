"""Decide who may use the server: a token in the address, a password from other machines, and only this page's requests."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from MidlineShiftLogic.errors import InputError

COOKIE = "midlineshift-review"
"""Name of the cookie of who may use the review."""
ADDRESS_COOKIE = "midlineshift-review-address"
"""Name of the cookie of who opened the printed address and has yet to give the password."""
TOKEN_BYTES = 24
TOKEN_FILE = ".token"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOGIN_PATHS = ("/login", "/page/style.css")
WRONG_PASSWORDS = 20
"""After so many wrong passwords the server takes none until it is started anew."""
FORM_SECONDS = 30.0
"""A form has a few hundred bytes; whoever sends it slower is not waited for."""


class Access:
    """Check every request.

    Args:
        token: Secret in the address.
        password: Wanted beside the token from a page; "" on loopback.
    """

    def __init__(self, token: str, password: str = ""):
        self._token, self._password = token, password
        self._session = secrets.token_urlsafe(TOKEN_BYTES) if password else token
        self._wrong = 0

    @web.middleware
    async def check(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer 403 without the token, 400 to requests that another page caused; set the security headers."""
        try:
            response = await self._checked(request, handler)
        except web.HTTPException as error:
            error.headers.update(HEADERS)
            raise
        if not response.prepared:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    async def _checked(self, request: web.Request, handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and _host_of(origin) != request.host:
            raise web.HTTPBadRequest(text="Requests of other pages are not answered.")
        if request.method == "GET" and request.path == "/" and "token" in request.query:
            return self._enter(request)
        if request.path in LOGIN_PATHS and self._password and self._came_by_address(request):
            return await handler(request)
        if not _same(request.cookies.get(COOKIE, ""), self._session):
            raise web.HTTPForbidden(text="Open the address that midlineshift review printed, with its token.")
        return await handler(request)

    def _enter(self, request: web.Request) -> web.StreamResponse:
        if not _same(request.query["token"], self._token):
            raise web.HTTPForbidden(text="This token is not of this review; use the address that was printed last.")
        if self._password:
            response = web.HTTPFound("/login")
            _set_cookie(request, response, ADDRESS_COOKIE, self._token)
            return response
        response = web.HTTPFound("/")
        _set_cookie(request, response, COOKIE, self._session)
        return response

    def _came_by_address(self, request: web.Request) -> bool:
        return _same(request.cookies.get(ADDRESS_COOKIE, ""), self._token)

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """Take the password; the session begins with the right one."""
        form = await read_form(request)
        if self._wrong >= WRONG_PASSWORDS:
            raise web.HTTPTooManyRequests(text="Too many wrong passwords; start the review again.")
        if not _same(str(form.get("password", "")), self._password):
            self._wrong += 1
            return web.HTTPFound("/login?wrong=1")
        response = web.HTTPFound("/")
        _set_cookie(request, response, COOKIE, self._session)
        return response


async def read_form(request: web.Request) -> Mapping[str, object]:
    """Return the fields of a form that a page sends; answer 400 where they cannot be read, 408 where they do not come."""
    try:
        return await asyncio.wait_for(request.post(), FORM_SECONDS)
    except asyncio.TimeoutError as error:
        raise web.HTTPRequestTimeout(text="The form did not arrive.") from error
    except (ValueError, LookupError, AssertionError) as error:  # no boundary, another encoding than claimed
        raise web.HTTPBadRequest(text="The form cannot be read.") from error


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # such as a bracket that is not closed
        return None


def load_token(folder: Path) -> str:
    """Return the token of a folder of results, made when there is none: an address stays good over a restart."""
    file = folder / TOKEN_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if file.is_file() and len(text := file.read_text(encoding="ascii").strip()) >= TOKEN_BYTES:
            return text
        token = secrets.token_urlsafe(TOKEN_BYTES)
        file.touch(mode=0o600, exist_ok=True)
        file.chmod(0o600)
        file.write_text(token, encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The folder of the readings cannot be written ({error}); check the permissions.", "out"
        ) from error
    return token


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _set_cookie(request: web.Request, response: web.StreamResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, httponly=True, samesite="Strict", secure=request.secure, path="/")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8"))
