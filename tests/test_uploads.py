"""Files from a browser: what the upload routes take in and refuse, and what a dataset says of them."""

import asyncio
import dataclasses
import io
import json
import os
import random
import shutil
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.datastructures import Headers

from ganart import dataset, decode, entries, intake, receive, server, uploads, workspace
from ganart.config import IntakeConfig
from ganart.errors import DatasetError, InputError
from ganart.limits import limits
from ganart.uploads import Upload

HOSTS = ["localhost", "127.0.0.1", "::1"]
SMALL = IntakeConfig(size=32)


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes

    def sentence(self) -> str:
        text = self.body.decode()
        assert self.headers["content-type"].startswith("text/plain")
        assert text.endswith(".") and text[0].isupper() and 10 < len(text) < 400, text
        return text

    def json(self) -> dict:
        assert self.status == 200, self.body
        return json.loads(self.body)


def make_app(hosts: Sequence[str] = HOSTS) -> Starlette:
    return Starlette(routes=receive.ROUTES, middleware=server.middleware(hosts))


async def send(
    app: Starlette,
    method: str,
    path: str,
    chunks: Sequence[bytes] = (),
    *,
    length: int | str | None = None,
    lost: bool = False,
    gate: asyncio.Event | None = None,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> Answer:
    """One request whose body comes in chunks. lost: the browser is gone before its end. gate: what the body waits
    for. An error in the program is raised here, as it would be a 500."""
    raw = [*headers]
    if b"host" not in dict(raw):
        raw.append((b"host", b"localhost:8501"))
    if length is not None:
        raw.append((b"content-length", str(length).encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": b"",
        "root_path": "",
        "headers": raw,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8501),
    }
    coming, sent = list(chunks), []

    async def receive_part() -> dict:
        if gate is not None:
            await gate.wait()
        if coming:
            part = coming.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(coming) or lost}
        return {"type": "http.disconnect"} if lost else {"type": "http.request", "body": b"", "more_body": False}

    async def collect(message: dict) -> None:
        sent.append(message)

    await app(scope, receive_part, collect)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], Headers(raw=sent[0]["headers"]), body)


def ask(method: str, path: str, chunks: Sequence[bytes] = (), **options: object) -> Answer:
    async def visit() -> Answer:
        return await send(make_app(), method, path, chunks, **options)

    return asyncio.run(visit())


def announce(upload: Upload, *files: tuple[str, int, int]) -> dict:
    return ask("POST", f"/upload/{upload.token}", [json.dumps(files).encode()]).json()


def put(upload: Upload, number: int, *chunks: bytes, **options: object) -> Answer:
    return ask("PUT", f"/upload/{upload.token}/{number}", chunks, **options)


def on_disk(upload: Upload) -> dict[str, bytes]:
    """All files of the workspace but the index."""
    files = [path for path in workspace.home().rglob("*") if path.is_file() and "locks" not in path.parts]
    return {
        path.relative_to(upload.folder).as_posix(): path.read_bytes()
        for path in files
        if path.name != "index.json"
    }


def picture(seed: int, side: int = 40, kind: str = "PNG") -> bytes:
    coarse = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8))
    out = io.BytesIO()
    coarse.resize((side, side), Image.Resampling.BICUBIC).save(out, kind)
    return out.getvalue()


def upload_all(upload: Upload, files: dict[str, bytes]) -> None:
    """As the page's component does it."""
    told = announce(upload, *((name, len(data), 7) for name, data in files.items()))
    contents = list(files.values())
    for place, number in told["send"]:
        assert put(upload, number, contents[place]).status == 204


@pytest.fixture
def upload(home) -> Upload:
    return uploads.begin()


@pytest.fixture
def one(upload) -> Upload:
    """An upload that waits for one file of 6 bytes, under number 0."""
    assert announce(upload, ("a.jpg", 6, 1)) == {"send": [[0, 0]], "there": 0, "refused": [], "replaced": 0}
    return upload


