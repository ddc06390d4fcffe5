"""The picture routes behind their door: what they paint, whom they let in, and that nothing asked breaks them."""

import asyncio
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.datastructures import Headers

from ganart import images, jobs, latent, loaded, loops, places, planes, render, routes, server, workspace
from ganart.models import Model
from ganart.routes import MOST_WAITING

HOSTS = ["localhost", "127.0.0.1", "::1"]
PATHS = ["/paint/point", "/paint/plane", "/paint/seeds"]
HERE = places.write(latent.sample_z([3], 8)[0] / 2)
POINT = {"model": "painter", "at": HERE, "x": "0.25", "y": "-0.5"}
SHEET = {"model": "painter", "at": HERE}
SEEDS = {"model": "painter", "first": "5"}
GOOD = dict(zip(PATHS, (POINT, SHEET, SEEDS), strict=True))
LOOP, FILM = {"model": "painter"}, {"name": "walk.gif"}
ALL = GOOD | {"/paint/loop": LOOP, "/paint/film": FILM}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes

    @property
    def kind(self) -> str:
        return self.headers["content-type"].partition(";")[0]

    def picture(self) -> np.ndarray:
        assert self.status == 200, self.body
        with Image.open(io.BytesIO(self.body)) as image:
            assert self.kind == f"image/{image.format.lower()}"
            return images.from_pillow(image)

    def sentence(self) -> str:
        """What it says where it is no picture."""
        text = self.body.decode()
        assert self.kind == "text/plain" and text.endswith(".") and 10 < len(text) < 300, text
        return text


@dataclass(frozen=True)
class Ask:
    """One request, as a browser sends it."""

    path: str
    query: dict[str, str] | bytes
    method: str = "GET"
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def scope(self) -> dict:
        query = self.query if isinstance(self.query, bytes) else urlencode(self.query).encode()
        given = {name for name, _ in self.headers}
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": quote(self.path).encode(),
            "query_string": query,
            "root_path": "",
            "headers": [*self.headers, *([] if b"host" in given else [(b"host", b"localhost:8501")])],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8501),
        }


async def send(app: Starlette, ask: Ask) -> Answer:
    """An error in the program is raised here, as it would be a 500."""
    sent: list[dict] = []
    waiting = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict:
        return waiting.pop() if waiting else await asyncio.Event().wait()  # nobody hangs up

    async def collect(message: dict) -> None:
        sent.append(message)

    await app(ask.scope(), receive, collect)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], Headers(raw=sent[0]["headers"]), body)


def make_app(hosts: Sequence[str] = HOSTS) -> Starlette:
    return Starlette(routes=routes.ROUTES, middleware=server.middleware(hosts))


def ask_all(asks: Sequence[Ask], hosts: Sequence[str] = HOSTS) -> list[Answer]:
    """The answers to requests that come one after the other."""

    async def visit() -> list[Answer]:
        app = make_app(hosts)
        return [await send(app, ask) for ask in asks]

    return asyncio.run(visit())


def get(path: str, query: dict[str, str] | bytes, **headers: str | bytes) -> Answer:
    raw = [(n.replace("_", "-").encode(), v if isinstance(v, bytes) else v.encode()) for n, v in headers.items()]
    return ask_all([Ask(path, query, headers=tuple(raw))])[0]


@pytest.fixture
def painter(make_painter, home) -> Model:
    """A model with its loop, and a film among the exports."""
    made = make_painter()
    still, other = (Image.new("RGB", (12, 10), colour) for colour in ("red", "blue"))
    still.save(made.path.with_name("painter-loop.webp"), save_all=True, append_images=[other], duration=40)
    still.save(workspace.folder("exports") / "walk.gif", save_all=True, append_images=[other], duration=40, loop=0)
    return made


# --- what is painted


@pytest.mark.parametrize(("size", "channels"), [(32, 3), (28, 1)])
def test_a_point_is_the_picture_of_its_latent(make_painter, size, channels):
    model = make_painter(size=size, channels=channels)
    found = get("/paint/point", POINT)
    plane = planes.around(places.read(HERE, 8).z, 0)
    expected = render.pictures(loaded.generator(model)[0], plane.at(np.array([[0.25, -0.5]])))[0]
    assert found.kind == "image/png" and expected.std() > 30
    np.testing.assert_array_equal(found.picture(), expected)


