"""What the web server does beside the pages: answer at once, have torch ready, let nobody else in."""

import asyncio.base_events
import contextlib
import gc
import importlib
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganart.errors import GanartError

GUARDED = {  # a part of the path, and what is said to pages of others
    "/paint/": "Pictures are painted for ganart's own pages only.",
    "/upload/": "Files are taken from ganart's own pages only.",
}
HEADERS = [(b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"SAMEORIGIN")]


class SecurityHeaders:
    """Adds to every response what keeps a browser from guessing types and other sites from framing the app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class Door:
    """Answers 403 to requests that were sent to another host's name (a page that had its name point here), and, on
    the routes of our own, to those that a page of another site makes.

    hosts: the names that are let in; without any, all are. The websocket has the same check from Streamlit.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app, self.hosts = app, {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (reason := self._refusal(Headers(scope=scope), scope["path"])):
            await PlainTextResponse(reason, 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, headers: Headers, path: str) -> str:
        host = _name(headers.get("host", ""))
        if self.hosts and host not in self.hosts:
            return (
                "This address is not one that ganart answers to. Open it by the address it printed at its start."
            )
        guarded = next((kind for kind in GUARDED if kind in path), None)
        if guarded is None:
            return ""
        origin = headers.get("origin")
        foreign = origin is not None and _name(origin.partition("://")[2]) not in {host, *self.hosts}
        if foreign or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return GUARDED[guarded]
        return ""


def _name(host: str) -> str:
    """The name in "name:port"; empty where it is none."""
    with contextlib.suppress(ValueError):
        return urlsplit(f"//{host}").hostname or ""
    return ""


def middleware(hosts: Sequence[str]) -> list[Middleware]:
    """What every request passes through. hosts: see `Door`."""
    return [Middleware(SecurityHeaders), Middleware(Door, hosts=hosts)]


def send_at_once() -> None:
    """Make asyncio set TCP_NODELAY on the sockets that Streamlit opened.

    asyncio does so only for sockets made with an explicit protocol, and Streamlit's are not: each small answer
    then waits some 40 ms for the browser's acknowledgement.
    """

    def set_nodelay(sock: socket.socket) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # A private hook: where a Python does not have it, the app is only slower.
    if hasattr(asyncio.base_events, "_set_nodelay"):
        asyncio.base_events._set_nodelay = set_nodelay


def warm_up() -> None:
    """Import what the pages will need while the first one is being read, and take what that brought out of
    garbage collection. A click that comes while a tab's very first run still imports would be lost."""
    for name in ("pandas", "altair", "ganart.loaded"):
        with contextlib.suppress(ImportError):  # the pages will say what is missing
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def tidy() -> None:
    """Sweep the workspace; where it cannot be written, the pages will say so."""
    from ganart import housekeeping

    with contextlib.suppress(GanartError, OSError):
        housekeeping.sweep()


def refuse_open_door(address: str) -> None:
    """End the program with exit status 2 where it would answer other computers, unless that was allowed."""
    local = address in ("localhost", "::1") or address.startswith("127.")
    if local or os.environ.get("GANART_ALLOW_REMOTE") == "1":
        return
    print(
        f"ganart: the address {address or '0.0.0.0'} is open to other computers, and everyone there could use it. "
        "Leave --server.address out, or set GANART_ALLOW_REMOTE=1 if that is what you want.",
        file=sys.stderr,
        flush=True,
    )
    os._exit(2)  # the server would turn an exception into a traceback


@contextlib.asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    """Start-up work of the server."""
    threading.Thread(target=lambda: (warm_up(), tidy()), daemon=True).start()
    yield