# --- what arrives


def test_a_file_arrives_in_chunks_and_lies_under_its_number(one):
    assert put(one, 0, b"ab", b"", b"cd", b"ef").status == 204
    assert on_disk(one) == {"files/00000.jpg": b"abcdef"}
    assert one.missing() == []


def test_a_file_of_many_megabytes_is_written_as_it_comes(upload):
    chunks = [bytes([n]) * 700_000 for n in range(9)]
    announce(upload, ("a.tif", 6_300_000, 1))
    assert put(upload, 0, *chunks, length=6_300_000).status == 204
    assert on_disk(upload) == {"files/00000.tif": b"".join(chunks)}


def test_a_file_may_be_sent_twice_and_the_second_counts(one):
    put(one, 0, b"abcdef")
    assert put(one, 0, b"ghijkl").status == 204
    assert on_disk(one) == {"files/00000.jpg": b"ghijkl"}


def test_what_is_there_already_is_not_asked_for_again(upload):
    files = [("p/a.jpg", 3, 1), ("p/b.jpg", 3, 1), ("p/c/a.jpg", 3, 1)]
    announce(upload, *files)
    put(upload, 1, b"abc")
    again = uploads.find(upload.token)  # as after a reload, or a restart of the server
    assert announce(again, *files) == {"send": [[0, 0], [2, 2]], "there": 1, "refused": [], "replaced": 0}
    more = announce(again, files[1], ("p/d.jpg", 3, 1))
    assert more == {"send": [[1, 3]], "there": 1, "refused": [], "replaced": 0}
    assert [entry.label for entry in again.missing()] == ["p/a.jpg", "p/c/a.jpg", "p/d.jpg"]


@pytest.mark.parametrize("newer", [("a.jpg", 6, 2), ("a.jpg", 7, 1)])
def test_a_file_that_was_changed_meanwhile_replaces_the_one_before(one, newer):
    put(one, 0, b"abcdef")
    assert announce(one, newer) == {"send": [[0, 1]], "there": 0, "refused": [], "replaced": 1}
    assert on_disk(one) == {} and put(one, 0, b"abcdef").status == 404
    assert announce(one, ("a.jpg", 6, 1))["send"] == [[0, 2]], "a number was given twice"


def test_the_same_file_named_twice_is_sent_once(upload):
    assert announce(upload, *[("a.jpg", 3, 1)] * 3) == {"send": [[2, 0]], "there": 0, "refused": [], "replaced": 0}


def test_two_files_of_one_name_are_both_kept(upload):
    told = announce(upload, ("a.jpg", 3, 1), ("a.jpg", 4, 1))
    assert told["send"] == [[0, 0], [1, 1]]


def test_what_ganart_does_not_read_is_noted_and_not_sent(upload):
    names = ["notes.txt", "film.mov", "photo.HEIC", "x", "x.png/", "run.exe"]
    told = announce(upload, *((name, 9_000_000_000_000, 1) for name in names[:4]), ("empty.png", 0, 1))
    assert told == {"send": [], "there": 5, "refused": [], "replaced": 0} and upload.missing() == []
    assert sorted(on_disk(upload)) == [
        f"files/{name}" for name in ("00000.other", "00001.other", "00002.heic", "00003.other", "00004.png")
    ]


def test_what_the_system_hides_is_passed_over(upload):
    names = [".DS_Store", "a/.hidden/b.jpg", "a/Thumbs.db", "desktop.ini", "._a.jpg"]
    assert announce(upload, *((name, 3, 1) for name in names)) == {
        "send": [],
        "there": 0,
        "refused": [],
        "replaced": 0,
    }
    assert upload.entries() == ()


# --- names are labels


