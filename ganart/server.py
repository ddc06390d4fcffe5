"""What the web server does beside the pages: answer at once, have torch ready, let nobody else in."""

import asyncio.base_events
import contextlib
import gc
import importlib
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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


MIDDLEWARE = [Middleware(SecurityHeaders)]


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
    for name in ("pandas", "altair", "torch"):
        with contextlib.suppress(ImportError):  # the pages will say what is missing
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


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
    threading.Thread(target=warm_up, daemon=True).start()
    yield