def test_the_middle_of_the_pad_is_the_place_itself(painter):
    G, _ = loaded.generator(painter)
    found = get("/paint/point", {**POINT, "x": "0", "y": "0"}).picture()
    np.testing.assert_array_equal(found, render.pictures(G, places.read(HERE, 8).z[None].copy())[0])


@pytest.mark.parametrize(
    "query",
    [
        {"plane": "directions", "at": "3", "kind": "ganspace", "i": "0", "j": "2"},
        {"plane": "three", "a": "1", "b": "2", "c": HERE},
        {"plane": "around", "at": "4294967295", "turn": "4294967295"},
    ],
    ids=["directions", "three", "around"],
)
def test_every_kind_of_plane_can_be_painted_on(painter, query):
    G, _ = loaded.generator(painter)
    plane = planes.read(query, 8, lambda kind: loaded.directions(painter, kind))
    point = get("/paint/point", {"model": "painter", **query, "x": "0.5", "y": "0.25"}).picture()
    np.testing.assert_array_equal(point, render.pictures(G, plane.at(np.array([[0.5, 0.25]])))[0])
    sheet = get("/paint/plane", {"model": "painter", **query, "cells": "3"}).picture()
    expected = images.tile(render.pictures(G, planes.grid(plane, 3)), 3)
    np.testing.assert_array_equal(sheet, expected)


def test_a_latent_space_of_two_values_can_be_painted_on_too(make_painter):
    make_painter(z_dim=2)
    assert get("/paint/point", {**POINT, "at": "3"}).picture().shape == (32, 32, 3)
    assert get("/paint/plane", {**SHEET, "at": "3"}).picture().shape == (7 * 32, 7 * 32, 3)


@pytest.mark.parametrize(("cells", "shown"), [(None, 7), ("1", 1), ("4", 4), ("9", 9), ("0", 1), ("500", 9)])
def test_a_sheet_of_a_plane_has_as_many_cells_as_were_asked_for(painter, cells, shown):
    found = get("/paint/plane", {**SHEET, **({"cells": cells} if cells else {})}).picture()
    assert found.shape == (shown * 32, shown * 32, 3)


def test_a_part_of_a_plane_is_painted_around_its_middle(painter):
    found = get("/paint/plane", {**SHEET, "cells": "3", "x": "0.5", "y": "-0.25", "span": "0.125"}).picture()
    z = planes.grid(planes.around(places.read(HERE, 8).z, 0), 3, (0.5, -0.25), 0.125)
    np.testing.assert_array_equal(found, images.tile(loaded.pictures(painter, z), 3))


@pytest.mark.parametrize(
    ("query", "seeds", "columns"),
    [
        ({"first": "5"}, range(5, 53), 8),
        ({"first": "0", "count": "10", "columns": "4"}, range(10), 4),
        ({"first": "7", "count": "1", "columns": "1"}, [7], 1),
        ({"first": "7", "count": "0", "columns": "0"}, [7], 1),
        ({"first": "3", "count": "5000", "columns": "64"}, range(3, 67), 64),
        ({"first": "4294967294"}, [2**32 - 2, 2**32 - 1], 8),
        ({"first": "99999999999", "columns": "1"}, [2**32 - 1], 1),
    ],
)
def test_seeds_are_painted_in_their_rows(painter, query, seeds, columns):
    found = get("/paint/seeds", {"model": "painter", **query}).picture()
    np.testing.assert_array_equal(found, images.tile(loaded.of_seeds(painter, list(seeds)), columns))


def test_cells_of_large_pictures_are_made_small_and_stay_alike(make_painter):
    model = make_painter(size=128)
    found = get("/paint/seeds", {**SEEDS, "count": "4", "columns": "2"}).picture()
    assert found.shape == (2 * routes.CELL, 2 * routes.CELL, 3)
    small = images.shrink(loaded.of_seeds(model, [5, 6, 7, 8]), 2)
    ours = images.untile(found, routes.CELL).astype(int)
    distances = [[abs(cell - picture).mean() for picture in small] for cell in ours]
    assert np.argmin(distances, axis=1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("7", "1"),
        ("-1e300", "-1"),
        ("1e400", "1"),
        ("inf", "1"),
        ("-Infinity", "-1"),
        ("٠.٥", "0.5"),
        (" 0.5 ", "0.5"),
    ],
)
def test_spots_are_brought_onto_the_pad(painter, given, meant):
    found, expected = get("/paint/point", {**POINT, "x": given}), get("/paint/point", {**POINT, "x": meant})
    assert found.status == 200 and found.body == expected.body