@pytest.mark.parametrize(
    "name",
    [
        "../../x.jpg",
        "/etc/passwd.jpg",
        "C:\\evil.jpg",
        "a\0b.jpg",
        "con.jpg",
        "a" * 4000 + ".jpg",
        "x/" * 2000 + "y.jpg",
        "\ud800.jpg",
        "\r\n.jpg",
        "画.JPG",
        "<img src=x>.jpg",
    ],
)
def test_a_name_leads_nowhere(upload, name):
    told = announce(upload, (name, 3, 1), ("plain.jpg", 3, 1))
    assert told["send"] == [[0, 0], [1, 1]]
    put(upload, 0, b"abc")
    assert on_disk(upload) == {"files/00000.jpg": b"abc"}
    assert announce(upload, (name, 3, 1))["there"] == 1
    upload.settle()
    for line in upload.listed()[1]:
        assert line["file"].isprintable() and 0 < len(line["file"]) <= 120 and ".." not in line["file"].split("/")


def test_a_name_that_is_too_long_is_said(upload):
    found = ask("POST", f"/upload/{upload.token}", [json.dumps([["a" * 5000 + ".jpg", 3, 1]]).encode()])
    assert found.status == 400 and "too long" in found.sentence() and upload.entries() == ()


# --- who may


@pytest.mark.parametrize(
    "token", ["0" * 32, "x", "", "..", "%2e%2e", "A" * 32, "0" * 31 + "\n", "0" * 100_000, "é", "\0", "index.json"]
)
def test_a_token_that_was_never_given_opens_nothing(one, token):
    for method, path in (("POST", f"/upload/{token}"), ("PUT", f"/upload/{token}/0")):
        assert ask(method, path, [b"abcdef"]).status == 404
    assert on_disk(one) == {}


def test_tokens_cannot_be_guessed_and_uploads_do_not_see_each_other(one):
    other = uploads.begin()
    assert other.token != one.token and len(other.token) == 32
    assert put(other, 0, b"abcdef").status == 404
    assert on_disk(one) == {}


def test_an_upload_ends_a_day_after_its_last_file(one, monkeypatch):
    put(one, 0, b"abcdef")
    os.utime(one.folder, (time.time() - 25 * 3600,) * 2)
    assert uploads.find(one.token) is None
    found = put(one, 0, b"abcdef")
    assert found.status == 404 and "Reload" in found.sentence()
    uploads.begin()
    assert not one.folder.exists(), "what was abandoned stays"


def test_what_was_abandoned_goes_when_the_program_starts(one):
    os.utime(one.folder, (time.time() - 25 * 3600,) * 2)
    fresh = one.folder.with_name("fresh")
    fresh.mkdir()
    server.tidy()
    assert list(fresh.parent.iterdir()) == [fresh]


def test_an_upload_that_files_come_to_is_not_abandoned(one):
    os.utime(one.folder, (time.time() - 23 * 3600,) * 2)
    put(one, 0, b"abcdef")
    assert time.time() - one.folder.stat().st_mtime < 60


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"evil.example")],
        [(b"origin", b"https://evil.example")],
        [(b"origin", b"null")],
        [(b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"same-site")],
    ],
)
def test_other_sites_may_send_nothing(one, headers):
    for path in (f"/upload/{one.token}/0", f"/base/upload/{one.token}/0"):
        found = ask("PUT", path, [b"abcdef"], headers=headers)
        assert found.status == 403 and found.sentence()
    assert ask("POST", f"/upload/{one.token}", [b"[]"], headers=headers).status == 403
    assert on_disk(one) == {}


def test_own_pages_may(one):
    headers = [(b"origin", b"http://localhost:8501"), (b"sec-fetch-site", b"same-origin")]
    assert put(one, 0, b"abcdef", headers=headers).status == 204


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_bytes_can_only_be_put(one, method):
    assert ask(method, f"/upload/{one.token}/0", [b"abcdef"]).status == 405
    assert method == "POST" or ask(method, f"/upload/{one.token}").status == 405
    assert on_disk(one) == {}


# --- how much


