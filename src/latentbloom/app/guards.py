"""What every request passes: host, origin, password, size; and what every answer says.

A page of another site can reach a server on 127.0.0.1 by pointing its own name there (DNS
rebinding), and can send it forms. So the Host header must be a known name, and requests that a
browser sends from elsewhere are refused.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latentbloom.app.limits import Limits

COOKIE = "latentbloom_session"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware: refuses what must not reach the app, and adds headers to every answer.

    Arguments:
        app: The app behind it.
        hosts: Allowed names in the Host header, without ports.
        any_address: Allow every IP address there, too. A rebinding site has a name, not a number.
        auth: User and password; None for no password.
        limits: Sizes of requests.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: frozenset[str],
        any_address: bool = False,
        auth: tuple[str, str] | None = None,
        limits: Limits,
    ) -> None:
        self.app = app
        self.hosts = hosts
        self.any_address = any_address
        self.auth = auth
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        session = _session(headers)
        scope.setdefault("state", {})["owner"] = session or f"address {_address(scope)}"
        new_session = None if session else secrets.token_urlsafe(24)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(scope=message), scope["path"], new_session)
            await send(message)

        refusal = self._refusal(scope["method"], headers)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        most = self._most_bytes(headers)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > most:
            await _problem(413, _too_large(most))(scope, receive, send_guarded)
            return
        await self.app(scope, _Counted(receive, most), send_guarded)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        if not self._host_is_known(headers.get("host", "")):
            return _problem(
                421,
                f"This server does not answer to the name '{headers.get('host', '')[:100]}'. Use "
                "the address that it printed when it started.",
            )
        if not _same_origin(headers, safe=method in ("GET", "HEAD", "OPTIONS")):
            return _problem(403, "Another site sent this request. It was refused.")
        if self.auth is not None and not _password_fits(headers, self.auth):
            refused = _problem(401, "Give the user and the password of this server.")
            refused.headers["WWW-Authenticate"] = 'Basic realm="latentbloom", charset="UTF-8"'
            return refused
        return None

    def _host_is_known(self, header: str) -> bool:
        name = _name_of(header)
        if name in self.hosts:
            return True
        if not self.any_address:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _most_bytes(self, headers: Headers) -> int:
        is_form = headers.get("content-type", "").lower().startswith("multipart/form-data")
        return self.limits.upload_bytes + 65_536 if is_form else self.limits.json_bytes

    def _add_headers(self, headers: MutableHeaders, path: str, new_session: str | None) -> None:
        for name, value in _FIXED.items():
            headers.setdefault(name, value)
        headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        static = path.startswith("/static/")
        headers.setdefault("Cache-Control", "no-cache" if static else "no-store")
        if new_session and headers.get("content-type", "").startswith("text/html"):
            headers.append(
                "Set-Cookie", f"{COOKIE}={new_session}; HttpOnly; SameSite=Strict; Path=/"
            )


class _Counted:
    """The body of a request, cut off where it is larger than allowed."""

    def __init__(self, receive: Receive, most: int) -> None:
        self.receive = receive
        self.left = most

    async def __call__(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.request":
            self.left -= len(message.get("body", b""))
            if self.left < 0:
                # As if the sender had hung up: nothing more is read, nothing is computed.
                return {"type": "http.disconnect"}
        return message


def _session(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return f"session {found.value[:64]}" if found is not None and found.value else None


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _name_of(header: str) -> str:
    """The name in a Host header, in lower case, without its port."""
    header = header.strip().lower()
    if header.startswith("["):
        return header.partition("]")[0].lstrip("[")
    return header.partition(":")[0] if header.count(":") <= 1 else header


def _same_origin(headers: Headers, *, safe: bool) -> bool:
    """Whether a browser says that the request is from our own page, or it is no browser's.

    A page may be opened from anywhere; everything that changes or computes may not.
    """
    site = headers.get("sec-fetch-site")
    if safe:
        opened = headers.get("sec-fetch-mode") == "navigate"
        return site in (None, "same-origin", "none") or opened
    if site not in (None, "same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    scheme, _, place = origin.partition("://")
    return scheme in ("http", "https") and place.lower() == headers.get("host", "").strip().lower()


def _password_fits(headers: Headers, auth: tuple[str, str]) -> bool:
    kind, _, coded = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return False
    try:
        given = base64.b64decode(coded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, ":".join(auth).encode())


def _too_large(most: int) -> str:
    return f"The request is larger than {most / (1 << 20):.0f} MB, the most that is allowed."


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"detail": text}, status)