def test_what_is_named_by_hash_may_be_kept_by_the_browser_and_nothing_else(painter):
    version = painter.card().hash[:12]
    for path, query in (GOOD | {"/paint/loop": LOOP}).items():
        for other in ({}, {"v": ""}, {"v": "0123456789ab"}, {"v": version[:3]}):
            assert get(path, {**query, **other}).headers["cache-control"] == "no-store", other
        assert get(path, {**query, "v": version}).headers["cache-control"] == "private, max-age=3600"
        assert "max-age" not in get(path, {**query, "v": version, "model": "x"}).headers.get("cache-control", "")


def test_the_loop_of_a_model_moves(painter):
    found = get("/paint/loop", LOOP)
    assert (found.status, found.kind) == (200, "image/webp")
    assert found.body == painter.loop.read_bytes()
    with Image.open(io.BytesIO(found.body)) as film:
        assert film.n_frames == 2


def test_a_model_without_a_loop_has_none_until_it_is_drawn(painter, make_painter):
    other = make_painter("other", seed=1)
    assert "no such film" in get("/paint/loop", {"model": "other"}).sentence()
    jobs.wait(loops.draw(other, other.card()))
    with Image.open(io.BytesIO(get("/paint/loop", {"model": "other"}).body)) as film:
        assert film.n_frames > 2


def test_a_film_comes_as_it_is_and_in_parts(painter):
    path = workspace.folder("exports") / "walk.gif"
    found, part = get("/paint/film", FILM), get("/paint/film", FILM, range="bytes=2-5")
    assert (found.status, found.kind, found.body) == (200, "image/gif", path.read_bytes())
    assert (part.status, part.body) == (206, path.read_bytes()[2:6])
    kept = {
        version: get("/paint/film", {**FILM, "v": version}).headers["cache-control"] for version in ("", "1" * 9)
    }
    assert set(kept.values()) == {"no-store"}
    version = str(path.stat().st_mtime_ns)
    assert get("/paint/film", {**FILM, "v": version}).headers["cache-control"] == "private, max-age=3600"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".",
        "gone.gif",
        "../exports/walk.gif",
        "./walk.gif",
        "walk.gif\0",
        "WALK.GIF",
        "note.txt",
        "x" * 9999,
    ],
)
def test_only_a_film_among_the_exports_is_sent(painter, name):
    (workspace.folder("exports") / "note.txt").write_text("not a film")
    found = get("/paint/film", {"name": name})
    assert found.status == 404 and "no such film" in found.sentence()


# --- who is let in


def refusal(**headers: str | bytes) -> int:
    """The status of a request for a picture with these headers."""
    return get("/paint/point", POINT, **headers).status


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8501", "LocalHost:1", "127.0.0.1:80", "[::1]", "[::1]:8501", "localhost:99999"],
)
def test_the_names_of_this_computer_are_let_in_on_any_port(painter, host):
    assert refusal(host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8501",
        "localhost.evil.example",
        "evil.example.localhost:8501",
        "localhost@evil.example",
        "127.0.0.2",
        "127.0.0.1.evil.example",
        "[::2]:8501",
        "[::1",
        "",
        ":8501",
        "localhost.",
        b"\xff\xfe",
        "a" * 5000,
    ],
)
def test_other_hosts_are_turned_away_wherever_they_go(painter, host):
    for path in (*ALL, "/", "/explore", "/missing"):
        found = get(path, POINT, host=host)
        assert found.status == 403 and "address" in found.sentence()


