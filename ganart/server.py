"""What the web server does beside the pages: answer at once, stay small, have torch ready."""

import asyncio.base_events
import contextlib
import ctypes
import gc
import importlib
import socket
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganart.door import Admits, Door, SecurityHeaders
from ganart.errors import GanartError

NOT_ASKED = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")
NOT_TRUE = (b"content-length", b"etag", b"last-modified", b"accept-ranges")  # of a page that was added to


class Head:
    """Adds `html` to the head of every page, so that its styles are there before anything that they shape: as an
    element of the page they would come late, and what they shape would jump."""

    def __init__(self, app: ASGIApp, html: str) -> None:
        self.app, self.html = app, html.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not _names_html(scope, "accept"):
            await self.app(scope, receive, send)
            return
        # A packed answer, a part of one or the news that nothing has changed could not be added to.
        kept = [each for each in scope["headers"] if each[0] not in NOT_ASKED]
        await self.app({**scope, "headers": kept}, receive, self._adding(send))

    def _adding(self, send: Send) -> Send:
        start: Message | None = None  # of an answer that is a page, until its body is whole
        body = b""

        async def add(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _names_html(message, "content-type"):
                start = message
            elif message["type"] == "http.response.body" and start is not None:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    whole = body.replace(b"</head>", self.html + b"</head>", 1)
                    headers = [each for each in start["headers"] if each[0] not in NOT_TRUE]
                    await send({**start, "headers": [*headers, (b"content-length", b"%d" % len(whole))]})
                    await send({"type": "http.response.body", "body": whole})
            else:
                await send(message)

        return add


def _names_html(message: Mapping[str, Any], header: str) -> bool:
    return "text/html" in Headers(raw=message["headers"]).get(header, "")


def middleware(
    hosts: Sequence[str], admits: Admits | None = None, remote: bool = False, head: str = ""
) -> list[Middleware]:
    """What every request passes through. See `Door` and `Head`."""
    return [
        Middleware(SecurityHeaders),
        Middleware(Door, hosts=hosts, admits=admits, remote=remote),
        Middleware(Head, html=head),
    ]


def under(base: str, routes: Sequence[Route]) -> list[Route]:
    """The routes below the path that all addresses of the server begin with; Streamlit puts only its own there."""
    base = base.strip("/")
    if not base:
        return list(routes)
    return [Route(f"/{base}{route.path}", route.endpoint, methods=route.methods) for route in routes]


def _home(request: Request) -> RedirectResponse:
    """The gallery lives on the bare address; who asks for it by its name is led there."""
    query = request.url.query
    return RedirectResponse(f"./?{query}" if query else "./")


ROUTES = [Route("/gallery", _home)]


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


def keep_small() -> None:
    """Make glibc give memory back: without these, what every picture takes and leaves in its heaps adds up to some
    ten megabytes an hour. Elsewhere nothing has to be done, and nothing is.

    mallopt(3) names the options: M_MMAP_THRESHOLD, set, no longer grows with what is freed; M_ARENA_MAX.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no libc, none that knows it, Windows
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-3, 128 * 1024)
        mallopt(-8, 2)


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


@contextlib.asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    """Start-up work of the server."""

    def start_up() -> None:
        warm_up()
        tidy()

    threading.Thread(target=start_up, daemon=True).start()
    yield
