"""The upload routes, which take what the page's component sends straight to the disk, a file a request:

POST /upload/TOKEN             what the browser has -> what of it is to be sent, see `Upload.expect`
PUT  /upload/TOKEN/NUMBER      the bytes of one file, streamed

The answer is JSON or nothing, or a 4xx or 507 and a sentence. The token comes from a page (`uploads.begin`)."""

import contextlib
import json
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import anyio
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ganart import uploads
from ganart.entries import Entry
from ganart.errors import InputError
from ganart.files import replace_with_retry
from ganart.uploads import FullError, Upload

AT_ONCE, AT_ONCE_ALL = 4, 16  # requests of one upload, of all
LISTING_BYTES = 8_000_000
CHUNK = 2**20  # bytes that are held before they are written
STALLED_SECONDS = 60.0  # without a byte
_busy: Counter[str] = Counter()  # requests that are being answered, by token; only the event loop counts


class _Refused(Exception):  # noqa: N818  an answer, not an error
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


GONE = "This upload is over or was never begun. Reload the page, then drop the files again."
CHANGED = "the file is not as large as it was when it was chosen"


@contextlib.contextmanager
def _turn(token: str) -> Iterator[None]:
    """One of the few turns that an upload has at a time."""
    if _busy[token] >= AT_ONCE or _busy.total() >= AT_ONCE_ALL:
        raise _Refused(429, "Too many files come at once. Wait a moment.")
    _busy[token] += 1
    try:
        yield
    finally:
        _busy[token] -= 1
        if not _busy[token]:
            del _busy[token]


async def _answer(request: Request, work: Callable[[Request, Upload], Awaitable[Response]]) -> Response:
    """What went wrong, in a sentence."""
    try:
        upload = await to_thread.run_sync(uploads.find, request.path_params["token"])
        if upload is None:
            raise _Refused(404, GONE)
        with _turn(upload.token):
            return await work(request, upload)
    except _Refused as refused:
        return PlainTextResponse(str(refused), refused.status)
    except FullError as error:
        return PlainTextResponse(str(error), 507)
    except InputError as error:
        return PlainTextResponse(str(error), 400)
    except FileNotFoundError:  # deleted meanwhile
        return PlainTextResponse(GONE, 404)
    except OSError as error:
        return PlainTextResponse(
            f"The files could not be kept ({error.strerror}). Make room on the disk, then choose them again.",
            507,
        )


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    stream = request.stream()
    try:
        while True:
            with anyio.fail_after(STALLED_SECONDS):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            yield chunk
    except TimeoutError:
        raise _Refused(408, "Nothing came for a minute. Choose the files again to go on.") from None
    except ClientDisconnect:
        raise _Refused(400, "The browser gave up.") from None


def _length(request: Request) -> int | None:
    """Bytes that the browser says it will send, where it does."""
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise _Refused(400, "The length of the file is no number.")
    return int(text)


async def _expect(request: Request, upload: Upload) -> Response:
    told = bytearray()
    if (_length(request) or 0) > LISTING_BYTES:
        raise _Refused(413, "These are too many files at once. Drop fewer of them.")
    async for chunk in _chunks(request):
        told += chunk
        if len(told) > LISTING_BYTES:
            raise _Refused(413, "These are too many files at once. Drop fewer of them.")
    return JSONResponse(await to_thread.run_sync(_note, upload, bytes(told)))


def _note(upload: Upload, told: bytes) -> dict:
    try:
        named = json.loads(told)
    except (ValueError, RecursionError):
        named = None
    return upload.expect(named)


async def _store(request: Request, upload: Upload) -> Response:
    text = request.path_params["number"]
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1
    entry = await to_thread.run_sync(_wanted, upload, number)
    length = _length(request)
    if length is not None and length != entry.size:
        raise _Refused(413 if length > entry.size else 400, f"{CHANGED}.".capitalize())
    part = upload.folder / f"{entry.number:05}-{secrets.token_hex(4)}.part"
    pending, came = bytearray(), 0
    try:
        async for chunk in _chunks(request):
            came += len(chunk)
            if came > entry.size:
                raise _Refused(413, f"{CHANGED}.".capitalize())
            pending += chunk
            if len(pending) >= CHUNK:
                await to_thread.run_sync(_append, part, bytes(pending))
                pending.clear()
        if came < entry.size:
            raise _Refused(400, f"{CHANGED}.".capitalize())
        await to_thread.run_sync(_finish, upload, part, bytes(pending), entry)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return Response(status_code=204)


def _wanted(upload: Upload, number: int) -> Entry:
    entry = upload.wanted(number)
    if entry is None:
        raise _Refused(404, "No file of this number was chosen. Choose the files again.")
    uploads.check_disk(upload.folder, entry.size)
    return entry


def _append(part: Path, data: bytes) -> None:
    with part.open("ab") as file:
        file.write(data)


def _finish(upload: Upload, part: Path, data: bytes, entry: Entry) -> None:
    _append(part, data)
    replace_with_retry(part, upload.files / entry.stored)


async def expect(request: Request) -> Response:
    """JSON list of [relative path, bytes, modified in ms] -> which of them to send, and under what numbers."""
    return await _answer(request, _expect)


async def store(request: Request) -> Response:
    """The bytes of the file of this number, as many as were announced -> 204."""
    return await _answer(request, _store)


ROUTES = [
    Route("/upload/{token}", expect, methods=["POST"]),
    Route("/upload/{token}/{number}", store, methods=["PUT"]),
]