def test_a_request_without_a_host_is_turned_away(painter):
    async def visit() -> int:
        app, scope, sent = make_app(), Ask("/paint/point", POINT).scope(), []
        scope["headers"] = []

        async def receive() -> dict:
            return {"type": "http.request"}

        async def collect(message: dict) -> None:
            sent.append(message)

        await app(scope, receive, collect)
        return sent[0]["status"]

    assert asyncio.run(visit()) == 403


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://evil.example:8501",
        "http://localhost.evil.example:8501",
        "http://localhost@evil.example",
        "null",
        "",
        "localhost",
        "file://",
        b"\xff",
        "http://[::1",
    ],
)
def test_pages_of_other_sites_get_no_pictures(painter, origin):
    for path, query in ALL.items():
        found = get(path, query, origin=origin)
        assert found.status == 403 and "ganart's own pages" in found.sentence()


@pytest.mark.parametrize(
    "origin", ["http://localhost:8501", "http://localhost:1", "http://127.0.0.1:8501", "https://[::1]"]
)
def test_own_pages_get_pictures_from_any_port(painter, origin):
    assert refusal(origin=origin) == 200


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403), ("", 403)]
)
def test_what_the_browser_says_of_the_asking_page_counts(painter, site, status):
    assert refusal(sec_fetch_site=site) == status
    assert refusal(sec_fetch_site=site, origin="http://evil.example") == 403


def test_a_request_that_says_nothing_of_its_page_is_one_of_our_own(painter):
    assert refusal() == 200


def test_pages_themselves_may_be_linked_from_anywhere(painter):
    found = get("/explore", {}, origin="https://example.org", sec_fetch_site="cross-site")
    assert found.status == 404  # let in: there is no page in this app


def test_pictures_are_guarded_under_a_base_path_too(painter):
    assert get("/gan/paint/point", POINT, sec_fetch_site="cross-site").status == 403


def test_where_any_host_may_ask_the_page_must_still_be_of_the_same(painter):
    def status(host: bytes, origin: bytes) -> int:
        ask = Ask("/paint/point", POINT, headers=((b"host", host), (b"origin", origin)))
        return ask_all([ask], hosts=[])[0].status

    assert status(b"studio.example:8501", b"https://studio.example") == 200
    assert status(b"studio.example:8501", b"https://evil.example") == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_pictures_can_only_be_got(painter, method):
    for answer in ask_all([Ask(path, query, method) for path, query in ALL.items()]):
        assert answer.status == 405 and b"image" not in answer.headers["content-type"].encode()


def test_every_answer_carries_what_keeps_a_browser_from_mischief(painter):
    asks = [Ask(path, query) for path, query in ALL.items()]
    asks += [Ask("/paint/point", POINT, "POST"), Ask("/missing", {}), Ask("/paint/point", {})]
    asks += [Ask("/paint/point", POINT, headers=((b"host", b"evil.example"),))]
    asks += [Ask("/paint/point", POINT, headers=((b"origin", b"null"),))]
    answers = ask_all(asks)
    assert [answer.status for answer in answers] == [200] * 5 + [405, 404, 400, 403, 403]
    for answer in answers:
        assert answer.headers.getlist("x-content-type-options") == ["nosniff"]
        assert answer.headers.getlist("x-frame-options") == ["SAMEORIGIN"]
        assert "img-src 'self' data: blob:" in answer.headers["content-security-policy"]


# --- what is no model


def test_a_model_is_never_a_path(painter, monkeypatch):
    """Each of these does name a readable model file, for who would take it as a path."""
    monkeypatch.chdir(painter.path.parent)
    (painter.path.parent / "bare").write_bytes(painter.path.read_bytes())
    absolute = str(painter.path)
    for given in (
        absolute,
        f"//{absolute}",
        f"file://{absolute}",
        "painter.safetensors",
        "./painter",
        "../models/painter",
        "../models/painter.safetensors",
        "bare",
        "painter\0",
        "painter\0.safetensors",
        " painter",
        "PAINTER",
    ):
        for path, query in (GOOD | {"/paint/loop": LOOP}).items():
            found = get(path, {**query, "model": given})
            assert 400 <= found.status < 500 and absolute not in found.sentence(), given


