"""The picture routes, which the pages' components ask while a hand moves, without any rerun of a page:

/paint/point    one picture: of a point on a plane
/paint/plane    one sheet: a plane or a part of it
/paint/seeds    one sheet: seeds in a row
/paint/loop     the small film of a model
/paint/film     a file that was exported

All are GET, take the id of a model and numbers that are clamped (the last the name of a file), and answer with a
picture, or a 4xx and a sentence."""

import math
from collections.abc import Callable
from pathlib import Path

import anyio
import numpy as np
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from ganart import export, images, latent, loops, models, planes, workspace
from ganart.errors import GanartError, InputError
from ganart.models import Model

AT_ONCE, MOST_WAITING = 2, 24
MOST_CELLS, MOST_SEEDS = 9, 64
CELL = 64  # px; cells of sheets are no larger
_painting = 0  # requests that are being answered or wait for it; only the server's event loop counts


async def _answer(request: Request, paint: Callable[[Request, Model], tuple[bytes, str]]) -> Response:
    """Paint in a thread, few at a time; what is wrong with the request is said in a sentence."""
    global _painting
    if _painting >= MOST_WAITING:
        return PlainTextResponse("Too many pictures are asked for at once. Wait a moment.", 429)
    _painting += 1
    try:
        limiter = _limiter(request)
        picture, kind, lasting = await to_thread.run_sync(_paint, request, paint, limiter=limiter)
    except InputError as error:
        return PlainTextResponse(str(error), 400)
    except GanartError as error:
        return PlainTextResponse(str(error), 404)
    finally:
        _painting -= 1
    cached = "private, max-age=3600" if lasting else "no-store"
    return Response(picture, media_type=f"image/{kind}", headers={"cache-control": cached})


def _limiter(request: Request) -> anyio.CapacityLimiter:
    """One for each server: limiters belong to an event loop."""
    state = request.app.state
    if not hasattr(state, "painters"):
        state.painters = anyio.CapacityLimiter(AT_ONCE)
    return state.painters


def _paint(request: Request, paint: Callable[[Request, Model], tuple[bytes, str]]) -> tuple[bytes, str, bool]:
    """The picture, its kind, and whether it stays the same for good: where the address names the model by its hash
    (`v`), too, and not only the run that learns on."""
    from ganart import loaded

    model = _model(request.query_params.get("model", ""))
    picture, kind = paint(request, model)
    version = request.query_params.get("v", "")
    return picture, kind, len(version) >= 8 and loaded.generator(model)[1].hash.startswith(version)


def _model(model_id: str) -> Model:
    """The model of this id; never a path. Raises InputError, ModelError."""
    if not 1 <= len(model_id) <= 100 or workspace.looks_like_path(model_id):
        raise InputError(f"“{model_id[:40]}” is no model's name.")
    return models.find_model(model_id)


def _float(request: Request, name: str, low: float, high: float, default: str = "") -> float:
    text = request.query_params.get(name, default)
    try:
        value = float(text) if len(text) <= 24 else math.nan
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise InputError(f"{name} is “{text[:20]}”. It must be a number from {low:g} to {high:g}.")
    return min(max(value, low), high)


def _plane(request: Request, model: Model) -> planes.Plane:
    from ganart import loaded

    _, card = loaded.generator(model)
    return planes.read(request.query_params, card.networks.z_dim, lambda kind: loaded.directions(model, kind))


def _point(request: Request, model: Model) -> tuple[bytes, str]:
    from ganart import loaded, render

    spot = [_float(request, name, -1.0, 1.0) for name in ("x", "y")]
    z = _plane(request, model).at(np.array([spot]))
    G, _ = loaded.generator(model)
    return images.encode(render.pictures(G, z)[0], "PNG", compress_level=1), "png"


def _sheet(request: Request, model: Model) -> tuple[bytes, str]:
    from ganart import loaded

    count = planes.number(request.query_params.get("cells", "7"), 1, MOST_CELLS)
    middle = _float(request, "x", -1.0, 1.0, "0"), _float(request, "y", -1.0, 1.0, "0")
    z = planes.grid(_plane(request, model), count, middle, _float(request, "span", 0.01, 1.0, "1"))
    return sheet(loaded.pictures(model, z), count), "webp"


def _seeds(request: Request, model: Model) -> tuple[bytes, str]:
    from ganart import loaded

    first = planes.number(request.query_params.get("first", ""), 0, latent.MAX_SEED)
    count = planes.number(request.query_params.get("count", "48"), 1, MOST_SEEDS)
    seeds = range(first, min(first + count, latent.MAX_SEED + 1))
    columns = planes.number(request.query_params.get("columns", "8"), 1, MOST_SEEDS)
    return sheet(loaded.of_seeds(model, list(seeds)), columns), "webp"


def sheet(pictures: np.ndarray, columns: int) -> bytes:
    """uint8 (N, H, W, C) -> one WebP, the pictures row by row in cells of up to CELL px. Small ones keep every
    pixel, since they are shown as squares that one can count."""
    if (factor := pictures.shape[1] // CELL) > 1:
        pictures = images.shrink(pictures, factor)
    lossless = pictures.shape[1] <= 32
    return images.encode(images.tile(pictures, columns), "WEBP", quality=88, method=1, lossless=lossless)


async def point(request: Request) -> Response:
    """x, y in [-1, 1] on the plane that the other parameters name (see `planes.read`) -> PNG."""
    return await _answer(request, _point)


async def plane(request: Request) -> Response:
    """cells x cells points of a plane around x, y, as far as `span` -> WebP, see `planes.grid`."""
    return await _answer(request, _sheet)


async def seeds(request: Request) -> Response:
    """`count` seeds from `first` on, in `columns` -> WebP."""
    return await _answer(request, _seeds)


async def loop(request: Request) -> Response:
    """The small film of a model -> WebP."""
    return await _file(request, _loop)


async def film(request: Request) -> Response:
    """The exported file of this name -> GIF, WebP, APNG, PNG or MP4, in parts if they are asked for."""
    return await _file(request, _film)


async def _file(request: Request, find: Callable[[Request], tuple[Path | None, str]]) -> Response:
    """A file as it is. It stays the same for good where the address names its version (`v`), too."""
    try:
        path, version = await to_thread.run_sync(find, request)
    except InputError as error:
        return PlainTextResponse(str(error), 400)
    except GanartError as error:
        return PlainTextResponse(str(error), 404)
    if path is None:
        return PlainTextResponse("There is no such film any more. Reload the page.", 404)
    asked = request.query_params.get("v", "")
    cached = "private, max-age=3600" if len(asked) >= 8 and version.startswith(asked) else "no-store"
    return FileResponse(path, headers={"cache-control": cached})


def _loop(request: Request) -> tuple[Path | None, str]:
    model = _model(request.query_params.get("model", ""))
    card = model.card()
    return loops.find(model, card), card.hash


def _film(request: Request) -> tuple[Path | None, str]:
    name = request.query_params.get("name", "")
    listed = workspace.folder("exports").iterdir()
    path = next((path for path in listed if path.name == name and path.suffix in export.KINDS), None)
    return path, str(path.stat().st_mtime_ns) if path else ""


ROUTES = [
    Route("/paint/point", point, methods=["GET"]),
    Route("/paint/plane", plane, methods=["GET"]),
    Route("/paint/seeds", seeds, methods=["GET"]),
    Route("/paint/loop", loop, methods=["GET"]),
    Route("/paint/film", film, methods=["GET"]),
]