@pytest.mark.parametrize("number", ["1", "-1", "x", "٣", "9" * 30, "00", "0.0", "../0", "0\n"])
def test_a_number_that_was_not_given_stores_nothing(one, number):
    found = ask("PUT", f"/upload/{one.token}/{number}", [b"abcdef"])
    assert (found.status, set(on_disk(one))) in ((404, set()), (204, {"files/00000.jpg"}))
    assert (found.status == 204) == (number == "00")


@pytest.mark.parametrize(
    ("chunks", "length", "status"),
    [
        ([b"abc", b"defg"], None, 413),
        ([b"x" * 3_000_000], None, 413),
        ([b"abcdef"], 7, 413),
        ([b"abcdef"], 5, 400),
        ([b"abcdef"], "six", 400),
        ([b"abcdef"], "-6", 400),
        ([b"abc"], None, 400),
        ([b"abcdefg"], 6, 413),
        ([], None, 400),
    ],
)
def test_a_file_of_another_size_than_announced_is_not_kept(one, chunks, length, status):
    found = put(one, 0, *chunks, length=length)
    assert found.status == status and found.sentence()
    assert on_disk(one) == {}


def test_more_is_not_read_than_was_announced(one):
    chunks = [b"abc"] * 50
    coming = iter(chunks)

    class Counted(list):
        def pop(self, _: int) -> bytes:
            return next(coming)

    assert put(one, 0, *Counted(chunks)).status == 413


def test_large_pictures_and_zips_are_named_and_not_sent(home):
    upload = uploads.begin(zip_bytes=90_000_000)
    told = announce(upload, ("a.jpg", 50_000_001, 1), ("b.jpg", 50_000_000, 1))
    assert told == {"send": [[1, 1]], "there": 0, "refused": [[0, decode.too_large()]], "replaced": 0}
    assert put(upload, 0, b"abc").status == 404
    zips = [uploads.begin(zip_bytes=90_000_000) for _ in range(2)]
    assert announce(zips[0], ("a.zip", 90_000_000, 1))["send"] == [[0, 0]]
    assert announce(zips[1], ("a.zip", 90_000_001, 1))["refused"] == [[0, "larger than 90 MB"]]


def test_too_many_files_are_refused_whole(one):
    many = [[f"{n}.jpg", 1, 1] for n in range(limits().files)]
    found = ask("POST", f"/upload/{one.token}", [json.dumps(many).encode()])
    assert found.status == 400 and "20,000" in found.sentence() and len(one.entries()) == 1
    assert len(announce(one, *many[1:])["send"]) == limits().files - 1


def test_more_than_an_upload_may_have_is_refused_whole(one):
    told = json.dumps([[f"{n}.jpg", 50_000_000, 1] for n in range(161)]).encode()
    found = ask("POST", f"/upload/{one.token}", [told])
    assert found.status == 400 and "8.0 GB" in found.sentence() and len(one.entries()) == 1


@pytest.mark.parametrize(
    "told",
    [b"", b"{}", b"[1]", b'[["a.jpg"]]',
     b'[["a.jpg",-1,0]]', b'[["a.jpg",1.5,0]]', b'[[1,1,1]]', b'[["a",1,null]]',
     b'[["a.jpg",9007199254740993,0]]', b"[" * 100_000, b"\xff\xfe", b'"' + b"9" * 5000, b"9" * 5000],
)  # fmt: skip
def test_what_is_no_list_of_files_is_said(one, told):
    found = ask("POST", f"/upload/{one.token}", [told])
    assert found.status == 400 and found.sentence() and len(one.entries()) == 1


@pytest.mark.parametrize("length", [None, 9_000_000])
def test_a_list_that_is_too_long_is_not_read_to_its_end(one, length):
    found = ask("POST", f"/upload/{one.token}", [b" " * 1_000_000] * 9, length=length)
    assert found.status == 413 and found.sentence()


# --- many at once, and those that give up