@pytest.mark.parametrize(
    "model",
    [
        "",
        "missing",
        "..",
        ".",
        "~",
        "/",
        "\\",
        "C:\\models\\x",
        "../../../../etc/passwd",
        "%2e%2e%2f",
        "0001-missing@last",
        "painter@last",
        "painter@9",
        "painter@" + "9" * 90,
        "@",
        "@@",
        "\0",
        "٣",
        "<script>",
        "x" * 100,
        "x" * 101,
        "x" * 100_000,
        "/" * 100_000,
        "\ufffd",
    ],
)
def test_what_is_no_model_is_said_in_a_sentence(painter, model):
    for path, query in (GOOD | {"/paint/loop": LOOP}).items():
        found = get(path, {**query, "model": model})
        assert 400 <= found.status < 500 and "model" in found.sentence()


def test_a_request_that_names_no_model_is_said_in_a_sentence(painter):
    for path in (*PATHS, "/paint/loop"):
        found = get(path, {})
        assert found.status == 400 and "model" in found.sentence()


def test_a_damaged_model_is_said_in_a_sentence(painter):
    whole = painter.path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    flipped = whole[: header + 500] + bytes([whole[header + 500] ^ 1]) + whole[header + 501 :]
    for name, data in {
        "empty": b"",
        "text": b"hello" * 1000,
        "headless": whole[8:],
        "short": whole[:-200],
        "flipped": flipped,
        "huge": b"\xff" * 8 + whole[8:],
    }.items():
        painter.path.with_stem(name).write_bytes(data)
        for path, query in GOOD.items():
            found = get(path, {**query, "model": name})
            assert 400 <= found.status < 500 and name in found.sentence()


def test_a_model_that_computes_with_what_is_no_number_is_said_in_a_sentence(make_painter):
    make_painter("over", overflowing=True)
    for path, query in GOOD.items():
        assert get(path, {**query, "model": "over"}).status < 500
    query = {"model": "over", "plane": "directions", "kind": "ganspace", "at": "1", "i": "0", "j": "1"}
    found = get("/paint/plane", query)
    assert found.status == 400 and "no directions can be found" in found.sentence()


def test_a_model_that_is_gone_is_said_in_a_sentence(painter):
    assert get("/paint/point", POINT).status == 200
    painter.path.unlink()
    found = get("/paint/point", POINT)
    assert 400 <= found.status < 500 and "painter" in found.sentence()


# --- what is no number

NUMBERS = [
    *("", " ", "nan", "NaN", "-nan", "inf", "-inf", "1e400", "-1e400", "1e-400", "0x10", "1_0", "1,5", "--1", "+"),
    *("٣", "²", "½", "１", "-0", "9" * 12, "9" * 13, "9" * 5000, "0" * 5000, "." * 30, "1e", "\0", "None", "[1]"),
]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *(("/paint/point", name) for name in ("x", "y", "turn", "at")),
        *(("/paint/plane", name) for name in ("x", "y", "span", "cells", "turn", "at")),
        *(("/paint/seeds", name) for name in ("first", "count", "columns")),
    ],
)
def test_numbers_are_brought_into_their_range_or_refused(painter, path, name):
    answers = ask_all([Ask(path, {**GOOD[path], name: text}) for text in NUMBERS])
    for text, answer in zip(NUMBERS, answers, strict=True):
        if answer.status == 200:
            assert answer.picture().size <= 64 * 64 * 32 * 32 * 3
        else:
            assert answer.status == 400 and answer.sentence(), text
    assert answers[NUMBERS.index("nan")].status == answers[NUMBERS.index("")].status == 400


@pytest.mark.parametrize("name", ["x", "y"])
def test_a_point_needs_its_spot(painter, name):
    found = get("/paint/point", {key: text for key, text in POINT.items() if key != name})
    assert found.status == 400 and found.sentence().startswith(f"{name} is")


def test_places_of_another_model_or_none_are_said_in_a_sentence(painter):
    z = np.full(8, np.nan, np.float32)
    for at in (places.write(np.zeros(9)), places.write(z), HERE[:-1], HERE + "A", "z.", "z." + "A" * 7000, "../x"):
        for path in PATHS[:2]:
            assert get(path, {**GOOD[path], "at": at}).status == 400


# --- many at once


async def begin(app: Starlette, count: int) -> list[asyncio.Task]:
    return [asyncio.create_task(send(app, Ask("/paint/point", POINT))) for _ in range(count)]


