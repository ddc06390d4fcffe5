"""What every page has in its head: there with the page itself, whatever the browser asks for or has kept."""

import asyncio
import gzip

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ganart import server
from ganart.ui import page

PAGE = "<!DOCTYPE html><html><head><title>é</title></head><body>" + "x" * 2000 + "</body></html>"
ADDED = "<style>b{color:red}</style>"
WHOLE = PAGE.replace("</head>", ADDED + "</head>")
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def html(request: Request) -> Response:
    if request.headers.get("if-none-match"):
        return Response(status_code=304)
    return HTMLResponse(PAGE, headers={"etag": '"1"', "last-modified": "Thu, 26 Nov 2026 03:53:21 GMT"})


def pieces(request: Request) -> Response:
    async def some():
        for start in range(0, len(PAGE), 7):
            await asyncio.sleep(0)
            yield PAGE[start : start + 7]

    return StreamingResponse(some(), media_type="text/html")


@pytest.fixture
def client():
    app = Starlette(
        routes=[
            Route("/", html),
            Route("/pieces", pieces),
            Route("/text", lambda request: PlainTextResponse(PAGE)),
            Route("/bare", lambda request: HTMLResponse("no head here")),
        ],
        middleware=[Middleware(server.Head, html=ADDED), Middleware(GZipMiddleware, minimum_size=10)],
    )
    return TestClient(app)


@pytest.mark.parametrize("path", ["/", "/pieces"])
def test_a_page_comes_with_it_and_says_its_length(client, path):
    answer = client.get(path, headers=BROWSER)
    assert answer.text == WHOLE
    assert int(answer.headers["content-length"]) == len(WHOLE.encode())


def test_a_browser_that_has_an_older_page_gets_this_one(client):
    """Else a new style would not be seen until Streamlit's own page changes."""
    answer = client.get("/", headers={**BROWSER, "if-none-match": '"1"'})
    assert answer.status_code == 200 and answer.text == WHOLE
    assert "etag" not in answer.headers and "last-modified" not in answer.headers


def test_what_is_no_page_stays_as_it_is(client):
    assert client.get("/text", headers=BROWSER).text == PAGE
    assert client.get("/bare", headers=BROWSER).text == "no head here"
    with client.stream("GET", "/", headers={"accept": "*/*", "accept-encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(answer.iter_raw())).decode() == PAGE


def test_the_head_of_a_page_closes_nothing_but_itself():
    head = page.head()
    assert (
        head.count("<style>") == head.count("</style>") == head.count("<script>") == head.count("</script>") == 1
    )
    assert "</head>" not in head