def test_few_files_of_an_upload_come_at_a_time(upload, monkeypatch):
    announce(upload, *((f"{n}.jpg", 3, 1) for n in range(9)))
    others = [uploads.begin() for _ in range(4)]
    for other in others:
        announce(other, *((f"{n}.jpg", 3, 1) for n in range(4)))

    async def visit() -> list[list[int]]:
        app, gate = make_app(), asyncio.Event()

        def start(to: Upload, count: int) -> list[asyncio.Task]:
            paths = [f"/upload/{to.token}/{n}" for n in range(count)]
            return [asyncio.create_task(send(app, "PUT", path, [b"abc"], gate=gate)) for path in paths]

        async def answers(tasks: list[asyncio.Task], count: int) -> list[int]:
            """What is answered while the gate is closed: at least so many, within ten seconds."""
            for _ in range(200):
                await asyncio.sleep(0.05)
                if len(done := [task.result().status for task in tasks if task.done()]) >= count:
                    break
            return done

        tasks = [start(upload, 6)]
        refused = await answers(tasks[0], 2)
        tasks += [start(other, 4) for other in others[:3]]
        for some in tasks[1:]:
            await answers(some, 0)
        while receive._busy.total() < receive.AT_ONCE_ALL:
            await asyncio.sleep(0.05)
        tasks.append(start(others[3], 4))
        late = await answers(tasks[4], 4)
        gate.set()
        await asyncio.gather(*(task for some in tasks for task in some))
        after = [(await send(app, "PUT", f"/upload/{upload.token}/8", [b"abc"])).status]
        return [refused, late, after]

    assert asyncio.run(visit()) == [[429] * 2, [429] * 4, [204]]
    assert not receive._busy


def test_what_was_given_up_midway_leaves_nothing(upload):
    announce(upload, ("a.jpg", 3_000_000, 1))
    assert put(upload, 0, b"x" * 1_500_000, b"x" * 10, lost=True).status == 400
    assert on_disk(upload) == {} and not receive._busy


def test_a_request_that_is_cancelled_leaves_nothing(upload):
    announce(upload, ("a.jpg", 30, 1))

    async def visit() -> None:
        task = asyncio.create_task(
            send(make_app(), "PUT", f"/upload/{upload.token}/0", [b"x" * 10], gate=asyncio.Event())
        )
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(visit())
    assert on_disk(upload) == {} and not receive._busy


def test_a_browser_that_falls_silent_loses_its_turn(one, monkeypatch):
    monkeypatch.setattr(receive, "STALLED_SECONDS", 0.2)

    async def visit() -> Answer:
        return await send(make_app(), "PUT", f"/upload/{one.token}/0", [b"abc"], gate=asyncio.Event())

    found = asyncio.run(visit())
    assert found.status == 408 and found.sentence() and on_disk(one) == {} and not receive._busy


# --- the disk


def with_free(monkeypatch, count: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**12, used=0, free=count))


def test_a_disk_without_room_is_said_before_anything_is_sent(upload, monkeypatch):
    with_free(monkeypatch, 510_000_000)
    files = [["a.jpg", 9_000_000, 1], ["b.jpg", 9_000_000, 1]]
    found = ask("POST", f"/upload/{upload.token}", [json.dumps(files).encode()])
    assert found.status == 507 and "18 MB" in found.sentence() and "510 MB" in found.sentence()
    assert upload.entries() == ()
    assert len(announce(upload, *files[:1])["send"]) == 1


def test_a_disk_that_fills_up_meanwhile_is_said(one, monkeypatch):
    with_free(monkeypatch, 100)
    found = put(one, 0, b"abcdef")
    assert found.status == 507 and "Make room" in found.sentence() and on_disk(one) == {}