def test_too_many_at_once_are_asked_to_wait_and_the_others_are_served(painter):
    async def visit() -> tuple[list[Answer], Answer]:
        app = make_app()
        answers = await asyncio.gather(*await begin(app, MOST_WAITING + 7))
        return answers, await send(app, Ask("/paint/point", POINT))

    answers, later = asyncio.run(visit())
    assert [answer.status for answer in answers] == [200] * MOST_WAITING + [429] * 7
    assert "Wait" in answers[-1].sentence() and later.status == 200


def test_who_gave_up_waiting_takes_nobody_s_turn(painter):
    async def visit() -> list[Answer]:
        app = make_app()
        for _ in range(3):
            tasks = await begin(app, MOST_WAITING)
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return await asyncio.gather(*await begin(app, MOST_WAITING))

    assert [answer.status for answer in asyncio.run(visit())] == [200] * MOST_WAITING


def test_who_is_refused_takes_nobody_s_turn(painter):
    asks = [Ask("/paint/point", {}), Ask("/paint/point", POINT, headers=((b"host", b"x"),))] * MOST_WAITING
    statuses = [answer.status for answer in ask_all([*asks, Ask("/paint/point", POINT)])]
    assert statuses == [400, 403] * MOST_WAITING + [200]


# --- anything at all

NAMES = ["model", "plane", "at", "turn", "kind", "i", "j", "a", "b", "c", "x", "y", "span", "cells", "first"]
NAMES += ["count", "columns", "v", "", "\0", "x[]", "é"]
TEXTS = [*NUMBERS, "around", "directions", "three", "sefa", "ganspace", "0", "1", "3", "7", "0.5", HERE]
TEXTS += [
    "painter",
    "other",
    "broken",
    "..",
    "/",
    "z.",
    "z.AAAA",
    "%",
    "%zz",
    "&",
    ";",
    "=",
    "#",
    "\r\nx: y",
    "\ud7ff",
]
TEXTS += [places.write(np.full(8, value, np.float32)) for value in (0, np.nan, np.inf, 1e38, -0.0)]
TEXTS += [places.write(np.zeros(9)), HERE[:20], "é" * 400, "<b>", "x" * 9000]


def anything(rng: random.Random) -> Ask:
    """A request that is right here and there, and wrong elsewhere."""
    path = rng.choice(PATHS)
    query = dict(GOOD[path])
    for _ in range(rng.randrange(5)):
        query[rng.choice(NAMES)] = rng.choice(TEXTS)
    for _ in range(rng.randrange(3)):
        query.pop(rng.choice(NAMES), None)
    raw = urlencode(query).encode()
    if rng.random() < 0.3:  # bytes that no browser sends
        at = rng.randrange(len(raw) + 1)
        raw = raw[:at] + rng.choice([rng.randbytes(5), b"%", b"%ff", b"%ed%a0%80", b"&", b"==", b"+"]) + raw[at:]
    headers = []
    for name in (b"host", b"origin", b"sec-fetch-site"):
        if rng.random() < 0.1:
            headers.append(
                (name, rng.choice([b"localhost", b"http://localhost", b"[", b"]:", rng.randbytes(6), b"@"]))
            )
    method = rng.choice(["GET", "HEAD", "POST", "\0"]) if rng.random() < 0.1 else "GET"
    return Ask(path, raw, method, tuple(headers))


def test_whatever_one_asks_the_answer_is_a_picture_or_a_sentence(painter, make_painter):
    make_painter("other", size=28, channels=1, z_dim=9)
    painter.path.with_stem("broken").write_bytes(b"hello")
    rng = random.Random(0)
    asks = [anything(rng) for _ in range(600)]
    answers = ask_all(asks)  # an error in the program would be raised
    for ask, answer in zip(asks, answers, strict=True):
        assert answer.headers["x-content-type-options"] == "nosniff"
        if answer.status == 200:
            assert answer.picture().size if ask.method == "GET" else answer.kind.startswith("image/")
        elif answer.status == 405:
            assert ask.method not in ("GET", "HEAD")
        else:
            assert answer.status in (400, 403), (ask, answer)
            assert answer.sentence()
    statuses = [answer.status for answer in answers]
    assert all(statuses.count(status) > 15 for status in (200, 400, 403, 405)), "these are not worth asking"
