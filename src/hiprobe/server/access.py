"""Who may come in: every request passes here before anything else sees it, and so does the pages' websocket.

On this machine alone, no token is asked for; then the ``Host`` must be this machine, so that a web site cannot reach
the server through a name of its own that it lets point here (DNS rebinding). With a token, it comes as a bearer token
or as a cookie that other sites' requests do not carry. Nothing may come from another site's page, but for a link.
"""

from __future__ import annotations

import hashlib
import hmac
import html
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOADS = "/api/v1/uploads"
"""The one path whose requests may be large."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_COOKIE = "hiprobe"
_MOST = 1 << 20
"""Bytes of any other request."""

_SAFE = ("GET", "HEAD", "OPTIONS")

_HEADERS = {
    # Vue compiles templates in the page, and NiceGUI writes scripts and styles into it.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; connect-src 'self'; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_LOGIN = """<!doctype html><html lang="en"><meta charset="utf-8"><title>HiProbe</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<main style="font: 1rem system-ui; max-width: 24rem; margin: 20vh auto; padding: 1rem">
<h1>HiProbe</h1><p>{message}</p>
<form method="post" action="/login"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required
 style="display: block; width: 100%; font: inherit; padding: .5rem; margin: .5rem 0; box-sizing: border-box">
<button style="font: inherit; padding: .5rem 1rem">Enter</button></form></main></html>"""


@dataclass(frozen=True)
class Access:
    """Who may come in.

    Attributes
    ----------
    token : str, optional
        What must be known; without one, only this machine is let in, by a name of its own.
    """

    token: str | None = None

    def knows(self, given: str) -> bool:
        """Whether what was given is the token, in a time that does not tell how much of it is right."""
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def cookie(self) -> str:
        """Return the cookie's value: it proves the token and does not hold it."""
        return hmac.new((self.token or "").encode(), b"hiprobe cookie", hashlib.sha256).hexdigest()


class Guard:
    """ASGI middleware; see the module.

    Parameters
    ----------
    app : ASGI application
    access : Access
    max_upload : int
        Bytes of one upload.
    """

    def __init__(self, app: ASGIApp, access: Access, max_upload: int) -> None:
        self._app, self._access, self._max_upload = app, access, max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = self._refusal(scope, headers)
        if answer is None and self._access.token is not None and not self._is_known(headers):
            answer = await self._admission(scope, receive)
        if answer is not None:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await answer(scope, receive, _with_headers(send))
            return
        if scope["type"] == "http":
            receive = _held_to(receive, self._most(scope))
        await self._app(scope, receive, _with_headers(send))

    def _most(self, scope: Scope) -> int:
        return self._max_upload if scope["path"] == UPLOADS else _MOST

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if self._access.token is None and _split(f"//{host}")[0] not in LOOPBACK:
            return _error(403, f"{host!r}: this server answers to localhost only; open http://127.0.0.1 at its port.")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        foreign = origin is not None and _split(origin)[1] != host
        # A link on another site may lead here; more than that it may not.
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if foreign or (changes and site not in ("same-origin", "none")):
            return _error(403, "The request comes from a page of another site; use the server's own page.")
        if scope["type"] == "http":
            length = headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > self._most(scope):
                return _error(413, f"The request is larger than the {self._most(scope)} bytes that it may have.")
        return None

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._access.knows(given.strip()):
            return True
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == _COOKIE and hmac.compare_digest(value.encode(), self._access.cookie().encode()):
                return True
        return False

    async def _admission(self, scope: Scope, receive: Receive) -> Response:
        """Answer somebody who is not known: let in who brings the token, and ask everybody else for it."""
        if scope["type"] == "http" and scope["method"] in ("GET", "POST"):
            query = parse_qsl(scope["query_string"].decode("latin-1"))
            tokens, target = [value for name, value in query if name == "token"], scope["path"]
            if scope["method"] == "POST" and scope["path"] == "/login":
                body = await _body(receive)
                tokens, target = [value for name, value in parse_qsl(body) if name == "token"], "/"
            if any(self._access.knows(token) for token in tokens):
                rest = urlencode([(name, value) for name, value in query if name != "token"])
                # Not "//elsewhere", which would be another site.
                place = "/" + target.lstrip("/") + (f"?{rest}" if rest else "")
                response = RedirectResponse(place, 303)
                secure = scope.get("scheme") == "https"
                response.set_cookie(_COOKIE, self._access.cookie(), httponly=True, samesite="strict", secure=secure)
                return response
            if not scope["path"].startswith("/api/"):
                said = "This is not the token." if tokens else "The server printed a token when it was started."
                return HTMLResponse(_LOGIN.format(message=html.escape(said)), 401)
        return _error(401, "Send the server's token, as `Authorization: Bearer TOKEN`.", {"WWW-Authenticate": "Bearer"})


def _split(address: str) -> tuple[str | None, str]:
    """Return the host of an address, and it with the port as written; (None, "") of what is no address."""
    try:
        parts = urlsplit(address)
        return parts.hostname, parts.netloc
    except ValueError:
        return None, ""


def _held_to(receive: Receive, most: int) -> Receive:
    """Return a receiver that ends a request whose body is too large, whatever its head says."""
    size = 0

    async def held() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise HTTPException(413, f"The request is larger than the {most} bytes that it may have.")
        return message

    return held


def _with_headers(send: Send) -> Send:
    async def extended(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name in [name for name in headers if name.startswith("access-control-")]:
                del headers[name]  # socket.io lets every site read its answers
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return extended


async def _body(receive: Receive) -> str:
    request = Request({"type": "http", "headers": []}, _held_to(receive, 4096))
    try:
        return (await request.body()).decode("utf-8", "replace")
    except HTTPException:
        return ""


def _error(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": detail}, status, headers)