def test_a_write_that_fails_is_said_and_leaves_nothing(one, monkeypatch):
    def full(part: Path, data: bytes) -> None:
        part.write_bytes(data[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(receive, "_append", full)
    found = put(one, 0, b"abcdef")
    assert found.status == 507 and "No space left" in found.sentence() and on_disk(one) == {}


def test_an_upload_that_is_deleted_while_a_file_comes_stays_deleted(one):
    async def visit() -> Answer:
        gate = asyncio.Event()
        task = asyncio.create_task(send(make_app(), "PUT", f"/upload/{one.token}/0", [b"abcdef"], gate=gate))
        await asyncio.sleep(0.2)
        one.remove()
        gate.set()
        return await task

    assert asyncio.run(visit()).status == 404
    assert not list(workspace.folder("uploads").iterdir())


def test_a_workspace_that_cannot_be_written_is_said(home, monkeypatch):
    monkeypatch.setattr(
        Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(OSError(30, "Read-only file system"))
    )
    with pytest.raises(InputError, match="Read-only"):
        uploads.begin()


# --- the dataset of it


def test_an_upload_becomes_the_same_dataset_as_its_folder(upload, tmp_path):
    files = {f"{place}{n}.png": picture(n) for n, place in enumerate(["b/", "", "a/x/", "a/", "Z/"] * 3)}
    files |= {"notes.txt": b"hello", "torn.jpg": b"no picture", "photo.HEIC": b"x", "none.png": b""}
    files |= {"zz.png": picture(0), "a/.hidden.png": picture(3)}
    for name, data in files.items():
        path = tmp_path / "My paintings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    shuffled = list(files.items())
    random.Random(0).shuffle(shuffled)
    upload_all(upload, {f"My paintings/{name}": data for name, data in shuffled})
    ours = upload.prepare(SMALL)
    theirs = dataset.prepare(tmp_path / "My paintings", SMALL, name="theirs")
    assert ours.name == "my-paintings-32" and ours.report == theirs.report and ours.hash == theirs.hash
    assert not list(workspace.folder("uploads").iterdir()), "the upload was kept"


def test_what_was_dropped_may_lie_on_a_drive_of_the_network(upload, monkeypatch):
    """Where the workspace does. Paths that somebody typed may not: they are looked at, its own are not."""

    def look(text: str) -> Path:
        raise DatasetError("Network paths are not opened.")

    monkeypatch.setattr(intake, "source_path", look)
    upload_all(upload, {f"art/{n}.png": picture(n) for n in range(8)})
    assert upload.prepare(SMALL).count == 8
    with pytest.raises(DatasetError, match="Network"):
        dataset.prepare("//server/art", SMALL)


def test_a_zip_alone_is_the_dataset(upload):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for n in range(9):
            archive.writestr(f"in/{n}.png", picture(n))
    upload_all(upload, {"Sea & sky.zip": packed.getvalue()})
    store = upload.prepare(SMALL)
    assert store.name == "sea-sky-32" and [line["file"] for line in store.report][:2] == ["in/0.png", "in/1.png"]


def test_a_zip_among_other_files_is_not_read(upload):
    upload_all(upload, {"a.zip": b"PK"})
    told = announce(upload, *((f"{n}.png", 3, 1) for n in range(2)), ("b.zip", 3, 1))
    assert told["refused"] == [[2, entries.ZIP_AMONG_OTHERS]]
    upload.settle()
    reasons = {line["file"]: line["reason"] for line in upload.listed()[1]}
    assert reasons["a.zip"] == reasons["b.zip"] == entries.ZIP_AMONG_OTHERS


def test_errors_name_what_was_dropped_and_no_number(upload):
    upload_all(upload, {"Mine.zip": b"no zip"})
    with pytest.raises(DatasetError, match="“Mine” is not a readable zip"):
        upload.prepare(SMALL)
    assert on_disk(upload), "the upload is gone, and nothing came of it"
    few = uploads.begin()
    upload_all(few, {f"Few/{n}.png": picture(n) for n in range(3)})
    with pytest.raises(DatasetError, match=r"^“Few” has 3 usable pictures among 3 files"):
        few.prepare(SMALL)


def test_a_title_means_nothing_where_it_is_shown(upload):
    announce(
        upload,
        ("![x](http://evil)\n:red[`$x$`]<b>/a.png", 3, 1),
        ("![x](http://evil)\n:red[`$x$`]<b>/b.png", 3, 1),
    )
    assert not set(upload.title()) & set("[]<>:`$*/\n")


def test_what_did_not_arrive_is_in_the_report(upload):
    upload_all(upload, {f"{n}.png": picture(n) for n in range(8)})
    announce(upload, ("large.png", 60_000_000, 1), ("lost.png", 50, 1))
    assert [entry.label for entry in upload.missing()] == ["lost.png"]
    upload.settle()
    assert upload.missing() == []
    told = {line["file"]: line.get("reason") for line in upload.listed()[1]}
    assert told["large.png"] == decode.too_large() and told["lost.png"] == entries.LEFT_BEHIND
    assert announce(upload, ("lost.png", 50, 1))["send"] == [[0, 9]], "it can be sent after all"
    upload.settle()
    assert upload.prepare(SMALL).count == 8


def test_only_what_cannot_be_used_is_said_with_its_reasons(upload):
    announce(upload, ("large.png", 60_000_000, 1))
    with pytest.raises(DatasetError, match=r"no usable picture among 1 file.*1 larger than 50 MB"):
        upload.prepare(SMALL)


# --- anything at all


def test_whatever_is_sent_the_answer_is_a_word_and_nothing_is_left_over(upload):
    rng = random.Random(0)
    names = ["a.jpg", "../b.png", "c/d.tif", "e.zip", "\0", "", ".x", "x" * 5000, "é.heic", "a.jpg/b.png", 3, None]
    numbers = [0, 1, 3, 7, -1, 10**9, 2**60, "1", None, 1.5, True]

    def anything() -> tuple[str, str, list[bytes], dict]:
        token = rng.choice([upload.token] * 8 + ["0" * 32, "x", upload.token[:-1], upload.token.upper()])
        method = rng.choice(["PUT", "PUT", "PUT", "POST", "GET", "\0"])
        path = f"/upload/{token}"
        if method == "PUT" or rng.random() < 0.2:
            given = [entry.number for entry in upload.entries()[-9:]]
            path += f"/{rng.choice([*given, '-1', 'x', '9' * 20, '0/1'])}"
            chunks = [rng.randbytes(rng.choice([0, 1, 3, 7])) for _ in range(rng.randrange(4))]
        else:
            few = [[rng.choice(names), rng.choice(numbers[:4] * 3 + numbers), 1] for _ in range(rng.randrange(4))]
            plain = [["a.jpg", rng.choice([1, 3, 7]), rng.randrange(3)], ["c/d.tif", 3, 1]]
            told = json.dumps(plain if rng.random() < 0.4 else few).encode()
            cut = rng.randrange(len(told)) if rng.random() < 0.2 else len(told)
            chunks = [told[: cut // 2], told[cut // 2 : cut]]
        options = {"lost": rng.random() < 0.1}
        if rng.random() < 0.2:
            options["length"] = rng.choice([0, 3, 7, "", "x", 10**17, "9" * 400])
        if rng.random() < 0.1:
            name = rng.choice([b"host", b"origin", b"sec-fetch-site"])
            options["headers"] = [
                (name, rng.choice([b"localhost", b"http://localhost", b"\xff", b"none", b"[", b""]))
            ]
        return method, path, chunks, options

    async def visit() -> list[Answer]:
        app = make_app()
        found = []
        for _ in range(2000):
            method, path, chunks, options = anything()
            found.append(await send(app, method, path, chunks, **options))
        return found

    statuses = [answer.status for answer in asyncio.run(visit())]
    assert set(statuses) <= {200, 204, 400, 403, 404, 405, 413}
    assert all(statuses.count(status) > 15 for status in (200, 204, 400, 403, 404, 405, 413)), "not worth asking"
    by_name = {entry.stored: entry for entry in upload.entries()}
    for name, data in on_disk(upload).items():
        folder, _, stored = name.rpartition("/")
        assert folder == "files" and len(data) == (0 if by_name[stored].unread else by_name[stored].size)
