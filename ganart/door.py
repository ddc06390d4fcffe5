"""Who is let in: no pages of other sites, no other computers, and where there is a login nobody without it."""

import contextlib
import ipaddress
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GUARDED = {  # a part of the path, and what is said to pages of others
    "/paint/": "Pictures are painted for ganart's own pages only.",
    "/upload/": "Files are taken from ganart's own pages only.",
}
# Where there is a login: what holds anything of those who logged in. The rest is Streamlit's own frame, which has
# to come for the login to be seen; what the pages say comes through the websocket, behind `ui.login.gate`.
LOCKED = ("/paint/", "/upload/", "/media/", "/_stcore/upload_file/", "/_stcore/metrics")
LOGIN_ROUTES = ("/auth/login", "/auth/logout", "/oauth2callback")
Admits = Callable[[Mapping[str, str]], bool]
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    # Whatever a file from elsewhere gets a page to show, nothing is fetched from there.
    (b"content-security-policy", b"img-src 'self' data: blob:; media-src 'self' data: blob:"),
]


class SecurityHeaders:
    """Adds to every response what keeps a browser from guessing types, other sites from framing the app, and
    pictures from coming from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class Door:
    """Answers 403 to requests that were sent to another host's name (a page that had its name point here), to
    those that a page of another site makes on the websocket or on the routes of our own, and to all that came in
    by an address of this computer that others can reach.

    hosts: the names that are let in, “*.” before one stands for all below it; without any, all are. admits: where
    there is a login, whether somebody with these cookies came in by it; others get 401 for all that is LOCKED.
    remote: other computers may come, also by the number that this one has in their network.
    """

    def __init__(
        self, app: ASGIApp, hosts: Sequence[str], admits: Admits | None = None, remote: bool = False
    ) -> None:
        self.app, self.hosts = app, {host.strip().lower() for host in hosts}
        self.admits, self.remote = admits, remote

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        status, reason = self._refusal(asked)
        if not status:
            if scope["type"] == "websocket" and self.admits:
                scope, receive = self._watched(asked, receive)
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse(reason, status)(scope, receive, send)
        else:
            await send({"type": "websocket.close"})  # before it was accepted: the server answers 403

    def _watched(self, asked: HTTPConnection, receive: Receive) -> tuple[Scope, Receive]:
        """The websocket where there is a login. A page asks who one is only when its whole script runs, after what
        was clicked on it, and its parts do not ask at all. So who is taken off the list is cut off at the next
        message, and whoever is not on it gets a session of their own, never one that was begun before."""
        admits, cookies = self.admits or (lambda _: True), asked.cookies
        if not admits(cookies):
            headers = [
                (name, b",".join(value.split(b",")[:2]) if name == b"sec-websocket-protocol" else value)
                for name, value in asked.scope["headers"]
            ]
            return {**asked.scope, "headers": headers}, receive

        async def receive_while_admitted() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and not admits(cookies):
                return {"type": "websocket.disconnect", "code": 1008}
            return message

        return asked.scope, receive_while_admitted

    def _refusal(self, asked: HTTPConnection) -> tuple[int, str]:
        """The status and the reason; 0 for who may come in."""
        path, websocket = asked.scope["path"], asked.scope["type"] == "websocket"
        named = asked.headers.getlist("host")
        host = _name(named[0]) if len(named) == 1 else ""
        address = (asked.scope.get("server") or ("", None))[0]
        if not self.remote and not is_loopback(address):
            return 403, "This ganart answers to its own computer only."
        if self.hosts and not (self._is_own(host) or (self.remote and _is_same_address(host, address))):
            return 403, (
                "This address is not one that ganart answers to. Open it by the address it printed at its start, "
                "or start it with this name behind --server.allowedHosts=."
            )
        if self.admits is None and any(route in path for route in LOGIN_ROUTES):
            return 404, "There is no login here."
        guarded = "/" if websocket else next((kind for kind in GUARDED if kind in path), None)
        if guarded and self._is_foreign(asked.headers, host):
            return 403, GUARDED.get(guarded, "Only ganart's own pages may listen here.")
        locked = not websocket and any(part in path for part in LOCKED)
        if locked and self.admits and not self.admits(asked.cookies):
            return 401, "Nobody is logged in here. Reload the page, then log in."
        return 0, ""

    def _is_own(self, host: str) -> bool:
        """Whether `host` is one of the names, or below one that stands for many."""
        parts = host.split(".")
        wild = {".".join(["*", *parts[n:]]) for n in range(1, len(parts))}
        return bool(host) and bool(self.hosts & {host, "*", *wild})

    def _is_foreign(self, headers: Headers, host: str) -> bool:
        """Whether a page of another site asks. Who sends no Origin is no page, or one of the same site."""
        names = {_name(origin.partition("://")[2]) for origin in headers.getlist("origin")}
        foreign = any(name != host and name not in self.hosts for name in names) or "" in names
        return foreign or headers.get("sec-fetch-site", "none") not in ("same-origin", "none")


def _name(host: str) -> str:
    """The name in "name:port"; empty where it is none."""
    with contextlib.suppress(ValueError):
        return urlsplit(f"//{host}").hostname or ""
    return ""


def _is_same_address(one: str, other: str) -> bool:
    """Whether both are numbers of the same place. No page of another site can have a number for its name."""
    with contextlib.suppress(ValueError):
        pair = [ipaddress.ip_address(each) for each in (one, other)]
        first, second = (getattr(each, "ipv4_mapped", None) or each for each in pair)
        return first == second
    return False


def is_loopback(address: str) -> bool:
    """Whether only this computer can reach a server that listens there."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return address == "localhost"


def is_allowed_open() -> bool:
    """Whether somebody said that other computers may come in without a login."""
    return os.environ.get("GANART_ALLOW_REMOTE") == "1"


def refuse_open_door(address: str, login: bool = False, problem: str = "") -> None:
    """End the program with exit status 2 where it would answer other computers, unless there is a login for them
    or that was allowed; and where something is wrong with the login (`problem`, a sentence)."""
    if not problem and not (is_loopback(address) or login or is_allowed_open()):
        problem = (
            f"the address {address or '0.0.0.0'} is open to other computers, and everyone there could use it. "
            "Leave --server.address out, set up a login (docs/remote.md), or set GANART_ALLOW_REMOTE=1 if that "
            "is what you want."
        )
    if problem:
        print(f"ganart: {problem}", file=sys.stderr, flush=True)
        os._exit(2)  # the server would turn an exception into a traceback
